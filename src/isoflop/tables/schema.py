"""The canonical columns of a loss table, and the table itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import TableError
from isoflop.tables.fingerprint import fingerprint
from isoflop.units import Dimension

ParamConvention = Literal["total", "non-embedding", "active", "unknown"]
LossUnit = Literal[
    "nats/token", "bits/token", "nats/byte", "bits/byte", "nats/character", "unknown"
]
ColumnKind = Literal["number", "text", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One canonical column.

    Parameters
    ----------
    name : str
        Canonical name, as in ``LossTable.frame``.
    label : str
        What a person reads on an axis, such as ``"Tokens D"``.
    unit : str
        Canonical unit; empty for text and flags.
    lower, upper : float or None
        Plausible values lie strictly above ``lower`` and at most at ``upper``.
    required : bool
        Whether a table without it is refused.
    aliases : tuple of str
        Other headers that mean this column, compared without case and punctuation.
    help : str
        One line for a person.
    kind : {"number", "text", "flag"}
    dimension : str or None
        Of a number, as ``isoflop.units`` parses and formats it.
    """

    name: str
    label: str
    unit: str
    lower: float | None = None
    upper: float | None = None
    required: bool = False
    aliases: tuple[str, ...] = ()
    help: str = ""
    kind: ColumnKind = "number"
    dimension: Dimension | None = None


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
    is_synthetic: bool = False
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
    """

    id: str
    frame: pd.DataFrame
    provenance: Provenance
    param_convention: ParamConvention = "unknown"
    loss_unit: LossUnit = "unknown"
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
                f"The table {self.id} has no column {column}.",
                detail=f"Numeric columns: {', '.join(numeric) or 'none'}.",
                hint="Map a column of the file to it, or choose a law that does not need it.",
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
