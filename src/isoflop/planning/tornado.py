"""How far loss and cost move when each assumption does: the bars of a tornado."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pandas as pd

from isoflop.errors import PlanError
from isoflop.fitting import Fit
from isoflop.fitting.extrapolation import Extrapolation
from isoflop.fitting.extrapolation.result import LEVEL
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.planning import budget as sums
from isoflop.planning.constraints import Setting, best_plan, speed_at
from isoflop.planning.cost import cost
from isoflop.planning.types import Interval, Plan
from isoflop.text import as_html
from isoflop.units import format_number

STEP = 1.2
"""Each assumption is multiplied and divided by this."""

SMALLEST_SHARE = 0.01
"""Of the widest movement of money, below which one is left out."""

Moved = Literal["loss", "usd"]

Change = Callable[[Setting, float], Setting]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Loss, money and time of the best plan under one assumption.

    Parameters
    ----------
    value : str
        The assumption, for a person.
    loss : float
    usd : float or None
    wall_time_s : float
    """

    value: str
    loss: float
    usd: float | None
    wall_time_s: float

    def of(self, name: Moved) -> float:
        """Return the loss or the money; no money counts as none spent."""
        return self.loss if name == "loss" else self.usd or 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What one assumption does.

    Parameters
    ----------
    label : str
    low, high : Outcome
        With the assumption lowered and raised.
    """

    label: str
    low: Outcome
    high: Outcome

    @property
    def loss_span(self) -> float:
        """How far the loss moves."""
        return abs(self.high.loss - self.low.loss)

    @property
    def usd_span(self) -> float:
        """How far the money moves; 0 where there is no price."""
        if self.low.usd is None or self.high.usd is None:
            return 0.0
        return abs(self.high.usd - self.low.usd)

    def span(self, name: Moved) -> float:
        """How far the loss or the money moves."""
        return self.loss_span if name == "loss" else self.usd_span


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tornado(Keyed):
    """How far a plan's loss and money move with each assumption.

    Parameters
    ----------
    plan : Plan
    entries : tuple of Sensitivity
        Those that move the loss most first.
    """

    plan: Plan
    entries: tuple[Sensitivity, ...]
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<Tornado: {len(self.entries)} assumptions>"

    def _repr_html_(self) -> str:
        return as_html(_("Sensitivity of a plan"), self.to_frame())

    def moving(self, name: Moved) -> tuple[Sensitivity, ...]:
        """Return the assumptions that move the loss or the money, the widest first.

        Of the money, those that move it by less than a hundredth of the widest are left out.
        """
        ordered = sorted(self.entries, key=lambda entry: -entry.span(name))
        widest = ordered[0].span(name) if ordered else 0.0
        least = 0.0 if name == "loss" else SMALLEST_SHARE * widest
        return tuple(entry for entry in ordered if entry.span(name) > least)

    def to_frame(self) -> pd.DataFrame:
        """Return a row an assumption: its values lowered and raised, and loss and money at both."""
        return pd.DataFrame(
            [
                {
                    "assumption": entry.label,
                    **{
                        f"{name}_{end}": getattr(outcome, name)
                        for end, outcome in (("low", entry.low), ("high", entry.high))
                        for name in ("value", "loss", "usd")
                    },
                }
                for entry in self.entries
            ]
        )


def tornado(
    fit: Fit,
    setting: Setting,
    plan: Plan,
    *,
    fixed: Mapping[str, float] | None = None,
    ahead: Extrapolation | None = None,
) -> Tornado:
    """Move each assumption by a fifth both ways and plan anew, the others as they are.

    What is predicted moves over its own interval: the utilisation, and the loss by the fit, by the
    other laws of the table, and by all of them beyond its rows.

    Parameters
    ----------
    fit : Fit
    setting : Setting
    plan : Plan
        Within that setting.
    fixed : mapping of str to float, optional
    ahead : Extrapolation, optional
        What the laws of the table say of the planned run.

    Returns
    -------
    Tornado
        The uncertainty of the fit is one of its entries where the plan has an interval. An
        assumption that cannot move, such as an MFU at its ceiling, moves as far as it can.

    Raises
    ------
    PlanError
        If the budget buys no run.
    """
    found = []
    for label, change, written in _changes(setting, plan):
        low = _outcome(fit, change(setting, 1 / STEP), written(1 / STEP), fixed)
        high = _outcome(fit, change(setting, STEP), written(STEP), fixed)
        if low is not None and high is not None:
            found.append(Sensitivity(label=label, low=low, high=high))
    interval = plan.loss_interval
    if interval is not None:
        found.append(
            Sensitivity(
                label=_("The fit itself ({level:.0%} interval)", level=interval.level),
                low=_of_plan(plan, interval.lower, _("lower edge")),
                high=_of_plan(plan, interval.upper, _("upper edge")),
            )
        )
    if ahead is not None:
        found += _laws(plan, ahead)
    found.sort(key=lambda entry: -entry.loss_span)
    return Tornado(plan=plan, entries=tuple(found))


def _laws(plan: Plan, ahead: Extrapolation) -> list[Sensitivity]:
    """Return what other laws of the table, and all of them together, make of the loss."""
    found = [
        Sensitivity(
            label=_("Beyond the rows ({level:.0%} band)", level=LEVEL),
            low=_of_plan(plan, float(ahead.lower[0]), _("lower edge")),
            high=_of_plan(plan, float(ahead.upper[0]), _("upper edge")),
        )
    ]
    ends = ahead.extremes(0)
    if ends is not None:
        low, high = ends
        found.append(
            Sensitivity(
                label=_("Law"),
                low=_of_plan(plan, float(low.loss[0]), low.label),
                high=_of_plan(plan, float(high.loss[0]), high.label),
            )
        )
    return found


def _of_plan(plan: Plan, loss: float, value: str) -> Outcome:
    return Outcome(value=value, loss=loss, usd=plan.cost.usd, wall_time_s=plan.cost.wall_time_s)


def _outcome(
    fit: Fit, setting: Setting, value: str, fixed: Mapping[str, float] | None
) -> Outcome | None:
    """Plan within a changed setting; None where nothing can be trained in it."""
    try:
        best = best_plan(fit.law, fit.theta, setting, fixed)
    except PlanError:
        return None
    params, tokens = float(best.params), float(best.tokens)
    flop = float(setting.rule.training_flop(params, tokens))
    unique = min(tokens, setting.budget.unique_tokens or tokens)
    speed = speed_at(setting, tokens)
    total = cost(
        flop,
        setting.resolved(params, speed),
        setting.accelerator,
        setting.site,
        storage_bytes=setting.storage_need(params, unique).total_bytes,
        inference_usd=setting.inference_usd(params, speed),
    )
    return Outcome(value=value, loss=float(best.loss), usd=total.usd, wall_time_s=total.wall_time_s)


def _changes(setting: Setting, plan: Plan) -> list[tuple[str, Change, Callable[[float], str]]]:
    """Return every assumption that the setting makes: its name, how to move it, how to write it."""
    budget, accelerator = setting.budget, setting.accelerator
    training = plan.training
    mfu = _moved(training.mfu, training.mfu_interval, accelerator.mfu_ceiling)
    goodput = _moved(training.goodput, training.goodput_interval, 1.0)
    changes: list[tuple[str, Change, Callable[[float], str]]] = [
        ("MFU", lambda s, f: _budget(s, mfu=mfu(f)), lambda f: f"{mfu(f):.0%}"),
        (_("Goodput"), lambda s, f: _budget(s, goodput=goodput(f)), lambda f: f"{goodput(f):.0%}"),
        (
            _("FLOP per parameter and token"),
            lambda s, f: replace(
                s, rule=replace(s.rule, flop_per_param_token=s.rule.flop_per_param_token * f)
            ),
            lambda f: f"{setting.rule.flop_per_param_token * f:.3g}",
        ),
    ]
    price = sums.price_usd_per_hour(budget, accelerator)
    if price:
        changes.append(
            (
                _("Price"),
                lambda s, f: _budget(s, price_usd_per_hour=price * f),
                lambda f: f"{price * f:.3g} USD/h",
            )
        )
    return changes + _limits(setting)


def _moved(value: float, interval: Interval | None, largest: float) -> Callable[[float], float]:
    """Return a predicted share at the ends of its interval; one's own a fifth less and more."""

    def moved(factor: float) -> float:
        if interval is None:
            return min(value * factor, largest)
        return min(interval.lower if factor < 1 else interval.upper, largest)

    return moved


def _limits(setting: Setting) -> list[tuple[str, Change, Callable[[float], str]]]:
    """Return the quantities of the budget that are guesses as much as limits."""
    budget = setting.budget
    changes: list[tuple[str, Change, Callable[[float], str]]] = []
    if budget.unique_tokens is not None:
        unique = budget.unique_tokens
        changes.append(
            (
                _("Unique tokens"),
                lambda s, f: _budget(s, unique_tokens=unique * f),
                lambda f: format_number(unique * f),
            )
        )
    if budget.lifetime_inference_tokens:
        inference = budget.lifetime_inference_tokens
        changes.append(
            (
                _("Inference tokens"),
                lambda s, f: _budget(s, lifetime_inference_tokens=inference * f),
                lambda f: format_number(inference * f),
            )
        )
    return changes


def _budget(setting: Setting, **values: Any) -> Setting:
    return replace(setting, budget=replace(setting.budget, **values))
