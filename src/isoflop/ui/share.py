"""Who else sees what a person has saved: one control for documents and for runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from isoflop.people import ShareRole, Sharing, Visibility
from isoflop.training.ladders import Ladder, share_ladder
from isoflop.ui import documents, messages, visitor
from isoflop.ui.train import state as train_state

if TYPE_CHECKING:  # SQLAlchemy is not needed before something is saved
    from isoflop.store import Document

CHOICES: dict[tuple[Visibility, ShareRole], str] = {
    ("private", "viewer"): "Only me",
    ("link", "viewer"): "Anyone with the link can view",
    ("team", "viewer"): "Everyone here can view",
    ("team", "editor"): "Everyone here can edit",
}
SetSharing = Callable[[Visibility, ShareRole], object]


def control(sharing: Sharing, set_sharing: SetSharing, *, key: str) -> None:
    """Draw the choice of who else sees something, if it is the person's own."""
    if not is_own(sharing):
        return
    values = list(CHOICES)
    now = (sharing.visibility, sharing.role if sharing.visibility == "team" else "viewer")
    st.selectbox(
        "Shared with",
        values,
        index=values.index(now) if now in values else 0,
        format_func=CHOICES.__getitem__,
        key=key,
        on_change=_set,
        args=(set_sharing, key),
        help="Viewers can copy what is shared; only its owner can change it.",
        width=260,
    )


def is_own(sharing: Sharing) -> bool:
    """Say whether whoever looks at the page may say who else sees something."""
    return sharing.owner == visitor.actor().id and visitor.refusal("share this") is None


def _set(set_sharing: SetSharing, key: str) -> None:
    with messages.in_callback():
        set_sharing(*st.session_state[key])


def runs(ladder: Ladder) -> None:
    """Draw who else sees the runs of a ladder."""
    control(
        ladder.runs[0].sharing(),
        lambda visibility, role: share_ladder(train_state.queue(), ladder, visibility, role),
        key=f"share.{ladder.id}",
    )


def document(saved: Document) -> None:
    """Draw who else sees a document."""
    control(
        saved.sharing,
        lambda visibility, role: documents.mine().share(saved.id, visibility, role),
        key=f"share.{saved.id}",
    )
