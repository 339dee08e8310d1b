"""Hold out the largest runs of public tables, predict them, and estimate the constants.

``python -m benchmarks.extrapolation --write`` rewrites ``data/extrapolation.toml``, which every
prediction beyond the data rests on, and ``data/extrapolation_backtest.csv``, how such bands did on
each table with constants from the others. Tables that are not here are downloaded.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.extrapolation.tables import KEPT_BACK, names, tables
from isoflop.fitting.extrapolation.calibration import (
    NOMINAL,
    Trial,
    estimate,
    overall,
    report,
    trials,
)
from isoflop.fitting.extrapolation.constants import Constants, Width, load_constants

DATA = Path(__file__).resolve().parents[2] / "data"


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", help="of `tables.names`; by default all")
    parser.add_argument("--write", action="store_true", help="rewrite the files that ship")
    given = parser.parse_args()
    found: list[Trial] = []
    for table in tables(tuple(given.tables) or names()):
        start = time.process_time()
        found += trials(table, load_constants())
        cpu_s = time.process_time() - start
        print(f"{table.id}: {len(found)} trials so far, {cpu_s:.1f} s of CPU", flush=True)
    conclude(found, writes=given.write)


def conclude(found: Sequence[Trial], *, writes: bool) -> None:
    """Estimate the constants, print the report, and write both if asked to."""
    of_losses = [one for one in found if one.source not in KEPT_BACK]
    constants = estimate(of_losses, load_constants())
    by_table = report(found, constants, kept_back=KEPT_BACK)
    means = overall(by_table[~by_table["dataset"].isin(KEPT_BACK)])
    text = constants_text(constants, means)
    print(by_table.round(4).to_string(index=False), means.round(4).to_string(), text, sep="\n\n")
    if writes:
        (DATA / "extrapolation.toml").write_text(text, encoding="utf-8")
        path = DATA / "extrapolation_backtest.csv"
        path.write_text(by_table.to_csv(index=False, float_format="%.4g"), encoding="utf-8")


def constants_text(constants: Constants, means: pd.DataFrame) -> str:
    """Return the file of the constants."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    average = means.loc["average"]
    source = (
        f"python -m benchmarks.extrapolation --write: {average['sources']:.0f} public "
        "tables, .5, 1 and 1.5 decades held out; with constants from the other tables the "
        f"{NOMINAL:.0%} band of the average held {average['coverage']:.0%} of held-out runs "
        f"(standard error {average['standard_error']:.0%}, tables counting alike), its mean "
        f"error {average['times_best']:.2f} times that of the law that turned out best"
    )
    return f'''\
# How laws are weighted beyond the data, and the width of bands: docs/extrapolation.md.
# Written by the command below; half-width in log loss = factor * root of the sum of squares of
# noise, draws, disagreement * spread of the laws, distance * fall of a power law (no units).

retrieved = "{today}"
source = "{source}"
cuts_decades = {list(constants.cuts_decades)}
weight_power = {constants.weight_power}
fewest_rows = {constants.fewest_rows}
fewest_cuts = {constants.fewest_cuts}
most_decades = {constants.most_decades}

[enough_rows]
average = {_entry(constants.widths["average"])}
one = {_entry(constants.widths["one"])}

[few_rows]
average = {_entry(constants.widths_of_few["average"])}
one = {_entry(constants.widths_of_few["one"])}
'''


def _entry(width: Width) -> str:
    return (
        f"{{ disagreement = {width.disagreement:.3g}, distance = {width.distance:.3g}, "
        f"factor = {width.factor:.3g} }}"
    )


if __name__ == "__main__":
    main()
