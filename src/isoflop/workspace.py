"""A workspace: what a person works on, as data that another session or installation opens.

It holds the views of the pages (the parameters of their addresses, which name table, law,
options, seed, budget and all else that is chosen), the uploaded tables with their mapping, what was
decided about tables before the fit, saved scenarios, accelerators of one's own and the names of
training runs. Nothing in it is code: reading one runs nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from typing import Any, cast

import pandas as pd

from isoflop import document
from isoflop.errors import DocumentError, IsoflopError, TableError
from isoflop.language import lazy_gettext as _
from isoflop.tables.load import ReadResult, build_table
from isoflop.tables.mapping import Question, mapping_from_json
from isoflop.tables.problems import Problem
from isoflop.tables.raw import RawTable
from isoflop.tables.source import max_upload_bytes

KIND = "workspace"
FORMAT = "isoflop-workspace-1"
TABLE_FORMAT = "isoflop-cells-1"
MAX_CELLS = 2_000_000
"""Of an uploaded table that a workspace keeps."""
MAX_PACKED_BYTES = 50_000_000
MAX_UNPACKED_BYTES = 400_000_000
MAX_MEMBERS = 64
MAX_NOTE_CHARACTERS = 10_000
MAX_VIEW_CHARACTERS = 20_000
_WORKSPACE_MEMBER = "workspace.json"
_TABLE_MEMBER = re.compile(r"tables/([0-9a-f]{64})\.json\.gz")

View = dict[str, tuple[str, ...]]
"""Parameters of a page's address, each with its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedTable:
    """An uploaded table that a workspace keeps.

    Parameters
    ----------
    id : str
        By which the views name it.
    name : str
        Of the file.
    sha256 : str
        Of its cells as `pack_cells` writes them.
    fingerprint : str
        Of the table that was made of them.
    mapping : dict
        How its columns were understood.
    n_bytes : int
        Of its packed cells.
    """

    id: str
    name: str
    sha256: str
    fingerprint: str
    mapping: Mapping[str, Any]
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """What a person works on.

    Parameters
    ----------
    page : str
        That it opens with.
    views : mapping of str to mapping
        By page, the parameters of its address.
    note : str
        In the person's words.
    tables : tuple of SavedTable
    preparations : mapping of str to str
        By table, what is done to it before it is fitted, as `preparation_to_text` writes it.
    scenarios : mapping of str to dict
        Saved scenarios, by name, as their documents hold them.
    accelerators : mapping of str to dict
        Accelerators of one's own, by key.
    runs : tuple of str
        Names of training runs or ladders, which stay where they are.
    """

    page: str
    views: Mapping[str, View]
    note: str = ""
    tables: tuple[SavedTable, ...] = ()
    preparations: Mapping[str, str] = field(default_factory=dict)
    scenarios: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    accelerators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    runs: tuple[str, ...] = ()

    @property
    def table_bytes(self) -> int:
        """Bytes of all its tables, packed."""
        return sum(table.n_bytes for table in self.tables)


def to_body(workspace: Workspace) -> dict[str, Any]:
    """Return a workspace as values that JSON can hold.

    Raises
    ------
    DocumentError
        If its note or a view is too long.
    """
    if len(workspace.note) > MAX_NOTE_CHARACTERS:
        raise DocumentError(
            _(
                "The note is longer than {max_note_characters:,} characters.",
                max_note_characters=MAX_NOTE_CHARACTERS,
            )
        )
    if any(_size(view) > MAX_VIEW_CHARACTERS for view in workspace.views.values()):
        raise DocumentError(_("What is chosen on a page is too long to be saved."))
    around = {"format": FORMAT, "isoflop": version("isoflop")}
    plain = json.loads(json.dumps(document.plain(workspace), allow_nan=False))
    return {**around, **plain}


def _size(view: View) -> int:
    return sum(len(name) + sum(map(len, values)) for name, values in view.items())


def from_body(body: Mapping[str, Any]) -> Workspace:
    """Read a workspace that `to_body` wrote.

    Raises
    ------
    DocumentError
        If it is none, or of a newer version.
    """
    return document.from_json(_Loose, json.dumps(body), FORMAT).checked()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loose:
    """A workspace as JSON holds it: free content as it stands, everything else by type."""

    page: str
    views: dict[str, dict[str, tuple[str, ...]]]
    note: str = ""
    tables: tuple[_LooseTable, ...] = ()
    preparations: dict[str, str] = field(default_factory=dict)
    scenarios: dict[str, dict[str, Any]] = field(default_factory=dict)
    accelerators: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: tuple[str, ...] = ()

    def checked(self) -> Workspace:
        tables = tuple(SavedTable(**asdict(table)) for table in self.tables)
        rest = {name: getattr(self, name) for name in self.__slots__ if name != "tables"}
        found = Workspace(tables=tables, **rest)
        to_body(found)  # within the limits
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _LooseTable:
    id: str
    name: str
    sha256: str
    fingerprint: str
    mapping: dict[str, Any]
    n_bytes: int


# --- Tables ---------------------------------------------------------------------------------------


def pack_table(table_id: str, name: str, result: ReadResult) -> tuple[SavedTable, bytes]:
    """Return a table as a workspace keeps it, and its cells.

    Raises
    ------
    TableError
        If it is too large.
    """
    content = pack_cells(result.raw)
    saved = SavedTable(
        id=table_id,
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        fingerprint=result.table.fingerprint,
        mapping=json.loads(result.mapping.to_json()),
        n_bytes=len(content),
    )
    return saved, content


def unpack_table(saved: SavedTable, content: bytes) -> ReadResult:
    """Make the table of cells that `pack_table` returned.

    Raises
    ------
    DocumentError
        If the cells are not those that were saved, or malformed.
    TableError
        If no table can be made of them.
    """
    if hashlib.sha256(content).hexdigest() != saved.sha256:
        raise DocumentError(
            _("The table {name!r} of this workspace is damaged.", name=saved.name[:80])
        )
    return build_table(unpack_cells(content), mapping_from_json(json.dumps(saved.mapping)))


def pack_cells(raw: RawTable) -> bytes:
    """Write what was read from a file, to the last bit of every number.

    Raises
    ------
    TableError
        If it is too large.
    """
    if raw.frame.size > MAX_CELLS:
        raise TableError(
            _("The table {name} is too large for a workspace.", name=raw.name),
            detail=_(
                "It has {size:,} cells; up to {max_cells:,} are kept.",
                size=raw.frame.size,
                max_cells=MAX_CELLS,
            ),
            hint=_("Upload a table of fewer rows or columns."),
        )
    columns = [
        {"header": str(header), "dtype": _dtype(column), "cells": _cells(column)}
        for header, column in raw.frame.items()
    ]
    about = {
        "format": TABLE_FORMAT,
        **document.plain(_about(raw)),
        "index": [int(row) for row in raw.frame.index],
        "columns": columns,
    }
    text = json.dumps(about, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return gzip.compress(text.encode(), compresslevel=6, mtime=0)


def unpack_cells(content: bytes) -> RawTable:
    """Read what `pack_cells` wrote.

    Raises
    ------
    DocumentError
        If it is anything else, or too large.
    """
    try:
        found = json.loads(_unzipped(content))
        columns, index = found.pop("columns"), found.pop("index")
        about = document.from_json(_About, json.dumps(found), TABLE_FORMAT)
        if not isinstance(index, list) or sum(len(c["cells"]) for c in columns) > MAX_CELLS:
            raise ValueError(f"it has more than {MAX_CELLS:,} cells")
        if any(len(column["cells"]) != len(index) for column in columns):
            raise ValueError("its columns are not of one length")
        frame = pd.DataFrame({str(c["header"]): _column(c["cells"], c["dtype"]) for c in columns})
        frame.index = pd.Index(index, dtype="int64")
        if len(frame.columns) != len(columns):
            raise ValueError("headers repeat")
    except _MALFORMED as error:
        raise _no_workspace(_("A table's cells: {error}", error=str(error)[:200])) from None
    rest = {name: getattr(about, name) for name in _REST}
    return RawTable(frame=frame, format=about.file_format, **rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """A raw table without its cells."""

    name: str
    file_format: str
    decimal: str = "."
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    duplicate_headers: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    concluded: tuple[str, ...] = ()


_REST = [item.name for item in fields(_About) if item.name != "file_format"]


def _about(raw: RawTable) -> _About:
    rest = {name: getattr(raw, name) for name in _REST}
    return _About(file_format=raw.format, **rest)


_MALFORMED = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
)
_DTYPES = ("float64", "int64", "bool", "str", "object")


def _dtype(column: pd.Series[Any]) -> str:
    name = str(column.dtype)
    return name if name in _DTYPES else "object"


def _cells(column: pd.Series[Any]) -> list[Any]:
    return [_cell(value) for value in column.tolist()]


def _cell(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        # In JSON there is no such number, and the same word may stand in a cell as text.
        return {"number": document.plain(value)} if math.isinf(value) else value
    return str(value)


_INFINITE = {"Infinity": float("inf"), "-Infinity": float("-inf")}


def _column(cells: Any, dtype: Any) -> pd.Series[Any]:
    if dtype not in _DTYPES or not isinstance(cells, list):
        raise ValueError(f"a column of the type {str(dtype)[:40]!r}")
    cells = [_INFINITE[cell["number"]] if isinstance(cell, dict) else cell for cell in cells]
    if any(not isinstance(cell, str | int | float | bool | None) for cell in cells):
        raise ValueError("a cell is neither text nor number")
    if dtype == "float64":
        cells = [float("nan") if cell is None else cell for cell in cells]
        if any(isinstance(cell, str | bool) for cell in cells):
            raise ValueError("text in a column of numbers")
    made = pd.Series(cells, dtype=dtype)
    return cast("pd.Series[Any]", made.where(made.notna(), None) if dtype == "object" else made)


def _unzipped(content: bytes) -> bytes:
    """Unpack no more than is allowed, however small it was packed."""
    limit = min(MAX_UNPACKED_BYTES, 2 * max_upload_bytes())
    unpacker = zlib.decompressobj(wbits=31)
    try:
        data = unpacker.decompress(content, limit + 1)
    except zlib.error as error:
        raise ValueError(f"not a gzip file ({error})") from None
    if len(data) > limit:
        raise ValueError(f"unpacked, it is larger than {limit / 1e6:,.0f} MB")
    if not unpacker.eof:
        raise ValueError("it is cut short")
    return data


# --- One zip --------------------------------------------------------------------------------------


def to_zip(name: str, workspace: Workspace, files: Mapping[str, bytes]) -> bytes:
    """Write a workspace as one file.

    Parameters
    ----------
    name : str
    workspace : Workspace
    files : mapping of str to bytes
        Cells of its tables by their SHA-256.
    """
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        content = {"name": name, **to_body(workspace)}
        archive.writestr(_entry(_WORKSPACE_MEMBER), json.dumps(content, indent=1))
        for table in workspace.tables:
            member = _entry(f"tables/{table.sha256}.json.gz", zipfile.ZIP_STORED)
            archive.writestr(member, files[table.sha256])
    return written.getvalue()


def _entry(name: str, how: int = zipfile.ZIP_DEFLATED) -> zipfile.ZipInfo:
    """Return a member of no date: equal workspaces are equal files."""
    made = zipfile.ZipInfo(name)
    made.compress_type = how
    return made


_UNREADABLE_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


def from_zip(content: bytes) -> tuple[str, Workspace, dict[str, bytes]]:
    """Read what `to_zip` wrote: name, workspace, and the cells of its tables.

    Raises
    ------
    DocumentError
        If it is anything else: members that do not belong there, too many or too large ones
        (however small they were packed), a damaged table, a newer version.
    """
    if len(content) > MAX_PACKED_BYTES:
        raise _no_workspace(
            _(
                "It is larger than {max_packed_bytes:,.0f} MB.",
                max_packed_bytes=MAX_PACKED_BYTES / 1000000.0,
            )
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _members(archive)
    except _UNREADABLE_ZIP as error:
        raise _no_workspace(
            _("It is not a zip file that can be read: {error}", error=error)
        ) from None
    body = document.parsed(members.pop(_WORKSPACE_MEMBER))
    name = body.pop("name", "")
    workspace = from_body(body)
    files = {_TABLE_MEMBER.fullmatch(m)[1]: data for m, data in members.items()}  # type: ignore[index]  # as `_members` checked
    if {table.sha256 for table in workspace.tables} != set(files):
        raise _no_workspace(_("Its tables are not those that it names."))
    for table in workspace.tables:
        try:
            unpack_table(table, files[table.sha256])
        except IsoflopError as error:
            raise _no_workspace(
                _("Table {name!r}: {error}", name=table.name[:80], error=error)
            ) from None
    return str(name)[:200], workspace, files


def _members(archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    if len(names) > MAX_MEMBERS or len(set(names)) < len(names):
        raise _no_workspace(_("It has {names:,} members, or some twice.", names=len(names)))
    strange = [n for n in names if n != _WORKSPACE_MEMBER and not _TABLE_MEMBER.fullmatch(n)]
    if strange or _WORKSPACE_MEMBER not in names:
        raise _no_workspace(
            _("It holds what does not belong there: {strange!r}.", strange=strange[0][:80])
            if strange
            else _("It has no {workspace_member}.", workspace_member=_WORKSPACE_MEMBER)
        )
    members, left = {}, MAX_PACKED_BYTES
    for entry in entries:
        with archive.open(entry) as member:
            data = member.read(left + 1)  # what a member says of its size is not believed
        left -= len(data)
        if left < 0:
            raise _no_workspace(
                _(
                    "Unpacked, it is larger than {max_packed_bytes:,.0f} MB.",
                    max_packed_bytes=MAX_PACKED_BYTES / 1000000.0,
                )
            )
        members[entry.filename] = data
    return members


def _no_workspace(detail: str) -> DocumentError:
    return DocumentError(
        _("This is not a workspace that can be opened."),
        detail=detail,
        hint=_("Give a file that a page Workspaces exported."),
    )
