"""Tables that a person brought: kept in the session, never written to disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import streamlit as st

from isoflop import settings
from isoflop.errors import IsoflopError, TableError
from isoflop.language import gettext as _
from isoflop.notices import Notice
from isoflop.tables import (
    READERS,
    ColumnMapping,
    LossTable,
    Progress,
    RawTable,
    ReadResult,
    build_table,
    checked,
    guess_mapping,
    max_upload_bytes,
    read_files,
)
from isoflop.tables.remembered import Remembered
from isoflop.ui import documents, messages
from isoflop.ui.state import UPLOAD_PREFIX

MAX_UPLOADS = 8
_TABLES = "uploads"
_FAILURE = "upload.failure"
_PENDING = "upload.pending"
KEYS = (_TABLES,)
"""Of the session, under which tables are kept."""
MENU = "upload.menu"
"""Of the session: whether the menu with the upload field is open."""

OnTable = Callable[[str, LossTable], None]
Kind = Literal["file", "files", "folder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An uploaded file's name and what became of it.

    Parameters
    ----------
    name : str
    result : ReadResult
    remembered : Remembered or None
        What it was read by, where somebody confirmed these columns before.
    is_new : bool
        Whether a person is still to look at how it was understood.
    """

    name: str
    result: ReadResult
    remembered: Remembered | None = None
    is_new: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A file that was read but is not understood yet: its columns must be named first."""

    raw: RawTable
    mapping: ColumnMapping
    failure: IsoflopError


def kept() -> Mapping[str, Upload]:
    """Return the session's uploads by table id, the latest last."""
    held: Mapping[str, Upload] = st.session_state.get(_TABLES, {})
    return held


def pending() -> Pending | None:
    """Return the file whose columns are still to be named, if there is one."""
    held: Pending | None = st.session_state.get(_PENDING)
    return held


def find(table_id: str) -> ReadResult:
    """Return an uploaded table, and how it was read.

    Raises
    ------
    TableError
        If this session does not have it.
    """
    if table_id not in kept():
        raise TableError(
            _("This link shows a table that was uploaded in another session."),
            detail=_("Uploaded tables stay in the session that uploaded them."),
            hint=_("Upload the file again, or choose another table."),
        )
    return kept()[table_id].result


def notices(table_id: str) -> tuple[Notice, ...]:
    """Return what is worth knowing of how an upload was read; nothing for other tables."""
    upload = kept().get(table_id)
    return () if upload is None else upload.result.notices


def uploader(on_table: OnTable, *, key: str = "upload.file", kind: Kind = "file") -> None:
    """Draw the upload field; a table that can be read is kept.

    Parameters
    ----------
    on_table : callable
        Called with the id and the table.
    key : str
    kind : {"file", "files", "folder"}
        Whether one file is taken, or several, or a folder, which become one table.
    """
    if not settings.takes_uploads():
        messages.switched_off(_("Uploads"), "ISOFLOP_UPLOADS")
        return
    several: dict[Kind, Any] = {"file": False, "files": True, "folder": "directory"}
    st.file_uploader(
        _("Folder of runs") if kind == "folder" else _("Loss table"),
        key=key,
        accept_multiple_files=several[kind],
        max_upload_size=max(1, int(max_upload_bytes() / 1e6)),
        on_change=_take,
        args=(on_table, key, kind),
        help=_(
            "{formats}, also gzipped, with a loss column and any of N, D, C.",
            formats=", ".join(formats()),
        )
        + (
            ""
            if kind == "file"
            else _(
                " Several files of runs become one table, joined with the files that describe them."
            )
        ),
    )


def formats() -> tuple[str, ...]:
    """Return the formats that can be read here."""
    return tuple(reader.format for reader in READERS if reader.is_available)


def failure() -> IsoflopError | None:
    """Return why the last file could not be read, or is not understood yet."""
    held: IsoflopError | None = st.session_state.get(_FAILURE)
    waiting = pending()
    return held if held is not None or waiting is None else waiting.failure


def seen(table_id: str) -> None:
    """Note that a person has looked at how a file was understood."""
    upload = kept().get(table_id)
    if upload is not None:
        st.session_state[_TABLES] = {**kept(), table_id: replace(upload, is_new=False)}


def keep(
    name: str,
    result: ReadResult,
    *,
    instead_of: str = "",
    remembered: Remembered | None = None,
    is_new: bool = True,
) -> str:
    """Keep a table for the session and return its id.

    Parameters
    ----------
    name : str
        Of the file.
    result : ReadResult
    instead_of : str
        Id of a table that this one replaces.
    remembered : Remembered or None
        What it was read by, where somebody confirmed these columns before.
    is_new : bool
        Whether a person is still to look at how it was understood.
    """
    table_id = UPLOAD_PREFIX + result.table.fingerprint[:12]
    held = {k: value for k, value in kept().items() if k not in {table_id, instead_of}}
    held[table_id] = Upload(name=name, result=result, remembered=remembered, is_new=is_new)
    st.session_state[_TABLES] = dict(list(held.items())[-MAX_UPLOADS:])
    st.session_state[_PENDING] = None
    return table_id


def understand(raw: RawTable) -> str:
    """Make a table of cells, as remembered for these columns or else guessed; return its id.

    Raises
    ------
    TableError
        If that does not work; the file is then pending until its columns are named.
    """
    remembered = documents.mapping_for(raw)
    mapping = guess_mapping(raw) if remembered is None else remembered.mapping
    try:
        if remembered is not None:
            mapping = checked(raw, mapping)
        result = build_table(raw, mapping)
    except TableError as failure:
        set_pending(Pending(raw=raw, mapping=mapping, failure=failure))
        raise
    return keep(raw.name, result, remembered=remembered)


def set_pending(file: Pending) -> None:
    """Let a file wait until its columns are named."""
    st.session_state[_PENDING] = file


def choose(table_id: str) -> None:
    """Let every page show a table; to be called before the page draws its choice."""
    st.session_state["table"] = table_id
    put_aside()


def put_aside() -> None:
    """Give up naming the columns of the pending file."""
    st.session_state[_PENDING] = st.session_state[_FAILURE] = None


def _take(on_table: OnTable, key: str, kind: Kind) -> None:
    """Read the files just uploaded and keep their table."""
    if not settings.takes_uploads():
        return
    given = st.session_state[key]
    files: Sequence[Any] = given if isinstance(given, list) else [given] if given else []
    named = [(file.name, file.getvalue()) for file in files]
    put_aside()
    st.session_state[MENU] = False
    if named:
        take(
            lambda progress: read_files(named, progress, is_strict=kind != "folder"),
            _("Reading {named}", named=named[0][0]),
            on_table,
        )


def take(
    read: Callable[[Progress], RawTable], first_words: str, on_table: OnTable | None = None
) -> None:
    """Read a table with a bar while that lasts, keep it, or why not; for a widget's callback.

    Parameters
    ----------
    read : callable
        Called with what shows the progress.
    first_words : str
        What is done, for a person.
    on_table : callable or None
        Called with the id and the table; every page shows it if None.
    """
    put_aside()
    bar = st.progress(0.0, text=messages.plain(first_words))

    def show(share: float, text: str) -> None:
        bar.progress(share, text=messages.plain(text))

    try:
        table_id = understand(read(show))
    except IsoflopError as failure:
        st.session_state[_FAILURE] = failure
        return
    finally:
        bar.empty()
    if on_table is None:
        choose(table_id)
    else:
        on_table(table_id, find(table_id).table)
