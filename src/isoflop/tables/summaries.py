"""Rows that sum up others: totals, means and their kin below a table are no runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from isoflop.language import lazy_gettext as _
from isoflop.tables.problems import Problem, shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.reading.columns import words
from isoflop.tables.run_values import column_of

_REASON = _("the row sums up others")
_MOST_ROWS = 20_000
"""Longer tables are logs, which nobody sums up."""
_NAMES = {"run_id", "family", "seed"}
_MEANS = {"mean", "average", "avg"}
_TOLERANCE = 1e-9


def without_summaries(raw: RawTable) -> RawTable:
    """Mark rows that sum up others as unusable.

    Parameters
    ----------
    raw : RawTable
    """
    if len(raw.frame) > _MOST_ROWS:
        return raw
    found: dict[int, tuple[str, str]] = {}
    for header in raw.headers:
        for row, cell in _named(raw, header).items():
            found.setdefault(row, (header, cell))
    if not found and (last := _last_sum(raw.frame)) is not None:
        found[last] = (raw.headers[0], "")
    if not found or len(found) == len(raw.frame):
        return raw
    problems = [
        Problem(row=row, column=header, value=shorten(cell), reason=_REASON)
        for row, (header, cell) in found.items()
    ]
    return replace(raw, problems=(*raw.problems, *problems))


def _named(raw: RawTable, header: str) -> dict[int, str]:
    """Return the rows that a column of names calls a total, a mean or the like."""
    cells = raw.frame[header]
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return {}
    known = words()
    texts = {int(row): str(cell).strip() for row, cell in zip(raw.frame.index, cells, strict=True)}
    lower = {row: text.casefold().strip(" .:*") for row, text in texts.items()}
    wholes = {row for row, text in lower.items() if text in known.whole_of_rows}
    spreads = {row for row, text in lower.items() if text in known.spread_of_rows}
    if len(wholes | spreads) == len(texts):  # a column of statistics: of each setting, the mean
        means = {row for row in wholes if lower[row] in _MEANS}
        left = set(texts) - means if means and spreads else set()
    elif header == raw.headers[0] or column_of(header) in _NAMES:
        left = wholes | (spreads if wholes else set())
    else:
        left = set()
    return {row: texts[row] for row in sorted(left)}


def _last_sum(frame: pd.DataFrame) -> int | None:
    """Return the last row if each of its numbers is the sum, or each the mean, of those above."""
    numbers = frame.select_dtypes("number")
    if len(frame) < 4 or numbers.shape[1] < 2:
        return None
    above, last = numbers.iloc[:-1], numbers.iloc[-1].to_numpy(dtype=np.float64)
    is_known = np.isfinite(last)
    if is_known.sum() < 2 or not (last[is_known] != 0).any():
        return None
    for whole in (above.sum(), above.mean()):
        expected = whole.to_numpy(dtype=np.float64)[is_known]
        varies = (above.nunique() > 1).to_numpy()[is_known]
        if varies.sum() > 1 and np.allclose(last[is_known], expected, rtol=_TOLERANCE, atol=0.0):
            return int(frame.index[-1])
    return None
