"""Two families, or two tables, under one law: how much compute one saves over the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.intervals import small_sample
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext as _

Array = NDArray[np.float64]
LossAt = Callable[[Fit, Array, Array], Array]
"""Loss of the best run at each scale, for each parameter vector: (fit, theta of shape
(n, n_params), scale of shape (m,)) to shape (n, m)."""

N_GRID = 160
REACH_DECADES = 4.0
"""How far beyond the scale asked for an equal loss is looked for; further is infinite."""
N_DRAWS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """How many times the scale of one family another needs for the same loss.

    Parameters
    ----------
    column : str
        What the scale is, such as ``"compute_flop"``.
    scale : ndarray, shape (n,)
        Of the family that is compared.
    centre, lower, upper : ndarray, shape (n,)
        Infinite where the other never gets there within four decades more, zero where it is there
        with four decades less.
    level : float
    is_extrapolation : ndarray of bool, shape (n,)
        Whether either family's scale lies beyond its own rows.
    loss : ndarray, shape (n,)
        That both reach.
    """

    column: str
    scale: Array
    centre: Array
    lower: Array
    upper: Array
    level: float
    is_extrapolation: NDArray[np.bool_]
    loss: Array


def loss_of_one_input(fit: Fit, theta: Array, scale: Array) -> Array:
    """Return the loss under a law whose one input is the scale.

    Raises
    ------
    FitError
        If the law needs anything else.
    """
    if len(fit.law.inputs) != 1:
        raise FitError(
            _("{label} does not give the loss from one measure of scale.", label=fit.law.label),
            hint=_("Choose a law of one input, or say which run each scale stands for."),
        )
    return fit.law.loss(theta, {fit.law.symbols[0]: scale})


def compute_multiplier(
    one: Fit,
    other: Fit,
    scale: Array,
    *,
    column: str = "compute_flop",
    ranges: tuple[tuple[float, float], tuple[float, float]],
    loss_at: LossAt = loss_of_one_input,
    level: float = 0.9,
) -> Multiplier:
    """Compare two fits by the scale that each needs for the same loss.

    A multiplier of 2 at C means that the other family needs 2 C for what the first reaches with C.
    Draws of the two fits are taken as independent: they rest on different runs.

    Parameters
    ----------
    one, other : Fit
        Of one law to two families, with draws.
    scale : ndarray, shape (n,)
        Ascending.
    column : str
        What the scale is.
    ranges : ((float, float), (float, float))
        Scale that the rows of each family reach over.
    loss_at : callable
        Loss of the best run at a given scale; by default of a law of that alone.
    level : float

    Raises
    ------
    FitError
        If a fit has no draws, or ``loss_at`` cannot tell the loss.
    """
    if one.draws is None or other.draws is None:
        raise FitError(_("A multiplier needs bootstrap draws of both fits for its band."))
    scale = np.asarray(scale, dtype=np.float64)
    reach = 10.0**REACH_DECADES
    grid = np.geomspace(scale[0] / reach, scale[-1] * reach, N_GRID)
    count = min(N_DRAWS, len(one.draws), len(other.draws))
    loss_one = loss_at(one, _centre_and_draws(one, count), scale)
    loss_other = loss_at(other, _centre_and_draws(other, count), grid)
    ratio = np.stack(
        [_equal_loss(l1, grid, l2) / scale for l1, l2 in zip(loss_one, loss_other, strict=True)]
    )
    ratio = np.where(ratio > reach, np.inf, np.where(ratio < 1 / reach, 0.0, ratio))
    centre = ratio[0]
    lower, upper = _interval(ratio[1:], centre, (one, other), level)
    needed = centre * scale
    (low, high), (low_2, high_2) = ranges
    slack = 1 + 1e-9
    is_outside = (scale * slack < low) | (scale > high * slack)
    is_outside |= (needed * slack < low_2) | (needed > high_2 * slack)
    return Multiplier(
        column=column,
        scale=scale,
        centre=centre,
        lower=np.minimum(lower, centre),
        upper=np.maximum(upper, centre),
        level=level,
        is_extrapolation=is_outside,
        loss=loss_one[0],
    )


def _interval(
    draws: Array, centre: Array, fits: tuple[Fit, Fit], level: float
) -> tuple[Array, Array]:
    """Return the ends of a symmetric percentile interval of the logarithm, as bands have them.

    Where so many draws never reach the loss that it has no end, those of plain percentiles.
    """
    factor = max(small_sample(fit, level) for fit in fits)
    with np.errstate(all="ignore"):
        off = np.abs(np.log(draws / centre))
        reach = factor * np.quantile(off, level, axis=0, method="nearest")
        ends = np.array([centre * np.exp(-reach), centre * np.exp(reach)])
    tails = [(1 - level) / 2, (1 + level) / 2]
    plain = np.quantile(draws, tails, axis=0, method="nearest")
    lower, upper = np.where(np.isfinite(reach), ends, plain)
    return lower, upper


def _centre_and_draws(fit: Fit, count: int) -> Array:
    """Return the fit's parameters, then ``count`` of its draws."""
    assert fit.draws is not None
    step = len(fit.draws) // count
    return np.concatenate([fit.theta[None], fit.draws[::step][:count]])


def _equal_loss(wanted: Array, grid: Array, loss: Array) -> Array:
    """Return the scale at which a falling curve reaches each loss; infinite where it never does.

    Where the curve is flat or rises, the least scale counts.
    """
    falling = np.minimum.accumulate(loss)
    is_new = np.concatenate([[True], np.diff(falling) < 0])
    x, y = np.log(grid[is_new]), falling[is_new]
    found = np.exp(np.interp(wanted, y[::-1], x[::-1]))
    found = np.where(wanted < y[-1], np.inf, found)
    return np.where(wanted > y[0], 0.0, found)
