"""The Data page as a whole: one table, its rows, its columns, its quality, and where more are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext, translated, without_stop
from isoflop.language import ngettext as n_
from isoflop.tables import LossTable, ReadResult
from isoflop.tables.schema import said_count, said_loss_unit
from isoflop.tables.shapes import THINNED
from isoflop.ui import controls, inputs, messages, resolve, uploads
from isoflop.ui.data import columns as data_columns
from isoflop.ui.data import prepare as data_prepare
from isoflop.ui.data import quality as data_quality
from isoflop.ui.data import rows as data_rows
from isoflop.ui.data import sources as data_sources
from isoflop.ui.data import understood
from isoflop.ui.state import TableChoice

TABS = {
    "rows": lazy_gettext("Rows"),
    "columns": lazy_gettext("Columns"),
    "quality": lazy_gettext("Quality"),
    "sources": lazy_gettext("Sources"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The table that the page shows.

    Parameters
    ----------
    choice : TableChoice
    full : LossTable
        Every row.
    table : LossTable
        What is fitted.
    result : ReadResult or None
        How it was read; None for a simulated table.
    """

    choice: TableChoice
    full: LossTable
    table: LossTable
    result: ReadResult | None


def show() -> None:
    """Draw the page; what cannot be had is said, and the other tabs still work."""
    shown = None
    with messages.boundary(), st.sidebar:
        shown = _shown()
    if shown is not None:
        _head(shown)
    name, tab = inputs.tabs(TABS, key="view")
    with tab, messages.boundary():
        _views(shown)[name]()


def _shown() -> Shown:
    st.header(_("Data"), anchor=False)
    choice = controls.table_input()
    full = resolve.full_table(choice)
    st.header(_("Rows to fit"), anchor=False)
    data_prepare.controls(choice.id, full)
    return Shown(
        choice=choice,
        full=full,
        table=resolve.table(choice),
        result=resolve.read_result(choice),
    )


def _head(shown: Shown) -> None:
    """Say which table this is, and what of it is fitted."""
    table, full = shown.table, shown.full
    understood.show(shown.choice.id)
    st.markdown(f"## {messages.plain(table.provenance.title)}")
    n_fitted = len(table.included())
    thinned = table.provenance.derived_columns.get(THINNED, "")
    facts = [
        _("**{n_fitted:,}** of {frame:,} rows are fitted", n_fitted=n_fitted, frame=len(full.frame))
        + (f" ({messages.plain(thinned)})" if thinned else ""),
        translated(without_stop(said_loss_unit(table.loss_unit)))
        if "loss" in table.frame
        else _("No loss"),
    ]
    if "params" in table.frame:
        facts.append(translated(without_stop(said_count(table.param_convention))))
    if "family" in table.frame:
        n_families = table.included()["family"].nunique()
        facts.append(n_("{n:,} family", "{n:,} families", n_families))
    st.markdown(" · ".join(facts))
    if table.provenance.is_simulated:
        st.badge(
            _("Simulated: nobody trained these models"), color="orange", icon=":material/science:"
        )
    if shown.result is not None and shown.result.notices:
        messages.notices(shown.result.notices)


def _views(shown: Shown | None) -> dict[str, Callable[[], None]]:
    def with_table(draw: Callable[[Shown], None]) -> Callable[[], None]:
        def drawn() -> None:
            if shown is None:
                st.caption(_("Choose a table on the left or under Sources."))
            else:
                draw(shown)

        return drawn

    def columns() -> None:
        if uploads.pending() is not None:
            st.caption(_("Name the columns in the form above."))
        elif shown is not None and shown.result is not None:
            data_columns.show(shown.choice.id, shown.result)
        else:
            st.caption(_("A simulated table has no file, and so no columns to name."))

    return {
        "rows": with_table(lambda s: data_rows.show(s.choice.id, s.full, s.table)),
        "columns": columns,
        "quality": with_table(lambda s: data_quality.show(s.choice.id, s.full, s.table)),
        "sources": data_sources.show,
    }
