"""Keeping results between runs of a page.

Every cache is bounded and shared by all sessions. What is kept is found again by the content of
the arguments: the key of a fit, the fingerprint of a table. Results are frozen: pages and figures
never write into them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from isoflop.fitting import Fit, FitOptions
from isoflop.identity import Keyed, content_key
from isoflop.laws import Law
from isoflop.planning import Accelerator, Budget, Plan
from isoflop.tables import LossTable

MAX_TABLES = 16
MAX_FITS = 64
MAX_RESULTS = 128

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

HASHES: Mapping[str | type, Callable[[Any], Any]] = {
    LossTable: lambda table: (table.id, table.fingerprint),
    **dict.fromkeys((Keyed, Fit, Plan), lambda result: result.key),
    **dict.fromkeys((Law, FitOptions, Accelerator, Budget), content_key),
}
"""How arguments are told apart."""


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
    keep = st.cache_resource(max_entries=max_entries, show_spinner=spinner, hash_funcs=dict(HASHES))
    return keep(function)
