"""A file's columns as numbers, from an even sample of its rows, for what is judged by the cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.tables.mapping import ColumnRole, role_factor
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.cells import own_dimension, run_starts, to_numbers
from isoflop.tables.reading.columns import COLUMNS, PERPLEXITY

_ROWS = 2000
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows of a file, evenly spread, so that their order says nothing.

    Parameters
    ----------
    raw : RawTable
    frame : pandas.DataFrame
        The sampled rows.
    """

    raw: RawTable
    frame: pd.DataFrame
    _numbers: dict[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: RawTable) -> Sample:
        """Return the sample of a file."""
        every = max(1, -(-len(raw.frame) // _ROWS))
        return cls(raw=raw, frame=raw.frame.iloc[::every])

    def has_numbers(self, header: str, column: str) -> bool:
        """Return whether at least some cells are numbers; text among them is listed later."""
        if own_dimension(self.frame[header], decimal=self.raw.decimal) is not None:
            return True
        return bool(np.isfinite(self.values(header, column)).any())

    def values(self, header: str, column: str = "", unit: str = "") -> NDArray[np.float64]:
        """Return a column's sampled cells as numbers of a canonical column, shape (n_rows,)."""
        return self.of_role(ColumnRole(header=header, column=column or header, unit=unit))

    def of_role(self, role: ColumnRole) -> NDArray[np.float64]:
        """Return what a column's sampled cells become, shape (n_rows,); NaN where they cannot."""
        known = COLUMNS.get(role.column)
        values = to_numbers(
            self.frame[role.header],
            factor=role_factor(role),
            transform=role.transform,
            dimension=known.dimension if known is not None else "fraction",
            decimal=self.raw.decimal,
        ).values
        if role.unit == PERPLEXITY:
            with np.errstate(divide="ignore", invalid="ignore"):
                values = np.where(values > 0, np.log(values), np.nan)
        return values

    def finite(self, header: str) -> NDArray[np.float64]:
        """Return the numbers among a column's sampled cells."""
        key = (header, "fraction")
        if key not in self._numbers:
            values = to_numbers(
                self.frame[header], dimension="fraction", decimal=self.raw.decimal
            ).values
            self._numbers[key] = values[np.isfinite(values)]
        return self._numbers[key]

    def median(self, header: str) -> float:
        """Return the median of a column's sampled numbers; NaN where it has none."""
        values = self.finite(header)
        return float(np.median(values)) if len(values) else float("nan")

    def is_bare(self, header: str) -> bool:
        """Return whether cells are plain numbers, to be counted in a unit that they do not name."""
        cells = self.frame[header]
        if pd.api.types.is_numeric_dtype(cells.dtype):
            return True
        texts = [str(cell).strip() for cell in cells.dropna().unique()]
        return not any(text[-1:].isalpha() for text in texts if text.lower() != "nan")

    def fullness(self, losses: Sequence[str]) -> Callable[[str], float]:
        """Return how full a column is, among the rows that have any of some losses."""
        rows = np.zeros(len(self.raw.frame), bool)
        for header in losses:
            rows |= self.raw.frame[header].notna().to_numpy()
        known = self.raw.frame if not rows.any() or rows.all() else self.raw.frame[rows]
        found: dict[str, float] = {}

        def share(header: str) -> float:
            if header not in found:
                found[header] = float(known[header].notna().mean()) if len(known) else 0.0
            return found[header]

        return share

    def whole(self, *headers: str) -> pd.DataFrame:
        """Return some columns of the whole file as numbers, without rows that lack one."""
        columns = {
            header: to_numbers(
                self.raw.frame[header], dimension="count", decimal=self.raw.decimal
            ).values
            for header in headers
        }
        return pd.DataFrame(columns).dropna()

    def varies(self, size: str, name: str) -> bool:
        """Return whether models of several sizes share a name, in any row of the file."""
        values = to_numbers(
            self.raw.frame[size], dimension="params", decimal=self.raw.decimal
        ).values
        names = self.raw.frame[name]
        # Rows of one run mostly follow each other: only where something changes can anything vary.
        changes = np.concatenate([[True], values[1:] != values[:-1]])
        changes[run_starts(names)] = True
        values = values[changes]
        codes, found = pd.factorize(names[changes])
        is_known = (codes >= 0) & np.isfinite(values)
        codes, values = codes[is_known], values[is_known]
        first = np.full(len(found), np.nan)
        first[codes[::-1]] = values[::-1]
        return bool((np.abs(values - first[codes]) > _TOLERANCE * np.abs(values)).any())
