"""Bytes of a file, within the one size limit, decompressed and decoded safely."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from isoflop.errors import TableError
from isoflop.language import lazy_gettext

Progress = Callable[[float, str], None]
"""Called with the share done, from 0 to 1, and what is being done; may raise to cancel."""

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO
"""A path, the content itself, or an open binary file."""

Sources = Source | Sequence[Source]
"""One source, or several that make one table."""

DEFAULT_MAX_UPLOAD_MB = 200.0
MAX_COLUMNS = 5_000
_BLOCK_BYTES = 1 << 20
_BYTES_PER_CELL = 4  # a short number and its comma
_ENCODING_SAMPLE_BYTES = 1 << 16
_WESTERN = "cp1252"
_COHERENCE_MARGIN = 0.2


def max_upload_bytes() -> int:
    """Return the largest file that is read, from the setting ``ISOFLOP_MAX_UPLOAD_MB``.

    Raises
    ------
    TableError
        If the setting is not a positive number.
    """
    text = os.environ.get("ISOFLOP_MAX_UPLOAD_MB", "")
    try:
        megabytes = float(text) if text else DEFAULT_MAX_UPLOAD_MB
    except ValueError:
        megabytes = -1.0
    if not 0 < megabytes < float("inf"):
        raise TableError(
            lazy_gettext(
                "The setting ISOFLOP_MAX_UPLOAD_MB is {text!r}, which is not a size.", text=text
            ),
            hint=lazy_gettext("Set it to a number of megabytes, such as 200."),
        )
    return int(megabytes * 1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file's bytes, decompressed, with its name.

    Parameters
    ----------
    name : str
        File name without folders; ends in the suffix that the format is told by, compression
        suffix removed.
    data : bytes
    notes : tuple of str
        What was done to get at them, for a person.
    """

    name: str
    data: bytes
    notes: tuple[str, ...] = ()


def load(source: Source, name: str = "") -> Content:
    """Read a source into memory, within the limit, and undo gzip compression.

    Raises
    ------
    TableError
        If it is missing, empty, over the limit (compressed or not) or a damaged archive.
    """
    name = name or _name_of(source)
    data = _bytes_of(source, name)
    if not data:
        raise TableError(
            lazy_gettext("The file {name} is empty.", name=name),
            hint=lazy_gettext("Choose a file with a header and rows."),
        )
    if data[:2] == b"\x1f\x8b":
        return Content(
            name=name.removesuffix(".gz"),
            data=_gunzip(data, name),
            notes=(lazy_gettext("Decompressed from gzip."),),
        )
    return Content(name=name, data=data)


def _name_of(source: Source) -> str:
    if isinstance(source, str | os.PathLike):
        return Path(source).name
    return Path(str(getattr(source, "name", "") or "table")).name


def too_large(name: str, size_bytes: int | None, what: str = "") -> TableError:
    """Return the refusal of a file over the limit."""
    limit = max_upload_bytes() / 1e6
    return TableError(
        lazy_gettext("The file {name} is too large{what}.", name=name, what=what),
        detail=lazy_gettext("The limit is {limit:,.0f} MB.", limit=limit)
        if size_bytes is None
        else lazy_gettext(
            "It is {size:,.0f} MB; the limit is {limit:,.0f} MB.",
            size=size_bytes / 1e6,
            limit=limit,
        ),
        hint=lazy_gettext(
            "Raise ISOFLOP_MAX_UPLOAD_MB, or keep fewer columns or every tenth step."
        ),
    )


def refuse_many_cells(name: str, n_rows: int, n_columns: int) -> None:
    """Refuse a table that would take far more memory than its file is large.

    A few bytes may stand for many cells: short lines below a wide header, or repeated values.

    Raises
    ------
    TableError
        If it has too many columns, or more cells than the largest file that is read could hold.
    """
    if n_columns > MAX_COLUMNS:
        raise TableError(
            lazy_gettext(
                "The file {name} has {n_columns:,} columns.", name=name, n_columns=n_columns
            ),
            detail=lazy_gettext("At most {max_columns:,} are read.", max_columns=MAX_COLUMNS),
            hint=lazy_gettext("Keep the columns of sizes, losses and names."),
        )
    limit = max_upload_bytes() // _BYTES_PER_CELL
    if n_rows * n_columns > limit:
        raise TableError(
            lazy_gettext(
                "The file {name} is too large: {n_rows:,} rows of {n_columns:,} columns.",
                name=name,
                n_rows=n_rows,
                n_columns=n_columns,
            ),
            detail=lazy_gettext("At most {limit:,} cells are read.", limit=limit),
            hint=lazy_gettext(
                "Raise ISOFLOP_MAX_UPLOAD_MB, or keep fewer columns or every tenth step."
            ),
        )


def _bytes_of(source: Source, name: str) -> bytes:
    limit = max_upload_bytes()
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        if len(data) > limit:
            raise too_large(name, len(data))
        return data
    if isinstance(source, str | os.PathLike):
        return _bytes_of_path(Path(source), limit)
    data = source.read(limit + 1)
    if len(data) > limit:
        raise too_large(name, None)
    return data


def _bytes_of_path(path: Path, limit: int) -> bytes:
    try:
        if path.is_dir():
            raise TableError(
                lazy_gettext("{name} is a folder, not a file.", name=path.name),
                hint=lazy_gettext("Choose a file in it."),
            )
        size = path.stat().st_size
        if size > limit:
            raise too_large(path.name, size)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TableError(
            lazy_gettext("The file {name} cannot be read.", name=path.name),
            detail=reason,
            hint=lazy_gettext("Check its path."),
        ) from None


def _gunzip(data: bytes, name: str) -> bytes:
    """Decompress block by block, so that a bomb is stopped at the limit."""
    limit = max_upload_bytes()
    blocks: list[bytes] = []
    total = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as archive:
            while block := archive.read(_BLOCK_BYTES):
                total += len(block)
                if total > limit:
                    raise too_large(name, None, lazy_gettext(" once decompressed"))
                blocks.append(block)
    except (OSError, EOFError, zlib.error) as error:
        raise TableError(
            lazy_gettext("The file {name} is a damaged gzip archive.", name=name),
            detail=str(error),
            hint=lazy_gettext("Compress or download it again."),
        ) from None
    if not total:
        raise TableError(lazy_gettext("The file {name} is empty once decompressed.", name=name))
    return b"".join(blocks)


_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = (
    (
        b":W&B",
        lazy_gettext("an offline run of Weights & Biases, to be synchronised and exported as CSV"),
    ),
    (b"\x89PNG", lazy_gettext("a PNG image")),
    (b"\xff\xd8\xff", lazy_gettext("a JPEG image")),
    (b"GIF8", lazy_gettext("a GIF image")),
    (b"%PDF", lazy_gettext("a PDF document")),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"SQLite format 3", lazy_gettext("an SQLite database")),
    (b"\x89HDF", lazy_gettext("an HDF5 file")),
    (b"\x93NUMPY", lazy_gettext("a NumPy array")),
    (b"\x80\x02", lazy_gettext("a Python pickle, which could run code and is never opened")),
    (b"\x80\x03", lazy_gettext("a Python pickle, which could run code and is never opened")),
    (b"\x80\x04", lazy_gettext("a Python pickle, which could run code and is never opened")),
    (b"\x80\x05", lazy_gettext("a Python pickle, which could run code and is never opened")),
    (b"PK\x03\x04", lazy_gettext("a zip archive")),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", lazy_gettext("an xz archive")),
    (b"\x28\xb5\x2f\xfd", lazy_gettext("a zstd archive")),
    (b"PAR1", lazy_gettext("a Parquet file")),
    (b"\xd0\xcf\x11\xe0", lazy_gettext("an old Excel or Word file")),
)


def as_utf8(content: Content) -> tuple[bytes, tuple[str, ...]]:
    """Return a text file's bytes in UTF-8 and a note of any other encoding found.

    Raises
    ------
    TableError
        If it is not text.
    """
    data = content.data
    mark = next((mark for mark in _BOMS if data.startswith(mark[0])), None)
    if mark == _BOMS[0]:
        return data[len(codecs.BOM_UTF8) :], ()
    encoding = mark[1] if mark else _encoding(content)
    if encoding == "utf-8":
        return data, ()
    try:
        return data.decode(encoding).encode(), (
            lazy_gettext("Encoding {encoding} detected.", encoding=encoding),
        )
    except UnicodeError:
        raise _binary(content) from None


def _encoding(content: Content) -> str:
    """Return the encoding of text without a byte order mark."""
    data = content.data
    if utf16 := _utf16_without_mark(data):
        return utf16
    if b"\x00" in data:
        raise _binary(content)
    if data.isascii() or _is_utf8(data):
        return "utf-8"
    if any(data.startswith(magic) for magic, _ in _MAGIC):
        raise _binary(content)
    # Importing it costs as much as reading a small file, and nearly every file is UTF-8.
    from charset_normalizer import from_bytes

    matches = from_bytes(data[:_ENCODING_SAMPLE_BYTES])
    best = matches.best()
    if best is None:
        raise _binary(content)
    western = next((match for match in matches if match.encoding == _WESTERN), None)
    rated = western.coherence if western is not None else 0.0
    # A few accents are weak evidence against the most widespread code page.
    is_close = best.coherence <= rated + _COHERENCE_MARGIN
    return _WESTERN if is_close and _is_western(data) else str(best.encoding)


def _is_western(data: bytes) -> bool:
    """Return whether bytes can be of Western Europe's code page: mostly ASCII, with accents."""
    try:
        text = data.decode(_WESTERN)
    except UnicodeDecodeError:
        return False
    letters = [character for character in text[:_ENCODING_SAMPLE_BYTES] if character.isalpha()]
    return 2 * sum(letter.isascii() for letter in letters) > len(letters)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _utf16_without_mark(data: bytes) -> str:
    head = data[:200]
    if len(head) >= 4 and len(data) % 2 == 0:
        if not any(head[::2]) and all(head[1::2]):
            return "utf-16-be"
        if not any(head[1::2]) and all(head[::2]):
            return "utf-16-le"
    return ""


def _binary(content: Content) -> TableError:
    kind = next((kind for magic, kind in _MAGIC if content.data.startswith(magic)), "")
    return TableError(
        lazy_gettext(
            "The file {name} is {kind}.",
            name=content.name,
            kind=kind or lazy_gettext("binary, not a table"),
        ),
        hint=lazy_gettext("Save the table as CSV and upload that."),
    )
