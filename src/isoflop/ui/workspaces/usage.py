"""What a person uses of what they may on this server, on the Workspaces page."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.language import gettext as _
from isoflop.plot import APP
from isoflop.ui import documents, messages, panels
from isoflop.ui.train import state as train_state
from isoflop.units.said import format_quantity


def show() -> None:
    """Draw what the person stores by what it is, and what they train, each against its limit."""
    room = documents.mine().room()
    st.header(_("What you use"), anchor=False)
    with st.container(border=True):
        if not room.total_bytes:
            st.caption(_("You store nothing here yet."))
        else:
            panels.drawn(plot.room(room, theme=APP), key="chart.room")
        if room.allowed_bytes is None:
            st.caption(
                _(
                    "{total_bytes} stored. You run this server: nothing is limited.",
                    total_bytes=format_quantity(room.total_bytes, "bytes"),
                )
            )
            return
        _bar(
            room.share,
            _(
                "{total_bytes} of {allowed_bytes} stored, earlier versions and what "
                "was deleted within 30 days included",
                total_bytes=format_quantity(room.total_bytes, "bytes"),
                allowed_bytes=format_quantity(room.allowed_bytes, "bytes"),
            ),
        )
        for one in train_state.queue().allowances():
            _bar(
                one.share,
                _(
                    "{used:,.0f} of {allowed:,.0f} {what}",
                    used=one.used,
                    allowed=one.allowed,
                    what=one.what,
                ),
            )


def _bar(share: float, text: str) -> None:
    st.progress(min(1.0, share), text=messages.plain(text))
