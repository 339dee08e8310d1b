"""The loss table: rows in canonical columns that know where they come from and what they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError
from isoflop.identity import NOT_IDENTITY
from isoflop.language import lazy_gettext as _
from isoflop.tables.condition import fulfils
from isoflop.tables.exclude import exclude_rows
from isoflop.tables.fingerprint import fingerprint
from isoflop.tables.reading.columns import LossUnit, ParamConvention
from isoflop.tables.select import of_families
from isoflop.tables.summary import table_html, table_text

if TYPE_CHECKING:
    from isoflop.tables.load import Reading


def said_count(convention: str) -> str:
    """Say in a sentence which parameters a table's N counts.

    Examples
    --------
    >>> said_count("non-embedding"), said_count("unknown")
    ('N counts non-embedding parameters.', 'It is not known which parameters N counts.')
    """
    if convention == "unknown":
        return _("It is not known which parameters N counts.")
    return _("N counts {convention} parameters.", convention=convention)


def said_response(column: str) -> str:
    """Return what a law predicts, in words: the loss, or a column by its name."""
    return _("loss") if column == "loss" else column


def said_loss_unit(unit: str) -> str:
    """Say in a sentence in which unit a table's losses are.

    Examples
    --------
    >>> said_loss_unit("nats/token"), said_loss_unit("unknown")
    ('Loss in nats/token.', 'The unit of the loss is not known.')
    """
    return (
        _("The unit of the loss is not known.")
        if unit == "unknown"
        else _("Loss in {unit}.", unit=unit)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a table comes from and what is known to be wrong with it."""

    title: str
    source: str = ""
    url: str = ""
    licence: str = ""
    citation: str = ""
    retrieved: str = ""
    tokenizer: str = ""
    known_problems: tuple[str, ...] = ()
    is_simulated: bool = False
    derived_columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LossTable:
    """Validated rows in canonical columns and units; the only thing that fitting accepts.

    Never changed: `with_frame` makes a table of other rows, with an identity of its own.

    Parameters
    ----------
    id : str
        Catalog id, or a name made from the file.
    frame : pandas.DataFrame
        One row a run or a checkpoint. Canonical columns where present: ``params``,
        ``params_nonembedding``, ``tokens``, ``unique_tokens``, ``compute_flop``, ``loss``,
        ``family``, ``run_id``, ``step``, ``is_excluded``, ``exclusion_reason``; any other numeric
        column is kept under its own name. Numbers are float64. The index is the row number in the
        source, counted from 1.
    provenance : Provenance
    param_convention : str
        What ``params`` counts.
    loss_unit : str
    reading : Reading or None
        How the file was read: what each column was taken for, and every cell left out; None for a
        table that was not read from one. No part of the identity.
    """

    id: str
    frame: pd.DataFrame
    provenance: Provenance
    param_convention: ParamConvention = "unknown"
    loss_unit: LossUnit = "unknown"
    reading: Reading | None = field(default=None, metadata=NOT_IDENTITY)
    _fingerprint: str = field(default="", init=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of rows, columns and conventions; made once, when first asked for.

        A million rows take about a second, which a table in between two steps need not pay.
        """
        if not self._fingerprint:
            found = fingerprint(self.frame, self.param_convention, self.loss_unit)
            object.__setattr__(self, "_fingerprint", found)
        return self._fingerprint

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LossTable):
            return NotImplemented
        return self is other or (
            self.id == other.id
            and self.provenance == other.provenance
            and self.fingerprint == other.fingerprint
        )

    def __hash__(self) -> int:
        return hash((self.id, self.fingerprint))

    def __repr__(self) -> str:
        rows, columns = self.frame.shape
        return f"<LossTable {self.id}: {rows} rows, {columns} columns, loss in {self.loss_unit}>"

    def with_frame(
        self,
        frame: pd.DataFrame,
        *,
        derived: Mapping[str, str] | None = None,
        **changes: Any,
    ) -> LossTable:
        """Return a table with other rows or columns.

        Parameters
        ----------
        frame : pandas.DataFrame
            Canonical columns and units, as in `LossTable`.
        derived : mapping of str to str
            Columns that were made, and how; added to the provenance.
        **changes
            Other fields of `LossTable`.
        """
        provenance = self.provenance
        if derived:
            known = {**provenance.derived_columns, **derived}
            provenance = replace(provenance, derived_columns=known)
        return replace(self, **{"frame": frame, "provenance": provenance, **changes})

    def exclude(self, rows: Iterable[int], *, reason: str) -> LossTable:
        """Leave rows out of every fit; they stay in the table, with the reason.

        Parameters
        ----------
        rows : iterable of int
            Row numbers of the frame's index.
        reason : str
            Written beside every row.

        Raises
        ------
        TableError
            If there is no such row, no reason, or no row is left.

        Examples
        --------
        >>> from isoflop.tables import load_dataset
        >>> table = load_dataset("pile-cerebras-pythia").exclude([3], reason="diverged")
        >>> len(table.included()), len(table.frame)
        (14, 15)
        """
        return exclude_rows(self, rows, reason)

    def where(self, condition: str) -> LossTable:
        """Leave every row out that does not fulfil a condition; they stay, with it as the reason.

        Parameters
        ----------
        condition : str
            Comparisons of columns, numbers, quantities and texts, with ``and``, ``or``, ``not`` and
            arithmetic, such as ``"tokens > 1e9 and family == 'Pythia'"`` or ``"params <= '7B'"``. A
            row without a value fulfils no comparison.

        Raises
        ------
        TableError
            If it is anything else, names no column of the table, or no row is left.

        Examples
        --------
        >>> from isoflop.tables import load_dataset
        >>> len(load_dataset("pile-cerebras-pythia").where("params > '1B'").included())
        9
        """
        frame = self.included()
        left_out = frame.index[~fulfils(frame, condition)]
        if len(left_out) == 0:
            return self
        return exclude_rows(self, left_out.tolist(), _("not {condition}", condition=condition))

    def families(self, *names: str) -> LossTable:
        """Return the rows of some families as a table of their own.

        Raises
        ------
        TableError
            If the table names no families, or none of these.
        """
        return of_families(self, names)

    def summary(self) -> str:
        """Return the table as text: its source, rows and columns, and what was left out."""
        return table_text(self)

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the rows that are not excluded."""
        return self.included().copy()

    def _repr_html_(self) -> str:
        return table_html(self)

    def included(self) -> pd.DataFrame:
        """Return the rows that are not excluded."""
        if "is_excluded" not in self.frame:
            return self.frame
        return self.frame[~self.frame["is_excluded"].astype(bool)]

    def values(self, column: str) -> NDArray[np.float64]:
        """Return one numeric column of the included rows.

        Returns
        -------
        ndarray, shape (n_rows,)

        Raises
        ------
        TableError
            If the table has no such column.
        """
        frame = self.included()
        if column not in frame:
            numeric = [str(name) for name in frame.select_dtypes("number").columns]
            raise TableError(
                _("The table {id} has no column {column}.", id=self.id, column=column),
                detail=_("Numeric columns: {numeric}.", numeric=", ".join(numeric) or _("none")),
                hint=_("Map a column of the file to it, or choose a law that does not need it."),
            )
        return frame[column].to_numpy(dtype=np.float64)

    def span(self, column: str) -> tuple[float, float]:
        """Return the smallest and the largest value of a numeric column of the included rows.

        Raises
        ------
        TableError
            If the table has no such column.
        """
        values = self.values(column)
        return float(np.nanmin(values)), float(np.nanmax(values))
