"""The compute-optimal size by all laws of a table together, and what a wrong size costs.

One law's interval holds the size only if the law is true: its draws know nothing of the others. The
equal mixture of the draws of every law with an optimum held it most often on tables whose largest
decade was held out (docs/extrapolation.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError, PlanError
from isoflop.fitting import Fit
from isoflop.fitting.extrapolation import Pool
from isoflop.identity import Keyed
from isoflop.language import lazy_gettext, lazy_ngettext
from isoflop.planning.frontier import compute_optimal
from isoflop.planning.inputs import PARAMS_COLUMNS, inputs_at
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.units import format_number, format_quantity

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LawSize:
    """What one law says the size should be.

    Parameters
    ----------
    key, label : str
    params : float
        By the fit itself.
    lower, upper : float
        Of its own draws; both ``params`` where it has none.
    """

    key: str
    label: str
    params: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SizeAgreement(Keyed):
    """The compute-optimal size at a budget by every law that has one, each counting alike.

    Parameters
    ----------
    compute_flop : float
    laws : tuple of LawSize
    params, lower, upper : float
        Median and ends of the equal mixture of the laws' draws.
    tokens, tokens_lower, tokens_upper : float
        Of the data that the compute leaves to the size of each draw: where the size is at its
        upper end, the data are at their lower one.
    level : float
        Share of the mixture between the ends.
    excess_lower, excess_upper : float
        By how much the loss at either end lies above each law's least at this compute, as a share
        of it, averaged over the laws.
    key : str
        Of all that is said above.
    """

    compute_flop: float
    laws: tuple[LawSize, ...]
    params: float
    lower: float
    upper: float
    tokens: float
    tokens_lower: float
    tokens_upper: float
    level: float
    excess_lower: float
    excess_upper: float
    key: str = field(init=False, repr=False)

    @property
    def factor(self) -> float:
        """By what the size may be larger or smaller: half the interval's ratio, in logs."""
        return float(np.sqrt(self.upper / self.lower))

    @property
    def tokens_factor(self) -> float:
        """By what the data may be more or fewer: half the interval's ratio, in logs."""
        return float(np.sqrt(self.tokens_upper / self.tokens_lower))

    @property
    def excess(self) -> float:
        """What a size at the worse end costs, as a share of the loss."""
        return max(self.excess_lower, self.excess_upper)

    def __repr__(self) -> str:
        return f"<SizeAgreement: {self.verdict()}>"

    def verdict(self) -> str:
        """Say in a sentence what the laws together make of the size, and what an error costs."""
        return lazy_gettext(
            "{params} parameters ×/÷ {factor:.2g} ({lower} to {upper}) at "
            "{compute_flop}, by {laws} with an optimum; at the ends of that "
            "range the loss is up to {excess:.2%} above its minimum.",
            params=format_number(self.params),
            factor=self.factor,
            lower=format_number(self.lower),
            upper=format_number(self.upper),
            compute_flop=format_quantity(self.compute_flop, "flop"),
            laws=lazy_ngettext("{n:,} law", "{n:,} laws", len(self.laws)),
            excess=self.excess,
        )


def size_agreement(
    voices: Pool,
    compute_flop: float,
    *,
    level: float = 0.9,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
) -> SizeAgreement:
    """Return the compute-optimal size by all laws that have one.

    Parameters
    ----------
    voices : Pool
        The laws of a table, as `isoflop.fitting.extrapolation.pool` fits them.
    compute_flop : float
    level : float
        Nominal coverage of the interval.
    rule, fixed
        As `compute_optimal`.

    Raises
    ------
    PlanError
        If no law has an optimum there.
    """
    found = voices.members
    optima = [
        (member.fit, sizes)
        for member in found.found
        if (sizes := _sizes(member.fit, compute_flop, rule, fixed)) is not None
    ]
    if not optima:
        raise PlanError(
            lazy_gettext(
                "No law fitted to {id} has a compute-optimal size at {compute_flop}.",
                id=found.table.id,
                compute_flop=format_quantity(compute_flop, "flop"),
            ),
            hint=lazy_gettext(
                "Choose a table that varies size and tokens independently, or give the size."
            ),
        )
    tails = np.array([0.5, (1 - level) / 2, (1 + level) / 2])
    laws = tuple(
        LawSize(
            key=fit.law.key,
            label=fit.law.label,
            params=float(sizes[0]),
            lower=float(low),
            upper=float(high),
        )
        for fit, sizes in optima
        for low, high in [np.quantile(_mixed(sizes), tails[1:])]
    )
    values = np.concatenate([_mixed(sizes) for _, sizes in optima])
    shares = np.concatenate([np.full(n, 1 / n) for n in (len(_mixed(s)) for _, s in optima)])
    params, lower, upper = _quantiles(np.log(values), shares, tails)
    ends = np.array([lower, upper])
    # Tokens fall as the size grows: their mixture's quantiles are those of the size, mirrored.
    tokens, most, fewest = map(float, rule.tokens(np.array([params, lower, upper]), compute_flop))
    excess = np.mean(
        [_excess(fit, sizes[0], ends, compute_flop, rule, fixed) for fit, sizes in optima], axis=0
    )
    return SizeAgreement(
        compute_flop=compute_flop,
        laws=laws,
        params=params,
        lower=lower,
        upper=upper,
        tokens=tokens,
        tokens_lower=fewest,
        tokens_upper=most,
        level=level,
        excess_lower=float(excess[0]),
        excess_upper=float(excess[1]),
    )


def _sizes(
    fit: Fit, flop: float, rule: ComputeRule, fixed: Mapping[str, float] | None
) -> Array | None:
    """Return N* by the fit, then by each draw that has one; None where the fit has none."""
    columns = {item.column for item in fit.law.inputs}
    if not columns & PARAMS_COLUMNS and "tokens_per_param" not in columns:
        return None
    thetas = fit.theta[None] if fit.draws is None else np.vstack([fit.theta, fit.draws])
    try:
        found = compute_optimal(fit.law, thetas, flop, rule=rule, fixed=fixed)
    except (PlanError, FitError):  # an input that nobody gave
        return None
    return found.params[found.is_interior] if found.is_interior[0] else None


def _mixed(sizes: Array) -> Array:
    """Return a law's part of the mixture: its draws, or the fit where it has none."""
    return sizes[1:] if len(sizes) > 1 else sizes


def _quantiles(logs: Array, shares: Array, at: Array) -> tuple[float, float, float]:
    order = np.argsort(logs)
    middle = np.cumsum(shares[order]) - shares[order] / 2
    found = np.exp(np.interp(at, middle / shares.sum(), logs[order]))
    return float(found[0]), float(found[1]), float(found[2])


def _excess(
    fit: Fit,
    best: float,
    ends: Array,
    flop: float,
    rule: ComputeRule,
    fixed: Mapping[str, float] | None,
) -> Array:
    params = np.array([best, *ends])
    inputs = inputs_at(fit.law, params, rule.tokens(params, np.array(flop)), fixed, rule=rule)
    loss = fit.law.loss(fit.theta, inputs)
    return np.asarray(loss[1:] / loss[0] - 1)
