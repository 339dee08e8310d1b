"""Profile likelihood: how much worse the fit becomes when one parameter is held elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from isoflop.fitting.diagnose.conditional import minimise_held, response_of_others
from isoflop.fitting.diagnose.refit import Diagnostics
from isoflop.fitting.diagnose.scale import residual_scale
from isoflop.fitting.objective import Array
from isoflop.fitting.quantiles import t_quantile

N_POINTS = 31
REACH = 3.5
"""How far each side goes, in standard errors, unless a bound or a flat stretch comes first."""

LADDER = 0.125 * 2.0 ** np.arange(11)
"""Steps that look for that place, in standard errors of the quadratic approximation."""

FLAT = 0.02
"""Relative growth from one step of the ladder to the next below which nothing more is to come."""

N_SWEEPS = 6
LOWER_FOUND = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The objective along one parameter, all others at their best.

    Parameters
    ----------
    name : str
    value : ndarray, shape (n_points,)
        Of the parameter, natural units, ascending.
    root : ndarray, shape (n_points,)
        Signed root of the likelihood-ratio statistic: negative below the estimate, a straight line
        where the objective is a parabola.
    estimate : float
    lower, upper : float or None
        Ends of the interval; None where the rows do not bound that side.
    level : float
    threshold : float
        Of the statistic, at the ends of the interval.
    standard_error : float
        From the curvature at the optimum; of the parameter's logarithm if ``is_log``.
    is_log : bool
        Whether the parameter is searched by its logarithm.
    theta : ndarray, shape (n_points, n_params)
        The best parameters at each point.
    is_lower_found : bool
        Whether the objective falls below the reported minimum somewhere on the way.
    """

    name: str
    value: Array
    root: Array
    estimate: float
    lower: float | None
    upper: float | None
    level: float
    threshold: float
    standard_error: float
    is_log: bool
    theta: Array
    is_lower_found: bool

    @property
    def statistic(self) -> Array:
        """Likelihood-ratio statistic at each point, shape (n_points,)."""
        return np.asarray(self.root**2)

    @property
    def parabola(self) -> Array:
        """What the statistic would be were the objective a parabola, shape (n_points,)."""
        value, estimate = self.value, self.estimate
        shift = np.log(value / estimate) if self.is_log else value - estimate
        return np.asarray((shift / self.standard_error) ** 2)


def profile_likelihoods(
    setup: Diagnostics,
    *,
    level: float = 0.9,
    progress: Callable[[float], object] | None = None,
) -> tuple[Profile, ...]:
    """Return the profiles of all parameters.

    Parameters
    ----------
    setup : Diagnostics
    level : float
        Nominal coverage of the intervals.
    progress : callable, optional
        Called with the share done; may raise to cancel.

    Raises
    ------
    FitError
        If the residuals give no likelihood, with the reason.
    """
    done: list[Profile] = []
    for profile in profiles(setup, level=level):
        done.append(profile)
        if progress:
            progress(len(done) / setup.n_params)
    return tuple(done)


def profiles(setup: Diagnostics, *, level: float = 0.9) -> Iterator[Profile]:
    """Trace the profile of each parameter, one after the other.

    Parameters
    ----------
    setup : Diagnostics
    level : float
        Nominal coverage of the intervals.

    Yields
    ------
    Profile
        In the order of the law's parameters, without those that ran off to where they change
        nothing.

    Raises
    ------
    FitError
        If the residuals give no likelihood, with the reason.

    References
    ----------
    Schrader and Hettmansperger 1980, Biometrika 67, 93-101, for the robust likelihood ratio.
    """
    theta = setup.fit.theta
    point = setup.coordinates.pull_back(theta[None], setup.problem.evaluate(theta[None]))
    at_bound = setup.fit.certificate.at_bound
    is_held = np.array([name in at_bound for name in setup.fit.law.param_names])
    tracer = _Tracer(
        setup=setup,
        level=level,
        scale=residual_scale(setup).likelihood,
        centre=setup.coordinates.inward(theta),
        hessian=point.hessian[0],
        floor=float(point.value[0]),
        is_held=is_held,
    )
    # A logarithm that ran off to where it changes nothing has no scale to trace it on.
    for j in np.flatnonzero(~(is_held & setup.coordinates.is_log)):
        yield tracer.trace(int(j))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tracer:
    """Traces profiles in the solver's own coordinates."""

    setup: Diagnostics
    level: float
    scale: float
    centre: Array
    hessian: Array
    floor: float
    is_held: Array

    def trace(self, j: int) -> Profile:
        free = [k for k in range(len(self.centre)) if k == j or not self.is_held[k]]
        slope = np.zeros(len(self.centre))
        slope[free] = response_of_others(self.hessian[np.ix_(free, free)], free.index(j))
        error = float(np.sqrt(self.scale / max(float(self.hessian[j] @ slope), 1e-300)))
        steps = np.concatenate([-LADDER[::-1], [0.0], LADDER]) * error
        start = self.setup.coordinates.project(self.centre + np.outer(steps, slope))
        coarse, objective = self._settle(j, start)
        root = self._root(coarse[:, j] - self.centre[j], objective)
        is_known = np.isfinite(root)
        coarse, root = coarse[is_known], root[is_known]
        grid = _grid(coarse[:, j], root)
        start = np.stack([np.interp(grid, coarse[:, j], column) for column in coarse.T], axis=1)
        nearest = coarse[np.argmin(np.abs(grid[:, None] - coarse[:, j]), axis=1)]
        nearest[:, j] = grid
        return self._profile(j, *self._settle(j, start, nearest), error)

    def _settle(self, j: int, *starts: Array) -> tuple[Array, Array]:
        """Return where the others settle, and the objective; neighbours help each other along.

        Parameters
        ----------
        starts : ndarray, shape (n_points, n_params)
            Internal coordinates, with the same values of the held parameter.
        """
        place, objective = starts[0].copy(), np.full(len(starts[0]), np.inf)
        everywhere = np.arange(len(place))
        for start in starts:
            self._lower(j, everywhere, start, place, objective)
        changed = everywhere
        for _ in range(N_SWEEPS):
            better = []
            for shift in (1, -1):
                near = changed + shift
                near = near[(near >= 0) & (near < len(place))]
                start = place[near - shift]
                start[:, j] = place[near, j]
                better.append(self._lower(j, near, start, place, objective))
            changed = np.unique(np.concatenate(better))
            if not len(changed):
                break
        return place, objective

    def _lower(self, j: int, at: Array, start: Array, place: Array, objective: Array) -> Array:
        """Minimise from more starts, put what is lower in place, and return where it is by much."""
        coordinates = self.setup.coordinates
        theta = coordinates.outward(coordinates.project(start))
        found = minimise_held(self.setup.problem, coordinates, theta, j)
        before = objective[at]
        is_lower = found.value < before
        place[at[is_lower]] = coordinates.inward(found.theta[is_lower])
        objective[at[is_lower]] = found.value[is_lower]
        return at[found.value < before - 1e-3 * self.scale]

    def _root(self, side: Array, objective: Array) -> Array:
        excess = np.maximum(objective - self.floor, 0.0)
        return np.asarray(np.sign(side) * np.sqrt(2 * excess / self.scale))

    def _profile(self, j: int, fine: Array, objective: Array, error: float) -> Profile:
        theta = self.setup.coordinates.outward(fine)
        root = self._root(fine[:, j] - self.centre[j], objective)
        n_free = int(np.sum(~self.is_held))
        quantile = t_quantile(self.setup.problem.n_rows - n_free, 0.5 + self.level / 2)
        is_known = np.isfinite(root)
        ends = [_crossing(theta[is_known, j], root[is_known], sign * quantile) for sign in (-1, 1)]
        tolerance = LOWER_FOUND * self.floor + self.setup.problem.rounding
        return Profile(
            name=self.setup.fit.law.param_names[j],
            value=theta[is_known, j],
            root=root[is_known],
            estimate=float(self.setup.fit.theta[j]),
            lower=ends[0],
            upper=ends[1],
            level=self.level,
            threshold=quantile**2,
            standard_error=error,
            is_log=bool(self.setup.coordinates.is_log[j]),
            theta=theta[is_known],
            is_lower_found=bool(np.nanmin(objective) < self.floor - tolerance),
        )


def _grid(position: Array, root: Array) -> Array:
    """Return points to trace, as many on each side of the estimate, where the root is zero."""
    middle = int(np.argmin(np.abs(root)))
    below = _end(position[middle::-1], -root[middle::-1])
    above = _end(position[middle:], root[middle:])
    sides = [np.linspace(end, position[middle], N_POINTS // 2 + 1) for end in (below, above)]
    return np.unique(np.concatenate(sides))


def _end(position: Array, root: Array) -> float:
    """Return where the root reaches its goal, stops growing or meets a bound."""
    found = _first_past(position, root, REACH)
    if found is not None:
        return found
    is_growing = np.diff(root) > FLAT * np.abs(root[1:])
    last = int(np.flatnonzero(is_growing)[-1]) + 1 if is_growing.any() else len(root) - 1
    return float(position[last])


def _crossing(value: Array, root: Array, goal: float) -> float | None:
    """Return where the root first passes a goal, going outward; None if it never does."""
    middle = int(np.argmin(np.abs(root)))
    outward = slice(middle, None, -1 if goal < 0 else 1)
    return _first_past(value[outward], np.abs(root[outward]), abs(goal))


def _first_past(position: Array, size: Array, goal: float) -> float | None:
    """Return where a size first reaches a goal, by linear interpolation; None if it never does."""
    is_past = size >= goal
    if not is_past.any():
        return None
    first = int(np.argmax(is_past))
    if first == 0:
        return float(position[0])
    share = (goal - size[first - 1]) / (size[first] - size[first - 1])
    return float(position[first - 1] + share * (position[first] - position[first - 1]))
