"""What a prediction band means: new runs drawn from the truth, and how many of them it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.fitting import Band, Fit, FitOptions, band, fit
from isoflop.language import lazy_gettext as _
from isoflop.laws import law_for_role
from isoflop.lessons.floor import EXPONENT, REDUCIBLE
from isoflop.once import once
from isoflop.options import Option
from isoflop.tables import LossTable, Provenance

Array = NDArray[np.float64]

RUNS_FLOP = (1e18, 1e22)
FLOOR, NOISE = 1.8, 0.02
N_RUNS, N_NEW, N_DRAWS, N_POINTS = 16, 200, 200, 60


@dataclass(frozen=True, slots=True, kw_only=True)
class BandOfRuns:
    """Which band, and which runs.

    Parameters
    ----------
    level : float
    seed : int
    """

    level: Annotated[
        float,
        Option(
            label=_("Level"),
            help=_("How often the band says that it holds a new run."),
            dimension="fraction",
            ge=0.5,
            le=0.99,
            term="level",
        ),
    ] = 0.9
    seed: Annotated[
        int,
        Option(
            label=_("Seed"),
            help=_(
                "Another seed is another sixteen runs to fit and another two hundred to predict."
            ),
            ge=0,
            le=20,
            term="seed",
        ),
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRuns:
    """A fit with both of its bands, and runs that it has not seen.

    Parameters
    ----------
    rows_flop, rows_loss : ndarray, shape (n_runs,)
        What was fitted.
    compute_flop : ndarray, shape (n,)
    prediction, confidence : Band
        At these.
    new_flop, new_loss : ndarray, shape (n_new,)
    is_held, is_in_mean : ndarray of bool, shape (n_new,)
        Whether the prediction band holds each, and whether the confidence band does.
    """

    rows_flop: Array
    rows_loss: Array
    compute_flop: Array
    prediction: Band
    confidence: Band
    new_flop: Array
    new_loss: Array
    is_held: NDArray[np.bool_]
    is_in_mean: NDArray[np.bool_]

    @property
    def facts(self) -> Mapping[str, str]:
        """What the sentences say, by name."""
        return {
            "level": f"{self.prediction.level:.0%}",
            "n_runs": f"{len(self.rows_flop)}",
            "n_new": f"{len(self.new_flop)}",
            "held": f"{self.is_held.mean():.0%}",
            "in_mean": f"{self.is_in_mean.mean():.0%}",
        }


def new_runs(chosen: BandOfRuns) -> NewRuns:
    """Return what a fit to sixteen runs says of two hundred new ones from the same law."""
    table, found, flop, loss = _fitted(chosen.seed)
    curve = np.geomspace(*RUNS_FLOP, N_POINTS)
    at_new = band(found, {"x": flop}, chosen.level, "prediction")
    mean = band(found, {"x": flop}, chosen.level, "confidence")
    return NewRuns(
        rows_flop=table.values("compute_flop"),
        rows_loss=table.values("loss"),
        compute_flop=curve,
        prediction=band(found, {"x": curve}, chosen.level, "prediction"),
        confidence=band(found, {"x": curve}, chosen.level, "confidence"),
        new_flop=flop,
        new_loss=loss,
        is_held=(loss >= at_new.lower) & (loss <= at_new.upper),
        is_in_mean=(loss >= mean.lower) & (loss <= mean.upper),
    )


@once(max_entries=32)
def _fitted(seed: int) -> tuple[LossTable, Fit, Array, Array]:
    """Return runs, the fit to them, and compute and loss of new runs."""
    rng = np.random.default_rng(seed)
    flop = np.geomspace(*RUNS_FLOP, N_RUNS)
    low, high = np.log10(RUNS_FLOP)
    new_flop = np.sort(10 ** rng.uniform(low, high, N_NEW))
    table = _table(flop, _drawn(flop, rng))
    options = FitOptions(objective="least_squares_log", n_bootstrap=N_DRAWS)
    return table, fit(law_for_role("over-compute"), table, options), new_flop, _drawn(new_flop, rng)


def _drawn(flop: Array, rng: np.random.Generator) -> Array:
    truth = FLOOR + REDUCIBLE * (flop / RUNS_FLOP[0]) ** -EXPONENT
    return np.asarray(truth * np.exp(NOISE * rng.standard_normal(len(flop))))


def _table(flop: Array, loss: Array) -> LossTable:
    return LossTable(
        id="simulated-runs",
        frame=pd.DataFrame({"compute_flop": flop, "loss": loss}),
        provenance=Provenance(
            title=_("Simulated runs"),
            source=_("Simulated by Isoflop from a known law"),
            known_problems=(_("Simulated: nobody trained these models."),),
            is_simulated=True,
        ),
        loss_unit="nats/token",
    )
