"""IsoFLOP profiles (approach 2 of Hoffmann et al.): the best size of each budget.

Runs of one budget but different sizes form a profile, whose lowest point is the compute-optimal
size. A profile that does not enclose a minimum is refused with its reason, never extrapolated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import Akima1DInterpolator
from scipy.special import stdtr

from isoflop.errors import FitError, NotIdentified
from isoflop.fitting.isoflop.budgets import (
    DEFAULT_TOLERANCE,
    Checkpoints,
    checkpoints,
    common_budgets,
    grouped,
    read_off,
)
from isoflop.fitting.isoflop.line import Lines, PowerLine, line_through
from isoflop.identity import NOT_IDENTITY
from isoflop.language import joined, lazy_gettext
from isoflop.tables.schema import LossTable
from isoflop.units import format_number

Array = NDArray[np.float64]
Curve = Literal["parabola", "cubic", "akima"]

CURVE_LABELS: Mapping[Curve, str] = {
    "parabola": lazy_gettext("Parabola"),
    "cubic": lazy_gettext("Cubic"),
    "akima": lazy_gettext("Akima spline"),
}
CURVES: Mapping[Curve, str] = {
    "parabola": lazy_gettext("Parabola of the loss in log N or log D, as in the paper."),
    "cubic": lazy_gettext("Cubic: lets the two sides of the minimum differ."),
    "akima": lazy_gettext(
        "Akima spline through the points: no assumed shape, no smoothing of noise."
    ),
}
"""What each curve through a profile is."""
MIN_SIZES = 6
MAX_P_VALUE = 0.05
MIN_SHARE_OF_RUNS = 0.8
"""Of the runs that can be left out with a line remaining, below which there is no interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The runs of one compute budget.

    Parameters
    ----------
    compute_flop : float
        Geometric mean of the runs.
    params, tokens, loss : ndarray, shape (n,)
        By ascending size; one a size, of several runs their mean.
    optimal_params, optimal_tokens, optimal_loss : float
        The lowest point; NaN where the profile is refused.
    curve : callable or None
        Fitted loss by decimal logarithm of the size; None where there is none.
    p_value : float
        Of the curvature against none or a negative one; NaN where it was not tested.
    refusal : str
        Why the profile has no optimum; empty where it has.
    """

    compute_flop: float
    params: Array
    tokens: Array
    loss: Array
    optimal_params: float = float("nan")
    optimal_tokens: float = float("nan")
    optimal_loss: float = float("nan")
    curve: Callable[[Array], Array] | None = field(default=None, metadata=NOT_IDENTITY)
    p_value: float = float("nan")
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """All profiles of a table and the lines through their optima.

    Parameters
    ----------
    profiles : tuple of Profile
        Budgets of at least two sizes, by ascending compute, refused ones among them.
    params_line, tokens_line : PowerLine
    curve : {"parabola", "cubic", "akima"}
    is_read_off_curves : bool
        Whether losses were read off learning curves at common budgets, for lack of final losses.
    """

    profiles: tuple[Profile, ...]
    params_line: PowerLine
    tokens_line: PowerLine
    curve: Curve
    is_read_off_curves: bool

    @property
    def accepted(self) -> tuple[Profile, ...]:
        """The profiles that have an optimum."""
        return tuple(profile for profile in self.profiles if not profile.refusal)


def isoflop_profiles(
    table: LossTable, *, curve: Curve = "parabola", tolerance: float = DEFAULT_TOLERANCE
) -> tuple[Profile, ...]:
    """Group the rows by budget and find the best size of each.

    Parameters
    ----------
    table : LossTable
        With ``params``, ``tokens``, ``compute_flop`` and ``loss``. Where runs (``run_id``) have
        several rows, their learning curves are read at common budgets instead.
    curve : {"parabola", "cubic", "akima"}
    tolerance : float
        Largest spread of compute within one budget, as a share.

    Returns
    -------
    tuple of Profile
        Budgets of at least two sizes, by ascending compute, refused ones among them.

    Raises
    ------
    TableError
        If the table lacks a column.
    FitError
        If the curve is not known or the tolerance is out of range.
    """
    _check_curve(curve)
    return _profiles(_budgets(checkpoints(table), tolerance), curve)


def fit_profiles(
    table: LossTable, *, curve: Curve = "parabola", tolerance: float = DEFAULT_TOLERANCE
) -> Profiles:
    """Fit a power law through the best size of every budget.

    Its interval comes from the scatter of the optima about the line, or where budgets share runs
    (learning curves) from leaving out each run in turn.

    Parameters
    ----------
    table, curve, tolerance
        As in `isoflop_profiles`.

    Raises
    ------
    TableError, FitError
        As `isoflop_profiles`.
    NotIdentified
        If fewer than two budgets have an optimum; names the reason of each.

    References
    ----------
    Hoffmann et al. 2022 (arXiv 2203.15556), section 3.2.
    """
    _check_curve(curve)
    rows = checkpoints(table)
    profiles = _profiles(_budgets(rows, tolerance), curve)
    accepted = [profile for profile in profiles if not profile.refusal]
    if not profiles:
        raise NotIdentified(
            lazy_gettext(
                "No two runs of different size share a compute budget, so there are no profiles."
            ),
            hint=lazy_gettext(
                "Widen the tolerance, add sizes at equal compute, or use the parametric law."
            ),
        )
    if len(accepted) < 2:
        raise NotIdentified(
            lazy_gettext(
                "{accepted} of {profiles} compute budgets have an enclosed minimum; "
                "a line needs two.",
                accepted=len(accepted),
                profiles=len(profiles),
            ),
            detail=summarise_refusals(profiles),
            hint=lazy_gettext(
                "Widen the tolerance, add sizes at equal compute, or use the parametric law."
            ),
        )
    lines = lines_through(accepted)
    if rows.has_learning_curves:
        lines = _jackknifed(rows, lines, accepted, curve)
    return Profiles(
        profiles=profiles,
        params_line=lines[0],
        tokens_line=lines[1],
        curve=curve,
        is_read_off_curves=rows.has_learning_curves,
    )


def summarise_refusals(profiles: Sequence[Profile]) -> str:
    """Say how many budgets were refused for each reason."""
    kinds: dict[str, int] = {}
    for profile in profiles:
        if profile.refusal:
            kind = _kind(profile)
            kinds[kind] = kinds.get(kind, 0) + 1
    return joined(
        "; ",
        (lazy_gettext("{count} {kind}", count=count, kind=kind) for kind, count in kinds.items()),
    )


def _kind(profile: Profile) -> str:
    if "at least" in profile.refusal or "too few" in profile.refusal:
        return lazy_gettext("with fewer than {min_sizes} sizes", min_sizes=MIN_SIZES)
    if "not enclosed" in profile.refusal:
        return lazy_gettext("with the lowest loss at an end")
    if "curvature" in profile.refusal:
        return lazy_gettext("without significant positive curvature")
    return lazy_gettext("without a minimum of the curve inside")


def lines_through(profiles: Sequence[Profile]) -> Lines:
    """Return the lines of the best size and of the best number of tokens through the optima."""
    flop = np.array([profile.compute_flop for profile in profiles])
    return (
        line_through(flop, np.array([profile.optimal_params for profile in profiles])),
        line_through(flop, np.array([profile.optimal_tokens for profile in profiles])),
    )


def _check_curve(curve: str) -> None:
    if curve not in CURVES:
        raise FitError(
            lazy_gettext("There is no isoFLOP curve called {curve!r}.", curve=curve),
            hint=lazy_gettext("Choose one of {curves}.", curves=", ".join(CURVES)),
        )


def _budgets(rows: Checkpoints, tolerance: float) -> Iterator[Checkpoints]:
    if rows.has_learning_curves:
        return read_off(rows, common_budgets(rows))
    return grouped(rows, tolerance)


def _profiles(by_budget: Iterable[Checkpoints], curve: Curve) -> tuple[Profile, ...]:
    found = []
    for members in by_budget:
        sizes, which = np.unique(members.params, return_inverse=True)
        if len(sizes) < 2:
            continue
        count = np.bincount(which)
        profile = Profile(
            compute_flop=float(np.exp(np.log(members.compute_flop).mean())),
            params=sizes,
            tokens=np.bincount(which, weights=members.tokens) / count,
            loss=np.bincount(which, weights=members.loss) / count,
        )
        found.append(fit_profile(profile, curve))
    return tuple(found)


def _jackknifed(
    rows: Checkpoints,
    lines: Lines,
    accepted: Sequence[Profile],
    curve: Curve,
) -> Lines:
    """Return the lines with the covariance that leaving out each run in turn gives.

    References
    ----------
    Efron and Tibshirani 1993, An introduction to the bootstrap, chapter 11.
    """
    flop = np.array([profile.compute_flop for profile in accepted])
    found = []
    for run in range(rows.n_runs):
        rest = _profiles(read_off(rows.at(rows.run != run), flop), curve)
        kept = [profile for profile in rest if not profile.refusal]
        if len(kept) >= 2:
            found.append([[line.exponent, line.intercept] for line in lines_through(kept)])
    n_found = len(found)
    if n_found < MIN_SHARE_OF_RUNS * rows.n_runs:
        reason = lazy_gettext(
            "Without some of the runs fewer than two budgets have an enclosed minimum."
        )
        params_line, tokens_line = (replace(x, covariance=None, reason=reason) for x in lines)
        return params_line, tokens_line
    deviation = np.array(found) - np.mean(found, axis=0)
    covariance = (n_found - 1) / n_found * np.einsum("dkj,dkm->kjm", deviation, deviation)
    params_line, tokens_line = (
        replace(line, covariance=covariance[k], freedom=n_found - 1, reason="")
        for k, line in enumerate(lines)
    )
    return params_line, tokens_line


def fit_profile(profile: Profile, curve: Curve) -> Profile:
    """Return the profile with its optimum, or with the reason why it has none."""
    refusal = _refusal_of_points(profile)
    if refusal:
        return replace(profile, refusal=refusal)
    log_params, log_tokens = np.log10(profile.params), np.log10(profile.tokens)
    p_value = curvature_p_value(log_params, profile.loss)
    if not p_value < MAX_P_VALUE:
        shown = (
            lazy_gettext("is negative")
            if p_value > 0.5
            else lazy_gettext("is not significant (p = {p_value:.2f})", p_value=p_value)
        )
        return replace(
            profile, p_value=p_value, refusal=lazy_gettext("Its curvature {shown}.", shown=shown)
        )
    by_params = _FITTERS[curve](log_params, profile.loss)
    by_tokens = _FITTERS[curve](log_tokens, profile.loss)
    best_params, best_tokens = by_params.lowest, by_tokens.lowest
    if best_params is None or best_tokens is None:
        return replace(
            profile,
            p_value=p_value,
            curve=by_params.value,
            refusal=lazy_gettext(
                "The {curve} has no minimum between the smallest and the largest size.", curve=curve
            ),
        )
    return replace(
        profile,
        p_value=p_value,
        curve=by_params.value,
        optimal_params=float(10.0**best_params),
        optimal_tokens=float(10.0**best_tokens),
        optimal_loss=float(by_params.value(np.array([best_params]))[0]),
    )


def _refusal_of_points(profile: Profile) -> str:
    n_sizes = len(profile.params)
    if n_sizes < MIN_SIZES:
        return lazy_gettext(
            "It has {n_sizes} sizes; at least {min_sizes} are needed.",
            n_sizes=n_sizes,
            min_sizes=MIN_SIZES,
        )
    if len(np.unique(profile.tokens)) < MIN_SIZES:
        return lazy_gettext("Its runs saw too few different numbers of tokens.")
    lowest = int(np.argmin(profile.loss))
    if lowest in (0, n_sizes - 1):
        end = lazy_gettext("smallest") if lowest == 0 else lazy_gettext("largest")
        return lazy_gettext(
            "Its lowest loss is at the {end} size ({params}), so the minimum is not enclosed.",
            end=end,
            params=format_number(profile.params[lowest]),
        )
    return ""


def curvature_p_value(x: Array, y: Array) -> float:
    """Return the p-value of a positive quadratic term, one-sided, from the scatter about it."""
    x = x - x.mean()
    design = np.stack([x**2, x, np.ones_like(x)], axis=1)
    coefficients, *_ = np.linalg.lstsq(design, y)
    freedom = len(x) - 3
    if freedom < 1:
        return float("nan")
    residual = y - design @ coefficients
    variance = float(residual @ residual) / freedom * np.linalg.inv(design.T @ design)[0, 0]
    if variance <= 0:
        return 0.0 if coefficients[0] > 0 else 1.0
    return float(stdtr(freedom, -coefficients[0] / np.sqrt(variance)))


@dataclass(frozen=True, slots=True)
class _Shape:
    """A curve through a profile and where it is lowest; None if not inside the points."""

    value: Callable[[Array], Array]
    lowest: float | None


def _parabola(x: Array, y: Array) -> _Shape:
    return _polynomial(x, y, 2)


def _cubic(x: Array, y: Array) -> _Shape:
    return _polynomial(x, y, 3)


def _polynomial(x: Array, y: Array, degree: int) -> _Shape:
    shape = np.polynomial.Polynomial.fit(x, y, degree)
    slope = shape.deriv()
    return _Shape(
        shape, _lowest(np.asarray(slope.roots(), dtype=np.complex128), slope.deriv(), shape, x)
    )


def _akima(x: Array, y: Array) -> _Shape:
    points, which = np.unique(x, return_inverse=True)
    spline = Akima1DInterpolator(points, np.bincount(which, weights=y) / np.bincount(which))
    slope = spline.derivative()
    return _Shape(spline, _lowest(slope.roots(extrapolate=False), slope.derivative(), spline, x))


def _lowest(
    roots: NDArray[np.generic],
    curvature: Callable[[Array], Array],
    value: Callable[[Array], Array],
    x: Array,
) -> float | None:
    """Return the lowest stationary point strictly inside the points, if it is a minimum."""
    real = np.real(roots[np.abs(np.imag(roots)) < 1e-9])
    inside = real[(real > x.min()) & (real < x.max())]
    minima = inside[np.asarray(curvature(inside)) > 0] if len(inside) else inside
    if not len(minima):
        return None
    return float(minima[np.argmin(np.asarray(value(minima)))])


_FITTERS: Mapping[Curve, Callable[[Array, Array], _Shape]] = {
    "parabola": _parabola,
    "cubic": _cubic,
    "akima": _akima,
}
