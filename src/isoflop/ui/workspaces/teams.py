"""The teams of a person, on the Workspaces page: found one, invite into it, say who does what."""

from __future__ import annotations

from collections.abc import Callable
from operator import methodcaller
from typing import TYPE_CHECKING

import streamlit as st

from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.people import GROUP, MAX_NAME_CHARACTERS, Membership, Role
from isoflop.ui import documents, messages, visitor
from isoflop.ui.workspaces import session

if TYPE_CHECKING:
    from isoflop.store import Invitation, Member, Teams

PAGE, JOIN = "workspaces", "join"
"""The page that this is a part of, and the parameter of its address that holds an invitation."""
ROLES: dict[str, str] = {
    "viewer": lazy_gettext("Viewer"),
    "editor": lazy_gettext("Editor"),
    "owner": lazy_gettext("Owner"),
}
OUT = lazy_gettext("Remove")
_CHOSEN, _NAME = "teams.chosen", "teams.name"


def offer_to_join() -> None:
    """Draw what the address invites to, if it does."""
    code = st.query_params.get(JOIN)
    if not code:
        return
    with st.container(border=True), messages.boundary():
        asked = documents.teams().look_at(code)
        st.markdown(
            _(
                "{author_name} invites you to the team **{name}**, as {role}.",
                author_name=messages.plain(asked.author_name),
                name=messages.plain(asked.name),
                role=_article(asked.role),
            )
        )
        if any(one.team == asked.team for one in documents.person().teams):
            st.caption(_("You belong to it already."))
        refused = visitor.refusal(_("join a team"))
        if refused is not None:
            messages.not_here(refused)
            return
        st.button(
            _("Join"),
            type="primary",
            icon=":material/group_add:",
            key="teams.join",
            on_click=_join,
            args=(code,),
        )


def _article(role: Role) -> str:
    return f"a {role}" if role == "viewer" else _("an {role}", role=role)


def _join(code: str) -> None:
    def join(teams: Teams) -> None:
        st.session_state[_CHOSEN] = teams.join(code).team
        del st.query_params[JOIN]

    _do(join)


def _do(change: Callable[[Teams], object]) -> None:
    """Change something of the person's teams; for a button's callback."""
    with messages.in_callback():
        change(documents.teams())
    documents.forget_person()


def show() -> None:
    """Draw the teams that the person belongs to, and let them found one."""
    st.header(_("Teams"), anchor=False)
    refused = visitor.refusal(_("found a team"))
    mine = documents.teams().mine()
    if not mine:
        st.caption(
            _("Members of a team see what it owns and what is shared with it; nobody else does.")
        )
    _undo_offer()
    if mine:
        _one(_choice(mine), may_write=refused is None)
    if refused is not None:
        messages.not_here(refused)
        return
    with st.popover(_("New team"), icon=":material/group_add:"):
        st.text_input(
            _("Name of the team"),
            max_chars=MAX_NAME_CHARACTERS,
            key=_NAME,
            help=_("As its members see it."),
        )
        st.button(_("Create team"), key="teams.found", on_click=_found)


def _found() -> None:
    def found(teams: Teams) -> None:
        st.session_state[_CHOSEN] = teams.found(str(st.session_state[_NAME])).team

    _do(found)


def _choice(mine: tuple[Membership, ...]) -> Membership:
    by_id = {one.team: one for one in mine}
    if st.session_state.get(_CHOSEN) not in by_id:
        st.session_state[_CHOSEN] = next(iter(by_id))
    chosen = st.selectbox(
        _("Team"),
        list(by_id),
        key=_CHOSEN,
        format_func=lambda team: by_id[team].name,
        label_visibility="collapsed",
    )
    return by_id[chosen]


def _one(team: Membership, *, may_write: bool) -> None:
    """Draw one team: who belongs to it, and what the person may do about that."""
    with st.container(border=True):
        st.markdown(
            _(
                "**{name}**: you are {role}.",
                name=messages.plain(team.name),
                role=_article(team.role),
            )
        )
        if team.team.startswith(GROUP):
            st.caption(_("Your login, or the proxy, says who belongs to it."))
            return
        members = documents.teams().members(team.team)
        is_owner = may_write and team.role == "owner"
        for member in members:
            _member(team, member, is_owner=is_owner)
        if is_owner:
            _invitations(team)
        if may_write:
            _ends(team, is_owner=is_owner)


def _member(team: Membership, member: Member, *, is_owner: bool) -> None:
    me = visitor.actor().id
    name = _("{name} (you)", name=member.name) if member.person == me else member.name
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(messages.plain(name), width=200)
        if not is_owner or member.person == me:
            st.caption(ROLES[member.role], width="content")
            return
        key = f"teams.role.{team.team}.{member.person}"
        st.selectbox(
            _("Role of {name}", name=name),
            [*ROLES, OUT],
            index=list(ROLES).index(member.role),
            format_func=lambda role: ROLES.get(role, OUT),
            key=key,
            on_change=_set_role,
            args=(team.team, member.person, key),
            label_visibility="collapsed",
            width=160,
        )


def _set_role(team: str, person: str, key: str) -> None:
    role = st.session_state[key]
    is_out = role == OUT
    _do(
        methodcaller("remove", team, person)
        if is_out
        else methodcaller("set_role", team, person, role)
    )


def _invitations(team: Membership) -> None:
    held = {one.role: one for one in documents.teams().invitations(team.team)}
    with st.container(horizontal=True):
        for role in ("editor", "viewer"):
            st.button(
                _("Invite {role}s", role=role),
                icon=":material/link:",
                key=f"teams.invite.{role}",
                on_click=_do,
                args=(methodcaller("invite", team.team, role),),
                help=_("Makes a link to join by. An earlier one then stops working."),
            )
    for one in held.values():
        _invitation(one)


def _invitation(one: Invitation) -> None:
    st.caption(
        _(
            "Anyone who opens this link by {until:%d %B} can join as {role}:",
            until=one.until,
            role=_article(one.role),
        )
    )
    st.code(f"{session.address(PAGE)}/{PAGE}?{JOIN}={one.code}", language=None, wrap_lines=True)
    st.button(
        _("Withdraw this link"),
        type="tertiary",
        icon=":material/link_off:",
        key=f"teams.withdraw.{one.role}",
        on_click=_do,
        args=(methodcaller("withdraw", one.team, one.role),),
    )


def _ends(team: Membership, *, is_owner: bool) -> None:
    with st.container(horizontal=True):
        if is_owner:
            with st.popover(_("Rename the team"), icon=":material/edit:"):
                name = st.text_input(
                    _("New name of the team"),
                    team.name,
                    max_chars=MAX_NAME_CHARACTERS,
                    help=_("What it shares stays shared."),
                )
                st.button(
                    _("Rename"),
                    key="teams.rename",
                    on_click=_do,
                    args=(methodcaller("rename", team.team, name or ""),),
                )
            st.button(
                _("Delete the team"),
                icon=":material/delete:",
                key="teams.delete",
                on_click=_do,
                args=(methodcaller("delete", team.team),),
                help=_("With what it owns. This can be undone for 30 days."),
            )
        st.button(
            _("Leave the team"),
            icon=":material/logout:",
            key="teams.leave",
            on_click=_do,
            args=(methodcaller("remove", team.team, visitor.actor().id),),
        )


def _undo_offer() -> None:
    for gone in documents.teams().deleted():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                _("The team {name} is deleted.", name=messages.plain(gone.name)), width="content"
            )
            st.button(
                _("Undo"),
                icon=":material/undo:",
                key=f"teams.undelete.{gone.team}",
                on_click=_do,
                args=(methodcaller("undelete", gone.team),),
            )
