"""The store of documents, opened when something is first saved or looked up."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import streamlit as st

from isoflop.errors import StoreError
from isoflop.language import gettext as _
from isoflop.people import Actor, Sharing
from isoflop.tables import ColumnMapping, RawTable
from isoflop.tables.remembered import (
    Remembered,
    own_mapping,
    recall_mapping,
    remember_mapping,
)
from isoflop.ui import messages, visitor
from isoflop.units import counted

if TYPE_CHECKING:  # SQLAlchemy is not needed before something is saved
    from isoflop.store import Document, Documents, Store, Teams

ASK_EVERY_S = 5.0
"""A page that polls asks for the person's teams no more often."""
_DELETED, _PERSON = "documents.deleted", "documents.person"


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Open the store.

    Raises
    ------
    StoreError
        If it cannot be opened.
    """
    from isoflop.store import Store

    return Store(elsewhere=_in_runs)


def _in_runs(owner: str) -> Mapping[str, int]:
    from isoflop.training.kept import kept_bytes
    from isoflop.training.runs import default_root

    return kept_bytes(default_root(), owner)


def mine() -> Documents:
    """Return the documents as whoever looks at the page sees them.

    Raises
    ------
    StoreError
        If the store cannot be opened.
    """
    return store().of(visitor.actor())


def teams() -> Teams:
    """Return the teams of whoever looks at the page.

    Raises
    ------
    StoreError
        If the store cannot be opened.
    """
    return store().teams_of(visitor.actor())


def person() -> Actor:
    """Return who looks at the page, with their teams, as of some seconds ago at most.

    Without the store, those are the teams that a login or a proxy names.
    """
    plain, now_s = visitor.actor(), time.monotonic()
    asked_s, whom, found = st.session_state.get(_PERSON, (0.0, None, plain))
    if whom != plain or now_s - asked_s > ASK_EVERY_S:
        try:
            found = mine().person()
        except StoreError:
            found = plain
        st.session_state[_PERSON] = (now_s, plain, found)
    return cast("Actor", found)


def forget_person() -> None:
    """Ask for the person's teams anew: they have changed."""
    st.session_state.pop(_PERSON, None)


def stored_bytes() -> int:
    """Return what whoever looks at the page keeps in the database; nothing without the store."""
    try:
        return mine().stored_bytes()
    except StoreError:
        return 0


def name_of(sharing: Sharing) -> str:
    """Return what is read for the owner of something that is no document."""
    try:
        return mine().name_of(sharing.owner)
    except StoreError:
        return sharing.owner_name or _("somebody")


def mapping_for(raw: RawTable) -> Remembered | None:
    """Return the mapping remembered for these columns; None without one, or without a store."""
    try:
        return recall_mapping(mine(), raw)
    except StoreError:
        return None


def remember(raw: RawTable, mapping: ColumnMapping) -> None:
    """Remember a mapping for files with these columns.

    Raises
    ------
    StoreError, AccessError
        If it cannot be saved.
    """
    remember_mapping(mine(), raw, mapping)


def forget(raw: RawTable) -> None:
    """Forget one's own mapping for files with these columns; `offer_undo` takes that back.

    Raises
    ------
    StoreError, AccessError
        If the store cannot be written.
    """
    own = own_mapping(mine(), raw)
    if own is not None:
        mine().delete(own.id)
        _note_deleted(own, _("what was confirmed for {name}", name=raw.name))


# --- What is deleted, and what cannot be read -----------------------------------------------------


def delete(document: Document, name: str = "") -> None:
    """Delete a document, and let that be taken back; for a button's callback."""
    with messages.in_callback():
        mine().delete(document.id)
        _note_deleted(document, name or document.key)


def _note_deleted(document: Document, name: str) -> None:
    st.session_state[_DELETED] = (document.kind, document.id, name)


def offer_undo(kind: str, then: Callable[[Document], object] | None = None) -> None:
    """Draw the button that takes the last deletion back, if it was of a kind.

    Parameters
    ----------
    kind : str
    then : callable, optional
        Takes the document that is there again.
    """
    deleted, document_id, name = st.session_state.get(_DELETED, ("", "", ""))
    if deleted == kind:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(_("Deleted {name}.", name=messages.plain(name)), width="content")
            st.button(
                _("Undo"),
                key=f"{kind}.undo",
                icon=":material/undo:",
                on_click=_undelete,
                args=(document_id, then),
            )


def offer_deleted(kind: str, noun: str, then: Callable[[Document], object] | None = None) -> None:
    """List what was deleted of a kind, each to be taken back.

    Parameters
    ----------
    kind, noun : str
        Of documents, and what one is called.
    then : callable, optional
        Takes the document that is there again.
    """
    gone = mine().find(kind, deleted=True)
    if not gone or visitor.refusal(_("take this back")) is not None:
        return
    with st.expander(_("{gone} deleted", gone=counted(len(gone), noun)), icon=":material/delete:"):
        for document in gone:
            st.button(
                _("Take back {key}", key=messages.plain(document.key)),
                key=f"{kind}.undelete.{document.id}",
                type="tertiary",
                icon=":material/undo:",
                on_click=_undelete,
                args=(document.id, then),
            )


def _undelete(document_id: str, then: Callable[[Document], object] | None) -> None:
    st.session_state.pop(_DELETED, None)
    with messages.in_callback():
        document = mine().undelete(document_id)
        if then is not None:
            then(document)


def name_unreadable(names: Sequence[str]) -> None:
    """Name what a listing leaves out because it cannot be read."""
    if names:
        st.caption(
            _(
                ":orange[:material/warning:] Not readable: {names}.",
                names=messages.plain(", ".join(names)),
            )
        )


# --- Earlier versions -----------------------------------------------------------------------------

MAX_VERSIONS_SHOWN = 10


def offer_versions(document: Document) -> None:
    """List what a document was before, each version to be restored by who may change it."""
    if document.version == 1:
        return
    with st.expander(_("{version} versions", version=document.version), icon=":material/history:"):
        for version in mine().versions(document.id)[:MAX_VERSIONS_SHOWN]:
            said = f"{version.number}: {version.author_name}, {version.saved:%Y-%m-%d %H:%M} UTC"
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(messages.plain(said), width="stretch")
                if version.number == document.version:
                    st.caption("current", width="content")
                elif document.can_write:
                    st.button(
                        _("Restore"),
                        key=f"{document.kind}.restore.{document.id}.{version.number}",
                        type="tertiary",
                        on_click=_restore,
                        args=(document, version.number),
                    )


def _restore(document: Document, number: int) -> None:
    with messages.in_callback():
        mine().restore(document.id, number, expected=document.version)
