"""Which rows are left out on the Fit page: by click, undoable, and in the address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import streamlit as st

from isoflop.tables import LossTable
from isoflop.ui import address

PARAMETER = "drop"
_SLOT = "fit.exclusions"
MAX_IN_ADDRESS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """Rows left out of one table, and what was left out before.

    Parameters
    ----------
    table_key : str
        Fingerprint of the table.
    rows : tuple of int
        Index in its frame, ascending.
    history : tuple of tuple of int
        Earlier states, the latest last.
    """

    table_key: str
    rows: tuple[int, ...] = ()
    history: tuple[tuple[int, ...], ...] = ()

    def changed(self, rows: Iterable[int]) -> Exclusions:
        """Return the state with other rows left out."""
        after = tuple(sorted(set(rows)))
        if after == self.rows:
            return self
        return replace(self, rows=after, history=(*self.history, self.rows))

    def undone(self) -> Exclusions:
        """Return the state before the last change."""
        if not self.history:
            return self
        return replace(self, rows=self.history[-1], history=self.history[:-1])


def current(table: LossTable) -> Exclusions:
    """Return what is left out of a table; nothing for one that was just chosen.

    The first time, the address is asked.
    """
    held: Exclusions | None = st.session_state.get(_SLOT)
    is_anew = address.is_anew()
    if held is not None and held.table_key == table.fingerprint and not is_anew:
        return held
    asked = st.query_params.get(PARAMETER, "") if held is None or is_anew else ""
    known = set(table.included().index)
    rows = {int(part) for part in asked.split(",") if part.strip().isdecimal()} & known
    return keep(Exclusions(table_key=table.fingerprint, rows=tuple(sorted(rows))))


def keep(excluded: Exclusions) -> Exclusions:
    """Keep a state for the session, and in the address."""
    st.session_state[_SLOT] = excluded
    is_short = 0 < len(excluded.rows) <= MAX_IN_ADDRESS
    address.write(PARAMETER, (",".join(map(str, excluded.rows)),) if is_short else ())
    return excluded


def toggle(table: LossTable, rows: Iterable[int]) -> None:
    """Leave out rows that are in; take back those that are out where all of them are."""
    excluded, chosen = current(table), set(rows)
    out = set(excluded.rows)
    keep(excluded.changed(out - chosen if chosen <= out else out | chosen))
