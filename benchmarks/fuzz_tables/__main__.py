"""Try many broken files: ``python -m benchmarks.fuzz_tables --files 10000``.

Files of real shapes (those of ``tests/tables/cases``, and tables made from the grammar's words) are
cut, repeated, written over and mixed, and read as anybody's file is. Each must give a table that
keeps its promises, a question or an `IsoflopError`; anything else is printed with its seed, and the
exit status is 1. One seed gives the same files on every machine.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from isoflop.errors import IsoflopError, TableQuestion
from isoflop.tables import COLUMNS, LossTable, read_table
from isoflop.tables.reading.columns import words

CASES = Path(__file__).resolve().parents[2] / "tests" / "tables" / "cases"
TABLE, QUESTION, ERROR = "clean table", "question", "IsoflopError"
_PIECES = (
    b"", b"\n", b",", b";", b"|", b"\t", b":", b"{", b"}", b"[", b"]", b'"', b"'", b"nan", b"1e999",
    b"-1", b"**", b"~", b"\xc2\xb1", b"(3)", b"loss", b"step", b"1B", b"\x00", b"\xff", b"=", b"/",
    b"- ", b"#", b"Total", b"mean,std", b"log ", b"\xe4\xba\xbf", b"1.234,5", b"$10^{9}$", b"\r",
    b"\xef\xbb\xbf",
)  # fmt: skip
_CELLS = (
    "1e8", "1.3B", "300B tokens", "3.2", "2.1±0.1", "nan", "", "-", "inf", "-1", "0", "999",
    "1,300", "1.234,5", "**3**", "7%", "1e400", "x", "diverged", "2026-01-01", "true", "[1, 2]",
    "{'a': 1}", "1'000", "10⁹",
)  # fmt: skip


def broken_file(rng: random.Random, cases: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Return a file of a real shape with faults, and a name that may not be its own."""
    name = rng.choice(sorted(cases))
    content = cases[name] if rng.random() < 0.6 else _made(rng)
    for _ in range(rng.randrange(7)):
        start = rng.randrange(len(content) + 1)
        end = min(len(content), start + rng.randrange(40))
        piece = rng.choice(_PIECES) if rng.random() < 0.8 else rng.randbytes(rng.randrange(6))
        piece = rng.choice((piece, b"", content[start:end] * 2))
        content = content[:start] + piece + content[end:]
    if rng.random() < 0.05:
        content = content.decode(errors="replace").encode(
            rng.choice(("utf-16", "cp1252", "utf-8-sig")), "replace"
        )
    return rng.choice((name, "runs.csv", "curve_N70M_D1.4B.json", "run.log", "x")), content


def _made(rng: random.Random) -> bytes:
    """Return a table whose headers are made of the grammar's words."""
    known = words()
    names = [name for column in known.columns.values() for name in column.aliases]
    others = [*known.groups, *known.denominators, *known.loss_units]
    marks = (" ", "_", "/", " per ", "-", ".", " (", "=")
    headers = []
    for _ in range(rng.randrange(1, 7)):
        parts = [rng.choice(names), *rng.choices(others, k=rng.randrange(3))]
        rng.shuffle(parts)
        headers.append(rng.choice(marks).join(parts))
    rows = [[rng.choice(_CELLS) for _ in headers] for _ in range(rng.randrange(8))]
    if rng.random() < 0.2:
        return json.dumps([dict(zip(headers, row, strict=True)) for row in rows]).encode()
    buffer = io.StringIO()
    pd.DataFrame(rows, columns=headers).to_csv(
        buffer, index=False, sep=rng.choice((",", ";", "\t", "|")), header=rng.random() < 0.95
    )
    return buffer.getvalue().encode()


def faults(table: LossTable) -> Iterator[str]:
    """Yield which promises of every table one does not keep."""
    frame, included = table.frame, table.included()
    if not len(included):
        yield "no row is left"
    if not frame.columns.is_unique or not frame.index.is_unique:
        yield "columns or rows of one name"
    if len(table.fingerprint) != 64:
        yield "no fingerprint"
    for name in frame.columns:
        dtype, column = frame[name].dtype, COLUMNS.get(str(name))
        if not (dtype in (np.float64, np.bool_) or isinstance(dtype, pd.StringDtype)):
            yield f"{name} is {dtype}"
        elif column is not None and column.lower is not None and column.upper is not None:
            values = included[name].dropna()
            if not (np.isfinite(values) & (values > column.lower)).all():
                yield f"{name} is out of its range"


def outcome(name: str, content: bytes) -> str:
    """Return what a file gives; other words than the three for anything that it must not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return "; ".join(faults(read_table(content, name=name).table)) or TABLE
    except TableQuestion:
        return QUESTION
    except IsoflopError:
        return ERROR
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "".join(traceback.format_exception(error)[-3:])


def fuzz(n_files: int, first: int = 0) -> tuple[Counter[str], dict[int, str]]:
    """Return how many files gave what, and of each that gave anything else its seed and what."""
    cases = {path.name: path.read_bytes() for path in CASES.iterdir()}
    counts: Counter[str] = Counter()
    wrong: dict[int, str] = {}
    for seed in range(first, first + n_files):
        found = outcome(*broken_file(random.Random(seed), cases))
        is_right = found in {TABLE, QUESTION, ERROR}
        counts[found if is_right else "anything else"] += 1
        if not is_right:
            wrong[seed] = found
    return counts, wrong


def main() -> int:
    """Print what the files gave."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first file")
    arguments = parser.parse_args()
    counts, wrong = fuzz(arguments.files, arguments.seed)
    for what, count in counts.most_common():
        print(f"{what:16}{count:8,}")
    for seed, found in wrong.items():
        print(f"\nseed {seed}: {found}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
