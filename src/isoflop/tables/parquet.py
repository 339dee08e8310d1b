"""Parquet files."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from isoflop.errors import TableError
from isoflop.language import lazy_gettext as _
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable, unique_headers
from isoflop.tables.source import Content, Progress, max_upload_bytes, refuse_many_cells, too_large


def is_parquet(content: Content) -> bool:
    """Return whether a file starts and ends as Parquet does."""
    return content.data[:4] == b"PAR1" == content.data[-4:]


def read_parquet(content: Content, progress: Progress | None = None) -> RawTable:
    """Read the columns of a Parquet file that hold one value a row.

    Raises
    ------
    TableError
        If it is damaged or too large once decoded.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(content.data))
        leaves, lists = _leaves(file.schema)
        _refuse_large(file.metadata, content.name, len(leaves))
        # As dictionaries: a text that a file holds once may stand in a million rows.
        texts = [leaf.path for leaf in leaves if leaf.physical_type == "BYTE_ARRAY"]
        file = pq.ParquetFile(io.BytesIO(content.data), read_dictionary=texts)
        table = _flattened(file.read(columns=[leaf.path for leaf in leaves]))
        _refuse_long_texts(table, content.name)
        frame = _decoded(table).to_pandas(ignore_metadata=True)
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
        raise TableError(
            _("The file {name} is a damaged Parquet file.", name=content.name),
            detail=str(error)[:200],
            hint=_("Write it again, or save the table as CSV."),
        ) from None
    names, repeated = unique_headers([str(column) for column in frame.columns])
    if frame.empty:
        raise TableError(_("The file {name} has no rows.", name=content.name))
    frame.columns = pd.Index(names)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    notes = (_("Columns of lists, not read: {lists}.", lists=", ".join(lists)),) if lists else ()
    return RawTable(
        name=content.name,
        format="Parquet",
        frame=frame,
        notes=(*content.notes, *notes),
        duplicate_headers=repeated,
    )


def _leaves(schema: Any) -> tuple[list[Any], list[str]]:
    """Return the leaves that hold one value a row, and the names of columns that hold lists."""
    leaves = [schema.column(position) for position in range(len(schema))]
    flat = [leaf for leaf in leaves if not leaf.max_repetition_level]
    lists = [leaf.path.partition(".")[0] for leaf in leaves if leaf.max_repetition_level]
    return flat, [shorten(name) for name in dict.fromkeys(lists)]


def _flattened(table: Any) -> Any:
    """Return a table with a column ``record/field`` for each field of its records."""
    import pyarrow as pa

    while any(pa.types.is_struct(field.type) for field in table.schema):
        names = []
        for field in table.schema:
            inner = field.type if pa.types.is_struct(field.type) else None
            names += [field.name] if inner is None else [f"{field.name}/{f.name}" for f in inner]
        table = table.flatten().rename_columns(names)
    return table


def _refuse_large(metadata: Any, name: str, n_columns: int) -> None:
    """Refuse by the sizes in the footer, before anything is decoded."""
    refuse_many_cells(name, metadata.num_rows, n_columns)
    groups = (metadata.row_group(group) for group in range(metadata.num_row_groups))
    if sum(group.total_byte_size for group in groups) > 4 * max_upload_bytes():
        raise too_large(name, None, _(" once decoded"))


def _refuse_long_texts(table: Any, name: str) -> None:
    """Refuse texts that are short as dictionaries and would be long once repeated."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for column in table.columns:
        for chunk in column.chunks:
            if pa.types.is_dictionary(chunk.type):
                lengths = pc.binary_length(chunk.dictionary)
                total += pc.sum(lengths.take(chunk.indices)).as_py() or 0
    if total > 4 * max_upload_bytes():
        raise too_large(name, None, _(" once decoded"))


def _decoded(table: Any) -> Any:
    """Return a table with texts in place of dictionaries."""
    import pyarrow as pa

    kinds = [
        field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        for field in table.schema
    ]
    names = table.schema.names
    return table.cast(pa.schema([pa.field(*pair) for pair in zip(names, kinds, strict=True)]))
