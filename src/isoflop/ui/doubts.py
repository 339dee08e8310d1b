"""Notices of a page: serious ones under its headline; rows that they name left out by a click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from isoflop.errors import IsoflopError
from isoflop.fitting.before_after import NAMED, reason_of
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.notices import Notice, is_serious
from isoflop.tables import Exclusion
from isoflop.ui import messages, prepared, resolve
from isoflop.ui.resolve import Fitted
from isoflop.ui.state import FitChoice

MAX_NAMED = 8
"""Row numbers that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubts:
    """The notices of a page, and what they are about.

    Parameters
    ----------
    choice : FitChoice
    fitted : Fitted
    found : tuple of Notice
        The most serious first.
    change : callable
        Says what the rows between another fit to the table, and this one, did to what is shown.
    """

    choice: FitChoice
    fitted: Fitted
    found: tuple[Notice, ...]
    change: Callable[[Fitted], str]

    def serious(self) -> None:
        """Draw those that stand under the headline, and what was left out for a notice."""
        self._draw([one for one in self.found if is_serious(one)], "serious")
        _left_out(self)

    def others(self, assumed: str = "") -> None:
        """Draw all others, below what was taken for granted."""
        self._draw([one for one in self.found if not is_serious(one)], "others", assumed)

    def _draw(self, found: Sequence[Notice], place: str, assumed: str = "") -> None:
        """Draw notices as one element, and below them a button for each that names rows."""
        if assumed:
            messages.assumption(assumed)
        messages.notices(found)
        offered = [one for one in found if one.rows]
        if not offered or not _may_leave_out(self.choice, self.fitted):
            return
        if len(offered) == 1:  # an element less than in a row
            _offer(self.choice, offered[0], place)
            return
        with st.container(horizontal=True):
            for one in offered:
                _offer(self.choice, one, place)


def _may_leave_out(choice: FitChoice, fitted: Fitted) -> bool:
    """Say whether rows of the fit are rows of the table: a mean over seeds is of several."""
    if fitted.published is not None:
        return False
    preparation = prepared.of(choice.table.id, resolve.full_table(choice.table))
    return preparation.seeds in {"all", "clustered"}


def _offer(choice: FitChoice, found: Notice, place: str) -> None:
    """Draw the button that leaves out the rows that a notice names."""
    if st.button(
        _("Leave out {rows}", rows=_named(found.rows)),
        key=f"doubts.{place}.{found.code}",
        icon=":material/playlist_remove:",
        help=_(
            "Leave these rows out of the fit on every page. You can undo it here "
            "or on the Data page."
        ),
    ):
        full = resolve.full_table(choice.table)
        left_out = Exclusion(rule="rows", rows=found.rows, reason=reason_of(found.code))
        prepared.add_exclusion(choice.table.id, full, left_out)
        st.rerun()


def _named(rows: Sequence[int]) -> str:
    """Name a few rows by their numbers, and count many."""
    if len(rows) > MAX_NAMED:
        return n_("{n:,} row", "{n:,} rows", len(rows))
    listed = ", ".join(map(str, sorted(rows)))
    return _("row {listed}", listed=listed) if len(rows) == 1 else _("rows {listed}", listed=listed)


def _left_out(shown: Doubts) -> None:
    """Say which rows were left out for a notice, what that did, and let it be undone."""
    full = resolve.full_table(shown.choice.table)
    made = prepared.of(shown.choice.table.id, full).exclusions
    named = [position for position, one in enumerate(made) if _is_for_a_notice(one)]
    if not named:
        return
    rows = sorted({row for position in named for row in made[position].rows})
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            _(
                ":material/playlist_remove: **Left out, as a notice named them: {rows}.** {shown}",
                rows=_named(rows),
                shown=messages.plain(_change(shown)),
            ).rstrip()
        )
        if st.button(_("Undo"), key="doubts.undo", icon=":material/undo:"):
            prepared.drop_exclusion(shown.choice.table.id, full, named[-1])
            st.rerun()


def _change(shown: Doubts) -> str:
    """Say what a fit to all rows, also those left out for a notice, would show; empty if none."""
    choice = shown.choice
    full = resolve.full_table(choice.table)
    try:
        with_them = prepared.without(choice.table.id, full, _is_for_a_notice)
        return shown.change(resolve.fitted_to(choice, with_them))
    except (IsoflopError, messages.Unfinished):
        return ""


def _is_for_a_notice(exclusion: Exclusion) -> bool:
    return exclusion.reason.startswith(NAMED)
