"""Run the benchmarks of speed, each in a process of its own: ``python -m benchmarks``.

The results go into ``benchmarks/RESULTS.md``, with the growth of cost drawn beside it. Named ones
run alone (``python -m benchmarks app engine``), short ones (``--short``) in a minute; neither
writes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import measured
from benchmarks.results import write_results

HERE = Path(__file__).parent
SPEED = ("engine", "tables", "app", "load")
"""Benchmarks that yield rows of a table; the others write what ships, and run by name."""


def main() -> None:
    """Run them one after the other, so that none disturbs another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *SPEED], help="which; all unless given")
    parser.add_argument("--short", action="store_true", help="the same code on less")
    parser.add_argument("--minutes", help="of each phase of the load; ten unless given")
    given = parser.parse_args()
    begin = time.monotonic()
    found: dict[str, list[measured.Measured]] = {}
    failed = []
    for name in given.names or SPEED:
        print(f"\n=== benchmarks.{name} ===", flush=True)
        try:
            own = ["--minutes", given.minutes] if name == "load" and given.minutes else []
            found[name] = _run(name, [*own, *["--short"] * given.short])
        except subprocess.CalledProcessError:
            failed.append(name)
    print(f"\n{(time.monotonic() - begin) / 60:.1f} minutes")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
    if not (given.short or given.names):
        write_results(found)


def _run(name: str, flags: list[str]) -> list[measured.Measured]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "measured.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(path)]
        subprocess.run([*command, *flags], cwd=HERE.parent, check=True)
        return measured.read(path)


if __name__ == "__main__":
    main()
