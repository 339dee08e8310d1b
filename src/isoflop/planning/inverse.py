"""From a target loss back to the least compute that reaches it.

For a model of N parameters the target fixes the tokens; the cheapest size is again a minimum over
one variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import LossUnreachable
from isoflop.fitting.intervals import small_sample
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext
from isoflop.laws import Law
from isoflop.planning import budget as sums
from isoflop.planning.frontier import SMALLEST_PARAMS, SMALLEST_TOKENS, require_interior
from isoflop.planning.inputs import inputs_at
from isoflop.planning.minimise import minimise
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.types import Accelerator, Budget, Interval, Optimum

Array = NDArray[np.float64]

LARGEST_PARAMS, LARGEST_TOKENS = 1e20, 1e24
"""Far beyond anything trainable: a loss that needs more is called unreachable."""

N_HALVINGS = 60
MAX_DRAWS = 400
NO_FLOOR = 1e-3
"""A floor below this share of the target is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its interval, where there is one."""

    value: float
    interval: Interval | None

    def scaled(self, factor: float) -> Estimate:
        """Return this figure times a positive factor."""
        interval = None if self.interval is None else self.interval.scaled(factor)
        return Estimate(value=self.value * factor, interval=interval)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastCompute:
    """The cheapest way to a target loss.

    Parameters
    ----------
    target_loss : float
    params, tokens, compute_flop : float
        Compute of training and of all inference.
    compute_interval, params_interval, tokens_interval : Interval or None
        Over the bootstrap draws that can reach the target; an upper edge is infinite where more
        draws than the level leaves out cannot.
    reachable_share : float or None
        Share of the draws that can reach it.
    floor : float
        The loss that no size or data goes below.
    """

    target_loss: float
    params: float
    tokens: float
    compute_flop: float
    compute_interval: Interval | None
    params_interval: Interval | None
    tokens_interval: Interval | None
    reachable_share: float | None
    floor: float

    @property
    def compute(self) -> Estimate:
        """The compute with its interval."""
        return Estimate(value=self.compute_flop, interval=self.compute_interval)

    @property
    def size(self) -> Estimate:
        """The parameters with their interval."""
        return Estimate(value=self.params, interval=self.params_interval)

    @property
    def data(self) -> Estimate:
        """The tokens with their interval."""
        return Estimate(value=self.tokens, interval=self.tokens_interval)

    @property
    def has_floor(self) -> bool:
        """Whether the floor is more than rounding beside the target."""
        return self.floor > NO_FLOOR * self.target_loss


def tokens_for_loss(
    law: Law,
    theta: ArrayLike,
    params: ArrayLike,
    target_loss: ArrayLike,
    *,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
) -> Array:
    """Return the fewest tokens on which a model of given size reaches a loss.

    Parameters
    ----------
    law : Law
        Its loss must not rise with the tokens.
    theta : array_like, shape (..., n_params)
    params : array_like, shape (..., m)
    target_loss : array_like
        Broadcasts against the sizes.
    rule : ComputeRule
        Where a law of compute is asked.
    fixed : mapping of str to float, optional
        The law's other inputs, by table column.

    Returns
    -------
    ndarray, shape (..., m)
        Infinite where no number of tokens suffices.
    """
    target = np.asarray(target_loss, dtype=np.float64)
    theta, size = np.asarray(theta, dtype=np.float64), np.asarray(params, dtype=np.float64)

    def loss_at(log_tokens: Array) -> Array:
        return law.loss(theta, inputs_at(law, size, np.exp(log_tokens), fixed, rule=rule))

    highest = np.full(size.shape, np.log(LARGEST_TOKENS))
    is_reached = loss_at(highest) <= target
    low = np.full(is_reached.shape, np.log(SMALLEST_TOKENS))
    high = np.full(is_reached.shape, np.log(LARGEST_TOKENS))
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        is_enough = loss_at(middle) <= target
        low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
    return np.where(is_reached, np.exp(high), np.inf)


def cheapest(
    law: Law,
    theta: ArrayLike,
    target_loss: float,
    *,
    rule: ComputeRule = SIX_ND,
    inference_tokens: ArrayLike | None = None,
    fixed: Mapping[str, float] | None = None,
) -> Optimum:
    """Find the size that reaches a loss with the least compute, for one or many vectors.

    Parameters
    ----------
    law : Law
    theta : array_like, shape (..., n_params)
    target_loss : float
    rule : ComputeRule
        What is minimised: training FLOP, and inference FLOP where it has inference tokens.
    inference_tokens : array_like, shape (...), optional
        In place of the rule's: many demands at once, which broadcast against ``theta``.
    fixed : mapping of str to float, optional

    Returns
    -------
    Optimum
        With ``is_interior`` False where the loss is out of reach.
    """
    theta = np.asarray(theta, dtype=np.float64)
    if inference_tokens is None:
        inference_tokens = rule.lifetime_inference_tokens
    demand = np.asarray(inference_tokens, dtype=np.float64)
    theta = np.broadcast_to(
        theta, (*np.broadcast_shapes(theta.shape[:-1], demand.shape), theta.shape[-1])
    )

    def log_cost(log_params: Array) -> Array:
        params = np.exp(log_params)
        tokens = tokens_for_loss(law, theta, params, target_loss, rule=rule, fixed=fixed)
        served = demand[..., None] * rule.inference_share(params)
        return np.log(rule.training_flop(params, tokens + served))

    found = minimise(log_cost, np.log(SMALLEST_PARAMS), np.log(LARGEST_PARAMS))
    params = np.exp(found.x)
    needed = tokens_for_loss(law, theta, params[..., None], target_loss, rule=rule, fixed=fixed)
    tokens = needed[..., 0]
    return Optimum(
        params=params,
        tokens=tokens,
        loss=np.full(params.shape, target_loss),
        compute_flop=rule.training_flop(params, tokens + demand * rule.inference_share(params)),
        is_interior=found.is_interior & np.isfinite(tokens),
    )


def loss_floor(law: Law, theta: ArrayLike, fixed: Mapping[str, float] | None = None) -> Array:
    """Return the loss that a law tends to as size and data grow without bound.

    Parameters
    ----------
    law : Law
    theta : array_like, shape (..., n_params)
    fixed : mapping of str to float, optional
        With ``"unique_tokens"`` the floor of endless repetition.

    Returns
    -------
    ndarray, shape (...)
    """
    most = np.array([1e100])
    # Whatever the rule, compute grows without bound too.
    return law.loss(theta, inputs_at(law, most, most, fixed, rule=SIX_ND))[..., 0]


def least_compute(
    fit: Fit,
    target_loss: float,
    *,
    level: float = 0.9,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
) -> LeastCompute:
    """Find the least compute that reaches a target loss, with its uncertainty.

    Parameters
    ----------
    fit : Fit
    target_loss : float
        In the unit of the fit's loss.
    level : float
        Nominal coverage of the intervals.
    rule, fixed
        As `cheapest`.

    Returns
    -------
    LeastCompute

    Raises
    ------
    LossUnreachable
        If no size and data reach it: with the floor and its interval.
    PlanError
        If it is reached, but the law prefers no size, such as a law of compute alone.
    """
    centre = cheapest(fit.law, fit.theta, target_loss, rule=rule, fixed=fixed)
    floor = float(loss_floor(fit.law, fit.theta, fixed))
    draws = None if fit.draws is None else fit.draws[:: max(1, len(fit.draws) // MAX_DRAWS)]
    if not centre.is_interior:
        if np.isfinite(centre.compute_flop):  # reached, but by no size more cheaply than by others
            require_interior(fit.law, centre)
        raise _unreachable(fit, target_loss, floor, draws, level, fixed)
    spread = None
    if draws is not None:
        spread = cheapest(fit.law, draws, target_loss, rule=rule, fixed=fixed)
    return LeastCompute(
        target_loss=target_loss,
        params=float(centre.params),
        tokens=float(centre.tokens),
        compute_flop=float(centre.compute_flop),
        compute_interval=_interval(fit, centre, spread, "compute_flop", level),
        params_interval=_interval(fit, centre, spread, "params", level),
        tokens_interval=_interval(fit, centre, spread, "tokens", level),
        reachable_share=None if spread is None else float(np.mean(spread.is_interior)),
        floor=floor,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeastCost:
    """What the least compute to a loss takes on some accelerators.

    Parameters
    ----------
    accelerator_hours, wall_time_s : Estimate
    usd : Estimate or None
        For the accelerators alone; None without a price.
    """

    accelerator_hours: Estimate
    wall_time_s: Estimate
    usd: Estimate | None


def least_cost(found: LeastCompute, budget: Budget, accelerator: Accelerator) -> LeastCost:
    """Return the hours, time and money of the least compute to a loss.

    Raises
    ------
    PlanError
        As `isoflop.planning.budget.model_flop_per_s`.
    """
    hours = found.compute.scaled(sums.accelerator_hours(1.0, budget, accelerator))
    price = sums.price_usd_per_hour(budget, accelerator)
    return LeastCost(
        accelerator_hours=hours,
        wall_time_s=found.compute.scaled(sums.wall_time_s(1.0, budget, accelerator)),
        usd=hours.scaled(price) if price else None,
    )


def _interval(
    fit: Fit, centre: Optimum, spread: Optimum | None, name: str, level: float
) -> Interval | None:
    """Return the range of a figure over the draws; infinite for those that never get there.

    Each end is as far from the estimate, in logarithms, as `small_sample` says that it must be.
    """
    if spread is None:
        return None
    values = np.sort(np.where(spread.is_interior, getattr(spread, name), np.inf))
    last = len(values) - 1
    tail = (1 - level) / 2
    # Whole draws, not interpolated ones: half way to infinity is no figure.
    lower, upper = values[int(np.floor(tail * last))], values[int(np.ceil((1 - tail) * last))]
    middle, factor = float(getattr(centre, name)), small_sample(fit, level)
    lower, upper = (middle * (end / middle) ** factor for end in (lower, upper))
    return Interval(lower=min(lower, middle), upper=max(upper, middle), level=level)


def _unreachable(
    fit: Fit,
    target_loss: float,
    floor: float,
    draws: Array | None,
    level: float,
    fixed: Mapping[str, float] | None,
) -> LossUnreachable:
    """Return the error for a target that the law does not reach."""
    detail = lazy_gettext("The floor of {label} is {floor:.4g}", label=fit.law.label, floor=floor)
    if draws is not None:
        floors = loss_floor(fit.law, draws, fixed)
        tails = [(1 - level) / 2, (1 + level) / 2]
        low, high = np.quantile(floors[np.isfinite(floors)], tails)
        detail += lazy_gettext(
            ", its {level:.0%} interval {low:.4g} to {high:.4g}", level=level, low=low, high=high
        )
    if target_loss > floor:
        detail += lazy_gettext(
            "; the target lies above it, but beyond any model and data that could be trained"
        )
    return LossUnreachable(
        lazy_gettext("A loss of {target_loss:g} is unreachable.", target_loss=target_loss),
        detail=lazy_gettext("{sentence}.", sentence=detail),
        hint=lazy_gettext(
            "Give a higher target, or better data: the floor belongs to the data and tokenizer."
        ),
    )
