"""What the shipped ladder says: residuals beside seed noise, and families at equal compute.

``python -m benchmarks.training.report`` prints the two tables of docs/training.md.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from isoflop.fitting import Fit, predict
from isoflop.forecast import fit_ladder
from isoflop.laws import laws_for
from isoflop.tables import load_dataset
from isoflop.tables.select import of_families
from isoflop.training.benchmark_table import DATASET, SEED_WIDTH
from isoflop.training.config import FAMILIES

COMPUTE_FLOP = (1e10, 3e10, 1e11, 3e11, 1e12)


def main() -> None:
    """Print both tables."""
    table = load_dataset(DATASET)
    laws = [law.key for law in laws_for("small-runs")]
    print(f"{'family':>14} {'seeds':>7} " + " ".join(f"{law:>13}" for law in laws))
    best: dict[str, Fit] = {}
    for family in FAMILIES:
        rows = of_families(table, [family])
        fits = {law: fit_ladder(law, rows) for law in laws}
        best[family] = min(fits.values(), key=lambda fit: fit.residual_std)
        residuals = " ".join(f"{fits[law].residual_std:13.2%}" for law in laws)
        print(f"{family:>14} {seed_noise(rows.included()):7.2%} {residuals}")
    print(f"\n{'family':>14} " + " ".join(f"{flop:>22.0e}" for flop in COMPUTE_FLOP))
    for family in FAMILIES:
        frame = of_families(table, [family]).included()
        cells = [at_compute(best[family], frame, flop) for flop in COMPUTE_FLOP]
        print(f"{family:>14} " + " ".join(f"{cell:>22}" for cell in cells))


def seed_noise(frame: pd.DataFrame) -> float:
    """Return the standard deviation of log loss between seeds, pooled over budgets."""
    repeats = frame[frame["width"] == SEED_WIDTH]
    spread = np.log(repeats["loss"]).groupby(repeats["tokens"]).std(ddof=1)
    return float(np.sqrt((spread**2).mean()))


def at_compute(fitted: Fit, frame: pd.DataFrame, flop: float) -> str:
    """Return the lowest fitted loss of the widths trained, within the tokens trained."""
    found = []
    for width, rows in frame.groupby("width"):
        tokens = flop / float((rows["compute_flop"] / rows["tokens"]).iloc[0])
        if rows["tokens"].min() <= tokens <= rows["tokens"].max():
            at = {"params": rows["params"].iloc[0], "tokens": tokens}
            symbols = {item.symbol: np.array([at[item.column]]) for item in fitted.law.inputs}
            found.append((float(predict(fitted, symbols)[0]), width, tokens))
    if not found:
        return "not trained"
    loss, width, tokens = min(found)
    return f"{loss:.3f} (w{width:.0f}, {tokens / 1e6:.2f}M)"


if __name__ == "__main__":
    main()
