"""From a fit, a budget and an accelerator to the run that should be trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError, PlanError
from isoflop.fitting import Fit, band
from isoflop.fitting.bands import BandKind
from isoflop.fitting.intervals import interval, small_sample
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.notices import Notice
from isoflop.planning import budget as sums
from isoflop.planning.constraints import (
    Setting,
    best_plan,
    constraints_of,
    fixed_for,
    law_for,
    limit_uses,
    params_limit,
    require_within,
    speed_along,
    speed_at,
    tokens_along,
)
from isoflop.planning.cost import cost
from isoflop.planning.extrapolation import extrapolation_notices
from isoflop.planning.frontier import NO_DRAWS, SMALLEST_TOKENS, require_interior
from isoflop.planning.inputs import (
    extrapolation_decades,
    has_column,
    inputs_at,
    trades_size_for_data,
)
from isoflop.planning.options import PlanOptions
from isoflop.planning.scenario import Scenario, setting_of
from isoflop.planning.sense import require_sense
from isoflop.planning.speed import Speed
from isoflop.planning.trained import Run, batch_of, training_of
from isoflop.planning.trajectory import TOKENS_PER_PARAM, assumed_params, optimal_models
from isoflop.planning.types import (
    Accelerator,
    Budget,
    Interval,
    LimitUse,
    Optimum,
    Plan,
    Training,
)
from isoflop.units import YEAR_S, format_quantity

UNSTABLE_SHARE = 0.05
LONG_S = YEAR_S
MANY_EPOCHS = 4.0
"""Up to here repeated tokens are nearly as good as new ones (arXiv 2305.16264)."""


def plan(
    fit: Fit,
    budget: Budget,
    accelerator: Accelerator,
    options: PlanOptions | None = None,
    *,
    fixed: Mapping[str, float] | None = None,
) -> Plan:
    """Work out what a budget buys: the best model and data size, its loss, time and money.

    Where the law has no best size, that of `TOKENS_PER_PARAM` is assumed, and the plan says so.

    Parameters
    ----------
    fit : Fit
    budget : Budget
    accelerator : Accelerator
    options : PlanOptions, optional
        A size of one's own, the level of the intervals, the model's family and how it is trained,
        the site, and what is kept on disk.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.

    Returns
    -------
    Plan

    Raises
    ------
    PlanError
        If the budget buys no run, an input is missing, or the accelerators cannot be cut as the
        layout says.
    DoesNotFit
        If the memory holds no model of the family, or not one of the size given.
    """
    options = options or PlanOptions()
    scenario = Scenario(accelerator=accelerator, budget=budget, options=options)
    setting = setting_of(scenario, fit.param_convention)
    return plan_or_assume(
        fit,
        setting,
        params=options.params,
        tokens=options.tokens,
        level=options.level,
        fixed=fixed,
    )


def plan_or_assume(
    fit: Fit,
    setting: Setting,
    *,
    params: float | None = None,
    tokens: float | None = None,
    level: float = 0.9,
    fixed: Mapping[str, float] | None = None,
) -> Plan:
    """Work out the best run within every limit, of an assumed size where the law has no best one.

    Parameters
    ----------
    fit, setting, params, tokens, level, fixed
        As `plan_within`.

    Raises
    ------
    DoesNotFit, PlanError
        As `plan_within`.
    """
    flop = np.array([sums.compute_flop(setting.budget, setting.accelerator)])
    if params is not None or optimal_models(fit, flop, fixed) is not None:
        return plan_within(fit, setting, params=params, tokens=tokens, level=level, fixed=fixed)
    return replace(
        plan_within(fit, setting, params=float(assumed_params(flop)[0]), level=level, fixed=fixed),
        basis="assumed",
        assumption=_(
            "{label} does not determine the best size: {tokens_per_param:g} "
            "tokens per parameter are assumed.",
            label=fit.law.label,
            tokens_per_param=TOKENS_PER_PARAM,
        ),
    )


def plan_within(
    fit: Fit,
    setting: Setting,
    *,
    params: float | None = None,
    tokens: float | None = None,
    level: float = 0.9,
    fixed: Mapping[str, float] | None = None,
) -> Plan:
    """Work out the best run within every limit of a setting; nothing is assumed.

    Parameters
    ----------
    fit : Fit
    setting : Setting
    params : float, optional
        Train a model of this size instead of the best one.
    tokens : float, optional
        Train that model on so many tokens, within the limits or not.
    level : float
        Nominal coverage of the intervals.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column.

    Returns
    -------
    Plan

    Raises
    ------
    DoesNotFit
        If the memory holds no model, or not one of the size given.
    PlanError
        As `plan`, and if the law has no best size and none is given.
    """
    budget, rule = setting.budget, setting.rule
    law = law_for(fit.law, budget)
    is_repeating = has_column(law, "unique_tokens")
    best, spread, speed, own_tokens = None, None, None, tokens
    if params is None:
        speed = speed_along(setting, is_repeating=is_repeating)
        best, spread = _best_plans(fit, setting, fixed, speed)
        if setting.largest_params is None or not _is_at_limit(best, setting):
            # Without size or without data in the law, the edge's own optimum is the fastest size.
            trades = trades_size_for_data(fit.law)
            require_interior(fit.law, replace(best, is_interior=best.is_interior & trades))
        params, tokens = float(best.params), float(best.tokens)
    elif tokens is None:
        tokens = _tokens_for(fit, setting, params)
    else:
        require_within(setting, params)
        _require_unique(fit, budget, tokens)
    known = fixed_for(budget, fixed)
    inputs = inputs_at(law, np.array([params]), np.array([tokens]), known, rule=rule)
    decades = {
        symbol: float(np.ravel(value)[0])
        for symbol, value in extrapolation_decades(fit, inputs).items()
        if symbol in fit.input_ranges
    }
    flop = float(rule.training_flop(params, tokens))
    unique = min(tokens, budget.unique_tokens or np.inf)
    storage = setting.storage_need(params, unique)
    loss = float(law.loss(fit.theta, inputs)[0])
    require_sense(fit, setting, params, tokens, loss)
    if own_tokens is not None:
        speed = speed_at(setting, own_tokens)
    elif speed is None:
        speed = speed_along(setting, is_repeating=is_repeating)
    batch = batch_of(setting, params, tokens)
    limits = limit_uses(
        fit,
        setting,
        best or _as_optimum(params, tokens, loss, flop),
        fixed,
        speed=speed,
        batch_tokens=batch,
        is_size_held=best is None,
        are_tokens_held=own_tokens is not None,
    )
    run = training_of(setting, params, tokens, speed, batch)
    planned = fit if law is fit.law else replace(fit, law=law)
    return Plan(
        params=params,
        tokens=tokens,
        compute_flop=flop,
        loss=loss,
        params_interval=_interval(fit, params, spread, "params", level),
        tokens_interval=_interval(fit, tokens, spread, "tokens", level),
        loss_interval=_loss_interval(planned, inputs, level, "confidence"),
        loss_prediction=_loss_interval(planned, inputs, level, "prediction"),
        interval_reason=_no_interval(fit, spread, level),
        extrapolation_decades=decades,
        cost=cost(
            flop,
            setting.resolved(params, speed),
            setting.accelerator,
            setting.site,
            storage_bytes=storage.total_bytes,
            spread=run.spread,
            inference_usd=setting.inference_usd(params, speed),
        ),
        storage=storage,
        training=run.training,
        budget=budget,
        limits=limits,
        epochs=tokens / unique,
        notices=(*_over(limits), *_notices(fit, decades, spread, tokens / unique, run)),
        assumptions=_assumptions(setting, run.training),
        basis="compute-optimal" if best is not None else "chosen",
        accelerator=setting.accelerator.label,
        response=fit.law.response,
        loss_unit=fit.loss_unit,
    )


def _require_unique(fit: Fit, budget: Budget, tokens: float) -> None:
    """Refuse more tokens than there are where none may be seen twice, or the law cannot say."""
    unique = budget.unique_tokens
    if unique is None or tokens <= unique:
        return
    if not has_column(law_for(fit.law, budget), "unique_tokens"):
        raise PlanError(
            _(
                "There are {unique}, fewer than {tokens}.",
                unique=format_quantity(unique, "tokens"),
                tokens=format_quantity(tokens, "tokens"),
            ),
            hint=_("Let tokens repeat under a law of tokens, or train on fewer."),
        )


def _best_plans(
    fit: Fit, setting: Setting, fixed: Mapping[str, float] | None, speed: Speed
) -> tuple[Optimum, Optimum | None]:
    """Return the best plan by a fit, and by each of its draws; all in one batch."""
    if fit.draws is None:
        return best_plan(fit.law, fit.theta, setting, fixed, speed=speed), None
    found = best_plan(fit.law, np.vstack([fit.theta, fit.draws]), setting, fixed, speed=speed)
    return found.part(0), found.part(slice(1, None))


def _as_optimum(params: float, tokens: float, loss: float, flop: float) -> Optimum:
    """Return a run of a size that was given in the form of one that was found."""
    return Optimum(
        params=np.array(params),
        tokens=np.array(tokens),
        loss=np.array(loss),
        compute_flop=np.array(flop),
        is_interior=np.array(False),
    )


def _is_at_limit(best: Optimum, setting: Setting) -> bool:
    """Say whether it is memory that keeps the model from growing."""
    return bool(np.all(best.params >= 0.999 * params_limit(setting)))


def _tokens_for(fit: Fit, setting: Setting, params: float) -> float:
    """Return the most tokens that all limits leave to a model of given size."""
    require_within(setting, params)
    is_repeating = has_column(law_for(fit.law, setting.budget), "unique_tokens")
    tokens_of = tokens_along(constraints_of(setting, is_repeating=is_repeating))
    tokens = float(tokens_of(np.array([params]))[0])
    if not tokens >= SMALLEST_TOKENS:
        raise PlanError(
            _("The budget leaves no tokens to train {params:.3g} parameters on.", params=params),
            hint=_("Give a larger budget, or choose a smaller model."),
        )
    return tokens


def _interval(
    fit: Fit, centre: float, spread: Optimum | None, name: str, level: float
) -> Interval | None:
    """Return the interval of a size over the draws, or None where too many have no optimum."""
    if spread is None:
        return None
    found = np.where(spread.is_interior, getattr(spread, name), np.nan)
    lower, upper = interval(centre, found, level, factor=small_sample(fit, level))
    if np.isnan(lower):
        return None
    return Interval(lower=float(lower), upper=float(upper), level=level)


def _no_interval(fit: Fit, spread: Optimum | None, level: float) -> str:
    """Return why sizes have no interval; empty where they have."""
    if fit.draws is None:
        return NO_DRAWS
    share = 0.0 if spread is None else float(np.mean(~spread.is_interior))
    if share <= 1 - level:
        return ""
    return _(
        "{share:.0%} of the bootstrap fits have no compute-optimal size, too many for an interval.",
        share=share,
    )


def _loss_interval(
    fit: Fit, inputs: Mapping[str, NDArray[np.float64]], level: float, kind: BandKind
) -> Interval | None:
    """Return the band of the loss at one point, or None where the fit has none."""
    try:
        found = band(fit, inputs, level, kind)
    except FitError:
        return None
    return Interval(
        lower=float(found.lower[0]), upper=float(found.upper[0]), level=level, kind=kind
    )


def _over(limits: tuple[LimitUse, ...]) -> tuple[Notice, ...]:
    """Name the limits that a run of one's own exceeds."""
    over = [
        _(
            "{label} ({used} of {limit})",
            label=use.label.lower(),
            used=format_quantity(use.used, use.dimension),
            limit=format_quantity(use.limit, use.dimension),
        )
        for use in limits
        if use.is_exceeded
    ]
    if not over:
        return ()
    return (
        Notice(
            code="over-limits",
            severity="serious",
            text=_("The run exceeds {over}.", over=joined(", ", over)),
            remedy=_("Raise the limit, train on fewer tokens, or choose a smaller model."),
        ),
    )


def _notices(
    fit: Fit, decades: Mapping[str, float], spread: Optimum | None, epochs: float, run: Run
) -> tuple[Notice, ...]:
    """Say what should make a reader doubt the plan."""
    notices = [*extrapolation_notices(fit, decades)]
    if spread is not None and (share := 1 - float(np.mean(spread.is_interior))) > UNSTABLE_SHARE:
        notices.append(
            Notice(
                code="optimum-unstable",
                severity="serious",
                text=_(
                    "{share:.0%} of the bootstrap fits have no compute-optimal size.", share=share
                ),
                remedy=_(
                    "The rows cannot separate model size from data: add runs that vary "
                    "both independently."
                ),
            )
        )
    if epochs > MANY_EPOCHS:
        notices.append(
            Notice(
                code="many-epochs",
                severity="warning",
                text=_("Every unique token is seen {epochs:.1f} times.", epochs=epochs),
                remedy=_(
                    "Beyond about 4 times, repeated tokens are worth much less than new ones."
                ),
            )
        )
    if run.wall_time_s > LONG_S:
        notices.append(
            Notice(
                code="long-run",
                severity="warning",
                text=_(
                    "The run takes {wall_time_s}.",
                    wall_time_s=format_quantity(run.wall_time_s, "seconds"),
                ),
                remedy=_("Give more accelerators: hardware and methods improve within that time."),
            )
        )
    return tuple(notices)


def _price(budget: Budget, accelerator: Accelerator) -> str:
    price = sums.price_usd_per_hour(budget, accelerator)
    if price is None:
        return _("none known")
    text = _("{price:.4g} USD per accelerator-hour", price=price)
    how = budget.acquisition.described(accelerator.key)
    return (
        _("{text}: {how}", text=text, how=how)
        if how and budget.price_usd_per_hour is None
        else text
    )


def _no_electricity(budget: Budget) -> str:
    is_owned = budget.acquisition.way == "bought" and budget.price_usd_per_hour is None
    return _("not counted: give a price per kWh") if is_owned else _("included in the price")


def _assumptions(setting: Setting, training: Training) -> dict[str, str]:
    """Put into words what the figures rest on."""
    budget, accelerator, site = setting.budget, setting.accelerator, setting.site
    dtype = budget.dtype or accelerator.training_dtype
    power = site.electricity_usd_per_kwh
    storage = setting.storage
    assumptions = {
        _("Accelerator"): f"{budget.count:,} x {accelerator.label}",
        _(
            "Dense peak"
        ): f"{format_quantity(accelerator.peak(dtype), 'flop_per_s')} {dtype.upper()}",
        "MFU": _("{mfu:.1%} of the dense peak: ", mfu=training.mfu)
        + (_("your own") if training.is_own_mfu else training.evidence),
        _("Layout"): training.layout or _("not known"),
        _("Batch"): _(
            "{batch_tokens} of {batch_limit_tokens} at most",
            batch_tokens=format_quantity(training.batch_tokens, "tokens"),
            batch_limit_tokens=format_quantity(training.batch_limit_tokens, "tokens"),
        ),
        _("Goodput"): _("{goodput:.1%} of the wall time trains: ", goodput=training.goodput)
        + (_("your own") if training.is_own_goodput else _("by published failures")),
        _("Compute"): setting.rule.label,
        _("Price"): _price(budget, accelerator),
        _("Electricity"): f"{power:g} USD/kWh" if power else _no_electricity(budget),
        _("Power"): _(
            "thermal design power, with hosts x {host_share:g}, PUE {pue:g}, "
            "{carbon_kg_per_kwh:g} kg CO2/kWh",
            host_share=site.host_share,
            pue=site.pue,
            carbon_kg_per_kwh=site.carbon_kg_per_kwh,
        ),
        _("Storage"): (
            _(
                "{bytes_per_token:g} bytes per token, {bytes_per_param:g} bytes per "
                "parameter in {n_saved} checkpoints, {storage_usd_per_gb_month:g} "
                "USD per GB and month for {storage_months:g} months",
                bytes_per_token=storage.bytes_per_token,
                bytes_per_param=storage.bytes_per_param,
                n_saved=storage.policy.n_saved,
                storage_usd_per_gb_month=site.storage_usd_per_gb_month,
                storage_months=site.storage_months,
            )
        ),
    }
    if budget.lifetime_inference_tokens:
        tokens = format_quantity(budget.lifetime_inference_tokens, "tokens")
        assumptions["Inference"] = tokens + (
            _(", a third of the FLOP of as many training tokens")
            if setting.serving is None
            else _(
                " served {prompt_tokens:,} in, {output_tokens:,} out, under full "
                "load; of FLOP a third of as many training tokens",
                prompt_tokens=setting.serving.requests.prompt_tokens,
                output_tokens=setting.serving.requests.output_tokens,
            )
        )
    if site.hours_bought > 1:
        assumptions["Development"] = _(
            "{development_share:.0%} of the run's hours before it, "
            "{evaluation_share:.0%} for evaluation",
            development_share=site.development_share,
            evaluation_share=site.evaluation_share,
        )
    if budget.unique_tokens is not None:
        words = _("repeated as needed") if budget.may_repeat else _("seen once")
        assumptions["Unique tokens"] = f"{format_quantity(budget.unique_tokens, 'tokens')}, {words}"
    return assumptions
