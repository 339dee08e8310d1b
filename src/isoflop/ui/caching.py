"""Keeping results between runs of a page.

Every cache is bounded and shared by all sessions. What is kept is found again by the content of
the arguments: the key of a fit, the fingerprint of a table. Results are frozen: pages and figures
never write into them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from isoflop.fitting import FitOptions
from isoflop.identity import Keyed, content_key
from isoflop.laws import Law
from isoflop.planning import Accelerator, Budget, ComputeRule, PlanOptions, Setting
from isoflop.tables import LossTable
from isoflop.training.corpus import Corpus
from isoflop.training.runs import Run
from isoflop.training.tokenizer import BpeTokenizer, ByteTokenizer
from isoflop.ui.language import Spoken

MAX_TABLES = 16
MAX_FITS = 64
MAX_RESULTS = 128
MAX_LONG = 32
MAX_PLANS = 1024
"""Plans of 3 kB: all that the sliders of a budget offer, 400 for a table, for those who look at it
together."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

HASHES: Mapping[str | type, Callable[[Any], Any]] = {
    # What its headers were taken for, too: names in a typed formula are read by it.
    LossTable: lambda table: (
        table.id,
        table.fingerprint,
        table.reading and hash(table.reading.mapping),
    ),
    **dict.fromkeys(
        (Law, FitOptions, Accelerator, Budget, PlanOptions, ComputeRule, Setting), content_key
    ),
    Run: lambda run: str(run.folder),
    Corpus: lambda corpus: (corpus.key, corpus.fingerprint),
    **dict.fromkeys((ByteTokenizer, BpeTokenizer), lambda t: content_key((t.name, t.token_bytes))),
}
"""How arguments are told apart, besides results, which have a key."""


def _key(result: Any) -> str:
    return str(result.key)


def kept(
    function: Callable[Arguments, Result],
    *,
    max_entries: int = MAX_RESULTS,
    spinner: str | bool = False,
) -> Callable[Arguments, Result]:
    """Return a function that is computed once for equal arguments, by all sessions together.

    For what shows a spinner, takes longer than a slider may wait, or must be made only once when
    several sessions ask; figures and functions of the package keep their own dear parts.

    Parameters
    ----------
    function : callable
        A function of the package, by its own name; its arguments and result are not changed later.
    max_entries : int
    spinner : str or bool
        What the page says meanwhile; False for nothing.
    """
    # Streamlit looks for the very class of an argument, not for what it derives from.
    hashes = dict(HASHES)
    hashes.update(dict.fromkeys(Keyed.__subclasses__(), _key))
    said = Spoken(spinner) if isinstance(spinner, str) else spinner
    keep = st.cache_resource(max_entries=max_entries, show_spinner=said, hash_funcs=hashes)
    return keep(function)
