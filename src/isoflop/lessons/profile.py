"""IsoFLOP profiles: the loss of every size at one compute, and the best of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from isoflop.language import lazy_gettext as _
from isoflop.laws import law_for_role
from isoflop.once import once
from isoflop.options import Option
from isoflop.planning import compute_optimal
from isoflop.planning.rule import SIX_ND
from isoflop.tables.simulated import CHINCHILLA_VALUES
from isoflop.units import format_number, format_quantity

Array = NDArray[np.float64]

BUDGETS_FLOP = tuple(10.0**power for power in range(18, 27, 2))
N_POINTS = 121
WIDEST = 1.6
"""Decades of size drawn on each side of the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetOfProfile:
    """The compute of one profile.

    Parameters
    ----------
    compute_flop : float
    """

    compute_flop: Annotated[
        float,
        Option(
            label=_("Training compute"),
            help=_(
                "What every point of the profile costs to train: larger models see fewer tokens."
            ),
            dimension="flop",
            ge=1e18,
            le=1e26,
            term="training_compute",
        ),
    ] = 1e22


@dataclass(frozen=True, slots=True, kw_only=True)
class Valley:
    """The losses at one compute.

    Parameters
    ----------
    compute_flop : float
    params, loss : ndarray, shape (n,)
    best_params, best_loss : float
    """

    compute_flop: float
    params: Array
    loss: Array
    best_params: float
    best_loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The profile of one budget among those of others.

    Parameters
    ----------
    chosen : Valley
    others : tuple of Valley
        By ascending compute.
    off : (float, float)
        By what share the loss of a model a tenth and ten times the best size lies above the least.
    """

    chosen: Valley
    others: tuple[Valley, ...]
    off: tuple[float, float]

    @property
    def facts(self) -> Mapping[str, str]:
        """What the sentences say, by name."""
        best = self.chosen.best_params
        tokens = self.chosen.compute_flop / SIX_ND.flop_per_param_token / best
        return {
            "budget": format_quantity(self.chosen.compute_flop, "flop", 2),
            "best": format_number(best, 2),
            "tokens": format_number(tokens, 2),
            "tokens_per_param": f"{tokens / best:.2g}",
            "small": f"{self.off[0]:.1%}",
            "large": f"{self.off[1]:.1%}",
        }


def profile(budget: BudgetOfProfile) -> Profile:
    """Return profiles of Chinchilla's law, as fitted to 240 digitised runs (arXiv 2404.10102)."""
    chosen = _valley(budget.compute_flop)
    small, large = _loss(chosen.compute_flop, chosen.best_params * np.array([0.1, 10.0]))
    return Profile(
        chosen=chosen,
        others=tuple(map(_valley, BUDGETS_FLOP)),
        off=(float(small / chosen.best_loss - 1), float(large / chosen.best_loss - 1)),
    )


@once(max_entries=128)
def _valley(flop: float) -> Valley:
    law = law_for_role("default")
    best = compute_optimal(law, _truth(), flop)
    params = float(best.params) * np.logspace(-WIDEST, WIDEST, N_POINTS)
    return Valley(
        compute_flop=flop,
        params=params,
        loss=_loss(flop, params),
        best_params=float(best.params),
        best_loss=float(best.loss),
    )


def _truth() -> Array:
    return np.array([CHINCHILLA_VALUES[name] for name in law_for_role("default").param_names])


def _loss(flop: float, params: Array) -> Array:
    return law_for_role("default").loss(_truth(), {"N": params, "D": SIX_ND.tokens(params, flop)})
