"""How often nominal 90% bands held the truth on simulated tables, as measured and shipped."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass

from isoflop.data import data_root
from isoflop.errors import CatalogError
from isoflop.fitting.options import BOOTSTRAPS
from isoflop.fitting.result import Fit
from isoflop.language import joined, sentences
from isoflop.language import lazy_gettext as _
from isoflop.once import once

FILE = "coverage.csv"
NOMINAL = 0.9
CLOSE = 0.02
"""Distance from nominal within which a band counts as calibrated."""

TARGETS = {
    "inside": _("inside the data"),
    "10x": _("at ten times the largest run's compute or so"),
    "1000x": _("at a thousand times"),
}
SIZE_TARGETS = {"size_10x": TARGETS["10x"], "size_1000x": TARGETS["1000x"]}
"""Where the interval of the compute-optimal size was read."""
_COLUMNS = frozenset(
    {"setting", "n_rows", "n_runs", "objective", "band", "target", "n_tables", "n_without_band"}
    | {"coverage", "relative_width", "prediction_coverage"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """One measurement.

    Parameters
    ----------
    setting : str
        Kind of simulated table.
    n_rows, n_runs : int
        Rows, and the runs that they come from.
    objective, band : str
        What was fitted and how the band was made.
    target : str
        Key of ``TARGETS`` or ``SIZE_TARGETS``: where the band was read.
    n_tables, n_without_band : int
        Simulated tables, and those among them for which no band was available.
    coverage : float
        Share of the others whose band held the true loss; nominal is 0.9.
    relative_width : float
        Median width of the band, as a share of the loss.
    prediction_coverage : float or None
        Share of those tables whose prediction band held the loss of one new run there; None where
        it was not measured.
    """

    setting: str
    n_rows: int
    n_runs: int
    objective: str
    band: str
    target: str
    n_tables: int
    n_without_band: int
    coverage: float
    relative_width: float
    prediction_coverage: float | None = None

    @property
    def is_calibrated(self) -> bool:
        """Whether the coverage is within two points of nominal."""
        return abs(self.coverage - NOMINAL) <= CLOSE

    @property
    def verdict(self) -> str:
        """Whether the band is calibrated, in words."""
        if self.is_calibrated:
            return "calibrated"
        return _("too wide") if self.coverage > NOMINAL else _("too narrow")


@once
def load_coverage() -> tuple[Coverage, ...]:
    """Return every measurement, in the order of the file.

    The table is made by ``python -m benchmarks.coverage --tables 1000 --write``.

    Raises
    ------
    CatalogError
        If the file is missing or malformed.
    """
    try:
        with (data_root() / FILE).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if not rows or set(rows[0]) != _COLUMNS:
            raise ValueError("unexpected columns")
        return tuple(
            Coverage(
                setting=row["setting"],
                n_rows=int(row["n_rows"]),
                n_runs=int(row["n_runs"]),
                objective=row["objective"],
                band=row["band"],
                target=row["target"],
                n_tables=int(row["n_tables"]),
                n_without_band=int(row["n_without_band"]),
                coverage=float(row["coverage"]),
                relative_width=float(row["relative_width"]),
                prediction_coverage=_known(row["prediction_coverage"]),
            )
            for row in rows
        )
    except (OSError, ValueError) as error:
        raise CatalogError(
            _("The data file {file} cannot be read.", file=FILE), detail=str(error)
        ) from None


def _known(text: str) -> float | None:
    return float(text) if text else None


def where(target: str) -> str:
    """Return where a band was read, in words."""
    return TARGETS.get(target) or f"N*, {SIZE_TARGETS[target]}"


def band_name(fit: Fit) -> str:
    """Return how a fit's band is made, in the words of the measurements."""
    if fit.draws is None:
        return _("residual covariance")
    return BOOTSTRAPS[fit.options.bootstrap]


def coverage_like(fit: Fit) -> tuple[Coverage, ...]:
    """Return what was measured for fits like this one.

    Returns
    -------
    tuple of Coverage
        One a target, of the setting nearest in number of rows among those with the fit's objective
        and kind of band whose rows share runs as the fit's do; empty if there is none.
    """
    has_runs = 0 < fit.n_clusters < fit.n_rows
    same = [
        row
        for row in load_coverage()
        if row.objective == fit.options.objective
        and row.band == band_name(fit)
        and (row.n_runs < row.n_rows) == has_runs
    ]
    if not same:
        return ()
    nearest = min(same, key=lambda row: abs(math.log(row.n_rows / fit.n_rows)))
    return tuple(row for row in same if row.setting == nearest.setting)


def describe_coverage(measured: tuple[Coverage, ...]) -> str:
    """Say in words how often bands, and intervals of N*, like a fit's held the truth.

    Parameters
    ----------
    measured : tuple of Coverage
        Of one setting, as `coverage_like` returns it.
    """
    if not measured:
        return _(
            "The band of this objective and kind of resampling was not measured by simulation."
        )
    first, every = measured[0], measured
    measured = tuple(row for row in every if row.target in TARGETS)
    shares = joined(
        ", ",
        [
            _("{coverage:.0%} {where}", coverage=row.coverage, where=TARGETS[row.target])
            for row in measured
        ],
    )
    text = _(
        "Nearest of six simulated settings: {setting} ({n_tables:,} tables, Chinchilla law).",
        setting=first.setting,
        n_tables=first.n_tables,
    )
    if not measured:
        return sentences([text, _of_sizes(every)])
    text += _(
        " The {nominal:.0%} confidence band by {band} held the true loss in {shares}.",
        nominal=NOMINAL,
        band=first.band,
        shares=shares,
    )
    off = [_off_nominal(row) for row in measured if not row.is_calibrated]
    text += (
        _(" Off nominal: {off}.", off=joined(", ", off)) if off else _(" That is as it should be.")
    )
    new = [row.prediction_coverage for row in measured if row.prediction_coverage is not None]
    if new:
        text += _(
            " Its prediction band held a new run's loss in {least:.0%} to {most:.0%}.",
            least=min(new),
            most=max(new),
        )
    return sentences([text, _of_sizes(every)])


def _of_sizes(measured: tuple[Coverage, ...]) -> str:
    """Say how often the interval of the compute-optimal size held it; empty if not measured."""
    shares = joined(
        ", ",
        [
            _("{coverage:.0%} {where}", coverage=row.coverage, where=SIZE_TARGETS[row.target])
            for row in measured
            if row.target in SIZE_TARGETS
        ],
    )
    return (
        _("The interval of the compute-optimal size held it in {shares}.", shares=shares)
        if shares
        else ""
    )


def _off_nominal(row: Coverage) -> str:
    points = 100 * abs(row.coverage - NOMINAL)
    return _(
        "{verdict} by {points:.0f} points {targets}",
        verdict=row.verdict,
        points=points,
        targets=TARGETS[row.target],
    )
