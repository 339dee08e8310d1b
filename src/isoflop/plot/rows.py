"""The rows of a table as figures take them: by family, with a label each."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.planning import Plan
from isoflop.tables import LossTable, family_names
from isoflop.units import format_number, format_quantity

NO_FAMILY = "Rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows of one family.

    Parameters
    ----------
    family : str
        Safe to stand in a figure, which reads markup.
    frame : pandas.DataFrame
    position : ndarray of int, shape (n,)
        Where the rows stand among the table's included ones.
    labels : tuple of str
        One a row, with units, for the hover box.
    """

    family: str
    frame: pd.DataFrame
    position: NDArray[np.intp]
    labels: tuple[str, ...]

    def values(self, column: str) -> NDArray[np.float64]:
        """Return one numeric column, shape (n,)."""
        return self.frame[column].to_numpy(np.float64)


@lru_cache(maxsize=16)
def groups(table: LossTable) -> tuple[Group, ...]:
    """Return the included rows of a table, a group a family.

    Kept by table: labelling 100,000 rows takes a second and a half.
    """
    frame = table.included()
    names = family_names(table)
    if not names:
        everything = np.arange(len(frame))
        return (
            Group(family=NO_FAMILY, frame=frame, position=everything, labels=row_labels(frame)),
        )
    column = frame["family"].astype(str).where(frame["family"].notna(), NO_FAMILY)
    found = []
    for name in dict.fromkeys([*names, *column]):
        position = np.flatnonzero(column == name)
        part = frame.iloc[position]
        found.append(
            Group(family=html.escape(name), frame=part, position=position, labels=row_labels(part))
        )
    return tuple(found)


def row_labels(frame: pd.DataFrame) -> tuple[str, ...]:
    """Describe each row in a few lines; text of the table stays text."""
    columns = {name: frame[name].tolist() for name in _WRITE if name in frame}
    names = frame["run_id"].astype(str).map(html.escape).tolist() if "run_id" in frame else None
    return tuple(
        "<br>".join(
            ([f"<b>{names[row]}</b>"] if names else [])
            + [_WRITE[name](values[row]) for name, values in columns.items()]
        )
        for row in range(len(frame))
    )


@lru_cache(maxsize=16)
def fitted_rows(fit: Fit, table: LossTable) -> LossTable:
    """Return the rows that were fitted, in the fit's order."""
    return table.with_frame(table.frame.loc[fit.row_index])


@lru_cache(maxsize=16)
def fitted_labels(fit: Fit, table: LossTable) -> tuple[str, ...]:
    """Describe each fitted row in a few lines, its number in the table first."""
    frame = table.frame.loc[fit.row_index]
    loss = frame[fit.law.response].to_numpy(np.float64)
    parts = [[f"<b>row {index}</b>" for index in frame.index]]
    parts.append([f"{fit.law.response} {value:.4g}" for value in loss])
    for item in fit.law.inputs:
        values = frame[item.column].to_numpy(np.float64)
        parts.append([f"{html.escape(item.symbol)} {format_number(value)}" for value in values])
    return tuple("<br>".join(lines) for lines in zip(*parts, strict=True))


def describe(
    *, loss: float, compute: float | None, params: float | None, tokens: float | None
) -> str:
    """Put one run into a few lines, with units, for a hover box."""
    parts = [
        f"<b>loss {loss:.4g}</b>",
        None if compute is None else format_quantity(compute, "flop"),
        None if params is None else f"{format_number(params)} parameters",
        None if tokens is None else f"{format_number(tokens)} tokens",
    ]
    return "<br>".join(part for part in parts if part)


def describe_plan(plan: Plan) -> str:
    """Put a plan into a few lines, with units, for a hover box."""
    return describe(
        loss=plan.loss, compute=plan.compute_flop, params=plan.params, tokens=plan.tokens
    )


_WRITE: MappingProxyType[str, Callable[[float], str]] = MappingProxyType(
    {
        "loss": lambda value: f"loss {value:.4g}",
        "accuracy": lambda value: f"accuracy {value:.4g}",
        "params": lambda value: f"{format_number(value)} parameters",
        "tokens": lambda value: f"{format_number(value)} tokens",
        "compute_flop": lambda value: format_quantity(value, "flop"),
    }
)
