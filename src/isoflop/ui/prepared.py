"""What a person decided about a table before it is fitted: kept a session, carried by the link."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from isoflop.errors import TableError
from isoflop.language import lazy_gettext
from isoflop.tables import Exclusion, LossTable, find_dataset
from isoflop.tables.prepare import (
    MAX_TEXT_CHARACTERS,
    Preparation,
    default_preparation,
    preparation_from_text,
    preparation_to_text,
    prepare,
)
from isoflop.ui import address, messages
from isoflop.ui.caching import MAX_TABLES, kept
from isoflop.ui.state import SIMULATED, UPLOAD_PREFIX

PARAMETER = "prep"
"""Of the address."""
_HELD = "preparations"
_READ = "preparation read"


def usual(table_id: str, full: LossTable) -> Preparation:
    """Return what is done to a table unless a person says otherwise."""
    if table_id == SIMULATED or table_id.startswith(UPLOAD_PREFIX):
        return _default(full)
    return find_dataset(table_id).preparation


_default = kept(default_preparation, max_entries=MAX_TABLES)


def of(table_id: str, full: LossTable) -> Preparation:
    """Return what is done to a table in this session; at first, what the link says."""
    held: dict[str, Preparation] = st.session_state.setdefault(_HELD, {})
    if address.is_opened(_READ):
        st.session_state[_READ] = True
        asked = st.query_params.get(PARAMETER, "")
        if address.is_anew():
            held.pop(table_id, None)
        if asked:
            try:
                held[table_id] = preparation_from_text(asked)
            except TableError as problem:
                messages.show(problem)
    return held.get(table_id) or usual(table_id, full)


def decide(table_id: str, preparation: Preparation) -> None:
    """Keep a decision for the session."""
    st.session_state.setdefault(_HELD, {})[table_id] = preparation


def decisions() -> dict[str, Preparation]:
    """Return what was decided in this session, by table."""
    return dict(st.session_state.get(_HELD, {}))


def forget(table_id: str) -> None:
    """Go back to what is usual for a table."""
    st.session_state.get(_HELD, {}).pop(table_id, None)


def carry_over(old_id: str, new_id: str) -> None:
    """Let a table that was read anew keep the decisions made about it."""
    held = st.session_state.get(_HELD, {})
    if old_id in held:
        held[new_id] = held[old_id]


def change(table_id: str, full: LossTable, edit: Callable[[Preparation], Preparation]) -> None:
    """Change a decision."""
    decide(table_id, edit(of(table_id, full)))


def add_exclusion(table_id: str, full: LossTable, exclusion: Exclusion) -> None:
    """Leave rows out, or take them back."""
    change(table_id, full, lambda p: replace(p, exclusions=(*p.exclusions, exclusion)))


def drop_exclusion(table_id: str, full: LossTable, position: int) -> None:
    """Undo one exclusion."""
    change(
        table_id,
        full,
        lambda p: replace(p, exclusions=p.exclusions[:position] + p.exclusions[position + 1 :]),
    )


def table(table_id: str, full: LossTable) -> LossTable:
    """Return a table as it is to be fitted, and let the address say what was decided.

    A decision that cannot be applied is shown and left away: the page goes on with the table.
    """
    preparation = of(table_id, full)
    _mirror(preparation, usual(table_id, full))
    try:
        return _prepare(full, preparation)
    except TableError as problem:
        messages.show(problem)
        return full


def without(table_id: str, full: LossTable, is_left_away: Callable[[Exclusion], bool]) -> LossTable:
    """Return a table as it would be fitted without some of the exclusions decided about it.

    Raises
    ------
    TableError
        If it cannot be prepared so.
    """
    preparation = of(table_id, full)
    rest = tuple(one for one in preparation.exclusions if not is_left_away(one))
    return _prepare(full, replace(preparation, exclusions=rest))


def _mirror(preparation: Preparation, usual_one: Preparation) -> None:
    text = "" if preparation == usual_one else preparation_to_text(preparation) or "{}"
    is_short = 0 < len(text) <= MAX_TEXT_CHARACTERS
    address.write(PARAMETER, (text,) if is_short else ())


_prepare = kept(prepare, max_entries=MAX_TABLES, spinner=lazy_gettext("Preparing the table"))
