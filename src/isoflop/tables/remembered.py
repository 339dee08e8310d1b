"""Mappings that a person confirmed, remembered for files with the same columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd

from isoflop.errors import StoreError, TableError
from isoflop.tables.mapping import ColumnMapping, headers_key, mapping_from_json

if TYPE_CHECKING:
    from isoflop.store import Store
    from isoflop.tables.raw import RawTable

KIND = "column-mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A mapping, and when it was confirmed.

    Parameters
    ----------
    mapping : ColumnMapping
    confirmed : datetime
    """

    mapping: ColumnMapping
    confirmed: datetime


def signature(raw: RawTable) -> tuple[str, ...]:
    """Return what files that are read alike share: headers, and whether each holds numbers."""
    kinds = {
        str(header): "number" if pd.api.types.is_numeric_dtype(dtype) else "text"
        for header, dtype in raw.frame.dtypes.items()
    }
    return tuple(sorted(f"{header}\t{kind}" for header, kind in kinds.items()))


def remember_mapping(store: Store, raw: RawTable, mapping: ColumnMapping, owner: str = "") -> None:
    """Keep a mapping for files with these columns, in any order.

    Parameters
    ----------
    store : Store
    raw : RawTable
    mapping : ColumnMapping
    owner : str
        Whose word it is; nobody else's files are read by it.

    Raises
    ------
    StoreError
        If the store cannot be written.
    """
    store.put(KIND, _key(raw, owner), json.loads(mapping.to_json()))


def recall_mapping(store: Store, raw: RawTable, owner: str = "") -> Remembered | None:
    """Return what was last remembered for these columns, or None.

    One that can no longer be read is as good as none; so is a store that cannot be reached.
    """
    try:
        document = store.get(KIND, _key(raw, owner))
        if document is None:
            return None
        mapping = mapping_from_json(json.dumps(document.body))
    except (StoreError, TableError):
        return None
    return Remembered(mapping=mapping, confirmed=document.updated)


def forget_mapping(store: Store, raw: RawTable, owner: str = "") -> None:
    """Forget the mapping for these columns.

    Raises
    ------
    StoreError
        If the store cannot be written.
    """
    store.delete(KIND, _key(raw, owner))


def _key(raw: RawTable, owner: str) -> str:
    return headers_key((*signature(raw), f"\n{owner}"))
