"""The chance that a planned run reaches a loss, and what reaching it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from isoflop.errors import PlanError
from isoflop.fitting import Fit
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext as _
from isoflop.laws import Law
from isoflop.planning.constraints import Setting, fixed_for, law_for
from isoflop.planning.inputs import inputs_at
from isoflop.planning.inverse import tokens_for_loss
from isoflop.planning.types import SPREAD_LEVEL, Plan
from isoflop.tables.schema import said_response
from isoflop.text import as_html
from isoflop.units import format_quantity

Array = NDArray[np.float64]

N_DRAWS = 2000
PROBABILITIES = np.linspace(0.01, 0.99, 99)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Risk(Keyed):
    """What a plan may come to.

    Parameters
    ----------
    target_loss : float
    chance : float
        Of reaching it within the budget.
    probability : ndarray, shape (n,)
    loss : ndarray, shape (n,)
        That the run stays at or below with each probability, within the budget.
    usd : ndarray, shape (n,), or None
        That suffices with each probability for a model of the plan's size to reach the target;
        infinite where more draws than that never reach it. None without a price.
    loss_share, speed_share : float
        Of the spread of the loss, in squared logarithms, that the prediction and the speed make.
    response, loss_unit : str
    """

    target_loss: float
    chance: float
    probability: Array
    loss: Array
    usd: Array | None
    loss_share: float
    speed_share: float
    response: str = "loss"
    loss_unit: str = "unknown"
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<Risk: {self.chance:.0%} of {self.response} {self.target_loss:.4g}>"

    def summary(self) -> str:
        """Return it in two sentences."""
        text = _(
            "A {response} of {target_loss:.4g} is reached within the budget with "
            "a chance of {chance:.0%}.",
            response=said_response(self.response),
            target_loss=self.target_loss,
            chance=self.chance,
        )
        if self.usd is None:
            return text
        even = float(np.interp(0.5, self.probability, self.usd))
        sure = float(np.interp(0.9, self.probability, self.usd))
        return _(
            "{text} It takes {even} with a probability of 50% and {sure} with 90%.",
            text=text,
            even=_money(even),
            sure=_money(sure),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row a probability: the loss within the budget, and the money for the target."""
        columns = {"probability": self.probability, self.response: self.loss}
        return pd.DataFrame(columns if self.usd is None else columns | {"usd": self.usd})

    def _repr_html_(self) -> str:
        return as_html(_("Risk of a plan"), self.to_frame(), self.summary())


def _money(usd: float) -> str:
    return format_quantity(usd, "usd") if np.isfinite(usd) else _("more than any sum")


def risk(
    fit: Fit,
    setting: Setting,
    plan: Plan,
    target_loss: float | None = None,
    *,
    fixed: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Risk:
    """Work out the chance that a plan reaches a loss, and the money that reaching it may take.

    Two errors are drawn together: that of the predicted loss (the plan's prediction interval: law,
    fit, extrapolation and scatter, as far as the interval knows of them) and that of the speed
    (`isoflop.planning.Cost`: utilisation and failures). Where time or money limits the run, slower
    training means fewer tokens; the law says how much loss that is.

    Parameters
    ----------
    fit : Fit
    setting : Setting
    plan : Plan
        Within that setting, with a prediction interval.
    target_loss : float, optional
        The plan's own prediction if absent.
    fixed : mapping of str to float, optional
    seed : int

    Raises
    ------
    PlanError
        If the plan has no prediction interval, or the target is not positive.
    """
    target = plan.loss if target_loss is None else target_loss
    interval = plan.loss_prediction
    if interval is None or not target > 0:
        raise PlanError(
            _("The chance of a loss needs an interval of the prediction and a positive target."),
            detail=plan.interval_reason or _("target: {target:g}", target=target),
            hint=_("Fit with bootstrap resamples."),
        )
    law = law_for(fit.law, setting.budget)
    known = fixed_for(setting.budget, fixed)

    def log_loss(tokens: Array) -> Array:
        sizes = np.full(tokens.shape, plan.params)
        return np.log(law.loss(fit.theta, inputs_at(law, sizes, tokens, known, rule=setting.rule)))

    random = np.random.default_rng(seed)
    ranks = (np.arange(N_DRAWS) + 0.5) / N_DRAWS
    noise = _two_sided(ranks, plan.loss, interval.lower, interval.upper, interval.level)
    slower = random.permutation(_slower(ranks, plan.cost.spread))
    tokens = plan.tokens / slower if _is_limited_by_hours(plan) else np.full(N_DRAWS, plan.tokens)
    shift = log_loss(tokens) - log_loss(np.full(N_DRAWS, plan.tokens))
    losses = plan.loss * np.exp(noise + shift)
    # What the law must come to for this draw of its error to end at the target.
    wanted = np.exp(log_loss(np.array([plan.tokens]))) * target / (plan.loss * np.exp(noise))
    variances = float(np.var(noise)), float(np.var(shift))
    whole = sum(variances) or 1.0
    return Risk(
        target_loss=target,
        chance=float(np.mean(losses <= target)),
        probability=PROBABILITIES,
        loss=np.quantile(losses, PROBABILITIES),
        usd=_usd(law, fit, setting, plan, wanted, slower, known),
        loss_share=variances[0] / whole,
        speed_share=variances[1] / whole,
        response=plan.response,
        loss_unit=plan.loss_unit,
    )


def _two_sided(ranks: Array, centre: float, lower: float, upper: float, level: float) -> Array:
    """Return draws of a logarithm around 0 whose sides end where an interval does."""
    scale = ndtri((1 + level) / 2)
    z = ndtri(ranks)
    sides = np.where(z < 0, np.log(centre / lower), np.log(upper / centre))
    return np.asarray(z / scale * np.maximum(sides, 0.0))


def _slower(ranks: Array, spread: tuple[float, float] | None) -> Array:
    """Return draws of the hours over those planned."""
    if spread is None:
        return np.ones_like(ranks)
    return np.exp(_two_sided(ranks, 1.0, *spread, SPREAD_LEVEL))


def _is_limited_by_hours(plan: Plan) -> bool:
    """Say whether a slower run sees fewer tokens: time or money bind."""
    return any(limit.key in ("time", "money") for limit in plan.binding)


def _usd(
    law: Law,
    fit: Fit,
    setting: Setting,
    plan: Plan,
    wanted: Array,
    slower: Array,
    known: Mapping[str, float],
) -> Array | None:
    """Return the money that suffices with each probability; None without a price."""
    cost = plan.cost
    by_hours, besides = cost.usd_by_hours, cost.usd_besides
    if by_hours is None or besides is None:
        return None
    tokens = tokens_for_loss(
        law, fit.theta, np.full(wanted.shape, plan.params), wanted, rule=setting.rule, fixed=known
    )
    needed = np.sort(by_hours * tokens / plan.tokens * slower + besides)
    ranks = np.ceil(PROBABILITIES * len(needed)).astype(np.intp) - 1
    return np.asarray(needed[ranks])
