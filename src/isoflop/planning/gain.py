"""How sure a prediction would be once some runs are trained and fitted too, found by refits.

Each bootstrap draw is taken for the truth in turn: it says what the runs would show, their scatter
included; the rows are fitted together with them; and the prediction is compared with that truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import PlanError
from isoflop.fitting.bootstrap import CELLS_AT_ONCE
from isoflop.fitting.diagnose import Diagnostics
from isoflop.fitting.objective import Problem
from isoflop.fitting.solve import minimise
from isoflop.language import lazy_gettext
from isoflop.planning.frontier import compute_optimal
from isoflop.planning.inputs import inputs_at
from isoflop.planning.sensitivity import Target

TOLERANCE = 1e-8
N_CURVE_POINTS = 60
MIN_DRAWS = 50
Progress = Callable[[float], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """Runs that could be trained, shape (n_runs,) each."""

    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    compute_flop: NDArray[np.float64]

    @property
    def tokens_per_param(self) -> NDArray[np.float64]:
        """Tokens per parameter of each, shape (n_runs,)."""
        return self.tokens / self.params

    def kinds(self) -> tuple[Runs, NDArray[np.int64]]:
        """Return each kind of run once, in their order, and how many there are of it."""
        pairs = np.stack([self.params, self.tokens])
        _, first, count = np.unique(pairs, axis=1, return_index=True, return_counts=True)
        order = np.argsort(first)
        return self.part(first[order]), count[order]

    def part(self, chosen: NDArray[np.intp]) -> Runs:
        """Return some of them."""
        return Runs(
            params=self.params[chosen],
            tokens=self.tokens[chosen],
            compute_flop=self.compute_flop[chosen],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One quantity's interval now, and as it is expected to be with the runs.

    Parameters
    ----------
    centre : ndarray, shape (n,)
        By the fit's own parameters.
    before, after : ndarray, shape (2, n)
        Lower and upper ends.
    """

    centre: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedGain:
    """The bands before some runs and after.

    Parameters
    ----------
    level : float
        Nominal coverage of every interval.
    loss : Spread
        Of the mean loss at the target's optimum, shape (1,).
    size : Spread
        Of the optimal size at the target, in parameters, shape (1,).
    curve_flop : ndarray, shape (n,)
    curve : Spread
        Of the mean loss along the compute-optimal path of the fit, shape (n,).
    loss_left, size_left : float
        Width of the interval after, over that before; of the size in logarithms.
    n_draws : int
        Draws that were taken for the truth.
    """

    level: float
    loss: Spread
    size: Spread
    curve_flop: NDArray[np.float64]
    curve: Spread
    loss_left: float
    size_left: float
    n_draws: int


def expected_gain(
    setup: Diagnostics,
    runs: Runs,
    target: Target,
    *,
    level: float = 0.9,
    n_draws: int = 1000,
    progress: Progress | None = None,
) -> ExpectedGain:
    """Return the bands before some runs and after, by refits.

    Parameters
    ----------
    setup : Diagnostics
        Of a fit with bootstrap draws.
    runs : Runs
        To be trained once each.
    target : Target
        Whose prediction matters.
    level : float
        Nominal coverage.
    n_draws : int
        At most so many draws are taken for the truth.
    progress : callable, optional
        Called with the share done; may raise to cancel.

    Raises
    ------
    PlanError
        If there are too few draws, or most have no optimum at the target.
    """
    fit = setup.fit
    optimum = partial(compute_optimal, fit.law, rule=target.rule, fixed=target.fixed)
    truths, refits = refit_with(setup, runs, target, n_draws=n_draws, progress=progress)
    best = optimum(fit.theta, target.compute_flop)
    low, high = sorted((float(np.sum(runs.compute_flop)), target.compute_flop))
    flop = np.geomspace(low / 10, high * 3, N_CURVE_POINTS)
    path = optimum(fit.theta, flop)

    def losses(params: ArrayLike, tokens: ArrayLike) -> tuple[Spread, float]:
        inputs = inputs_at(fit.law, *np.atleast_1d(params, tokens), target.fixed, rule=target.rule)
        centre, *draws = (fit.law.loss(theta, inputs) for theta in (fit.theta, truths, refits))
        return _spread(centre, *draws, level=level, is_log=fit.is_log)

    def sizes(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        found = optimum(theta, target.compute_flop)
        return np.where(found.is_interior, found.params, np.nan)[:, None]

    loss, loss_left = losses(best.params, best.tokens)
    size, size_left = _spread(
        np.atleast_1d(best.params), sizes(truths), sizes(refits), level=level, is_log=True
    )
    return ExpectedGain(
        level=level,
        loss=loss,
        size=size,
        curve_flop=flop,
        curve=losses(path.params, path.tokens)[0],
        loss_left=loss_left,
        size_left=size_left,
        n_draws=len(truths),
    )


def refit_with(
    setup: Diagnostics,
    runs: Runs,
    target: Target,
    *,
    n_draws: int,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit the rows together with the runs as each draw would have them turn out.

    Returns
    -------
    truths, refits : ndarray, shape (n, n_params)
        The draws taken for the truth, and the fits in their worlds.

    Raises
    ------
    PlanError
        If there are too few draws.
    """
    fit, n_old = setup.fit, setup.problem.n_rows
    draws = np.empty((0, setup.n_params)) if fit.draws is None else fit.draws[:n_draws]
    inputs = inputs_at(fit.law, runs.params, runs.tokens, target.fixed, rule=target.rule)
    expected, shown = (setup.response(theta, inputs) for theta in (fit.theta, draws))
    is_usable = np.isfinite(shown).all(axis=1)
    truths, shown = draws[is_usable], shown[is_usable]
    if len(truths) < MIN_DRAWS:
        raise PlanError(
            lazy_gettext("The fit has {truths} usable bootstrap draws.", truths=len(truths)),
            detail=lazy_gettext(
                "At least {min_draws} are needed to estimate what a run would add.",
                min_draws=MIN_DRAWS,
            ),
            hint=lazy_gettext("Fit with more bootstrap resamples."),
        )
    random = np.random.default_rng([fit.options.seed, 1])
    widened = fit.standardised_residuals * np.sqrt(n_old / max(n_old - setup.n_params, 1))
    scatter = random.choice(widened, size=shown.shape)
    # Residuals are predicted minus observed: what a run shows more lowers its residual.
    shift = np.zeros((len(truths), n_old + len(runs.params)))
    shift[:, n_old:] = expected - shown - scatter
    extended = _extended(setup, inputs, len(runs.params))
    refits = np.empty_like(truths)
    size = max(1, CELLS_AT_ONCE // extended.n_rows)
    for i in range(0, len(truths), size):
        part = slice(i, i + size)
        refits[part] = _lowest(setup, extended, truths[part], shift[part])
        if progress:
            progress(min(i + size, len(truths)) / len(truths))
    return truths, refits


def _extended(setup: Diagnostics, inputs: Mapping[str, NDArray[np.float64]], n_new: int) -> Problem:
    """Return the problem with more rows, at the losses that the fit expects."""
    law = setup.fit.law
    added = {symbol: np.broadcast_to(inputs[symbol], n_new) for symbol in law.symbols}
    return replace(
        setup.problem,
        inputs=[
            np.concatenate([old, added[symbol]])
            for old, symbol in zip(setup.rows.inputs, law.symbols, strict=True)
        ],
        target=np.concatenate([setup.rows.target, law.loss(setup.fit.theta, inputs)]),
    )


def _lowest(
    setup: Diagnostics,
    problem: Problem,
    truths: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Fit from the truth and from the present fit; return the lower end of each."""
    ends = [
        minimise(problem, setup.coordinates, start, None, shift, tolerance=TOLERANCE, damping=1e-2)
        for start in (truths, np.tile(setup.fit.theta, (len(truths), 1)))
    ]
    is_first = ends[0].value <= ends[1].value
    theta = np.where(is_first[:, None], ends[0].theta, ends[1].theta)
    is_finite = np.isfinite(np.minimum(ends[0].value, ends[1].value))
    return np.where(is_finite[:, None], theta, np.nan)


def _spread(
    centre: NDArray[np.float64],
    truths: NDArray[np.float64],
    refits: NDArray[np.float64],
    *,
    level: float,
    is_log: bool,
) -> tuple[Spread, float]:
    """Return the intervals that the errors of the fit, and of the refits, span; and their ratio.

    Raises
    ------
    PlanError
        If most of the values are missing.
    """
    if np.isnan(refits - truths).mean() > 0.5:
        raise PlanError(
            lazy_gettext("Under most draws the law has no compute-optimal size at the target."),
            hint=lazy_gettext("Choose a law that the rows determine better, or add rows."),
        )
    inward, outward = (np.log, np.exp) if is_log else (np.asarray, np.asarray)
    tails = [(1 + level) / 2, (1 - level) / 2]
    middle, true = inward(centre), inward(truths)
    ends = [
        middle - np.nanquantile(errors, tails, axis=0)
        for errors in (middle - true, inward(refits) - true)
    ]
    left = float((ends[1][1, 0] - ends[1][0, 0]) / (ends[0][1, 0] - ends[0][0, 0]))
    return Spread(centre=centre, before=outward(ends[0]), after=outward(ends[1])), left
