"""Starting values by variable projection: search the nonlinear parameters, solve the linear ones.

The nonlinear parameters are laid out over their search ranges; at each point the linear ones have
a closed form. What is left of the objective is a surface over the nonlinear parameters alone, and
its low places are the seeds that are then polished.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isoflop.fitting.objective import Array, Problem, fill_scales, stack
from isoflop.fitting.solve import solve_definite
from isoflop.fitting.sums import layout
from isoflop.laws.formula import Formula, parse
from isoflop.laws.law import Law, Param

GRID_POINTS = {1: 96, 2: 26**2, 3: 2048, 4: 4096}
UNDECLARED_POINTS = {1: 512, 2: 64**2}
"""By the number of nonlinear parameters; more where the law does not say where they lie."""
MANY_POINTS = 6144
AROUND_POINTS = 900
SPARSE_DIMENSIONS, SPARSE_UNDECLARED_DIMENSIONS = 4, 2
"""From here on the lowest points are also moved along one parameter after another."""
SWEEPS = 2
SWEEP_STARTS, SWEEP_VALUES = 24, 96
SWEEP_APART = 0.02
TERM_SIZES, TERM_ROWS = (1e-3, 1e3), 32
"""Where a typed law's parameter that multiplies a term is searched: by the term's mean size."""

SEED_ROWS = 400
"""Rows that the surface is computed on; larger tables are thinned evenly along the loss."""

Piece = Callable[[Array], Array]
"""Turns shares, 0 to 1, into parameter values."""

_SMALL_SHARE = 1e-2
_FURTHEST = 1e30
_LOGARITHMS = {"log", "log2", "log10"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """The objective over the nonlinear parameters.

    Parameters
    ----------
    points : ndarray, shape (n_points, n_params)
        Whole parameter vectors, natural units.
    value : ndarray, shape (n_points,)
    unit : ndarray, shape (n_points, n_nonlinear)
        The nonlinear parameters as shares of their search ranges, 0 to 1.
    names : tuple of str
        The nonlinear parameters.
    """

    points: Array
    value: Array
    unit: Array
    names: tuple[str, ...]

    def lowest(self, count: int, apart: float = 0.1) -> Array:
        """Return up to ``count`` low points that are ``apart`` from each other, lowest first.

        Returns
        -------
        ndarray, shape (n_chosen, n_params)
        """
        return self.points[self.order(count, apart)]

    def order(self, count: int, apart: float) -> Array:
        """Return the positions of up to ``count`` low points that are apart, lowest first."""
        order = np.argsort(self.value, kind="stable")
        order = order[np.isfinite(self.value[order])]
        chosen: list[int] = []
        remaining = order[: 60 * count]
        while len(remaining) and len(chosen) < count:
            best = int(remaining[0])
            chosen.append(best)
            if self.unit.shape[1] == 0:
                break
            distance = np.abs(self.unit[remaining] - self.unit[best]).max(axis=1)
            remaining = remaining[distance > apart]
        return np.array(chosen, dtype=int)

    def rows(self, positions: Array) -> Surface:
        """Return the surface at some of its points."""
        return Surface(
            points=self.points[positions],
            value=self.value[positions],
            unit=self.unit[positions],
            names=self.names,
        )


def spread_points(count: int, dimensions: int) -> Array:
    """Return points that fill the unit cube evenly: a grid up to two dimensions, else a lattice.

    The lattice is Roberts' R sequence, the golden ratio's generalisation to more dimensions.

    Returns
    -------
    ndarray, shape (about count, dimensions)
    """
    if dimensions == 0:
        return np.zeros((1, 0))
    if dimensions <= 2:
        side = round(count ** (1 / dimensions))
        axis = (np.arange(side) + 0.5) / side
        return np.stack(np.meshgrid(*[axis] * dimensions, indexing="ij"), -1).reshape(
            -1, dimensions
        )
    root = 2.0
    for _ in range(60):  # the positive root of x**(d + 1) = x + 1
        root = (1.0 + root) ** (1.0 / (dimensions + 1))
    steps = root ** -np.arange(1, dimensions + 1)
    return np.asarray((0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0)


def _is_exponent(formula: Formula, name: str) -> bool:
    """Say whether a parameter stands in the exponent of a power, or multiplies a logarithm."""
    expressions = [expression for _, expression in formula.definitions] + [formula.result]
    for node in (node for expression in expressions for node in ast.walk(expression)):
        match node:
            case ast.BinOp(op=ast.Pow(), right=right) if name in _names(right):
                return True
            case ast.BinOp(op=ast.Mult(), left=left, right=right) if (
                name in _names(left) and _LOGARITHMS & _names(right)
            ) or (name in _names(right) and _LOGARITHMS & _names(left)):
                return True
    return False


def _names(node: ast.expr) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _guess(param: Param, unit: Array, inputs: Sequence[Array], is_exponent: bool) -> Array:
    """Spread an undeclared parameter over every magnitude that the formula may mean.

    Shares of the range go to exponents or plain numbers of either sign, to values like those of
    an input (locations, scales), and to their reciprocals (rates).
    """
    if is_exponent:
        pieces = [_signed_decades(0.02, 4.0)]
    else:
        pieces = [_signed_decades(1e-3, 1e3)]
        for values in inputs:
            sizes = np.abs(values[np.isfinite(values) & (values != 0)])
            if not len(sizes):
                continue
            small, large = float(np.min(sizes)), float(np.max(sizes))
            pieces.append(_between(float(np.min(values)), float(np.max(values))))
            pieces.append(_signed_decades(0.1 * small, 10 * large))
            pieces.append(_signed_decades(0.03 / large, 10 / small))
            pieces.append(_signed_decades(0.01 / large**2, 3 / small**2))
    position = unit * len(pieces)
    which = np.minimum(position.astype(int), len(pieces) - 1)
    result = np.empty_like(unit)
    for i, piece in enumerate(pieces):
        result[which == i] = piece(position[which == i] - i)
    return _within(param, result)


def _within(param: Param, values: Array) -> Array:
    return np.clip(values, max(param.lower, -_FURTHEST), min(param.upper, _FURTHEST))


def _signed_decades(small: float, large: float) -> Piece:
    def piece(unit: Array) -> Array:
        negative = unit < 0.35  # positive values are the more common ones
        share = np.where(negative, unit / 0.35, (unit - 0.35) / 0.65)
        return np.where(negative, -1.0, 1.0) * small * (large / small) ** share

    return piece


def _between(low: float, high: float) -> Piece:
    def piece(unit: Array) -> Array:
        return low + unit * (high - low)

    return piece


def _place(law: Law, nonlinear: list[int], inputs: Sequence[Array], unit: Array) -> Array:
    """Return the nonlinear parameters at points of the unit cube, their search ranges."""
    formula = parse(law.formula)
    by_symbol = dict(zip(law.symbols, inputs, strict=True))
    theta = np.ones((len(unit), len(law.params)))
    exponents = {j for j in nonlinear if _is_exponent(formula, law.params[j].name)}
    by_term = {
        found.param: found
        for found in law.derived.multipliers
        if law.params[found.param].search is None and found.param not in exponents
    }
    for column, j in enumerate(nonlinear):
        param = law.params[j]
        share = unit[:, column]
        if param.search is not None:
            theta[:, j] = _from_range(param, share, by_symbol)
        elif j not in by_term:
            theta[:, j] = _guess(param, share, inputs, j in exponents)
    some = [values[np.linspace(0, len(values) - 1, TERM_ROWS).astype(int)] for values in inputs]
    for j, multiplier in by_term.items():
        if j in nonlinear:
            term = _signed_decades(*TERM_SIZES)(unit[:, nonlinear.index(j)])
            theta[:, j] = _within(law.params[j], term * multiplier.per_unit(theta, some))
    return theta[:, nonlinear]


def _from_range(param: Param, share: Array, inputs: Mapping[str, Array]) -> Array:
    """Spread a declared parameter over its search range."""
    assert param.search is not None
    low, high = param.search
    if param.search_input:
        reference = inputs[param.search_input]
        low, high = low * float(np.min(reference)), high * float(np.max(reference))
        low, high = max(low, param.lower), min(high, param.upper)
    if param.scale == "log":
        return np.asarray(low * (high / low) ** share)
    return np.asarray(low + (high - low) * share)


def _solve_linear(gram: Array, moment: Array, is_positive: Array) -> Array:
    """Solve a batch of small least-squares problems, some unknowns non-negative.

    Where some come out negative, every set of unknowns held at zero is tried, which is exact for
    the few unknowns of a law.

    Parameters
    ----------
    gram : ndarray, shape (n_points, n_linear, n_linear)
        Weighted sums of products of what the unknowns multiply.
    moment : ndarray, shape (n_points, n_linear)
        Weighted sums of these and the target.
    is_positive : ndarray of bool, shape (n_linear,)

    Returns
    -------
    ndarray, shape (n_points, n_linear)
    """
    n_points, n_linear = moment.shape
    diagonal = np.arange(n_linear)
    scale = 1.0 / np.sqrt(np.maximum(gram[:, diagonal, diagonal], 1e-300))
    gram = gram * scale[:, :, None] * scale[:, None, :]
    moment = moment * scale
    gram[:, diagonal, diagonal] += 1e-12
    best = np.zeros((n_points, n_linear))
    best_gain = np.zeros(n_points)
    positive = np.flatnonzero(is_positive)
    asked = np.arange(n_points)
    for held in itertools.chain.from_iterable(
        itertools.combinations(positive, count) for count in range(len(positive) + 1)
    ):
        free = np.setdiff1d(diagonal, np.array(held, dtype=int))
        if not len(free) or not len(asked):
            continue
        part, is_definite = solve_definite(
            gram[asked[:, None, None], free[:, None], free], moment[asked[:, None], free]
        )
        gain = np.einsum("gk,gk->g", part, moment[asked[:, None], free])
        is_valid = is_definite & np.all((part >= 0) | ~is_positive[free], axis=1)
        is_best = is_valid & (gain > best_gain[asked])
        found = asked[is_best]
        best[found] = 0.0
        best[np.ix_(found, free)] = part[is_best]
        best_gain[found] = gain[is_best]
        if not held:
            asked = asked[~is_valid]
    return np.asarray(best * scale)


def thin(problem: Problem, n_rows: int = SEED_ROWS) -> Problem:
    """Return the problem on at most so many rows, spread evenly along the target."""
    if problem.n_rows <= n_rows:
        return problem
    order = np.argsort(problem.target, kind="stable")
    return problem.subset(order[np.linspace(0, problem.n_rows - 1, n_rows).astype(int)])


def make_surface(law: Law, problem: Problem) -> Surface:
    """Evaluate the objective over the nonlinear parameters, the linear ones at their best."""
    nonlinear = _nonlinear(law)
    dimensions = len(nonlinear)
    if all(law.params[j].search for j in nonlinear):
        count, sparse = GRID_POINTS.get(dimensions, MANY_POINTS), SPARSE_DIMENSIONS
    else:
        count = UNDECLARED_POINTS.get(dimensions, MANY_POINTS)
        sparse = SPARSE_UNDECLARED_DIMENSIONS
    unit = spread_points(count, dimensions)
    surface = _evaluate(law, problem, unit, _place(law, nonlinear, problem.inputs, unit))
    if dimensions < sparse:
        return surface
    swept = _swept(law, problem, surface)
    return Surface(
        points=np.concatenate([surface.points, swept.points]),
        value=np.concatenate([surface.value, swept.value]),
        unit=np.concatenate([surface.unit, swept.unit]),
        names=surface.names,
    )


def _swept(law: Law, problem: Problem, surface: Surface) -> Surface:
    """Search from the lowest points along one parameter after another, over its whole range.

    A lattice is sparse in many dimensions: it seldom has all of several narrow terms (two peaks,
    say) in place at once. Placing them one by one takes far fewer points.
    """
    nonlinear = _nonlinear(law)
    best = surface.rows(surface.order(SWEEP_STARTS, apart=SWEEP_APART))
    shares = (np.arange(SWEEP_VALUES) + 0.5) / SWEEP_VALUES
    n_each = 1 + SWEEP_VALUES  # where a point is, and along the range
    for column in np.tile(np.arange(len(nonlinear)), SWEEPS):
        unit = np.repeat(best.unit[:, None], n_each, axis=1)
        unit[:, 1:, column] = shares
        unit = unit.reshape(-1, len(nonlinear))
        tried = _evaluate(law, problem, unit, _place(law, nonlinear, problem.inputs, unit))
        value = np.where(np.isfinite(tried.value), tried.value, np.inf).reshape(-1, n_each)
        best = tried.rows(np.arange(len(value)) * n_each + value.argmin(axis=1))
    return best


def surface_around(law: Law, problem: Problem, starts: Array) -> Surface:
    """Evaluate the objective within two decades of given starts, signs kept.

    Parameters
    ----------
    starts : ndarray, shape (n_starts, n_params)
    """
    nonlinear = _nonlinear(law)
    unit = spread_points(AROUND_POINTS, len(nonlinear))
    factors = 10.0 ** (4 * unit - 2)
    values = (starts[:, None, nonlinear] * factors).reshape(-1, len(nonlinear))
    return _evaluate(law, problem, np.tile(unit, (len(starts), 1)), values)


def _nonlinear(law: Law) -> list[int]:
    return [j for j in range(len(law.params)) if j not in law.derived.projected]


def _evaluate(law: Law, problem: Problem, unit: Array, values: Array) -> Surface:
    problem = thin(problem)
    nonlinear = _nonlinear(law)
    theta = np.zeros((len(unit), len(law.params)))
    theta[:, nonlinear] = values
    theta = project_linear(law, problem, theta)
    bounds = [[param.lower, param.upper] for param in law.params]
    theta = np.clip(theta, *np.transpose(bounds))
    return Surface(
        points=theta,
        value=problem.value(theta),
        unit=unit,
        names=tuple(law.params[j].name for j in nonlinear),
    )


def project_linear(law: Law, problem: Problem, theta: Array) -> Array:
    """Return parameter vectors with those of a closed form at their best, given the others.

    Exact for least squares on the loss; for log objectives residuals are taken relative to the
    observed loss. A parameter searched by its logarithm, or that stands in an exponential, stays
    such that its term is a little above zero.

    Parameters
    ----------
    theta : ndarray, shape (n_points, n_params)

    Returns
    -------
    ndarray, shape (n_points, n_params)
    """
    closed = list(law.derived.projected)
    if not closed:
        return theta
    result = np.where(np.isin(np.arange(theta.shape[1]), closed), 0.0, theta)
    is_exponential = np.isin(closed, law.derived.exponential)
    is_log = is_exponential | np.array([law.params[j].scale == "log" for j in closed])
    is_positive = is_exponential | np.array([law.params[j].lower >= 0 for j in closed])
    row_weights = 1.0 / problem.target**2 if problem.is_log else np.ones(problem.n_rows)
    if problem.row_weights is not None:
        row_weights = row_weights * problem.row_weights
    gram, moment = _normal_equations(problem, result, row_weights, is_exponential)
    diagonal = np.diagonal(gram, axis1=1, axis2=2)
    with np.errstate(invalid="ignore"):  # what overflowed is left out
        is_finite = (diagonal < 1e200).all(axis=1) & np.isfinite(moment).all(axis=1)
    gram, moment = gram[is_finite], moment[is_finite]
    solved = _solve_linear(gram, moment, is_positive)
    # A positive parameter at zero has no logarithm: start it at a small share of the loss.
    size = np.sqrt(np.maximum(diagonal[is_finite], 1e-300))
    small = _SMALL_SHARE * np.sqrt(np.sum(row_weights * problem.target**2)) / size
    solved = np.where(is_log & (solved < small), small, solved)
    solved[:, is_exponential] = np.log(solved[:, is_exponential])
    full = np.full((len(theta), len(closed)), np.nan)
    full[is_finite] = solved
    result[:, closed] = full
    return result


def _normal_equations(
    problem: Problem, theta: Array, row_weights: Array, is_exponential: Array
) -> tuple[Array, Array]:
    """Return the least-squares equations for the parameters with a closed form.

    Parameters
    ----------
    theta : ndarray, shape (n_points, n_params)
        With these parameters at zero.
    row_weights : ndarray, shape (n_rows,)
    is_exponential : ndarray of bool, shape (n_closed,)

    Returns
    -------
    gram : ndarray, shape (n_points, n_closed, n_closed)
    moment : ndarray, shape (n_points, n_closed)
    """
    basis, sums = problem.derived.basis, problem.basis_sums
    plan = layout(basis)
    scales = np.ones((plan.n_scales, len(theta)))
    single = np.empty((plan.n_single, len(theta)))
    double = np.empty((plan.n_double, len(theta)))
    exponential = [part for part, it_is in zip(basis.parts, is_exponential, strict=True) if it_is]
    rows = basis.row_factors(problem.inputs) if exponential else []
    with np.errstate(all="ignore"):
        for chunk in problem.chunks(len(theta)):
            value, cores, parts = basis.run(stack(theta[chunk]), problem.inputs)
            fill_scales(scales[:, chunk], parts)
            # At zero an exponential parameter still gives its term once.
            for part in exponential:
                value = value - cores[part.core] * rows[part.row] * parts[part.scale]
            shape = (len(theta[chunk]), problem.n_rows)
            target = np.broadcast_to(row_weights * (problem.target - value), shape)
            cores = [np.broadcast_to(core, shape) for core in cores]
            sums.single(target, cores, single[:, chunk])
            sums.double(row_weights[None], cores, double[:, chunk])
        return sums.matrices(double, scales), sums.vectors(single, scales).T
