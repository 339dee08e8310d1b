"""Whatever is given to the package, the server or a page: a result or a clear error."""

from __future__ import annotations

import random
import traceback
import warnings
from collections.abc import Callable, Iterator

from benchmarks.faults import inputs, sent
from benchmarks.faults.tally import Tally
from benchmarks.fuzz_tables.__main__ import fuzz as fuzz_tables
from isoflop.errors import IsoflopError

N_TABLES, N_TABLES_SHORT = 2500, 25
OF_PACKAGE: dict[str, tuple[int, Callable[[random.Random], Callable[[random.Random], object]]]] = {
    "formulas": (2100, inputs.formulas),
    "model configurations": (1300, inputs.configurations),
    "documents": (1300, inputs.documents),
    "column mappings": (1000, inputs.mappings),
    "run folders": (900, inputs.run_folders),
    "API bodies": (800, sent.bodies),
}
"""What is fuzzed, how often, and what makes the function that tries one."""
N_LINKS, N_LINKS_SHORT = 100, 2
SHORT = 100
"""Of what is tried in full, a part of this many is tried in the short version."""
CHECKED = "a result or a clear error, nothing else"


def make(is_short: bool, seed: int) -> Iterator[Tally]:
    """Fuzz 10,000 inputs of eight kinds."""
    counts, wrong = fuzz_tables(N_TABLES_SHORT if is_short else N_TABLES, seed)
    tables = Tally("fuzzed tables", "a clean table, a question or a clear error", n=counts.total())
    tables.counts.update({f"gave a {what}": n for what, n in counts.items()})
    tables.violations += [f"seed {one}: {found}" for one, found in wrong.items()]
    yield tables
    for kind, (n_full, prepare) in OF_PACKAGE.items():
        yield tried(kind, prepare, n_full // SHORT if is_short else n_full, seed)
    yield sent.links(N_LINKS_SHORT if is_short else N_LINKS, seed)


def tried(
    kind: str,
    prepare: Callable[[random.Random], Callable[[random.Random], object]],
    n: int,
    seed: int,
) -> Tally:
    """Try inputs of a kind, each with a seed of its own.

    Parameters
    ----------
    kind : str
    prepare : callable
        Gives the function that tries one input.
    n : int
    seed : int
        Of the first.
    """
    tally = Tally(f"fuzzed {kind}", CHECKED)
    try_one = prepare(random.Random(seed))
    for own in range(seed, seed + n):
        tally.n += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                try_one(random.Random(own))
            tally.counts["gave a result"] += 1
        except IsoflopError:
            tally.counts["gave a clear error"] += 1
        except Exception as error:
            where = "".join(traceback.format_exception(error)[-2:])
            tally.violations.append(f"seed {own}: {' '.join(where.split())}")
    return tally
