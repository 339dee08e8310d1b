"""The compute-optimal model and data size, for any law, found numerically.

Along a line of constant compute the number of parameters fixes the number of tokens, so that the
optimum is a minimum over one variable, log N, whatever the law's form. The same holds along the
edge of any set of limits: the most tokens that all of them leave to a model of N parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import PlanError
from isoflop.fitting.intervals import interval, small_sample
from isoflop.fitting.result import Band, Fit
from isoflop.language import lazy_gettext, listed
from isoflop.laws import Law, law_for_role
from isoflop.laws.trade import powers
from isoflop.planning.inputs import PARAMS_COLUMNS, extrapolation_decades, inputs_at
from isoflop.planning.minimise import confirmed, minimise
from isoflop.planning.rule import SIX_ND, ComputeRule
from isoflop.planning.types import Frontier, Optimum

SMALLEST_PARAMS = 1e3
SMALLEST_TOKENS = 1e3
LARGEST_PARAMS = 1e30
N_RANGE, N_FINER, N_REFINEMENTS = 400, 33, 8
N_POINTS = 60
N_FRONTIER_DRAWS = 400
"""Draws a frontier's bands are taken over: enough for 5% and 95% edges, and quick on a grid."""

NO_DRAWS = lazy_gettext("The fit carries no bootstrap draws.")

Tokens = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def compute_optimal(
    law: Law,
    theta: ArrayLike,
    compute_flop: ArrayLike,
    *,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
    params_range: tuple[float, float] | None = None,
) -> Optimum:
    """Find the model size of least loss at a given compute, for one or many parameter vectors.

    Parameters
    ----------
    law : Law
        Any law; its inputs are recognised by the table columns they stand for.
    theta : array_like, shape (..., n_params)
        Parameter vectors in natural units, such as bootstrap draws.
    compute_flop : array_like
        Compute in FLOP; broadcasts against the leading shape of ``theta``.
    rule : ComputeRule
        How size and tokens make compute.
    fixed : mapping of str to float, optional
        Values of every other input, by table column, such as ``{"unique_tokens": 1e11}``.
    params_range : (float, float), optional
        Sizes to choose among; by default all from a thousand parameters up to a thousand tokens.

    Returns
    -------
    Optimum
        With ``is_interior`` False where the loss has no minimum inside the range.

    Raises
    ------
    PlanError
        If the law needs an input that neither the compute nor ``fixed`` gives, or the compute is
        below a single step.
    """
    flop = np.asarray(compute_flop, dtype=np.float64)
    smallest, largest = params_range or (SMALLEST_PARAMS, LARGEST_PARAMS)
    ends: ArrayLike = largest
    if rule.is_product:  # what `_largest_size` would find
        last = flop / (rule.flop_per_param_token * SMALLEST_TOKENS)
        ends = np.minimum(largest, last * (1 - 1e-12))
    return best_along(
        law,
        theta,
        lambda params: rule.tokens(params, flop[..., None]),
        rule=rule,
        fixed=fixed,
        params_range=(smallest, ends),
        expected=expected_size(law, theta, flop, rule),
    )


def expected_size(
    law: Law, theta: ArrayLike, compute_flop: ArrayLike, rule: ComputeRule
) -> NDArray[np.float64] | None:
    """Return the best size in closed form where a law has one: a sum of powers of size and tokens.

    With terms F falling as N**-a and G as D**-b, and compute k N D, it is where a F = b G.

    Parameters
    ----------
    law, theta, compute_flop, rule
        As `compute_optimal`.

    Returns
    -------
    ndarray or None
        NaN where a term is no such power; None where the law or the rule has another form.
    """
    if not rule.is_product:
        return None
    found = powers(law, np.asarray(theta, dtype=np.float64))
    if found is None or "tokens" not in found:
        return None
    sizes = [power for column, power in found.items() if column in PARAMS_COLUMNS]
    if not sizes:
        return None
    (size,), data = sizes, found["tokens"]
    product = np.log(np.asarray(compute_flop) / rule.flop_per_param_token)
    pull = np.log(size.slope / data.slope) + size.height - data.height
    return np.asarray(np.exp((pull + data.slope * product) / (size.slope + data.slope)))


def best_along(
    law: Law,
    theta: ArrayLike,
    tokens_of: Tokens,
    *,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, ArrayLike] | None = None,
    params_range: tuple[float, ArrayLike] | None = None,
    may_be_empty: bool = False,
    expected: NDArray[np.float64] | None = None,
) -> Optimum:
    """Find the model size of least loss when each size comes with a number of tokens.

    Parameters
    ----------
    law, theta
        As `compute_optimal`.
    fixed, params_range
        As `compute_optimal`; a value, or the largest size, may differ within the batch.
    tokens_of : callable
        Maps sizes, shape (..., m) or (m,), to the most tokens each may be trained on, shape
        (..., m); not increasing in the size.
    rule : ComputeRule
        To say what the optimum spends, and where a law of compute is asked.
    may_be_empty : bool
        Return NaN, instead of an error, where no size leaves enough tokens.
    expected : ndarray, optional
        Sizes that are the best if they are a minimum at all, of the batch's shape: as
        `expected_size` gives them. Each is confirmed, or the range is searched.

    Returns
    -------
    Optimum

    Raises
    ------
    PlanError
        As `compute_optimal`.
    """
    theta = np.asarray(theta, dtype=np.float64)
    smallest, largest = params_range or (SMALLEST_PARAMS, LARGEST_PARAMS)
    upper = _largest_size(tokens_of, smallest, largest)
    is_empty = np.isnan(upper)
    if not may_be_empty and np.any(is_empty):
        raise _too_little(smallest)
    lower = np.full_like(upper, smallest)
    upper = np.where(is_empty, 2 * smallest, upper)
    lead = np.broadcast_shapes(theta.shape[:-1], upper.shape)
    theta = np.broadcast_to(theta, (*lead, theta.shape[-1]))

    def loss_at(log_params: NDArray[np.float64]) -> NDArray[np.float64]:
        params = np.exp(log_params)
        return law.loss(theta, inputs_at(law, params, tokens_of(params), fixed, rule=rule))

    ends = np.log(lower), np.log(upper)
    found = None if expected is None else confirmed(loss_at, np.log(expected), *ends)
    found = found or minimise(loss_at, *ends)
    params = np.where(is_empty, np.nan, np.exp(found.x))
    tokens = np.broadcast_to(tokens_of(params[..., None])[..., 0], params.shape)
    return Optimum(
        params=params,
        tokens=tokens,
        loss=np.where(is_empty, np.nan, found.value),
        compute_flop=rule.lifetime_flop(params, tokens),
        is_interior=found.is_interior & ~is_empty,
    )


def _largest_size(tokens_of: Tokens, smallest: float, largest: ArrayLike) -> NDArray[np.float64]:
    """Return the largest size that leaves tokens worth training on; NaN where there is none.

    Found exactly: where inference or checkpoints eat up a budget, the tokens fall from trillions to
    nothing within a percent of size, and the best plan lies there.
    """
    ends = np.maximum(largest, smallest * (1 + 1e-9))
    if np.all(tokens_of(ends[..., None]) >= SMALLEST_TOKENS):
        return ends
    low, high, is_any = _last_enough(tokens_of, np.full_like(ends, smallest), ends, N_RANGE)
    for _ in range(N_REFINEMENTS):
        low, high, _ = _last_enough(tokens_of, low, high, N_FINER)
    return np.where(is_any, low, np.nan)


def _last_enough(
    tokens_of: Tokens, low: NDArray[np.float64], high: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the last size between two with tokens enough, the next one, and if two have enough."""
    grid = low[..., None] * (high / low)[..., None] ** np.linspace(0.0, 1.0, count)
    is_enough = tokens_of(grid) >= SMALLEST_TOKENS
    n_enough = np.count_nonzero(is_enough, axis=-1)
    places = np.stack([n_enough - 1, np.minimum(n_enough, count - 1)], axis=-1)
    found = np.take_along_axis(np.broadcast_to(grid, is_enough.shape), places, axis=-1)
    return found[..., 0], found[..., 1], n_enough >= 2


def _too_little(smallest: float) -> PlanError:
    """Return the error for a budget that trains nothing."""
    return PlanError(
        lazy_gettext("This budget is below a single training step."),
        detail=(
            lazy_gettext(
                "It leaves fewer than {smallest_tokens:g} training tokens to a model "
                "of {smallest:.3g} parameters, once all inference is paid for.",
                smallest_tokens=SMALLEST_TOKENS,
                smallest=smallest,
            )
        ),
        hint=lazy_gettext("Give more compute, or ask for fewer inference tokens."),
    )


def require_interior(law: Law, optimum: Optimum) -> None:
    """Refuse an optimum that lies at the end of the range searched.

    Raises
    ------
    PlanError
        If any does.
    """
    if np.all(optimum.is_interior):
        return
    columns = {item.column for item in law.inputs}
    if not (columns & PARAMS_COLUMNS and columns & {"tokens", "compute_flop"}):
        names = listed(item.label or item.column for item in law.inputs)
        detail = lazy_gettext("It predicts the loss from {names} alone.", names=names)
    else:
        end = float(np.ravel(optimum.params)[np.argmin(np.ravel(optimum.is_interior))])
        detail = lazy_gettext(
            "At this compute its loss falls all the way to {end:.3g} parameters, "
            "an end of the range searched.",
            end=end,
        )
    raise PlanError(
        lazy_gettext("The law {label} has no compute-optimal model size.", label=law.label),
        detail=detail,
        hint=lazy_gettext(
            "Choose a law of both parameters and tokens, such as {label}, or give the size.",
            label=law_for_role("default").label,
        ),
    )


def frontier(
    fit: Fit,
    compute_flop: ArrayLike,
    *,
    level: float = 0.9,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
    params_range: tuple[float, float] | None = None,
) -> Frontier:
    """Find the compute-optimal models over a range of compute, with bands from the draws.

    Parameters
    ----------
    fit : Fit
    compute_flop : array_like, shape (n,)
    level : float
        Nominal coverage of the bands.
    rule, fixed, params_range
        As `compute_optimal`.

    Returns
    -------
    Frontier
        NaN at compute where the law has no interior optimum.

    Raises
    ------
    PlanError
        As `compute_optimal`, and if the law has no interior optimum anywhere.
    """
    flop = np.atleast_1d(np.asarray(compute_flop, dtype=np.float64))
    optimum_of = partial(
        compute_optimal, fit.law, rule=rule, fixed=fixed, params_range=params_range
    )
    centre = optimum_of(fit.theta, flop)
    if not np.any(centre.is_interior):
        require_interior(fit.law, centre)
    is_outside = _is_extrapolation(fit, centre, rule, fixed)
    bands: dict[str, Band | None] = dict.fromkeys(("params", "tokens", "loss"))
    if fit.draws is not None:
        step = max(1, len(fit.draws) // N_FRONTIER_DRAWS)
        spread = optimum_of(fit.draws[::step][None], flop[:, None])
        for name in bands:
            values = np.where(spread.is_interior, getattr(spread, name), np.nan)
            edges = interval(getattr(centre, name), values, level, factor=small_sample(fit, level))
            bands[name] = Band(
                lower=np.where(centre.is_interior, edges[0], np.nan),
                centre=np.where(centre.is_interior, getattr(centre, name), np.nan),
                upper=np.where(centre.is_interior, edges[1], np.nan),
                level=level,
                kind="confidence",
                is_extrapolation=is_outside,
            )
    return Frontier(
        compute_flop=flop,
        params=np.where(centre.is_interior, centre.params, np.nan),
        tokens=np.where(centre.is_interior, centre.tokens, np.nan),
        loss=np.where(centre.is_interior, centre.loss, np.nan),
        params_band=bands["params"],
        tokens_band=bands["tokens"],
        loss_band=bands["loss"],
        is_extrapolation=is_outside,
        reason="" if fit.draws is not None else NO_DRAWS,
    )


def frontier_over(
    fit: Fit,
    compute_range: tuple[float, float],
    *,
    level: float = 0.9,
    rule: ComputeRule = SIX_ND,
    fixed: Mapping[str, float] | None = None,
) -> Frontier:
    """Find the compute-optimal models evenly over the logarithm of a range of compute.

    Parameters
    ----------
    fit : Fit
    compute_range : (float, float)
        In FLOP, such as that of `isoflop.planning.trajectory.compute_range`.
    level, rule, fixed
        As `frontier`.

    Raises
    ------
    PlanError
        As `frontier`.
    """
    flop = np.geomspace(*compute_range, N_POINTS)
    return frontier(fit, flop, level=level, rule=rule, fixed=fixed)


def _is_extrapolation(
    fit: Fit, optimum: Optimum, rule: ComputeRule, fixed: Mapping[str, float] | None
) -> NDArray[np.bool_]:
    """Say which optima lie outside the fitted rows in any input."""
    inputs = inputs_at(fit.law, optimum.params, optimum.tokens, fixed, rule=rule)
    outside = [decades != 0 for decades in extrapolation_decades(fit, inputs).values()]
    return np.asarray(np.any(np.broadcast_arrays(*outside), axis=0), dtype=np.bool_)
