"""Published fits over a table's rows, each with its convention and the range it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting.published import evaluate_published
from isoflop.fitting.result import Fit
from isoflop.laws import PublishedFit, load_published_fits, rebind
from isoflop.tables.schema import LossTable


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedComparison:
    """One published fit held against a table.

    Parameters
    ----------
    published : PublishedFit
    fit : Fit or None
        With the table's residuals; None where the table lacks a column.
    is_in_range : ndarray of bool, shape (n_rows,)
        Which of the fit's rows lie in the range that it rests on.
    offset : float
        Median of observed over predicted, minus 1, of rows in range if there are any.
    spread : float
        Robust standard deviation of the logarithm of that: how well the shape agrees.
    conflicts : mapping of str to str
        What differs from the table, or is not known to agree, so that the two are not compared:
        ``"loss unit"`` or ``"N"``, and how.
    refusal : str
        Why it cannot be drawn; empty otherwise.
    """

    published: PublishedFit
    fit: Fit | None
    is_in_range: NDArray[np.bool_]
    offset: float = float("nan")
    spread: float = float("nan")
    conflicts: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""

    @property
    def n_in_range(self) -> int:
        """Number of rows in the range."""
        return int(self.is_in_range.sum())


def compare_published(
    table: LossTable, fits: Iterable[PublishedFit] | None = None
) -> tuple[PublishedComparison, ...]:
    """Hold published fits against a table's rows, in the order given.

    They are not ranked: each was fitted to other text, and a loss on other text is another number.

    Parameters
    ----------
    table : LossTable
    fits : iterable of PublishedFit, optional
        By default all that ship.
    """
    return tuple(_over(table, p) for p in fits or load_published_fits().values())


def _over(table: LossTable, published: PublishedFit) -> PublishedComparison:
    published = _in_its_convention(published, table)
    try:
        held = evaluate_published(published, table)
    except IsoflopError as problem:
        nowhere = np.zeros(0, dtype=bool)
        return PublishedComparison(
            published=published, fit=None, is_in_range=nowhere, refusal=problem.summary
        )
    is_in_range = np.ones(held.n_rows, dtype=bool)
    frame = table.frame.loc[held.row_index]
    for item in published.law.inputs:
        if item.symbol in published.input_ranges and item.column in frame:
            low, high = published.input_ranges[item.symbol]
            values = frame[item.column].to_numpy(np.float64)
            is_in_range &= (values >= low) & (values <= high)
    residuals = held.residuals[is_in_range] if is_in_range.any() else held.residuals
    middle = float(np.median(residuals))
    return PublishedComparison(
        published=published,
        fit=held,
        is_in_range=is_in_range,
        offset=float(np.expm1(middle)),
        spread=1.4826 * float(np.median(np.abs(residuals - middle))),
        conflicts=_conflicts(published, table),
    )


def _in_its_convention(published: PublishedFit, table: LossTable) -> PublishedFit:
    """Return the fit over the table's non-embedding parameters where it counts those."""
    column = "params_nonembedding"
    if published.param_convention != "non-embedding" or column not in table.included():
        return published
    symbols = {item.symbol: column for item in published.law.inputs if item.column == "params"}
    return replace(published, law=rebind(published.law, symbols)) if symbols else published


def _conflicts(published: PublishedFit, table: LossTable) -> dict[str, str]:
    """Say which conventions differ; a loss whose unit nobody stated is not known to agree."""
    found = {}
    if published.loss_unit != table.loss_unit:
        ours = "not stated" if table.loss_unit == "unknown" else table.loss_unit
        found["loss unit"] = f"Loss in {published.loss_unit}; the table's: {ours}."
    columns = {item.column for item in published.law.inputs}
    theirs = published.param_convention
    counted = "non-embedding" if "params_nonembedding" in columns else table.param_convention
    counts_params = bool(columns & {"params", "compute_flop"})  # C rests on N as well
    if counts_params and "unknown" not in (theirs, counted) and theirs != counted:
        found["N"] = f"N counts {theirs} parameters; the table's: {counted}."
    return found
