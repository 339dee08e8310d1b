"""The Workspaces page: save, open, share, restore, take away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from isoflop import settings
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.people import MAX_NAME_CHARACTERS
from isoflop.planning.saved import SCENARIO
from isoflop.ui import documents, messages, share, visitor
from isoflop.ui.workspaces import session, teams, usage
from isoflop.units.said import format_quantity
from isoflop.workspace import (
    KIND,
    MAX_NOTE_CHARACTERS,
    MAX_PACKED_BYTES,
    Workspace,
    from_body,
    from_zip,
    to_body,
    to_zip,
)

if TYPE_CHECKING:
    from isoflop.store import Document, Documents, Found

PAGE = "workspaces"
_NAME, _CHOSEN, _OWNER = "workspaces.name", "workspaces.chosen", "workspaces.owner"


def show() -> None:
    """Draw what can be saved, and what was."""
    teams.offer_to_join()
    left, right = st.columns([2, 3], gap="large")
    with left, messages.boundary():
        _save_form()
        _import_field()
    with right, messages.boundary():
        found = documents.mine().find(KIND)
        documents.offer_undo(KIND, _choose)
        _listing(found)
        documents.offer_deleted(KIND, "workspace", _choose)
    left, right = st.columns([3, 2], gap="large")
    with left, messages.boundary():
        teams.show()
    with right, messages.boundary():
        usage.show()
    with messages.boundary():
        _who()


def _who() -> None:
    """Say who the person is here, and let them sign out where people sign in."""
    actor = visitor.actor()
    name = documents.mine().name_of(actor.id)
    name = actor.name if name == "somebody" else name
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            _(
                "You are {name} (`{id}`), here as {can_write}.",
                name=messages.plain(name),
                id=actor.id,
                can_write=_("owner")
                if actor.is_owner
                else _("editor")
                if actor.can_write
                else _("viewer"),
            ),
            width="content",
        )
        if actor.names_itself and visitor.refusal(_("give yourself a name")) is None:
            with st.popover(_("Change name"), icon=":material/edit:"):
                st.text_input(
                    _("Your name, as others read it"),
                    value=name,
                    max_chars=MAX_NAME_CHARACTERS,
                    key=_NAME,
                    help=_("Shown beside what you share."),
                )
                st.button(_("Take this name"), key="workspaces.name.take", on_click=_call_me)
        if visitor.is_login_configured():
            st.button(_("Sign out"), icon=":material/logout:", type="tertiary", on_click=st.logout)


def _call_me() -> None:
    with messages.in_callback():
        documents.mine().call_me(str(st.session_state[_NAME]))


# --- Saving ---------------------------------------------------------------------------------------


def _save_form() -> None:
    st.header(_("What you are working on"), anchor=False)
    workspace, files = session.current(PAGE)
    if not workspace.views:
        st.caption(
            _("Nothing yet: choose a table, a fit or a plan on another page, then come back.")
        )
        return
    st.caption(messages.plain(_contents(workspace)))
    if _says_no("save"):
        return
    held = session.opened()
    scenarios = {
        found.key: found
        for found in documents.mine().find(SCENARIO)
        if found.owner == visitor.actor().id
    }
    with st.form("workspaces.save", border=False):
        name = st.text_input(
            _("Name"),
            value=held.name if held else "",
            max_chars=100,
            help=_("What you find it by again."),
        )
        note = st.text_area(
            _("Note"),
            value=held.note if held else "",
            max_chars=MAX_NOTE_CHARACTERS,
            height=100,
            help=_("What it is for, to yourself and to those you share it with."),
        )
        chosen = (
            st.multiselect(
                _("Saved scenarios to put in"),
                list(scenarios),
                help=_("Plans saved on the Plan page that go along."),
            )
            if scenarios
            else []
        )
        owner = _owner_input()
        with st.container(horizontal=True):
            is_next = held is not None and held.can_write
            saves = is_next and st.form_submit_button(
                _("Save"), type="primary", icon=":material/save:", help=_("The next version of it.")
            )
            adds = st.form_submit_button(
                _("Save as new") if is_next else _("Save"),
                type="secondary" if is_next else "primary",
                icon=":material/add:" if is_next else ":material/save:",
            )
    if saves or adds:
        if not (name or "").strip():
            st.warning(_("A workspace needs a name."), icon=":material/edit:")
            return
        whole = session.with_text(workspace, note or "", {n: scenarios[n] for n in chosen})
        session.save((name or "").strip(), whole, files, as_new=bool(adds), owner=owner)
        held = session.opened()
        assert held is not None  # it is the one that was saved
        st.session_state[_CHOSEN] = held.id
        st.toast(_("Saved {name}.", name=messages.plain(held.name)), icon=":material/check:")
        st.rerun()


def _owner_input() -> str:
    """Draw to whom a new workspace belongs, for those who belong to a team; return its id."""
    owners = {"": "Me"}
    owners |= {one.team: one.name for one in documents.person().teams if one.can_write}
    if len(owners) == 1:
        return ""
    return (
        st.selectbox(
            _("Owned by"),
            list(owners),
            format_func=owners.__getitem__,
            key=_OWNER,
            help=_("Of a new one. What a team owns, its members see and its editors change."),
        )
        or ""
    )


def _contents(workspace: Workspace) -> str:
    titles = _titles()
    said = [_("Views of {views}", views=", ".join(titles.get(key, key) for key in workspace.views))]
    if workspace.tables:
        names = ", ".join(table.name for table in workspace.tables)
        said.append(f"{names} ({format_quantity(workspace.table_bytes, 'bytes', 2)})")
    if workspace.preparations:
        said.append(_("what you decided about rows"))
    if workspace.scenarios:
        said.append(n_("{n:,} scenario", "{n:,} scenarios", len(workspace.scenarios)))
    if workspace.runs:
        said.append(n_("{n:,} training run", "{n:,} training runs", len(workspace.runs)))
    return _("{sentence}.", sentence="; ".join(said))


def _titles() -> dict[str, str]:
    from isoflop.ui.shell import PAGES  # which draws this page, too

    return {one.key: one.title for one in PAGES}


def _says_no(what: str) -> bool:
    """Say why the person may not write here, if so."""
    refused = visitor.refusal(what)
    if refused is not None:
        messages.not_here(refused)
    return refused is not None


def _import_field() -> None:
    if not settings.takes_uploads():
        messages.switched_off(_("Imports"), "ISOFLOP_UPLOADS")
        return
    with st.expander(_("Import a workspace"), icon=":material/upload_file:"):
        given = st.file_uploader(
            _("File that another installation exported"),
            type=["zip"],
            key="workspaces.import",
            help=_(
                "The zip that Export wrote there; what is in it is checked, and nothing is run."
            ),
            max_upload_size=int(MAX_PACKED_BYTES / 1e6),
        )
        if given is None:
            return
        name, workspace, files = from_zip(given.getvalue())
        st.caption(messages.plain(f"{name}: {_contents(workspace)}"))
        st.button(
            _("Import it"),
            icon=":material/download_done:",
            key="workspaces.import.keep",
            on_click=_import,
            args=(name or _("Imported"), workspace, files),
        )


def _import(name: str, workspace: Workspace, files: dict[str, bytes]) -> None:
    with messages.in_callback():
        mine = documents.mine()
        key = mine.free_key(KIND, name)
        document = mine.put(KIND, key, to_body(workspace), attachments=files)
        st.session_state[_CHOSEN] = document.id


# --- What was saved -------------------------------------------------------------------------------


def _listing(found: Found) -> None:
    st.header(_("Saved"), anchor=False)
    documents.name_unreadable(found.unreadable)
    if not found:
        st.caption(_("Nothing is saved yet, and nobody has shared a workspace with you."))
        return
    mine = documents.mine()
    by_id = {document.id: document for document in found}
    if st.session_state.get(_CHOSEN) not in by_id:
        st.session_state[_CHOSEN] = next(iter(by_id))
    chosen = st.selectbox(
        _("Workspace"),
        list(by_id),
        key=_CHOSEN,
        format_func=lambda one: f"{mine.name(by_id[one])}, {by_id[one].updated:%Y-%m-%d %H:%M}",
        label_visibility="collapsed",
    )
    with st.container(border=True):
        _one(mine, by_id[chosen])


def _choose(document: Document) -> None:
    st.session_state[_CHOSEN] = document.id


def _one(mine: Documents, document: Document) -> None:
    workspace = from_body(document.body)
    st.markdown(f"**{messages.plain(mine.name(document))}**")
    if workspace.note:
        st.markdown(messages.plain(workspace.note))
    st.caption(
        messages.plain(
            _(
                "{workspace} Version {version}, saved by {author_name}, "
                "{updated:%Y-%m-%d %H:%M} UTC.",
                workspace=_contents(workspace),
                version=document.version,
                author_name=document.author_name,
                updated=document.updated,
            )
        )
    )
    with st.container(horizontal=True):
        if st.button(
            _("Open"), type="primary", icon=":material/folder_open:", key="workspaces.open"
        ):
            from isoflop.ui.shell import page_objects

            session.bring(document, workspace, page_objects())
        st.download_button(
            _("Export"),
            lambda: _zipped(mine, document, workspace),
            file_name=f"{_file_stem(document.key)}.isoflop.zip",
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
            key="workspaces.export",
        )
        if visitor.refusal(_("change this")) is None:
            _writing_buttons(document)
    share.document(document, has_link=True)
    _link(document, workspace)
    if workspace.scenarios and visitor.refusal(_("save a scenario")) is None:
        st.button(
            _(
                "Copy its {scenarios} to mine",
                scenarios=n_("{n:,} scenario", "{n:,} scenarios", len(workspace.scenarios)),
            ),
            icon=":material/content_copy:",
            key="workspaces.scenarios",
            on_click=_copy_scenarios,
            args=(workspace,),
        )
    documents.offer_versions(document)


def _writing_buttons(document: Document) -> None:
    st.button(
        _("Duplicate"),
        icon=":material/content_copy:",
        key="workspaces.duplicate",
        on_click=_duplicate,
        args=(document.id,),
    )
    if document.can_write:
        st.button(
            _("Delete"),
            icon=":material/delete:",
            key="workspaces.delete",
            on_click=documents.delete,
            args=(document,),
        )
    if document.sharing.is_own(documents.person()):
        with st.popover(_("Rename"), icon=":material/edit:"):
            name = st.text_input(
                _("New name"),
                value=document.key,
                max_chars=100,
                help=_("Its link and its versions stay."),
            )
            st.button(
                _("Rename it"),
                key="workspaces.rename",
                on_click=_rename,
                args=(document.id, (name or "").strip()),
            )


def _link(document: Document, workspace: Workspace) -> None:
    """Draw the short link to one of its views, with a button that copies it."""
    titles = _titles()
    page = workspace.page
    if len(workspace.views) > 1:
        page = st.selectbox(
            _("Link to"),
            list(workspace.views),
            index=list(workspace.views).index(page) if page in workspace.views else 0,
            format_func=lambda key: titles.get(key, key),
            key=f"workspaces.view.{document.id}",
            help=_("The page that the link opens."),
            width=260,
        )
    named = "" if page == workspace.page else page
    st.code(
        f"{session.address(PAGE)}/{session.link(document.id, named)}",
        language=None,
        wrap_lines=True,
    )
    if document.visibility == "private":
        st.caption(_("The link opens it for its owner alone, until it is shared."))


def _zipped(mine: Documents, document: Document, workspace: Workspace) -> bytes:
    files = {table.sha256: mine.attachment(document.id, table.sha256) for table in workspace.tables}
    return to_zip(document.key, workspace, files)


def _file_stem(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in name)[:60] or "workspace"


def _duplicate(document_id: str) -> None:
    with messages.in_callback():
        st.session_state[_CHOSEN] = documents.mine().duplicate(document_id).id


def _rename(document_id: str, name: str) -> None:
    with messages.in_callback():
        documents.mine().rename(document_id, name)


def _copy_scenarios(workspace: Workspace) -> None:
    with messages.in_callback():
        mine = documents.mine()
        for name, body in workspace.scenarios.items():
            mine.put(SCENARIO, mine.free_key(SCENARIO, name), body)
