"""Measure the engine against its peers: ``python -m benchmarks.engine``.

CPU seconds of one run, not wall time. The peers live in environments of their own (``.venv-peers``
and ``.venv-peers-3.12``), made on first use.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import measured
from benchmarks.measured import Growth, Measured, Row
from isoflop.tables.schema import LossTable

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
PINS = ("scipy==1.17.1", "numpy==2.4.6")
PEERS = ("chinchilla==0.2.0", "lmfit==1.3.4", *PINS)
YOUNG_PEERS = ("simple-scaling-laws==0.2.0", *PINS)
YOUNG = (3, 12)
"""The least Python of those."""
FIT, BOOTSTRAP = "fit", "bootstrap 4,000"
TARGETS_CPU_S = {FIT: 0.035, BOOTSTRAP: 0.6}
N_ROWS = (100, 1000, 10_000, 100_000, 1_000_000)
N_DRAWS = (250, 500, 1000, 2000, 4000)
FORMULAS = (
    "p/N**s",
    "E + p/N**s",
    "E + p/N**s + r/D**s",
    "E + p/N**s + r/D**t",
    "E + (p/N**s + r/D**t)**k",
    "E + p/N**s + r/D**t + g/(N**u*D**v)",
    "exp(a*N**g + b) + exp(c*N**h + d)*D**(-exp(p*N**s + r))",
)
"""Of two to nine parameters; those of the last three lie in curved valleys."""

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


def run_peers(rows: Path) -> list[dict[str, Any]]:
    """Run the peers in their own environments; one that cannot be run says why."""
    found = _run_in(REPOSITORY / ".venv-peers", sys.executable, PEERS, HERE / "peers.py", rows)
    python = _young_python()
    if python is None:
        note = f"no Python {'.'.join(map(str, YOUNG))} or newer was found"
        absent = {"peer": YOUNG_PEERS[0].replace("==", " "), "cpu_s": None, "objective": None}
        return [*found, absent | {"task": FIT, "note": note}]
    script = HERE / "simple_scaling_laws_peer.py"
    return found + _run_in(REPOSITORY / ".venv-peers-3.12", python, YOUNG_PEERS, script, rows)


def _young_python() -> str | None:
    """Return a Python that is new enough: this one, on the path, or kept by pyenv."""
    names = ["python3.12", "python3.13", "python3.14"]
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(name) for name in names]
    found += [str(path) for name in names for path in sorted(kept.glob(f"*/bin/{name}"))]
    ask = f"import sys; sys.exit(sys.version_info < {YOUNG})"
    for python in [sys.executable, *found]:
        if python and not subprocess.run([python, "-c", ask], capture_output=True).returncode:
            return python
    return None


def _run_in(
    venv: Path, python: str, packages: Sequence[str], script: Path, rows: Path
) -> list[dict[str, Any]]:
    inside = venv / "bin" / "python"
    if not inside.exists():
        subprocess.run([python, "-m", "venv", str(venv)], check=True)
        subprocess.run([inside, "-m", "pip", "install", "--quiet", *packages], check=True)
    # Without this project's path: the peers are measured as a user has them.
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [inside, str(script), str(rows)], capture_output=True, text=True, check=True, env=own
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def measure(is_short: bool) -> Iterator[Measured]:
    """Yield CPU seconds of fits and draws; the peers', and objectives, only in the long version."""
    from isoflop.fitting import FitOptions, fit
    from isoflop.laws import load_laws
    from isoflop.tables import load_dataset, simulated_table

    table = simulated_table(seed=0) if is_short else load_dataset("chinchilla")
    law = load_laws()["chinchilla"]
    n_draws = 100 if is_short else 4000
    draws = FitOptions(n_bootstrap=n_draws, bootstrap="rows")
    fit_s = median_cpu(lambda: fit(law, table), 1 if is_short else 9)
    bootstrap_s = median_cpu(lambda: fit(law, table, draws), 1 if is_short else 3) - fit_s
    frame = table.frame[["params", "tokens", "loss"]]
    ours = {FIT: fit_s, BOOTSTRAP: bootstrap_s}
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.json"
        rows.write_text(json.dumps(frame.to_dict(orient="list")))
        peers = [] if is_short else run_peers(rows)
        done = subprocess.run(
            [sys.executable, "-c", TYPED, str(rows)], capture_output=True, text=True, check=True
        )
    excess = fit(law, table).objective_value / BEST_KNOWN - 1
    for task, cpu_s in ours.items():
        note = f"excess objective {excess:.1e}" if task == FIT and not is_short else ""
        yield Row(
            task=_task(task), value=cpu_s, unit="CPU s", at_most=TARGETS_CPU_S[task], note=note
        )
    for peer in peers:
        yield _row(peer, ours)
    derive_s, typed_s, process_s, _ = json.loads(done.stdout)
    for part, cpu_s in (
        ("derivation alone", derive_s),
        ("with its first fit", typed_s),
        ("with all imports", process_s),
    ):
        yield Row(task=f"typed formula in a fresh process, {part}", value=cpu_s, unit="CPU s")
    yield from _growth(is_short)


def _growth(is_short: bool) -> Iterator[Growth]:
    """Yield how a fit grows with rows and with parameters, and draws with their number."""
    from isoflop.fitting import FitOptions, fit
    from isoflop.laws import load_laws, typed_law
    from isoflop.tables import simulated_table

    law = load_laws()["chinchilla"]

    def cpu_s(call: Callable[[], object]) -> float:
        return median_cpu(call, 1 if is_short else 3)

    times = []
    for n_rows in (counts := N_ROWS[:2] if is_short else N_ROWS):
        table = _rows(n_rows)
        times.append(cpu_s(lambda table=table: fit(law, table)))
    yield Growth(task="certified fit", along="rows", at=counts, cpu_s=tuple(times))

    table, times = simulated_table(design="random", n_rows=250), []
    plain_s = cpu_s(lambda: fit(law, table))
    for n_draws in (counts := N_DRAWS[:1] if is_short else N_DRAWS):
        draws = FitOptions(n_bootstrap=n_draws, bootstrap="rows")
        times.append(cpu_s(lambda draws=draws: fit(law, table, draws)) - plain_s)
    yield Growth(task="bootstrap, 250 rows", along="draws", at=counts, cpu_s=tuple(times))

    texts = FORMULAS[:2] if is_short else FORMULAS
    laws = [typed_law(text, list(table.frame)) for text in texts]
    yield Growth(
        task="certified fit of a typed formula, 250 rows",
        along="parameters",
        at=tuple(len(law.params) for law in laws),
        cpu_s=tuple(cpu_s(lambda law=law: fit(law, table)) for law in laws),
    )


def _rows(n_rows: int) -> LossTable:
    """Return a simulated table; a very long one repeats rows, which costs the same."""
    import pandas as pd

    from isoflop.tables import simulated_table

    longest = 100_000
    table = simulated_table(design="random", n_rows=min(n_rows, longest))
    if n_rows <= longest:
        return table
    return table.with_frame(pd.concat([table.frame] * (n_rows // longest), ignore_index=True))


def _task(name: str) -> str:
    return "certified fit, 245 runs" if name == FIT else "4,000 bootstrap fits, 245 runs"


def _row(peer: dict[str, Any], ours: dict[str, float]) -> Row:
    words = [peer["note"]]
    if peer["objective"] is not None:
        words.append(f"its excess objective {peer['objective'] / BEST_KNOWN - 1:.1e}")
    return Row(
        task=_task(peer["task"]),
        value=ours[peer["task"]],
        unit="CPU s",
        peer=peer["peer"],
        peer_value=peer["cpu_s"],
        note="; ".join(word for word in words if word),
    )


if __name__ == "__main__":
    measured.main(measure)
