"""How long a token takes to train, for a model of any size along the edge of a plan's limits.

With a utilisation of one's own it follows from the FLOP. Predicted, it depends on the batch, the
batch on the tokens (the critical batch), and the tokens that a limit leaves on the speed: a fixed
point, which a few rounds find, since the batch moves the speed far less than in proportion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DoesNotFit, PlanError
from isoflop.language import lazy_gettext
from isoflop.planning import budget as sums
from isoflop.planning.hyperparameters import largest_batch_tokens
from isoflop.planning.rates import SIZES, RateTable, ShareCurve
from isoflop.planning.rule import ComputeRule
from isoflop.tables.derive import FLOP_PER_PARAM_TOKEN

if TYPE_CHECKING:
    from isoflop.planning.constraints import Setting

Array = NDArray[np.float64]

N_ROUNDS = 4
FAST_ENOUGH = 0.99
"""The batch taken is the smallest that reaches this share of the speed at the largest allowed."""
FEWEST_STEPS = 300
"""Of a run: fewer and the law, fitted to trained models, says nothing of it."""


class Speed(Protocol):
    """How long a token takes."""

    def seconds_per_token(self, params: ArrayLike) -> Array:
        """Return the wall time of one training token on all accelerators together."""
        ...

    def share(self, params: ArrayLike) -> Array:
        """Return the MFU at these sizes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSpeed:
    """The speed at one utilisation of all models.

    Parameters
    ----------
    rule : ComputeRule
    peak_flop_per_s : float
        Of all accelerators, over the wall time.
    mfu : float
    """

    rule: ComputeRule
    peak_flop_per_s: float
    mfu: float

    def seconds_per_token(self, params: ArrayLike) -> Array:
        """Return the wall time of one training token."""
        return np.asarray(self.rule.flop_per_token(params) / (self.peak_flop_per_s * self.mfu))

    def share(self, params: ArrayLike) -> Array:
        """Return the utilisation."""
        return np.full(np.shape(params), self.mfu)


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictedSpeed:
    """The speed along the edge of some limits, each size in its fastest layout and batch.

    Parameters
    ----------
    rule : ComputeRule
    peak_flop_per_s : float
    curve : ShareCurve
        Share of the peak that 6 N FLOP a token make.
    """

    rule: ComputeRule
    peak_flop_per_s: float
    curve: ShareCurve

    def seconds_per_token(self, params: ArrayLike) -> Array:
        """Return the wall time of one training token."""
        flop = FLOP_PER_PARAM_TOKEN * np.asarray(params, dtype=np.float64)
        return np.asarray(flop / (self.peak_flop_per_s * self.curve(params)))

    def share(self, params: ArrayLike) -> Array:
        """Return the utilisation, its FLOP counted as the plan counts."""
        flop = FLOP_PER_PARAM_TOKEN * np.asarray(params, dtype=np.float64)
        return np.asarray(self.rule.flop_per_token(params) / flop * self.curve(params))


Edge = Callable[[Speed], Callable[[Array], Array]]
"""From a speed to the most tokens that all limits leave models of any size."""


def speed_of(setting: Setting, edge: Edge) -> Speed:
    """Return the speed of models along an edge.

    Parameters
    ----------
    setting : Setting
    edge : callable

    Raises
    ------
    DoesNotFit
        If no model of the family fits the memory in any layout.
    PlanError
        If the MFU given exceeds the ceiling.
    """
    budget, accelerator = setting.budget, setting.accelerator
    peak = budget.count * accelerator.peak(budget.dtype) * sums.effective_goodput(budget)
    realised = sums.effective_realised(budget)
    if budget.mfu is not None or setting.rates is None:
        mfu = sums.effective_mfu(budget, accelerator)
        return GivenSpeed(rule=setting.rule, peak_flop_per_s=peak, mfu=mfu)
    table = rate_table(setting)

    def through(share: Array) -> PredictedSpeed:
        curve = ShareCurve(log_share=np.log(share * realised))
        return PredictedSpeed(rule=setting.rule, peak_flop_per_s=peak, curve=curve)

    share = table.share(SIZES, np.inf)
    for _ in range(N_ROUNDS):
        tokens = edge(through(share))(SIZES)
        share = table.share(SIZES, batch_limit(setting, tokens))
    return through(share)


def rate_table(setting: Setting) -> RateTable:
    """Return the speeds on the setting's accelerators.

    Raises
    ------
    DoesNotFit
        If no model of the family fits in any layout.
    PlanError
        If the degrees asked for divide none.
    """
    assert setting.rates is not None
    table = setting.rates.on(setting.accelerator).table(setting.budget.count)
    if not table.can_be_cut:
        raise PlanError(
            lazy_gettext("No model of this family can be spread like this."),
            hint=lazy_gettext(
                "Choose degrees that divide the heads, the MLP width and the experts."
            ),
        )
    if not table.largest_params:
        raise nothing_fits(setting)
    return table


def nothing_fits(setting: Setting) -> DoesNotFit:
    """Return the error where the accelerators hold no model at all."""
    return DoesNotFit(
        lazy_gettext(
            "{count:,} x {label} hold no model at all.",
            count=setting.budget.count,
            label=setting.accelerator.label,
        ),
        hint=lazy_gettext("Split the model over more accelerators, or recompute activations."),
    )


def batch_limit(setting: Setting, tokens: ArrayLike) -> Array:
    """Return the most tokens of a step: those given, or the critical batch at so much data.

    Where data are few, the batch that leaves the run its fewest steps.
    """
    data = np.maximum(np.asarray(tokens, dtype=np.float64), 1.0)
    if setting.batch_tokens is not None:
        return np.full(data.shape, setting.batch_tokens)
    critical = setting.batch_factor * largest_batch_tokens(data)
    return np.minimum(critical, np.maximum(data / FEWEST_STEPS, 1.0))


def is_batch_spent(setting: Setting, params: float, tokens: float, factor: float) -> bool:
    """Say whether a batch smaller by a factor than the largest allowed would be slower.

    By more than the share that is forgone for a smaller batch, over sizes of the family alike: of
    one size the speed goes in steps of whole sequences.
    """
    limit = float(batch_limit(setting, tokens))
    smaller, most = rate_table(setting).share(params, limit / np.array([factor, 1.0]))
    return bool(smaller < FAST_ENOUGH * most)
