"""Part of a table as a table of its own."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from isoflop.errors import TableError
from isoflop.language import lazy_gettext as _

if TYPE_CHECKING:
    from isoflop.tables.schema import LossTable


def family_names(table: LossTable) -> tuple[str, ...]:
    """Return the families of a table's included rows in the order they appear, if it names any."""
    frame = table.included()
    if "family" not in frame:
        return ()
    return tuple(dict.fromkeys(frame["family"].dropna().astype(str)))


def of_families(table: LossTable, families: Collection[str]) -> LossTable:
    """Return the rows of some families as a table of their own.

    Parameters
    ----------
    table : LossTable
    families : collection of str

    Raises
    ------
    TableError
        If the table names no families, or none of these.

    Examples
    --------
    >>> from isoflop.tables import load_dataset
    >>> len(of_families(load_dataset("pile-cerebras-pythia"), ["Pythia"]).frame)
    8
    """
    if "family" not in table.frame:
        raise TableError(_("The table {id} names no model families.", id=table.id))
    names = table.frame["family"].astype(str)
    frame = table.frame[names.isin(list(families))]
    if frame.empty:
        raise TableError(
            _(
                "The table {id} has no rows of {families}.",
                id=table.id,
                families=", ".join(families) or _("no family"),
            ),
            detail=_("Families: {names}.", names=", ".join(dict.fromkeys(names))),
        )
    return table.with_frame(frame)
