"""From a session to a workspace and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.navigation.page import Page

from isoflop.errors import IsoflopError
from isoflop.language import gettext as _
from isoflop.planning.hardware import describe_accelerator
from isoflop.planning.saved import OWN_PREFIX
from isoflop.tables.prepare import preparation_from_text, preparation_to_text
from isoflop.ui import documents, messages, prepared, uploads, views
from isoflop.ui.plan import saved as plan_saved
from isoflop.ui.state import UPLOAD_PREFIX
from isoflop.units.said import format_quantity
from isoflop.workspace import (
    KIND,
    View,
    Workspace,
    from_body,
    pack_table,
    to_body,
    unpack_table,
)

if TYPE_CHECKING:
    from isoflop.store import Document

ASK_ABOVE_BYTES = 2_000_000
"""Of a workspace's tables, packed: a link to more opens nothing before a click."""
_OPENED, _AGREED = "workspace", "workspace.agreed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The workspace that a session has opened or saved last.

    Parameters
    ----------
    id, name, note : str
    version : int
        That was opened: another's change since then is not replaced.
    can_write : bool
    """

    id: str
    name: str
    note: str
    version: int
    can_write: bool


def opened() -> Opened | None:
    """Return the workspace that the session has open."""
    held: Opened | None = st.session_state.get(_OPENED)
    return held


def _hold(document: Document, workspace: Workspace) -> None:
    st.session_state[_OPENED] = Opened(
        id=document.id,
        name=document.key,
        note=workspace.note,
        version=document.version,
        can_write=document.can_write,
    )


# --- Saving ---------------------------------------------------------------------------------------


def current(page: str) -> tuple[Workspace, dict[str, bytes]]:
    """Return what the session works on, and the cells of its uploaded tables.

    Parameters
    ----------
    page : str
        That is no part of it: the one which saves.

    Raises
    ------
    IsoflopError
        If a table is too large, or the store cannot be read.
    """
    seen = {key: view for key, view in views.noted().items() if key != page}
    named = {value for view in seen.values() for values in view.values() for value in values}
    tables, files = [], {}
    for table_id, upload in uploads.kept().items():
        if table_id in named:
            saved, content = pack_table(table_id, upload.name, upload.result)
            tables.append(saved)
            files[saved.sha256] = content
    own = plan_saved.accelerators()
    workspace = Workspace(
        page=list(seen)[-1] if seen else "",
        views=seen,
        tables=tuple(tables),
        preparations={
            table_id: preparation_to_text(held)
            for table_id, held in prepared.decisions().items()
            if table_id in named or not table_id.startswith(UPLOAD_PREFIX)
        },
        accelerators={
            key: describe_accelerator(own[key])
            for key in sorted(named & set(own))
            if key.startswith(OWN_PREFIX)
        },
        runs=tuple(dict.fromkeys(r for view in seen.values() for r in view.get("run", ()))),
    )
    return workspace, files


def save(
    name: str,
    workspace: Workspace,
    files: Mapping[str, bytes],
    *,
    as_new: bool,
    owner: str = "",
) -> None:
    """Save a workspace: a new one, or the next version of the one that is open.

    Parameters
    ----------
    name : str
    workspace : Workspace
    files : mapping of str to bytes
        Cells of its tables by their SHA-256.
    as_new : bool
    owner : str
        Id of the team that a new one belongs to; the person by default.

    Raises
    ------
    StoreError
        If there is one of that name already, or the store refuses.
    ConflictError
        If somebody saved the open one in the meantime.
    AccessError
        If the person may not write it.
    """
    mine, open_one = documents.mine(), opened()
    body = to_body(workspace)
    if as_new or open_one is None:
        key = mine.free_key(KIND, name, owner=owner)
        document = mine.put(KIND, key, body, owner=owner, attachments=files)
    else:
        if name != open_one.name:  # first: whoever may not, has saved nothing
            mine.rename(open_one.id, name)
        expected = open_one.version
        document = mine.change(open_one.id, body, expected=expected, attachments=files)
    _hold(document, workspace)


# --- Opening --------------------------------------------------------------------------------------


def address(page: str) -> str:
    """Return the app's address, without that of the page that is shown.

    Parameters
    ----------
    page : str
        The page that is shown, by its key.
    """
    return (st.context.url or "").split("?")[0].removesuffix(f"/{page}").rstrip("/")


def link(document_id: str, page: str = "") -> str:
    """Return the short link of a workspace, relative to the app's address."""
    return f"?{views.WORKSPACE}={document_id}" + (f"&{views.PAGE}={page}" if page else "")


def open_asked(pages: Mapping[str, Page]) -> bool:
    """Open the workspace that the address names; return whether a page may be drawn now.

    Parameters
    ----------
    pages : mapping of str to streamlit.navigation.page.Page
        Of the navigation.
    """
    asked = st.query_params.get(views.WORKSPACE)
    if not asked:
        return True
    page = st.query_params.get(views.PAGE, "")
    try:
        document = documents.mine().open(asked)
        workspace = from_body(document.body)
    except IsoflopError as error:
        messages.show(error)  # and no page, which would show something else than the link names
        st.page_link(next(iter(pages.values())), label=_("Go on without it"), query_params={})
        return False
    size = workspace.table_bytes
    if size > ASK_ABOVE_BYTES and st.session_state.get(_AGREED) != asked:
        st.markdown(
            _(
                "**{key}** brings {tables} tables of {size} together, which take a while to read.",
                key=messages.plain(document.key),
                tables=len(workspace.tables),
                size=format_quantity(size, "bytes", 2),
            )
        )
        st.button(_("Open it"), type="primary", on_click=_agree, args=(asked,))
        return False
    with messages.boundary():
        bring(document, workspace, pages, page)
    return False


def _agree(document_id: str) -> None:
    st.session_state[_AGREED] = document_id


def bring(
    document: Document, workspace: Workspace, pages: Mapping[str, Page], page: str = ""
) -> None:
    """Let the session go on where a workspace was saved; does not return.

    Raises
    ------
    IsoflopError
        If a table of it cannot be read.
    """
    mine = documents.mine()
    held = {}
    for table in workspace.tables:
        result = unpack_table(table, mine.attachment(document.id, table.sha256))
        held[table.id] = (table, result)
    for key in [key for key in st.session_state if key not in uploads.KEYS]:
        del st.session_state[key]
    changed: dict[str, str] = {}
    for table_id, (table, result) in held.items():
        new_id = uploads.keep(table.name, result, is_new=False)
        if new_id != table_id:  # another version of Isoflop reads it otherwise
            changed[table_id] = new_id
            messages.say_later(
                _(
                    "{name} is read otherwise than by the version that saved this "
                    "workspace: numbers may differ.",
                    name=table.name,
                )
            )
    for table_id, text in workspace.preparations.items():
        prepared.decide(changed.get(table_id, table_id), preparation_from_text(text))
    saved_by = str(document.body.get("isoflop", ""))
    if saved_by != version("isoflop"):
        messages.say_later(
            _(
                "This workspace was saved by Isoflop {saved_by}; this is {version}. "
                "What was left at its default then has the default of now, so "
                "numbers may differ.",
                saved_by=saved_by,
                version=version("isoflop"),
            )
        )
    plan_saved.bring(workspace.accelerators)
    seen = {key: _renamed(view, changed) for key, view in workspace.views.items() if key in pages}
    views.take(seen)
    _hold(document, workspace)
    key = next(k for k in (page, workspace.page, *seen, *pages) if k in pages)
    st.switch_page(pages[key], query_params={k: list(v) for k, v in seen.get(key, {}).items()})


def _renamed(view: View, changed: Mapping[str, str]) -> View:
    return {name: tuple(changed.get(v, v) for v in values) for name, values in view.items()}


def with_text(workspace: Workspace, note: str, scenarios: Mapping[str, Document]) -> Workspace:
    """Return a workspace with a note and saved scenarios."""
    bodies = {name: document.body for name, document in scenarios.items()}
    return replace(workspace, note=note.strip(), scenarios=bodies)
