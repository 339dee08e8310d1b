"""What comes out: a prediction beyond the data that says what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop import document
from isoflop.fitting.compare.held_out import SCALES, write_scale
from isoflop.fitting.extrapolation.constants import Method
from isoflop.identity import Keyed
from isoflop.language import joined, lazy_gettext, lazy_ngettext
from isoflop.tables.catalog import title_of
from isoflop.text import aligned, as_html
from isoflop.units import counted

FORMAT = "isoflop-extrapolation-2"
LEVEL = 0.9
PARTS: Mapping[str, str] = {
    "noise": lazy_gettext("scatter of single runs"),
    "draws": lazy_gettext("refits to resampled rows"),
    "disagreement": lazy_gettext("disagreement of the laws"),
    "distance": lazy_gettext("distance from the data"),
}
"""What makes a band wide, with its name in words."""

LEAST_VOICE = 0.1
"""Share of the prediction below which a law is not heard by itself: its past speaks against it."""
WORTH_SAYING = 0.005
"""Difference of two laws in log loss, below which it is not said."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LawPrediction:
    """What one law says.

    Parameters
    ----------
    key, label, formula : str
    weight : float
        Its share of the prediction; the shares of all laws sum to 1.
    past_error : float
        Mean size of the error of log loss on the table's own largest runs, held out; NaN where it
        was not judged.
    n_cuts : int
        How often it was judged.
    loss : ndarray, shape (n,)
        Its prediction at each point; NaN where it has none.
    """

    key: str
    label: str
    formula: str
    weight: float
    past_error: float
    n_cuts: int
    loss: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Extrapolation(Keyed):
    """A prediction at each of n points, with the band that larger runs were measured to fall into.

    Parameters
    ----------
    table_id, table_fingerprint, loss_unit : str
        Of the rows that all laws were fitted to.
    n_rows : int
    method : {"average", "one"}
        All suitable laws, or one alone.
    scale : str
        Column that says how large a run is.
    inputs : mapping of str to ndarray, shape (n,)
        The points, by column.
    laws_used : tuple of LawPrediction
        In the order of the catalog.
    refused : tuple of (str, str)
        Label and reason of each law that could not be fitted.
    centre : ndarray, shape (n,)
        Predicted loss.
    noise, draws, disagreement, distance : ndarray, shape (n,)
        The parts of the 90% band's half-width, in log loss: it is the root of their summed
        squares.
    decades : ndarray, shape (n,)
        How far the scale lies outside the rows.
    decades_of_any_input : ndarray, shape (n,)
        The largest such distance of scale and of the laws' inputs; the band rests on it.
    most_decades : float
        Up to which bands were tested.
    has_few : bool
        Whether rows or cuts are so few that the wider constants were taken.
    deciding : ndarray, shape (n, 2)
        Scales between which one run would tell the laws apart; NaN where none would.
    notes : tuple of str
        What a reader must know.
    constants_made : str
        Date of the constants.
    key : str
        Of all that is said above.
    """

    table_id: str
    table_fingerprint: str
    loss_unit: str
    n_rows: int
    method: Method
    scale: str
    inputs: Mapping[str, Array]
    laws_used: tuple[LawPrediction, ...]
    refused: tuple[tuple[str, str], ...]
    centre: Array
    noise: Array
    draws: Array
    disagreement: Array
    distance: Array
    decades: Array
    decades_of_any_input: Array
    most_decades: float
    has_few: bool
    deciding: Array
    notes: tuple[str, ...]
    constants_made: str
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        points = counted(len(self.centre), "point")
        return f"<Extrapolation of {self.table_id} by {self.by}: {points}>"

    @property
    def by(self) -> str:
        """What predicts, in a few words."""
        voices = [law for law in self.laws_used if law.weight > 0]
        if self.method == "average":
            return lazy_gettext(
                "the average of {laws}", laws=lazy_ngettext("{n:,} law", "{n:,} laws", len(voices))
            )
        return lazy_gettext("one law alone ({label})", label=voices[0].label)

    def extremes(self, point: int) -> tuple[LawPrediction, LawPrediction] | None:
        """Return the laws that say least and most at a point; None where fewer than two speak.

        Those are heard that make at least a tenth of the prediction.
        """
        heard = (law for law in self.laws_used if law.weight >= LEAST_VOICE)
        voices = [law for law in heard if np.isfinite(law.loss[point])]
        voices.sort(key=lambda law: float(law.loss[point]))
        return None if len(voices) < 2 else (voices[0], voices[-1])

    def disagreement_text(self, point: int = 0) -> str:
        """Say which laws disagree at a point by more than runs scatter; empty where none do."""
        ends = self.extremes(point)
        if ends is None:
            return ""
        low, high = ends
        apart = float(np.log(high.loss[point] / low.loss[point]))
        if apart <= max(float(self.noise[point]), WORTH_SAYING):
            return ""
        return lazy_gettext(
            "The laws disagree, from {low:.3f} ({low_law}) to {high:.3f} ({high_law}).",
            low=low.loss[point],
            low_law=low.label,
            high=high.loss[point],
            high_law=high.label,
        )

    @property
    def half_width(self) -> Array:
        """Half-width of the band in log loss, shape (n,)."""
        squares = [getattr(self, name) ** 2 for name in PARTS]
        return np.asarray(np.sqrt(np.sum(squares, axis=0)))

    @property
    def lower(self) -> Array:
        """Lower end of the band, shape (n,)."""
        return np.asarray(self.centre * np.exp(-self.half_width))

    @property
    def upper(self) -> Array:
        """Upper end of the band, shape (n,)."""
        return np.asarray(self.centre * np.exp(self.half_width))

    @property
    def is_scenario(self) -> NDArray[np.bool_]:
        """Where the distance was never tested: the band is a scenario, not one of 90%."""
        return np.asarray(self.decades_of_any_input > self.most_decades * (1 + 1e-9))

    @property
    def laws(self) -> pd.DataFrame:
        """Laws by key, the heaviest first: label, weight, past_error, n_cuts and predictions.

        Past errors are relative (of log loss). The prediction of the first point is
        ``prediction``; those of others are ``prediction_2`` and so on.
        """
        rows = [
            {
                "law": law.key,
                "label": law.label,
                "weight": law.weight,
                "past_error": law.past_error,
                "n_cuts": law.n_cuts,
                **{_nth("prediction", i): loss for i, loss in enumerate(law.loss)},
            }
            for law in sorted(self.laws_used, key=lambda law: -law.weight)
        ]
        return pd.DataFrame(rows).set_index("law")

    @property
    def width_parts(self) -> pd.DataFrame:
        """A row a point: each part's share of the squared half-width, and ``half_width``."""
        return pd.DataFrame({**self._shares(), "half_width": self.half_width})

    def width_parts_at(self, point: int = 0) -> dict[str, float]:
        """Return each part's share of the squared half-width at a point."""
        return {name: float(found[point]) for name, found in self._shares().items()}

    def _shares(self) -> dict[str, Array]:
        total = self.half_width**2
        return {
            name: np.divide(
                getattr(self, name) ** 2, total, out=np.zeros(len(total)), where=total > 0
            )
            for name in PARTS
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row a point: inputs, lower, centre, upper, decades and is_scenario."""
        return pd.DataFrame(
            {
                **self.inputs,
                "lower": self.lower,
                "centre": self.centre,
                "upper": self.upper,
                "decades": self.decades,
                "is_scenario": self.is_scenario,
            }
        )

    @property
    def of_rows(self) -> str:
        """What it rests on, in a few words."""
        return lazy_gettext(
            "{rows} of {of_table}",
            rows=lazy_ngettext("{n:,} row", "{n:,} rows", self.n_rows),
            of_table=self.of_table,
        )

    @property
    def of_table(self) -> str:
        """The table by its title, or by its id where that is not of the catalog."""
        return title_of(self.table_id)

    def band_name(self, point: int = 0) -> str:
        """Say what the band at a point is: of 90%, or a scenario where none was tested."""
        if not self.is_scenario[point]:
            return lazy_gettext("{level:.0%} band", level=LEVEL)
        return lazy_gettext(
            "scenario: bands were tested up to {most_decades:g} decades beyond the data",
            most_decades=self.most_decades,
        )

    def where(self, point: int = 0) -> str:
        """Say how far a point lies beyond the data."""
        decades = float(self.decades[point])
        what = SCALES.get(self.scale, self.scale)
        if decades <= 0:
            return lazy_gettext("within the {what} of the data", what=what)
        return lazy_gettext(
            "{decades:.2f} decades of {what} beyond the data", decades=decades, what=what
        )

    def verdict(self, point: int = 0) -> str:
        """Say in a sentence what is predicted at a point, by what, and how far from the data."""
        unit = "" if self.loss_unit == "unknown" else f" {self.loss_unit}"
        place = write_scale(float(self.inputs[self.scale][point]), self.scale)
        return lazy_gettext(
            "By {by} on {of_rows}: loss {centre:.4g}{unit} at {place} "
            "({lower:.4g} to {upper:.4g}, {band}), {where}.",
            by=self.by,
            of_rows=self.of_rows,
            centre=self.centre[point],
            unit=unit,
            place=place,
            lower=self.lower[point],
            upper=self.upper[point],
            band=self.band_name(point),
            where=self.where(point),
        )

    def disagreement_dominates(self, point: int = 0) -> bool:
        """Say whether nothing widens the band at a point more than that the laws disagree."""
        shares = self.width_parts_at(point)
        return bool(max(PARTS, key=lambda name: shares[name]) == "disagreement")

    def advice(self, point: int = 0) -> str:
        """Say in a sentence which run would tell the laws apart; empty where others widen more."""
        if not self.disagreement_dominates(point):
            return ""
        low, high = (write_scale(float(end), self.scale) for end in self.deciding[point])
        if np.isnan(self.deciding[point]).any():
            return lazy_gettext(
                "The laws disagree by less than the scatter of one run: repeat runs "
                "to tell them apart."
            )
        between = (
            lazy_gettext("at {high}", high=high)
            if low == high
            else lazy_gettext("between {low} and {high}", low=low, high=high)
        )
        return lazy_gettext(
            "The laws disagree: a run {between} would decide between them.", between=between
        )

    def summary(self) -> str:
        """Return the prediction as text: verdict, laws, parts of the width, notes."""
        points = range(len(self.centre))
        frame = self.laws
        cells = [
            (
                str(row["label"]),
                f"{row['weight']:.1%}",
                "" if np.isnan(row["past_error"]) else f"{row['past_error']:.2%}",
                f"{row['prediction']:.4g}",
            )
            for _, row in frame.iterrows()
        ]
        lines = [*(self.verdict(point) for point in points), ""]
        lines += [aligned(cells, ("law", "weight", lazy_gettext("past error"), "prediction")), ""]
        lines += [lazy_gettext("Width of the band: {parts_text}.", parts_text=self.parts_text())]
        lines += [said for said in dict.fromkeys(map(self.advice, points)) if said]
        if self.has_few:
            lines.append(
                lazy_gettext(
                    "The table has few rows or cuts, so the band is the wider one of few rows."
                )
            )
        if self.method == "one":
            lines.append(
                lazy_gettext("One law alone predicts: its band allows for no disagreement of laws.")
            )
        lines += self.notes
        lines += [
            lazy_gettext("Left out: {label}. {reason}", label=label, reason=reason)
            for label, reason in self.refused
        ]
        return joined("\n", lines)

    def parts_text(self, point: int = 0) -> str:
        """Say what share of the squared width each part has."""
        found = self.width_parts_at(point)
        shares = [
            lazy_gettext("{name} {share:.0%}", name=name, share=found[part])
            for part, name in PARTS.items()
        ]
        return joined(", ", shares)

    def to_json(self) -> str:
        """Return the prediction as JSON that `from_json` reads."""
        band = {"lower": self.lower, "upper": self.upper, "is_scenario": self.is_scenario}
        return document.to_json(self, FORMAT, derived=band)

    @classmethod
    def from_json(cls, text: str | bytes) -> Extrapolation:
        """Read what `to_json` wrote.

        Raises
        ------
        DocumentError
            If it is anything else.
        """
        found = document.from_json(cls, text, FORMAT)
        arrays = {name: getattr(found, name) for name in ("centre", "decades", *PARTS)}
        document.require_one_length(
            {**found.inputs, **arrays, **{law.key: law.loss for law in found.laws_used}}
        )
        return found

    def _repr_html_(self) -> str:
        return as_html(lazy_gettext("Prediction by {by}", by=self.by), self.to_frame())


def _nth(name: str, i: int) -> str:
    return name if i == 0 else f"{name}_{i + 1}"
