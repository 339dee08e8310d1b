"""What the laws of a table together say of a plan: its loss, and the size that would be best."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from isoflop.errors import IsoflopError, PlanError
from isoflop.fitting import Fit
from isoflop.fitting.extrapolation import Extrapolation, Pool, pool, pool_of_fit, predict_with
from isoflop.fitting.extrapolation.result import LEVEL
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.planning.agreement import SizeAgreement, size_agreement
from isoflop.planning.inputs import PARAMS_COLUMNS, has_column
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.types import Interval, Plan
from isoflop.tables.schema import LossTable, said_response

REPEATED = 1.01
"""Epochs from which on a plan repeats its tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is to be believed of a plan beyond the data.

    Parameters
    ----------
    ahead : Extrapolation or None
        The loss of the planned run, with the band that larger runs were measured to fall into.
    sizes : SizeAgreement or None
        The size by all laws; None where the plan's size is not the compute-optimal one.
    reason : str
        Why there is no ``ahead``; empty where there is.
    """

    ahead: Extrapolation | None
    sizes: SizeAgreement | None
    reason: str = ""

    def summary(self) -> str:
        """Return what is to be believed, as text."""
        lines = (
            [self.ahead.verdict()]
            if self.ahead
            else [_("The plan's own law alone predicts: {reason}", reason=self.reason)]
        )
        if self.ahead and (advice := self.ahead.advice()):
            lines.append(advice)
        if self.sizes:
            lines.append(_("Best size: {verdict}", verdict=self.sizes.verdict()))
        return joined("\n", lines)

    def told(self, plan: Plan) -> Plan:
        """Return a plan with the loss that is predicted here in place of its own fit's."""
        if self.ahead is None:
            return plan
        lower, upper = float(self.ahead.lower[0]), float(self.ahead.upper[0])
        interval = Interval(lower=lower, upper=upper, level=LEVEL, kind="prediction")
        loss = float(self.ahead.centre[0])
        return replace(plan, loss=loss, loss_interval=interval, loss_prediction=interval)


def outlook(
    table: LossTable,
    plan: Plan,
    *,
    alone: Fit | None = None,
    voices: Pool | None = None,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
) -> Outlook:
    """Predict a plan's run beyond the table that its fit rests on.

    The laws are fitted once a table; another plan on the same rows is evaluated alone.

    Parameters
    ----------
    table : LossTable
        The rows of the plan's fit.
    plan : Plan
    alone : Fit, optional
        Predict by this fit alone instead of by the average of all laws that suit.
    voices : Pool, optional
        The laws that suit, where they are fitted already. By default they are fitted here, unless
        one fit is to predict alone: then nothing is said of the sizes by the others.
    rule, fixed
        As the plan was made with.
    """
    sizes = None
    try:
        if alone is None and voices is None:
            voices = pool(table)
        if voices is not None and _is_compute_optimal(plan):
            with suppress(IsoflopError):
                sizes = size_agreement(voices, plan.compute_flop, rule=rule, fixed=fixed)
        speaking = voices if alone is None else pool_of_fit(alone, table)
        assert speaking is not None
        return Outlook(ahead=_ahead(speaking, plan, fixed), sizes=sizes)
    except IsoflopError as problem:
        return Outlook(ahead=None, sizes=sizes, reason=problem.summary)


def _ahead(voices: Pool, plan: Plan, fixed: Mapping[str, float] | None) -> Extrapolation:
    if plan.response != "loss":
        raise PlanError(
            _(
                "Bands beyond the data were measured for losses, not for {response}.",
                response=said_response(plan.response),
            )
        )
    known = {
        **dict.fromkeys(PARAMS_COLUMNS, plan.params),
        "tokens": plan.tokens,
        "unique_tokens": plan.tokens / plan.epochs,
        "tokens_per_param": plan.tokens_per_param,
        "compute_flop": plan.compute_flop,
        **(fixed or {}),
    }
    found = voices.members
    columns = {item.column for one in found.found for item in one.fit.law.inputs}
    knows = [has_column(one.fit.law, "unique_tokens") for one in found.found]
    if plan.epochs > REPEATED and not all(knows):
        if any(knows):
            raise PlanError(
                _("The plan repeats tokens, which other laws of this table do not model.")
            )
        raise PlanError(_("The plan repeats tokens, which the laws of this table do not model."))
    at = {name: known[name] for name in sorted({found.scale, *columns} & set(known))}
    return predict_with(voices, at)


def _is_compute_optimal(plan: Plan) -> bool:
    """Say whether nothing but compute keeps the plan from another size."""
    is_free = not plan.budget.lifetime_inference_tokens and plan.epochs <= REPEATED
    others = {limit.key for limit in plan.binding} & {"memory", "storage", "unique_tokens"}
    return plan.basis == "compute-optimal" and is_free and not others
