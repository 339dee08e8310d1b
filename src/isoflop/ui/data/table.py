"""The rows as a table: filtered and sorted here, a page of them editable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.language import ngettext as n_
from isoflop.tables import COLUMNS, Exclusion, LossTable
from isoflop.ui import inputs, messages, number_columns, prepared

MAX_SHOWN = 1000
FLAG, REASON = "is_excluded", "exclusion_reason"
LEFT_OUT, WHY = "Left out", "Reason"
"""Columns of the editor."""
HAND = lazy_gettext("ticked by hand")
WHICH = {
    "all": lazy_gettext("All rows"),
    "in": lazy_gettext("Fitted rows"),
    "out": lazy_gettext("Left-out rows"),
}


def show(table_id: str, full: LossTable, table: LossTable) -> None:
    """Draw the filter, and the rows that pass it with a flag to edit."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = inputs.choice(
            _("Rows"),
            WHICH,
            key="data.which",
            default="all",
            style="row",
            is_label_shown=False,
            help=_("All of them, those that are fitted, or those that are left out."),
        )
        text = inputs.text(
            _("Filter"),
            key="data.filter",
            read=str,
            placeholder=_("Filter: text, or loss < 2.5"),
            label_visibility="collapsed",
            help=_("Text in a row, or a comparison such as tokens >= 2e10, in canonical units."),
        )
        by = inputs.choice(
            _("Sort by"),
            {name: _sort_label(name) for name in ("", *map(str, table.frame.columns))},
            key="data.sort",
            default="",
            is_label_shown=False,
            help=_("The column that the rows are sorted by."),
        )
        falling = inputs.switch(
            _("Descending"), key="data.falling", default=False, help=_("The largest first.")
        )
    shown = _sorted(_filtered(_which(table.frame, which), text), by, not falling)
    _editor(table_id, full, table, shown.head(MAX_SHOWN))
    more = (
        _("; the first {max_shown:,} are shown", max_shown=MAX_SHOWN)
        if len(shown) > MAX_SHOWN
        else ""
    )
    st.caption(
        _(
            "{rows}{more}. Tick a row to leave it out.",
            rows=n_("{n:,} row", "{n:,} rows", len(shown)),
            more=more,
        )
    )


def _sort_label(name: str) -> str:
    return (
        _("Sort: {label}", label=COLUMNS[name].label if name in COLUMNS else name)
        if name
        else _("In file order")
    )


def _which(frame: pd.DataFrame, which: str) -> pd.DataFrame:
    if which == "all" or FLAG not in frame:
        return frame.iloc[:0] if which == "out" else frame
    flags = frame[FLAG].to_numpy(dtype=bool)
    return frame[flags if which == "out" else ~flags]


_COMPARISONS: Mapping[str, Any] = {
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "!=": np.not_equal,
    "<": np.less,
    ">": np.greater,
    "=": np.equal,
}


def _filtered(frame: pd.DataFrame, text: str) -> pd.DataFrame:
    """Keep rows that satisfy a comparison, or that hold a text somewhere."""
    text = text.strip()
    if not text:
        return frame
    for mark, compare in _COMPARISONS.items():
        name, found, value = text.partition(mark)
        name = name.strip()
        if found and name in frame and _is_number(frame[name]):
            try:
                limit = float(value)
            except ValueError:
                break
            with np.errstate(invalid="ignore"):
                passes: NDArray[np.bool_] = compare(frame[name].to_numpy(np.float64), limit)
                return frame.loc[passes]
    held = pd.Series(False, index=frame.index)
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.StringDtype):
            held |= frame[name].str.contains(text, case=False, regex=False).fillna(False)
    if not held.any():
        messages.assumption(_("No row holds the text {text}.", text=text[:40]))
    return frame[held]


def _sorted(frame: pd.DataFrame, by: str, is_rising: bool) -> pd.DataFrame:
    if not by or by not in frame:
        return frame if is_rising else frame.iloc[::-1]
    return frame.sort_values(by, ascending=is_rising, kind="stable")


def _editor(table_id: str, full: LossTable, table: LossTable, page: pd.DataFrame) -> None:
    """Draw a page of rows whose flag can be ticked."""
    flags = page[FLAG].astype(bool) if FLAG in page else pd.Series(False, index=page.index)
    reasons = page[REASON] if REASON in page else pd.Series("", index=page.index, dtype="str")
    rest = page.drop(columns=[name for name in (FLAG, REASON) if name in page])
    rest = rest.rename(columns={name: _("{name} (file)", name=name) for name in (LEFT_OUT, WHY)})
    rest, config = number_columns.readable(rest)
    shown = pd.concat([flags.rename(LEFT_OUT), rest, reasons.rename(WHY)], axis=1)
    key = f"data.editor.{table.fingerprint[:16]}"
    st.data_editor(
        shown,
        key=key,
        height=380,
        disabled=[name for name in shown.columns if name not in {LEFT_OUT, WHY}],
        column_config={
            "_index": st.column_config.NumberColumn(_("Row"), format="%d", pinned=True),
            LEFT_OUT: st.column_config.CheckboxColumn(_("Left out"), pinned=True),
            WHY: st.column_config.TextColumn(_("Reason")),
            **config,
        },
        on_change=_take_edits,
        args=(key, table_id, full, tuple(int(row) for row in page.index)),
        alt=_("Rows of the loss table, each with a flag that leaves it out"),
    )


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype)


def _take_edits(key: str, table_id: str, full: LossTable, rows: tuple[int, ...]) -> None:
    """Turn ticked and unticked flags into exclusions, one for each reason."""
    edits: Mapping[Any, Mapping[str, Any]] = st.session_state[key].get("edited_rows", {})
    out: dict[str, list[int]] = {}
    back: list[int] = []
    for position, changes in edits.items():
        row = rows[int(position)]
        if changes.get(LEFT_OUT) is not True:
            back.append(row)  # a new reason replaces the old one
        if changes.get(LEFT_OUT, WHY in changes):
            out.setdefault(str(changes.get(WHY) or HAND), []).append(row)
    found = [Exclusion(rule="keep", rows=tuple(sorted(back)), reason=HAND)] if back else []
    found += [
        Exclusion(rule="rows", rows=tuple(sorted(numbers)), reason=reason)
        for reason, numbers in out.items()
    ]
    for exclusion in found:
        prepared.add_exclusion(table_id, full, exclusion)
