"""The rows of a table as figures take them: by family, with a label each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.fitting import Fit
from isoflop.language import gettext, kept_by_language, lazy_gettext, translated
from isoflop.once import once
from isoflop.planning import Plan
from isoflop.plot.theme import escaped
from isoflop.tables import LossTable, family_names
from isoflop.units import format_number
from isoflop.units.said import format_quantity

NO_FAMILY = lazy_gettext("Rows")


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
    lines : tuple of str
        What a hover box says of a row, a ``{}`` in each for its value.
    cells : tuple of tuple of str
        Those values, a row each: words that all rows share need not be sent with every one.
    labels : tuple of str
        Both together, one a row.
    """

    family: str
    frame: pd.DataFrame
    position: NDArray[np.intp]
    lines: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        whole = "<br>".join(self.lines)
        object.__setattr__(self, "labels", tuple(whole.format(*cells) for cells in self.cells))

    def hover(self) -> dict[str, Any]:
        """Return what a trace of the rows says of each where the pointer is."""
        values = (f"%{{customdata[{place}]}}" for place in range(len(self.lines)))
        whole = "<br>".join(self.lines).format(*values)
        return {
            "customdata": self.cells,
            "hovertemplate": f"{whole}<extra>%{{fullData.name}}</extra>",
        }

    def values(self, column: str) -> NDArray[np.float64]:
        """Return one numeric column, shape (n,)."""
        return self.frame[column].to_numpy(np.float64)


@kept_by_language(max_entries=16)
def groups(table: LossTable) -> tuple[Group, ...]:
    """Return the included rows of a table, a group a family.

    Kept by table: labelling 100,000 rows takes a second and a half.
    """
    frame = table.included()
    names = family_names(table)
    if not names:
        return (_group(NO_FAMILY, frame, np.arange(len(frame))),)
    column = frame["family"].astype(str).where(frame["family"].notna(), NO_FAMILY)
    found = []
    for name in dict.fromkeys([*names, *column]):
        position = np.flatnonzero(column == name)
        found.append(_group(escaped(name), frame.iloc[position], position))
    return tuple(found)


def _group(family: str, frame: pd.DataFrame, position: NDArray[np.intp]) -> Group:
    """Describe each row in a few lines; text of the table stays text."""
    written = {name: how for name, how in _WRITE.items() if name in frame}
    columns = [[how(value) for value in frame[name].tolist()] for name, (_, how) in written.items()]
    lines = [translated(line) for line, _ in written.values()]
    if "run_id" in frame:
        lines.insert(0, "<b>{}</b>")
        columns.insert(0, frame["run_id"].astype(str).map(escaped).tolist())
    return Group(
        family=family,
        frame=frame,
        position=position,
        lines=tuple(lines),
        cells=tuple(zip(*columns, strict=True)) if columns else ((),) * len(frame),
    )


def row_labels(frame: pd.DataFrame) -> tuple[str, ...]:
    """Describe each row in a few lines."""
    return _group(NO_FAMILY, frame, np.arange(len(frame))).labels


@once(max_entries=16)
def fitted_rows(fit: Fit, table: LossTable) -> LossTable:
    """Return the rows that were fitted, in the fit's order."""
    return table.with_frame(table.frame.loc[fit.row_index])


@kept_by_language(max_entries=16)
def fitted_labels(fit: Fit, table: LossTable) -> tuple[str, ...]:
    """Describe each fitted row in a few lines, its number in the table first."""
    frame = table.frame.loc[fit.row_index]
    loss = frame[fit.law.response].to_numpy(np.float64)
    parts = [[gettext("<b>row {index}</b>", index=index) for index in frame.index]]
    parts.append([f"{fit.law.response} {value:.4g}" for value in loss])
    for item in fit.law.inputs:
        values = frame[item.column].to_numpy(np.float64)
        parts.append([f"{escaped(item.symbol)} {format_number(value)}" for value in values])
    return tuple("<br>".join(lines) for lines in zip(*parts, strict=True))


def describe(
    *, loss: float, compute: float | None, params: float | None, tokens: float | None
) -> str:
    """Put one run into a few lines, with units, for a hover box."""
    parts = [
        gettext("<b>loss {loss:.4g}</b>", loss=loss),
        None if compute is None else format_quantity(compute, "flop"),
        None if params is None else gettext("{params} parameters", params=format_number(params)),
        None if tokens is None else gettext("{tokens} tokens", tokens=format_number(tokens)),
    ]
    return "<br>".join(part for part in parts if part)


def describe_plan(plan: Plan) -> str:
    """Put a plan into a few lines, with units, for a hover box."""
    return describe(
        loss=plan.loss, compute=plan.compute_flop, params=plan.params, tokens=plan.tokens
    )


_WRITE: MappingProxyType[str, tuple[str, Callable[[float], str]]] = MappingProxyType(
    {
        "loss": (lazy_gettext("loss {{}}"), lambda value: f"{value:.4g}"),
        "accuracy": (lazy_gettext("accuracy {{}}"), lambda value: f"{value:.4g}"),
        "params": (lazy_gettext("{{}} parameters"), format_number),
        "tokens": (lazy_gettext("{{}} tokens"), format_number),
        "compute_flop": ("{}", lambda value: format_quantity(value, "flop")),
    }
)
"""What is said of a row, by table column: the words, and how its value is written."""
