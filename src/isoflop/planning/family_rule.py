"""Compute by a model family's own shapes, under each published convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from isoflop.accounting import (
    Architecture,
    Family,
    FlopConvention,
    count_flop,
    count_parameters,
    find_family,
)
from isoflop.accounting.shapes import CountedParams, counted, propose_shape
from isoflop.errors import PlanError
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.planning.rule import SIX_ND, ComputeRule, Correction

SIZES = np.geomspace(1e6, 1e14, 33)
CONVENTIONS: dict[FlopConvention, str] = {
    "6N": "6ND",
    "6N_attention": _("6ND + attention (PaLM, appendix B)"),
    "appendix_f": _("Exact (Chinchilla, appendix F)"),
}
"""Conventions that a plan may count in, with their labels."""


def family_rule(
    family: Family,
    convention: FlopConvention,
    *,
    context: int | None = None,
    causal: bool = False,
    count: CountedParams = "total",
) -> ComputeRule:
    """Return the compute of models on a family's proportions, as a function of their size.

    Parameters
    ----------
    family : Family
        One that ships. A mixture of experts computes with its active parameters.
    convention : str
        One of `CONVENTIONS`.
    context : int, optional
        Sequence length; the family's own if absent.
    causal : bool
        Whether attention counts the positions up to each token only.
    count : {"total", "active", "nonembedding"}
        What N counts.

    Returns
    -------
    ComputeRule
        Interpolated, in logarithms, between released models and new shapes; beyond the sizes that
        the family can be built with, the share of the nearest.
    """
    if convention == "6N" and not family.is_moe:
        return ComputeRule()
    factor = FamilyFactor(
        family=family.key, convention=convention, context=context, causal=causal, count=count
    )
    where = _("{label} shapes", label=family.label) + (
        _(" at {context:,} tokens", context=context) if context else ""
    )
    return ComputeRule(
        correction=factor,
        label=_("{conventions}, {where}", conventions=CONVENTIONS[convention], where=where),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyFactor:
    """FLOP of models on a family's proportions over k N for each token, as a function of N.

    Parameters
    ----------
    family : str
        Its key.
    convention, context, causal, count
        As `family_rule`.
    """

    family: str
    convention: FlopConvention
    context: int | None
    causal: bool
    count: CountedParams

    def __call__(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor for models of these sizes."""
        log_sizes, log_factors = _factors(
            self.family, self.convention, self.context, self.causal, self.count
        )
        return np.asarray(np.exp(np.interp(np.log(params), log_sizes, log_factors)))


def total_params(family: Family, count: CountedParams) -> Correction | None:
    """Return all parameters of models on a family's proportions, as a function of what N counts.

    Parameters
    ----------
    family : Family
    count : {"total", "active", "nonembedding"}

    Returns
    -------
    callable or None
        None where N counts them all already.
    """
    return None if count == "total" else FamilyTotal(family=family.key, count=count)


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyTotal:
    """All parameters of models on a family's proportions, as a function of N.

    Parameters
    ----------
    family : str
        Its key.
    count : {"active", "nonembedding"}
        What N counts.
    """

    family: str
    count: CountedParams

    def __call__(self, params: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all parameters of models of these sizes."""
        log_sizes, log_ratios = _ratios(self.family, self.count)
        # Beyond the sizes that can be built the ratio stays, not the total.
        inside = np.clip(np.log(params), log_sizes[0], log_sizes[-1])
        return np.asarray(params * np.exp(np.interp(inside, log_sizes, log_ratios)))


@once(max_entries=64)
def _ratios(
    family_key: str, count: CountedParams
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log sizes, and the log of all parameters over them."""
    points = shapes_of(family_key, count)
    log_sizes = np.log(sorted(points))
    totals = [count_parameters(points[size]).total for size in sorted(points)]
    return log_sizes, np.log(totals) - log_sizes


@once(max_entries=64)
def _factors(
    family_key: str,
    convention: FlopConvention,
    context: int | None,
    causal: bool,
    count: CountedParams,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log sizes, and the log of their FLOP per token over 6 N."""
    points = shapes_of(family_key, count)
    sizes = sorted(points)
    flop = [
        count_flop(points[size], convention=convention, context=context, causal=causal)
        for size in sizes
    ]
    by_rule = SIX_ND.flop_per_token(sizes)
    factors = np.array([each.training_flop for each in flop]) / by_rule
    return np.log(sizes), np.log(factors)


@once(max_entries=64)
def shapes_of(family_key: str, count: CountedParams) -> Mapping[int, Architecture]:
    """Return shapes by size: those of the released models, and new ones between and beyond them."""
    family = find_family(family_key)
    points = {}
    for wanted in SIZES:
        shape = _proposed(family, float(wanted), count)
        if shape is not None:
            points[counted(count_parameters(shape), count)] = shape
    for model in family.models:
        size = counted(model.parameters, count)
        shape = _proposed(family, size, count)
        # In a family of both kinds the nearest model decides which of them a size is built as.
        if shape is not None and shape.is_moe == model.architecture.is_moe:
            points[size] = model.architecture
    return MappingProxyType(points)


def _proposed(family: Family, size: float, count: CountedParams) -> Architecture | None:
    """Return the family's shape of a size; None where it has none."""
    try:
        return propose_shape(family, size, count=count).architecture
    except PlanError:
        return None
