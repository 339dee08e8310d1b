"""The store of documents, opened when something is first saved or looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from isoflop.errors import StoreError
from isoflop.people import Sharing
from isoflop.tables import ColumnMapping, RawTable
from isoflop.tables.remembered import (
    Remembered,
    forget_mapping,
    recall_mapping,
    remember_mapping,
)
from isoflop.ui import visitor

if TYPE_CHECKING:  # SQLAlchemy is not needed before something is saved
    from isoflop.store import Documents, Store


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """Open the store.

    Raises
    ------
    StoreError
        If it cannot be opened.
    """
    from isoflop.store import Store

    return Store()


def mine() -> Documents:
    """Return the documents as whoever looks at the page sees them.

    Raises
    ------
    StoreError
        If the store cannot be opened.
    """
    return store().of(visitor.actor())


def name_of(sharing: Sharing) -> str:
    """Return what is read for the owner of something that is no document."""
    try:
        return mine().name_of(sharing.owner)
    except StoreError:
        return sharing.owner_name or "somebody"


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
    """Forget the mapping for files with these columns.

    Raises
    ------
    StoreError, AccessError
        If the store cannot be written.
    """
    forget_mapping(mine(), raw)
