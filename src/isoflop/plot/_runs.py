"""The runs of a table, to be looked at and picked: by family, those left out apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.language import kept_by_language, lazy_gettext
from isoflop.language import ngettext as n_
from isoflop.plot import theme as look
from isoflop.plot._figure import assemble
from isoflop.plot.axes import axis_of, column_title, loss_title
from isoflop.plot.theme import LIGHT, Scale, Theme, Trace, escaped
from isoflop.tables import LossTable
from isoflop.units import format_number

HEIGHT_PX = 440
MAX_FAMILIES = 9
MAX_POINTS = 6000
"""More markers than this slow the browser down: an even sample is drawn."""

OTHERS = lazy_gettext("Other families")
LOSSES = frozenset({"loss"})
RESPONSES = ("loss", "accuracy")
SCALES = (
    "compute_flop",
    "params",
    "tokens",
    "step",
    "unique_tokens",
    "params_active",
    "n_experts",
)


def runs(
    table: LossTable, *, x: str | None = None, y: str | None = None, theme: Theme = LIGHT
) -> go.Figure:
    """Draw the rows of a table, so that points can be picked by click, box or lasso.

    Parameters
    ----------
    table : LossTable
        Rows left out are drawn, too, as crosses.
    x, y : str, optional
        Numeric columns; by default the first of `across` and of `upwards`.
    theme : Theme

    Returns
    -------
    plotly.graph_objects.Figure
        Row numbers are in each trace's ``customdata``. At most 6,000 points, evenly taken.
    """
    picture = _prepare(table, x or across(table)[0], y or upwards(table)[0])
    return _draw(picture, theme)


def across(table: LossTable) -> tuple[str, ...]:
    """Return the numeric columns that runs may be laid out by, scales of a run first."""
    numeric = _numeric(table)
    first = [name for name in SCALES if name in numeric]
    return tuple(dict.fromkeys([*first, *(n for n in numeric if n not in RESPONSES)]))


def upwards(table: LossTable) -> tuple[str, ...]:
    """Return the numeric columns that may be drawn upwards, losses and scores first."""
    numeric = _numeric(table)
    return tuple(dict.fromkeys([*(name for name in RESPONSES if name in numeric), *numeric]))


def _numeric(table: LossTable) -> list[str]:
    return [str(name) for name in table.frame.select_dtypes("number").columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows drawn alike.

    Parameters
    ----------
    name : str
        Family; inert in a browser.
    x, y : ndarray, shape (n,)
    labels : tuple of str
        One a row, for the hover box; inert in a browser.
    numbers : ndarray of int, shape (n,)
        Row numbers, which come back with a selection.
    """

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    labels: tuple[str, ...]
    numbers: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """What is drawn: rows by family, those left out, and one in how many is taken."""

    x: str
    y: str
    y_title: str
    included: tuple[_Rows, ...]
    excluded: _Rows | None
    every: int


@kept_by_language(max_entries=16)
def _prepare(table: LossTable, x: str, y: str) -> _Picture:
    frame = table.frame[table.frame[[x, y]].notna().all(axis=1)]
    every = max(1, -(-len(frame) // MAX_POINTS))
    frame = frame.iloc[::every]
    flags = frame.get("is_excluded", pd.Series(False, index=frame.index))
    is_out = flags.to_numpy(dtype=bool)
    kept = frame[~is_out]
    names = _families(kept)
    return _Picture(
        x=x,
        y=y,
        y_title=loss_title(table.loss_unit) if y in LOSSES else column_title(y),
        included=tuple(
            _rows(escaped(name), kept[names == name], x, y) for name in dict.fromkeys(names)
        ),
        excluded=_rows(_("Left out"), frame[is_out], x, y) if is_out.any() else None,
        every=every,
    )


def _families(frame: pd.DataFrame) -> pd.Series[str]:
    """Return the family of each row; beyond nine, small ones go together."""
    if "family" not in frame:
        return pd.Series(_("Rows"), index=frame.index, dtype="str")
    names = frame["family"].fillna(_("No family")).astype("str")
    counts = names.value_counts()
    if len(counts) <= MAX_FAMILIES:
        return names
    largest = set(counts.index[: MAX_FAMILIES - 1])
    return names.where(names.isin(largest), OTHERS)


def _rows(name: str, frame: pd.DataFrame, x: str, y: str) -> _Rows:
    return _Rows(
        name=name,
        x=frame[x].to_numpy(np.float64),
        y=frame[y].to_numpy(np.float64),
        labels=_labels(frame, x, y),
        numbers=frame.index.to_numpy(np.int64),
    )


def _labels(frame: pd.DataFrame, x: str, y: str) -> tuple[str, ...]:
    names = frame["run_id"] if "run_id" in frame else pd.Series("", index=frame.index)
    reasons = frame.get("exclusion_reason", pd.Series("", index=frame.index))
    return tuple(
        _("row {row}", row=row)
        + (f", {escaped(str(run))[:60]}" if isinstance(run, str) and run else "")
        + f"<br>{escaped(x)} {format_number(a, 4)}<br>{escaped(y)} {b:.4g}"
        + (f"<br>{escaped(str(why))[:80]}" if isinstance(why, str) and why else "")
        for row, run, a, b, why in zip(frame.index, names, frame[x], frame[y], reasons, strict=True)
    )


def _draw(picture: _Picture, theme: Theme) -> go.Figure:
    n_points = sum(len(group.x) for group in picture.included)
    traces = [_trace(group, index, n_points) for index, group in enumerate(picture.included)]
    if picture.excluded is not None:
        crosses: Trace = {
            "symbol": "x-thin",
            "size": 9,
            "line": {"width": 1.5, "color": look.MUTED},
        }
        traces.append(_trace(picture.excluded, 0, n_points) | {"marker": crosses})
    groups = [*picture.included, *([picture.excluded] if picture.excluded is not None else [])]
    x = np.concatenate([np.empty(0), *(group.x for group in groups)])
    y = np.concatenate([np.empty(0), *(group.y for group in groups)])
    across, upwards = axis_of(picture.x), escaped(picture.y_title)
    layout = {
        "xaxis": look.axis(escaped(across.title), _scale(x), is_power=across.is_compute, span=x),
        "yaxis": look.loss_axis(upwards, y)
        if picture.y in LOSSES
        else look.axis(upwards, "linear"),
        "dragmode": "lasso",
        "clickmode": "event+select",
    }
    sampled = _(
        "One row in {every:,} is drawn; rules and the quality report see all of them.",
        every=picture.every,
    )
    return assemble(
        traces,
        theme=theme,
        height_px=HEIGHT_PX,
        layout=layout,
        alt=_alt(picture),
        notes=[sampled] if picture.every > 1 else [],
    )


def _scale(values: NDArray[np.float64]) -> Scale:
    finite = values[np.isfinite(values)]
    return "log" if len(finite) and finite.min() > 0 else "linear"


def _trace(group: _Rows, index: int, n_points: int) -> Trace:
    return {
        "type": look.marker_type(n_points),
        "x": group.x,
        "y": group.y,
        "mode": "markers",
        "name": group.name,
        "customdata": group.numbers,
        "text": group.labels,
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
        "marker": {
            "color": look.colour(index),
            "symbol": look.symbol(index),
            "size": 8 if n_points <= look.MANY_POINTS else 5,
            "line": look.OUTLINE,
        },
        "selected": {"marker": {"color": look.ACCENT, "size": 11}},
        "unselected": {"marker": {"opacity": 0.35}},
    }


def _alt(picture: _Picture) -> str:
    n_in = sum(len(group.x) for group in picture.included)
    n_out = 0 if picture.excluded is None else len(picture.excluded.x)
    left_out = _("; {n_out} left out are crosses", n_out=n_out) if n_out else ""
    families = n_("{n:,} family", "{n:,} families", len(picture.included))
    rows, along = n_("{n:,} row", "{n:,} rows", n_in), axis_of(picture.x).title
    return _(
        "{y_title} of {rows} against {along}, in {families}{left_out}.",
        y_title=picture.y_title,
        rows=rows,
        along=along,
        families=families,
        left_out=left_out,
    )
