"""From a budget to FLOP, and from FLOP back to hours and money.

One sum stands behind all of it::

    model FLOP = accelerators x dense peak x MFU x goodput x seconds
"""

from __future__ import annotations

from isoflop.errors import PlanError
from isoflop.language import lazy_gettext as _
from isoflop.planning.failures import interruptions
from isoflop.planning.types import Accelerator, Budget
from isoflop.planning.usual import usual_mfu
from isoflop.planning.whole_runs import load_whole_runs
from isoflop.units import HOUR_S

SMALLEST_RUN_FLOP = 1e9
"""Less than one optimiser step of the smallest language model: a thousand parameters seeing a few
hundred thousand tokens."""


def model_flop_per_s(budget: Budget, accelerator: Accelerator) -> float:
    """Return the model FLOP that all accelerators together do per second of wall time.

    Raises
    ------
    PlanError
        If the device lacks the dtype, or the MFU exceeds what its matmuls were measured to reach.
    """
    return (
        budget.count
        * accelerator.peak(budget.dtype)
        * effective_mfu(budget, accelerator)
        * effective_goodput(budget)
    )


def effective_realised(budget: Budget) -> float:
    """Return the share of the tuned speed that the run makes, given or as published runs do."""
    return load_whole_runs().share if budget.realised is None else budget.realised


def effective_goodput(budget: Budget) -> float:
    """Return the budget's goodput, or what failures leave of the time of so many accelerators."""
    if budget.goodput is not None:
        return budget.goodput
    return interruptions(budget.count, budget.failures).goodput


def effective_mfu(budget: Budget, accelerator: Accelerator) -> float:
    """Return the budget's MFU, checked against the accelerator's ceiling, or the usual one.

    Raises
    ------
    PlanError
        If it exceeds the ceiling.
    """
    if budget.mfu is None:
        return usual_mfu(accelerator, budget.dtype) * effective_realised(budget)
    mfu = budget.mfu
    ceiling = accelerator.mfu_ceiling
    if mfu > ceiling:
        raise PlanError(
            _(
                "An MFU of {mfu:.0%} is more than {label} can reach.",
                mfu=mfu,
                label=accelerator.label,
            ),
            detail=(
                _(
                    "Its largest measured matmul rate is {ceiling:.1%} of the dense "
                    "peak, and a training run does more than matmuls.",
                    ceiling=ceiling,
                )
            ),
            hint=_(
                "A usual run reaches about {accelerator:.0%}.",
                accelerator=usual_mfu(accelerator, budget.dtype) * load_whole_runs().share,
            ),
        )
    return mfu


def price_usd_per_hour(budget: Budget, accelerator: Accelerator) -> float | None:
    """Return the price of one accelerator-hour: the budget's own, or by how it is acquired."""
    if budget.price_usd_per_hour is not None:
        return budget.price_usd_per_hour
    return budget.acquisition.usd_per_hour(accelerator.key, accelerator.price_usd_per_hour)


def compute_flop(budget: Budget, accelerator: Accelerator) -> float:
    """Return the model FLOP that a budget buys: the least that its FLOP, time and money allow.

    Money is taken to buy accelerator-hours alone; `isoflop.planning.plan` also pays for electricity
    and storage from it.

    Raises
    ------
    PlanError
        If it buys less than one step, the MFU exceeds the ceiling, or money is to be spent on an
        accelerator without a price.
    """
    rate = model_flop_per_s(budget, accelerator)
    allowed = []
    if budget.compute_flop is not None:
        allowed.append(budget.compute_flop)
    if budget.wall_time_s is not None:
        allowed.append(rate * budget.wall_time_s)
    if budget.usd is not None:
        price = price_usd_per_hour(budget, accelerator)
        if price is None:
            raise no_price(accelerator)
        if price > 0:
            allowed.append(rate / budget.count * budget.usd / price * HOUR_S)
    if not allowed:
        raise free_of_charge(accelerator)
    flop = min(allowed)
    if flop < SMALLEST_RUN_FLOP:
        raise PlanError(
            _("This budget is below a single training step."),
            detail=_(
                "It makes {flop:.3g} FLOP; the smallest run needs {smallest_run_flop:.0e}.",
                flop=flop,
                smallest_run_flop=SMALLEST_RUN_FLOP,
            ),
            hint=_("Give more time, money or accelerators."),
        )
    return flop


def no_price(accelerator: Accelerator) -> PlanError:
    """Return the error for money that is to buy accelerator-hours without a price."""
    return PlanError(
        _("Money buys no compute here: {label} has no price.", label=accelerator.label),
        hint=_("Give a price per accelerator-hour, or a budget in hours or FLOP."),
    )


def free_of_charge(accelerator: Accelerator) -> PlanError:
    """Return the error for money as the only limit on hardware that costs nothing."""
    return PlanError(
        _("Money is no limit here: {label} costs nothing.", label=accelerator.label),
        hint=_("Give a price per accelerator-hour, or a budget in hours or FLOP."),
    )


def wall_time_s(flop: float, budget: Budget, accelerator: Accelerator) -> float:
    """Return how long the budget's accelerators take for this many model FLOP.

    Raises
    ------
    PlanError
        As `model_flop_per_s`.
    """
    return flop / model_flop_per_s(budget, accelerator)


def accelerator_hours(flop: float, budget: Budget, accelerator: Accelerator) -> float:
    """Return the accelerator-hours that this many model FLOP take, whatever their number.

    Raises
    ------
    PlanError
        As `model_flop_per_s`.
    """
    return wall_time_s(flop, budget, accelerator) * budget.count / HOUR_S
