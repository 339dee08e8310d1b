"""Scaling laws as formulas, and everything derived from a formula.

Called as a function, ``isoflop.laws()``, it lists the shipped laws as a frame.
"""

import sys
from types import ModuleType

import pandas as pd

from isoflop.laws.catalog import (
    PublishedFit,
    formula_names,
    law_for_role,
    laws_for,
    laws_frame,
    load_laws,
    load_published_fits,
    published_fit_for_role,
    rebind,
    typed_law,
)
from isoflop.laws.formula import parse
from isoflop.laws.latex import formula_latex, symbol_latex
from isoflop.laws.law import Input, Law, Param
from isoflop.laws.names import INPUT_COLUMNS, NameQuestion, Names, identifier, rename
from isoflop.laws.restrict import (
    ParamBounds,
    plain_bounds,
    read_bounds,
    restrictable,
    restricted,
)
from isoflop.laws.roles import FIT_ROLES, ROLES, FitRole, Role

__all__ = [
    "FIT_ROLES",
    "INPUT_COLUMNS",
    "ROLES",
    "FitRole",
    "Input",
    "Law",
    "NameQuestion",
    "Names",
    "Param",
    "ParamBounds",
    "PublishedFit",
    "Role",
    "formula_latex",
    "formula_names",
    "identifier",
    "law_for_role",
    "laws_for",
    "load_laws",
    "load_published_fits",
    "parse",
    "plain_bounds",
    "published_fit_for_role",
    "read_bounds",
    "rebind",
    "rename",
    "restrictable",
    "restricted",
    "symbol_latex",
    "typed_law",
]


class _Laws(ModuleType):
    """The package as a function: the name ``isoflop.laws`` is both."""

    def __call__(self) -> pd.DataFrame:
        """Return the shipped laws as a frame by key."""
        return laws_frame()


sys.modules[__name__].__class__ = _Laws
