"""What a person has chosen: one immutable value, mirrored to the address bar by its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import streamlit as st

from isoflop.fitting import FitOptions
from isoflop.planning import Budget
from isoflop.tables.simulated import Design

UPLOAD_PREFIX = "upload-"
PUBLISHED_PREFIX = "published-"
TYPED_LAW = "typed"
SIMULATED = "simulated"

DEFAULT_OPTIONS = FitOptions(n_bootstrap=1000, bootstrap="auto")
"""How the front page fits before anyone says otherwise."""

_SELECTION = "selection"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableChoice:
    """Which loss table.

    Parameters
    ----------
    id : str
        Catalog id, ``simulated``, or ``upload-`` and the start of an upload's fingerprint.
    design : {"isoflop", "grid", "random"}
    noise : float
        Standard deviation of log loss.
    outliers, seed : int
        Of a simulated table, as design and noise; the same for all other tables.
    """

    id: str
    design: Design = "isoflop"
    noise: float = 0.005
    outliers: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FitChoice:
    """What is fitted to what.

    Parameters
    ----------
    table : TableChoice
    families : tuple of str
        Families to fit, in the table's order; empty for all rows of a table without families.
    law : str
        Catalog key, ``published-`` and the key of a published fit, or ``typed``.
    formula : str
        Of a typed law; empty otherwise.
    parameters : tuple of str
        Names of a typed formula that are parameters, though they read like a column.
    input_column : str
        Column that the ``x`` of a law of one free input stands for; empty for other laws.
    options : FitOptions
    fixed : mapping of str to float
        Values of the law's inputs that a budget does not settle, by table column.
    """

    table: TableChoice
    families: tuple[str, ...]
    law: str
    formula: str
    input_column: str
    options: FitOptions
    parameters: tuple[str, ...] = ()
    fixed: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection(FitChoice):
    """Everything that a page's result depends on: the fit, and the budget.

    Parameters
    ----------
    accelerator : str
        Catalog key.
    budget : Budget
    params : float or None
        Model size asked for; None for the compute-optimal one.
    """

    accelerator: str
    budget: Budget
    params: float | None


def remember(selection: Selection) -> None:
    """Keep the selection for the session's other pages."""
    st.session_state[_SELECTION] = selection


def remembered() -> Selection | None:
    """Return the last selection of this session, if any page made one."""
    return st.session_state.get(_SELECTION)
