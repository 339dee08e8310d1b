"""Measure the engine against its peers: ``python -m benchmarks.engine``.

CPU seconds of one run, not wall time. The peers live in an environment of their own
(``.venv-peers``), made on first use.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PEERS_VENV = REPOSITORY / ".venv-peers"
PEERS = ("chinchilla==0.2.0", "lmfit==1.3.4", "scipy==1.17.1", "numpy==2.4.6")
BEST_KNOWN = 0.00182601052307  # known answer 2: log-Huber 1e-3 on all 245 rows

TYPED = """
import time; begin = time.process_time()
import json, sys
import pandas as pd
from isoflop.fitting import fit
from isoflop.laws import typed_law
from isoflop.tables.schema import LossTable, Provenance
frame = pd.DataFrame(json.load(open(sys.argv[1])))
table = LossTable(id="b", frame=frame, provenance=Provenance(title="b"))
ready = time.process_time()
law = typed_law("floor + p/N**s + r/D**t", list(frame.columns))
law.derived
derived = time.process_time()
value = fit(law, table).objective_value
end = time.process_time()
print(json.dumps([derived - ready, end - ready, end - begin, value]))
"""


def median_cpu(call: Callable[[], object], repeats: int) -> float:
    """Return the median CPU seconds of a call, after a first one that warms up."""
    call()
    times = []
    for _ in range(repeats):
        begin = time.process_time()
        call()
        times.append(time.process_time() - begin)
    return statistics.median(times)


def run_peers(rows: Path) -> list[dict]:
    """Run the peers in their own environment."""
    python = PEERS_VENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS_VENV)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    script = Path(__file__).with_name("peers.py")
    done = subprocess.run(
        [python, str(script), str(rows)], capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main() -> None:
    """Print the table."""
    from isoflop.fitting import FitOptions, fit
    from isoflop.laws import load_laws
    from isoflop.tables import load_dataset

    table = load_dataset("chinchilla")
    law = load_laws()["chinchilla"]
    draws = FitOptions(n_bootstrap=4000, bootstrap="rows")
    fit_s = median_cpu(lambda: fit(law, table), 9)
    bootstrap_s = median_cpu(lambda: fit(law, table, draws), 3) - fit_s
    value = fit(law, table).objective_value
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        frame = table.frame[["params", "tokens", "loss"]]
        rows.write_text(json.dumps(frame.to_dict(orient="list")))
        peers = run_peers(rows)
        done = subprocess.run(
            [sys.executable, "-c", TYPED, str(rows)], capture_output=True, text=True, check=True
        )
    derive_s, typed_s, process_s, typed_value = json.loads(done.stdout)
    ours = {"fit": fit_s, "bootstrap 4,000": bootstrap_s}
    print("Log-Huber 1e-3 on the 245 digitised Chinchilla runs, CPU seconds")
    print(f"{'tool':38} {'task':16} {'CPU s':>9} {'ratio':>8} {'excess objective':>17}")
    for task, cpu_s in ours.items():
        excess = f"{value / BEST_KNOWN - 1:.1e}" if task == "fit" else ""
        print(f"{'isoflop, certified':38} {task:16} {cpu_s:9.3f} {'1.0':>8} {excess:>17}")
    for peer in peers:
        if peer["cpu_s"] is None:
            print(f"{peer['peer']:38} {peer['note']}")
            continue
        ratio = peer["cpu_s"] / ours[peer["task"]]
        excess = "" if peer["objective"] is None else f"{peer['objective'] / BEST_KNOWN - 1:.1e}"
        print(
            f"{peer['peer']:38} {peer['task']:16} {peer['cpu_s']:9.3f} {ratio:8.1f} {excess:>17}"
            f"  {peer['note']}"
        )
    print(
        f"A typed formula in a fresh process: derivation {derive_s * 1e3:.1f} ms, "
        f"with its first fit {typed_s:.3f} s, with all imports {process_s:.3f} s; "
        f"excess objective {typed_value / BEST_KNOWN - 1:.1e}"
    )


if __name__ == "__main__":
    main()
