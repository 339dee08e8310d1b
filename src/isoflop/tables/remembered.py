"""Mappings that a person confirmed, remembered for files with the same columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from isoflop.errors import StoreError, TableError
from isoflop.tables.mapping import ColumnMapping, headers_key, mapping_from_json

if TYPE_CHECKING:
    from isoflop.store import Document, Documents
    from isoflop.tables.raw import RawTable

KIND = "column-mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A mapping, and the document that holds it: who confirmed it, and when.

    Parameters
    ----------
    mapping : ColumnMapping
    document : Document
    """

    mapping: ColumnMapping
    document: Document


def signature(raw: RawTable) -> tuple[str, ...]:
    """Return what files that are read alike share: headers, and whether each holds numbers."""
    kinds = {
        str(header): "number" if pd.api.types.is_numeric_dtype(dtype) else "text"
        for header, dtype in raw.frame.dtypes.items()
    }
    return tuple(sorted(f"{header}\t{kind}" for header, kind in kinds.items()))


def remember_mapping(store: Documents, raw: RawTable, mapping: ColumnMapping) -> None:
    """Keep a person's mapping for files with these columns, in any order.

    Raises
    ------
    StoreError
        If the store cannot be written.
    AccessError
        If the person may not write there.
    """
    store.put(KIND, _key(raw), json.loads(mapping.to_json()))


def recall_mapping(store: Documents, raw: RawTable) -> Remembered | None:
    """Return what the person last remembered for these columns, or None.

    Without an own one, what others share counts. One that can no longer be read is as
    good as none; so is a store that cannot be reached.
    """
    try:
        document = store.get(KIND, _key(raw))
        if document is None:
            return None
        mapping = mapping_from_json(json.dumps(document.body))
    except (StoreError, TableError):
        return None
    return Remembered(mapping=mapping, document=document)


def own_mapping(store: Documents, raw: RawTable) -> Document | None:
    """Return the document of the person's own mapping for these columns, readable or not.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    document = store.get(KIND, _key(raw))
    return document if document is not None and document.owner == store.actor.id else None


def _key(raw: RawTable) -> str:
    return headers_key((*signature(raw), "\n"))  # as what was saved by nobody has it
