"""What a plan's money goes into, and what other ways to pay for its accelerators would cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from isoflop.errors import PlanError
from isoflop.identity import Keyed
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.options import option
from isoflop.planning import budget as sums
from isoflop.planning.acquisition import Way
from isoflop.planning.constraints import Setting
from isoflop.planning.cost import cost, usd_per_hour
from isoflop.planning.types import Budget, Cost, Plan
from isoflop.text import as_html
from isoflop.units import format_quantity

WAYS: tuple[Way, ...] = ("on-demand", "reserved", "bought")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Money(Keyed):
    """Money of one run by what it is for, under each way to pay whose price is known.

    Parameters
    ----------
    by_way : mapping of str to mapping of str to float
        US dollars by part, by the label of the way; the plan's own first.
    prices : mapping of str to float
        US dollars an accelerator-hour, by the same labels.
    limit_usd : float or None
    """

    by_way: Mapping[str, Mapping[str, float]]
    prices: Mapping[str, float]
    limit_usd: float | None
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<Money: {self.summary()}>"

    def _repr_html_(self) -> str:
        return as_html(_("Money of a plan"), self.to_frame(), self.summary())

    def summary(self) -> str:
        """Return what each way costs in a sentence."""
        whole = {way: sum(parts.values()) for way, parts in self.by_way.items()}
        said = (
            _("{way} {usd}", way=way.lower(), usd=format_quantity(usd, "usd"))
            for way, usd in whole.items()
        )
        return _("The run costs {said}.", said=joined(", ", said))

    def to_frame(self) -> pd.DataFrame:
        """Return a row a way: the price of an hour, money by part, and the whole."""
        rows = {
            way: {"usd_per_hour": self.prices[way], **parts, "whole": sum(parts.values())}
            for way, parts in self.by_way.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").fillna(0.0)


def money(setting: Setting, plan: Plan) -> Money:
    """Work out what a plan's money goes into, and what it would be by other ways to pay.

    Parameters
    ----------
    setting : Setting
    plan : Plan
        Within that setting.

    Raises
    ------
    PlanError
        If the plan has no price.
    """
    if plan.cost.usd is None:
        raise PlanError(
            _("{accelerator} has no price.", accelerator=plan.accelerator),
            hint=_("Give one per accelerator-hour."),
        )
    budget, labels = setting.budget, option(Budget, "acquisition.way").choices
    own = _("Your own price") if budget.price_usd_per_hour else labels[budget.acquisition.way]
    by_way: dict[str, Mapping[str, float]] = {own: plan.cost.usd_by_part}
    prices = {own: sums.price_usd_per_hour(budget, setting.accelerator) or 0.0}
    for way in WAYS:
        other = replace(
            budget, price_usd_per_hour=None, acquisition=replace(budget.acquisition, way=way)
        )
        price = sums.price_usd_per_hour(other, setting.accelerator)
        if price is None or labels[way] in by_way:
            continue
        by_way[labels[way]] = _cost(replace(setting, budget=other), plan).usd_by_part
        prices[labels[way]] = price
    return Money(by_way=by_way, prices=prices, limit_usd=budget.usd)


def _cost(setting: Setting, plan: Plan) -> Cost:
    """Return what the same run costs in a setting with another price."""
    budget, training = setting.budget, plan.training
    inference = plan.cost.usd_inference
    if inference:
        here = usd_per_hour(budget, setting.accelerator, setting.site)
        inference *= here / usd_per_hour(plan.budget, setting.accelerator, setting.site)
    return cost(
        plan.compute_flop,
        replace(budget, mfu=training.mfu, goodput=training.goodput),
        setting.accelerator,
        setting.site,
        storage_bytes=plan.storage.total_bytes,
        inference_usd=inference,
    )
