"""Published fits over a table's rows, each with its convention and the range it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop import document
from isoflop.errors import IsoflopError
from isoflop.fitting.published import evaluate_published
from isoflop.fitting.result import Fit
from isoflop.identity import Keyed
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.laws import PublishedFit, load_published_fits, rebind
from isoflop.tables.schema import LossTable
from isoflop.text import as_html
from isoflop.units import counted, format_number

FORMAT = "isoflop-published-comparison-1"
FEWEST_ROWS = 3
"""Rows in the range of a published fit from which its shape is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedScore:
    """One published fit evaluated on a table.

    Parameters
    ----------
    published : PublishedFit
    fit : Fit or None
        With the table's residuals; None where the table lacks a column.
    is_in_range : ndarray of bool, shape (n_rows,)
        Which of the fit's rows lie in the range that it rests on.
    shift : float
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
    shift: float = float("nan")
    spread: float = float("nan")
    conflicts: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""

    @property
    def n_in_range(self) -> int:
        """Number of rows in the range."""
        return int(self.is_in_range.sum())

    @property
    def is_judged(self) -> bool:
        """Whether the shape may be judged: enough rows in range, all counted alike."""
        return self.n_in_range >= FEWEST_ROWS and not self.conflicts

    @property
    def valid_range(self) -> str:
        """The inputs that the fit rests on, in words."""
        ranges = self.published.input_ranges
        if not ranges:
            return _("not published")
        return joined(
            ", ",
            (
                _(
                    "{symbol} {low} to {high}",
                    symbol=symbol,
                    low=format_number(low),
                    high=format_number(high),
                )
                for symbol, (low, high) in ranges.items()
            ),
        )

    @property
    def counted_params(self) -> str:
        """Which parameters the fit counts, and whether the table has those."""
        columns = {item.column for item in self.published.law.inputs}
        own = _(", as here") if "params_nonembedding" in columns else ""
        return f"{self.published.param_convention}{own}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PublishedComparison(Keyed):
    """Published fits on one table's rows.

    They are not ranked by their values: each was fitted to other text, and a loss on other text is
    another number. What is compared is how well their shapes agree.

    Parameters
    ----------
    table : LossTable
    scores : tuple of PublishedScore
        In the order asked for.
    """

    table: LossTable
    scores: tuple[PublishedScore, ...]
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return (
            f"<PublishedComparison: {counted(len(self.scores), 'published fit')} on "
            f"{self.table.id}>"
        )

    def _repr_html_(self) -> str:
        return as_html(_("Published fits"), self.summary(), self.to_frame())

    @property
    def evaluated(self) -> Mapping[str, PublishedScore]:
        """The fits whose inputs the table has, by their key."""
        return {score.published.key: score for score in self.scores if score.fit is not None}

    @property
    def closest(self) -> tuple[str, ...]:
        """Keys of the fits whose shape may be judged, the closest shape first."""
        judged = {key: score for key, score in self.evaluated.items() if score.is_judged}
        return tuple(sorted(judged, key=lambda key: judged[key].spread))

    def summary(self) -> str:
        """Say which published shape comes closest, without ranking the values."""
        closest = self.closest
        if not closest:
            return _(
                "None of these fits can be judged here: too few rows lie in their "
                "range, or losses or parameters are not known to be counted alike."
            )
        best = self.evaluated[closest[0]]
        side = _("above") if best.shift > 0 else _("below")
        among = _(
            " of {closest} published fits that can be judged on these rows", closest=len(closest)
        )
        return _(
            "{label} has the closest shape{among}: the rows lie {shift:.1%} "
            "{side} it in the median, and scatter by {spread:.1%} about that.",
            label=best.published.label,
            among=among if len(closest) > 1 else "",
            shift=abs(best.shift),
            side=side,
            spread=best.spread,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each fit that could be evaluated: its shift, its range, conventions."""
        found = list(self.evaluated.values())
        return pd.DataFrame(
            {
                "published": [one.published.label for one in found],
                "shift": [round(one.shift, 4) + 0.0 for one in found],
                "spread": [one.spread for one in found],
                "valid_range": [one.valid_range for one in found],
                "n_in_range": [one.n_in_range for one in found],
                "n_rows": [one.fit.n_rows if one.fit else 0 for one in found],
                "params_counted": [one.counted_params for one in found],
                "conflicts": [", ".join(one.conflicts) for one in found],
                "data": [one.published.data for one in found],
                "loss_unit": [one.published.loss_unit for one in found],
                "source": [one.published.source for one in found],
                "note": [" ".join([*one.conflicts.values(), one.published.note]) for one in found],
            },
            index=pd.Index([one.published.key for one in found], name="key"),
        )

    def to_json(self) -> str:
        """Return the frame and the summary as JSON; null where a figure lacks."""
        return document.frame_to_json(
            self,
            FORMAT,
            self.to_frame().reset_index(),
            summary=self.summary(),
            table={"id": self.table.id, "fingerprint": self.table.fingerprint},
        )


def compare_published(
    table: LossTable, fits: Iterable[PublishedFit] | None = None
) -> PublishedComparison:
    """Evaluate published fits on a table's rows, in the order given.

    Parameters
    ----------
    table : LossTable
    fits : iterable of PublishedFit, optional
        By default all that ship.
    """
    scores = tuple(_over(table, p) for p in fits or load_published_fits().values())
    return PublishedComparison(table=table, scores=scores)


def _over(table: LossTable, published: PublishedFit) -> PublishedScore:
    published = _in_its_convention(published, table)
    try:
        held = evaluate_published(published, table)
    except IsoflopError as problem:
        nowhere = np.zeros(0, dtype=bool)
        return PublishedScore(
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
    return PublishedScore(
        published=published,
        fit=held,
        is_in_range=is_in_range,
        shift=float(np.expm1(middle)),
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
        ours = _("not stated") if table.loss_unit == "unknown" else table.loss_unit
        found["loss unit"] = _(
            "Loss in {loss_unit}; the table's: {ours}.", loss_unit=published.loss_unit, ours=ours
        )
    columns = {item.column for item in published.law.inputs}
    theirs = published.param_convention
    counted = "non-embedding" if "params_nonembedding" in columns else table.param_convention
    counts_params = bool(columns & {"params", "compute_flop"})  # C rests on N as well
    if counts_params and "unknown" not in (theirs, counted) and theirs != counted:
        found["N"] = _(
            "N counts {theirs} parameters; the table's: {counted}.", theirs=theirs, counted=counted
        )
    return found
