"""Published fits over the rows, each with its convention and the range it rests on."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting.compare import PublishedComparison, compare_published, scale_column
from isoflop.language import all_translated, lazy_gettext, translated
from isoflop.language import gettext as _
from isoflop.plot import APP, axes
from isoflop.ui import inputs, messages, panels
from isoflop.ui.caching import kept
from isoflop.ui.compare import view as compare_view
from isoflop.ui.compare.view import View

N_FIRST = 4
"""Fits drawn at first: those whose shape comes closest."""
MAX_SHOWN = 6

COLUMNS = {
    "published": lazy_gettext("Published fit"),
    "shift": lazy_gettext("Median shift"),
    "spread": lazy_gettext("Spread"),
    "valid_range": lazy_gettext("Valid range"),
    "in_range": lazy_gettext("Rows in range"),
    "params_counted": lazy_gettext("N counts"),
    "conflicts": lazy_gettext("Counted differently here"),
}
SOURCES = {
    "published": lazy_gettext("Published fit"),
    "data": lazy_gettext("Fitted to"),
    "loss_unit": lazy_gettext("Loss in"),
    "source": lazy_gettext("Source"),
    "note": lazy_gettext("Note"),
}

_compare_published = kept(compare_published)


def show(shown: View) -> None:
    """Draw the rows against the chosen published fits, then what each of them is."""
    shown = compare_view.of_one_convention(shown)
    found = _compare_published(shown.table)
    if not found.evaluated:
        st.info(_("No published fit has all its inputs among this table's columns."))
        return
    chosen = _chosen(found)
    scales = axes.scale_axes(shown.table)
    column = inputs.choice(
        _("Horizontal axis"),
        {name: axis.name for name, axis in scales.items()},
        key="compare.published.x",
        default=scale_column(shown.table),
        help=_("What the rows are drawn against."),
        style="row" if len(scales) < 4 else "list",
    )
    with st.container(key="answer"):
        st.markdown(messages.plain(found.summary()))
    _charts(found, chosen, column)
    st.caption(
        _(
            "Flat: the published shape holds, and a constant shift is what other "
            "text and another tokenizer do. A slope or a bend is what no choice "
            "of text explains. Curves are of the best size where the law trades "
            "size for data, and dotted beyond their range."
        )
    )
    _table(found)
    refused = [f"{one.published.label}: {one.refusal}" for one in found.scores if one.refusal]
    if refused:
        with st.expander(_("{refused} published fits need other columns", refused=len(refused))):
            st.markdown("\n".join(f"- {messages.plain(text)}" for text in refused))


def _chosen(found: PublishedComparison) -> list[str]:
    """Draw which fits are drawn, and return them."""
    known = found.evaluated
    first = list(found.closest or known)[:N_FIRST]
    chosen = inputs.few(
        _("Published fits to draw"),
        {key: score.published.label for key, score in known.items()},
        key="compare.fits",
        default=first,
        help=_(
            "Each is drawn over the rows as it was published; by default those "
            "whose shape comes closest."
        ),
        most=MAX_SHOWN,
    )
    return list(chosen)


def _charts(found: PublishedComparison, chosen: list[str], column: str) -> None:
    """Draw curves over the rows, if any fit has one, beside what is left."""
    shift = plot.published_shift(found, fits=chosen, x=column, theme=APP)
    try:
        curves = plot.published(found, fits=chosen, x=column, theme=APP)
    except FitError:
        panels.drawn(shift, key="compare.published")
        return
    left, right = panels.side_by_side()
    with left:
        panels.drawn(curves, key="compare.published.curves")
    with right:
        panels.drawn(shift, key="compare.published")


def _table(found: PublishedComparison) -> None:
    frame = found.to_frame()
    counts = zip(frame["n_in_range"], frame["n_rows"], strict=True)
    frame["in_range"] = [_("{count} of {total}", count=n, total=total) for n, total in counts]
    panels.listed(
        frame[list(COLUMNS)].rename(columns=all_translated(COLUMNS)),
        column_config=dict.fromkeys(
            (translated(COLUMNS["shift"]), translated(COLUMNS["spread"])),
            st.column_config.NumberColumn(format="percent"),
        ),
        hide_index=True,
        alt=_("Published fits with convention, range and shift of the rows"),
    )
    with st.expander(_("What each was fitted to, and where it was published")):
        panels.listed(
            frame[list(SOURCES)].rename(columns=all_translated(SOURCES)),
            hide_index=True,
            alt=_("Data, unit and source of each published fit"),
        )
