"""Scaling laws as formulas, and everything derived from a formula."""

from isoflop.laws.catalog import (
    PublishedFit,
    formula_names,
    law_for_role,
    laws_for,
    load_laws,
    load_published_fits,
    published_fit_for_role,
    rebind,
    typed_law,
)
from isoflop.laws.formula import parse
from isoflop.laws.latex import formula_latex
from isoflop.laws.law import Input, Law, Param
from isoflop.laws.names import INPUT_COLUMNS, NameQuestion, Names, identifier, rename
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
    "published_fit_for_role",
    "rebind",
    "rename",
    "typed_law",
]
