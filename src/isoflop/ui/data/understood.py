"""What became of a file just given: why it is not read, or in two lines how it was understood."""

from __future__ import annotations

import streamlit as st

from isoflop.errors import IsoflopError, TableQuestion
from isoflop.language import gettext
from isoflop.tables.remembered import KIND, Remembered
from isoflop.tables.understood import understood
from isoflop.ui import documents, messages, share, uploads, visitor
from isoflop.ui.data import columns

_NAMING = "upload.naming"


def show_failure() -> None:
    """Draw why the last file is not read, and what can be done about it."""
    failure, pending = uploads.failure(), uploads.pending()
    if failure is None:
        return
    if pending is not None:
        st.markdown(f"## {messages.plain(pending.raw.name)}")
    if not isinstance(failure, TableQuestion):
        messages.show(failure)
    if pending is None:
        _aside()
        return
    is_asked = any(question.is_blocking for question in pending.mapping.questions)
    if is_asked:
        columns.ask(pending.raw, pending.mapping, "")
    with st.container(horizontal=True):
        st.button(
            gettext("Name the columns"),
            icon=":material/view_column:",
            type="secondary" if is_asked else "primary",
            key="upload.name",
            on_click=_toggle,
            args=("",),
        )
        _aside()
    if st.session_state.get(_NAMING) == "":
        columns.show_pending()


def _aside() -> None:
    st.button(
        gettext("Discard this file"),
        icon=":material/close:",
        key="upload.aside",
        on_click=uploads.put_aside,
    )


def show(table_id: str) -> None:
    """Draw how an upload was understood, until a person has said that it is right.

    Parameters
    ----------
    table_id : str
        Of the table that the page shows; nothing is drawn for one that was not uploaded.
    """
    upload = uploads.kept().get(table_id)
    if upload is None or not upload.is_new:
        return
    lines = understood(upload.result)
    with st.container(border=True, key="understood"):
        what = "  \n".join(map(messages.plain, lines))
        st.markdown(f"**{messages.plain(upload.name)}**: {what}")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                gettext("Confirm"),
                icon=":material/check:",
                key="understood.right",
                help=gettext("Read files with the same columns in this way from now on."),
                on_click=_confirm,
                args=(table_id,),
            )
            st.button(
                gettext("Change"),
                icon=":material/edit:",
                key="understood.change",
                help=gettext("Name the columns and their units."),
                on_click=_toggle,
                args=(table_id,),
            )
            if upload.remembered is not None:
                st.button(
                    gettext("Forget") if _is_own(upload.remembered) else gettext("Guess instead"),
                    icon=":material/bookmark_remove:",
                    key="understood.forget",
                    help=gettext("Read this file again, and forget what was confirmed."),
                    on_click=columns.guess_again,
                    args=(upload.result.raw, table_id),
                )
                _remembered(upload.remembered)
        documents.offer_undo(KIND, lambda _: columns.read_again(upload.result.raw, table_id))
    if st.session_state.get(_NAMING) == table_id:
        columns.show(table_id, upload.result)


def _is_own(remembered: Remembered) -> bool:
    return remembered.document.owner == visitor.actor().id


def _remembered(remembered: Remembered) -> None:
    """Say whose confirmation a file was read by; let the person share their own."""
    document = remembered.document
    who = gettext("you") if _is_own(remembered) else messages.plain(document.owner_name)
    st.caption(
        gettext("Read as {who} confirmed on {updated:%d %B %Y}.", who=who, updated=document.updated)
    )
    # Each confirms for themselves: what others share is read, and changed by nobody else.
    share.document(document, may_edit=False)


def _toggle(table_id: str) -> None:
    """Open the columns of a file, or close them."""
    is_open = st.session_state.get(_NAMING) == table_id
    st.session_state[_NAMING] = None if is_open else table_id


def _confirm(table_id: str) -> None:
    """Remember how a file was understood."""
    result = uploads.find(table_id)
    uploads.seen(table_id)
    st.session_state[_NAMING] = None
    try:
        documents.remember(result.raw, result.mapping)
    except IsoflopError as problem:
        messages.show(problem)
    else:
        st.toast(
            gettext("Remembered for files with the same columns."), icon=":material/bookmark_added:"
        )
