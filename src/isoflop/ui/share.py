"""Who else sees what a person or a team has saved: one control for documents and for runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from isoflop.language import gettext as _
from isoflop.people import Actor, ShareRole, Sharing, Visibility
from isoflop.training.ladders import Ladder, share_ladder
from isoflop.ui import documents, messages, visitor
from isoflop.ui.train import state as train_state

if TYPE_CHECKING:  # SQLAlchemy is not needed before something is saved
    from isoflop.store import Document

Choice = tuple[str, Visibility, ShareRole, str]
"""To whom it belongs, who else sees it, what they may do, and which team that is, if it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """Something that can be shared, and how.

    Parameters
    ----------
    key : str
        Its id.
    sharing : Sharing
    share : callable
        Takes who else sees it, what they may do, and the team.
    give : callable or None
        Takes the id of the person or team that it then belongs to; None where that stays.
    has_link : bool
        Whether it can be shared by its link.
    may_edit : bool
        Whether others may be let change it.
    """

    key: str
    sharing: Sharing
    share: Callable[[Visibility, ShareRole, str], object]
    give: Callable[[str], object] | None = None
    has_link: bool = True
    may_edit: bool = True


def runs(ladder: Ladder) -> None:
    """Draw who else sees the runs of a ladder; they stay with whoever trains them."""
    _control(
        Shared(
            key=ladder.id,
            sharing=ladder.runs[0].sharing(),
            share=lambda *chosen: share_ladder(train_state.queue(), ladder, *chosen),
        )
    )


def document(saved: Document, *, has_link: bool = False, may_edit: bool = True) -> None:
    """Draw to whom a document belongs and who else sees it.

    Parameters
    ----------
    saved : Document
    has_link, may_edit
        As of `Shared`.
    """
    _control(
        Shared(
            key=saved.id,
            sharing=saved.sharing,
            share=lambda visibility, role, team: documents.mine().share(
                saved.id, visibility, role, team=team
            ),
            give=lambda owner: documents.mine().give(saved.id, owner),
            has_link=has_link,
            may_edit=may_edit,
        )
    )


def _control(shared: Shared) -> None:
    """Draw the choice, if whoever looks at the page may make it."""
    person, sharing = documents.person(), shared.sharing
    if not sharing.is_own(person) or visitor.refusal(_("share this")) is not None:
        return
    choices = _choices(shared, person)
    now = (sharing.owner, sharing.visibility, sharing.role, sharing.team)
    key = f"share.{shared.key}"
    st.selectbox(
        _("Shared with"),
        list(choices),
        index=list(choices).index(now),
        format_func=choices.__getitem__,
        key=key,
        on_change=_set,
        args=(shared, key),
        help=_(
            "Viewers can copy what is shared; only its owner can change it. What "
            "a team owns, its editors can change, share and delete."
        ),
        width=260,
    )


def _choices(shared: Shared, person: Actor) -> dict[Choice, str]:
    """Return what can be chosen, and what is chosen now, in words."""
    sharing, found = shared.sharing, dict[Choice, str]()

    def offer(visibility: Visibility, who: str, team: str = "") -> None:
        found[sharing.owner, visibility, "viewer", team] = _("{who} can view", who=who)
        if shared.may_edit and visibility != "link":
            found[sharing.owner, visibility, "editor", team] = _("{who} can edit", who=who)

    if shared.give is not None or sharing.owner == person.id:
        found[person.id, "private", "viewer", ""] = _("Only me")
    others = [one for one in person.teams if one.team != sharing.owner]
    for one in others:
        offer("team", one.name, one.team)
    if shared.has_link:
        offer("link", _("Anyone with the link"))
    offer("everyone", _("Everyone here"))
    for one in person.teams:
        if one.can_write and (shared.give is not None or one not in others):
            found[one.team, "private", "viewer", ""] = _("Owned by {name}", name=one.name)
    left = documents.mine().name_of(sharing.team) if sharing.team else _("Others")
    now: Choice = (sharing.owner, sharing.visibility, sharing.role, sharing.team)
    found.setdefault(now, _("{left}, as before", left=left))
    return found


def _set(shared: Shared, key: str) -> None:
    owner, visibility, role, team = st.session_state[key]
    with messages.in_callback():
        if owner == shared.sharing.owner:
            shared.share(visibility, role, team)
        elif shared.give is not None:
            shared.give(owner)
