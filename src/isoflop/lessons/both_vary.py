"""Why size and data must both vary among the runs: what a budget's best size is then known to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.fitting import FitOptions, fit
from isoflop.language import lazy_gettext as _
from isoflop.laws import law_for_role
from isoflop.once import once
from isoflop.options import Option
from isoflop.planning import compute_optimal, frontier
from isoflop.planning.rule import SIX_ND
from isoflop.tables import LossTable, Provenance
from isoflop.tables.simulated import CHINCHILLA_VALUES
from isoflop.units import format_number, format_quantity

Array = NDArray[np.float64]

RUNS_FLOP = (1e18, 1e21)
N_BUDGETS, N_SIZES = 5, 5
BUDGET_FLOP = 1e23
NOISE, SEED, N_DRAWS = 0.005, 1, 100
TOKENS_PER_PARAM = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How the runs are laid out.

    Parameters
    ----------
    factor : float
        Most over least tokens per parameter among runs of one compute.
    """

    factor: Annotated[
        float,
        Option(
            label=_("Most over least tokens per parameter"),
            help=_(
                "How unlike each other the runs of one compute are: 1 would be runs "
                "that all see 20 tokens per parameter."
            ),
            ge=1.5,
            le=100.0,
            term="tokens_per_param",
        ),
    ] = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BothVary:
    """Runs over size and data, and the best size at a larger budget as a fit to them knows it.

    Parameters
    ----------
    factor : float
    params, tokens : ndarray, shape (n_runs,)
    budget_flop : float
    best, lower, upper, truth : float
        Size: by the fit, the ends of its 90% interval, by the law that the runs were drawn from.
    """

    factor: float
    params: Array
    tokens: Array
    budget_flop: float
    best: float
    lower: float
    upper: float
    truth: float

    @property
    def facts(self) -> Mapping[str, str]:
        """What the sentences say, by name."""
        return {
            "n_runs": f"{len(self.params)}",
            "factor": f"{self.factor:.3g}",
            "budget": format_quantity(self.budget_flop, "flop"),
            "lower": format_number(self.lower, 2),
            "upper": format_number(self.upper, 2),
            "ratio": f"{self.upper / self.lower:.2g}",
            "truth": format_number(self.truth, 2),
        }


@once(max_entries=32)
def both_vary(spread: Spread) -> BothVary:
    """Fit Chinchilla's law to 25 simulated runs of five budgets, and ask for a larger one."""
    law = law_for_role("default")
    truth = np.array([CHINCHILLA_VALUES[name] for name in law.param_names])
    flop = np.repeat(np.geomspace(*RUNS_FLOP, N_BUDGETS), N_SIZES)
    ratio = np.tile(np.geomspace(1.0, spread.factor, N_SIZES), N_BUDGETS)
    ratio *= TOKENS_PER_PARAM / np.sqrt(spread.factor)
    params = np.sqrt(flop / SIX_ND.flop_per_param_token / ratio)
    tokens = ratio * params
    noise = np.exp(NOISE * np.random.default_rng(SEED).standard_normal(len(params)))
    table = _table(params, tokens, law.loss(truth, {"N": params, "D": tokens}) * noise)
    found = fit(law, table, FitOptions(objective="least_squares_log", n_bootstrap=N_DRAWS))
    at = frontier(found, BUDGET_FLOP)
    assert at.params_band is not None  # there are draws
    return BothVary(
        factor=spread.factor,
        params=params,
        tokens=tokens,
        budget_flop=BUDGET_FLOP,
        best=float(at.params[0]),
        lower=float(at.params_band.lower[0]),
        upper=float(at.params_band.upper[0]),
        truth=float(compute_optimal(law, truth, BUDGET_FLOP).params),
    )


def _table(params: Array, tokens: Array, loss: Array) -> LossTable:
    frame = pd.DataFrame({"params": params, "tokens": tokens, "loss": loss})
    frame["compute_flop"] = SIX_ND.training_flop(params, tokens)
    return LossTable(
        id="simulated-spread",
        frame=frame,
        provenance=Provenance(
            title=_("Simulated runs"),
            source=_("Simulated by Isoflop from a known law"),
            known_problems=(_("Simulated: nobody trained these models."),),
            is_simulated=True,
        ),
        param_convention="total",
        loss_unit="nats/token",
    )
