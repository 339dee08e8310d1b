"""Which small runs to train next, to narrow the prediction at the target most.

The bootstrap draws say how unsure each parameter is; the law says what the loss of a run would tell
of it. From both follows, for any set of runs, the expected variance of the prediction once they are
fitted too. The set that leaves least is found within the budget, and then confirmed by refits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.errors import FitError, PlanError
from isoflop.fitting.diagnose import TO_SIGMA, Diagnostics, residual_scale
from isoflop.fitting.result import Fit
from isoflop.language import joined, lazy_gettext, lazy_ngettext
from isoflop.planning.frontier import compute_optimal, require_interior
from isoflop.planning.gain import ExpectedGain, Progress, Runs, expected_gain
from isoflop.planning.inputs import inputs_at
from isoflop.planning.rule import ComputeRule
from isoflop.planning.selection import PARTS, AsFitted, Criterion, OverDraws, best_set
from isoflop.planning.sensitivity import Target, optima
from isoflop.planning.types import Optimum
from isoflop.tables.schema import said_response
from isoflop.units import format_quantity

Aim = Literal["loss", "size"]

MAX_RUNS = 8
COUNTS = (1, 2, 3, 4, 6, 8)
"""Numbers of runs that are tried."""

N_SHAPES = 40
N_SCREENING = 150
TOKENS_PER_PARAM = (2.0, 500.0)
"""From far undertrained to far overtrained; hardly any law rests on runs beyond."""

WORTH_IT = 0.02
"""Share of the interval's width that more runs must save to be proposed."""

NO_GAIN = 0.98
"""Share of the interval's width left from which on runs are said to be of no use."""

SCREENING_SHARE = 0.7
"""Of the work: comparing sets of runs, before the best one is looked at with all draws."""

MIN_DRAWS = 100
STEP = 1e-4
FAR = 30.0
"""Median deviations from the middle beyond which a draw has run off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Runs proposed, and how wide an interval they are expected to leave.

    Parameters
    ----------
    setup : Diagnostics
        Of the fit that they are to inform.
    runs : Runs
        The largest first; equal ones are repeats with other seeds.
    spend_flop : float
        Budget of all runs.
    target : Target
        What they are to inform.
    aim : {"loss", "size"}
        Whose interval is to be narrowed.
    counts : tuple of int
        Numbers of runs that were tried.
    left : ndarray, shape (n_counts,)
        Width of the aim's interval that the best set of so many runs leaves, over that now.
    left_single : float
        The same when the budget goes into one compute-optimal run.
    gain : ExpectedGain
        The bands before the runs and after.
    """

    setup: Diagnostics
    runs: Runs
    spend_flop: float
    target: Target
    aim: Aim
    counts: tuple[int, ...]
    left: NDArray[np.float64]
    left_single: float
    gain: ExpectedGain

    @property
    def width_left(self) -> float:
        """Width of the aim's interval after the runs, over that now."""
        return self.gain.loss_left if self.aim == "loss" else self.gain.size_left

    def summary(self) -> str:
        """Say in a sentence what the runs would do."""
        response = self.setup.fit.law.response
        what = (
            lazy_gettext("the {response}", response=said_response(response))
            if self.aim == "loss"
            else lazy_gettext("the compute-optimal size")
        )
        where = format_quantity(self.target.compute_flop, "flop")
        if self.width_left >= NO_GAIN:
            return lazy_gettext(
                "No set of runs within this budget narrows the interval of {what} at "
                "{where}: the best one leaves {width_left:.0%} of its width. Runs "
                "nearer to the target would.",
                what=what,
                where=where,
                width_left=self.width_left,
            )
        spent = format_quantity(float(self.runs.compute_flop.sum()), "flop")
        return lazy_gettext(
            "{runs} of {spent} together would shrink the {level:.0%} interval of "
            "{what} at {where} to {width_left:.0%} of its width.",
            runs=lazy_ngettext("{n:,} run", "{n:,} runs", len(self.runs.params)),
            spent=spent,
            level=self.gain.level,
            what=what,
            where=where,
            width_left=self.width_left,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a row a kind of run: how many of it, its size, data, compute and share."""
        kinds, count = self.runs.kinds()
        return pd.DataFrame(
            {
                "n_runs": count,
                "params": kinds.params,
                "tokens": kinds.tokens,
                "tokens_per_param": kinds.tokens_per_param,
                "compute_flop": kinds.compute_flop,
                "share_of_budget": count * kinds.compute_flop / self.spend_flop,
            }
        )


def design_runs(
    setup: Diagnostics,
    target: Target,
    *,
    spend_flop: float,
    n_runs: int | None = None,
    aim: Aim = "loss",
    tokens_per_param: tuple[float, float] = TOKENS_PER_PARAM,
    level: float = 0.9,
    progress: Progress | None = None,
) -> Design:
    """Propose the runs that shrink the band at the target most, within a budget.

    Sets that look best by the expected variance over the draws, and by that of the fit itself, are
    compared by refits.

    Parameters
    ----------
    setup : Diagnostics
        Of a fit with bootstrap draws.
    target : Target
        The run that they are to inform.
    spend_flop : float
        Training compute of all proposed runs together.
    n_runs : int, optional
        How many, up to `MAX_RUNS`; by default as many as still make a difference.
    aim : {"loss", "size"}
        Narrow the interval of the loss at the target's optimum, or of the optimal size there.
    tokens_per_param : (float, float)
        Range to choose among.
    level : float
        Nominal coverage of the intervals before and after.
    progress : callable, optional
        Called with the share done; may raise to cancel.

    Raises
    ------
    PlanError
        If the fit has too few draws, the law no compute-optimal size, or a number is out of range.

    References
    ----------
    Chaloner and Verdinelli 1995, Bayesian experimental design: a review, for the expected variance
    of one quantity (c-optimality).
    """
    _check(setup.fit, spend_flop, target, n_runs, tokens_per_param)
    optimum = partial(compute_optimal, setup.fit.law, rule=target.rule, fixed=target.fixed)
    best, alone = (optimum(setup.fit.theta, flop) for flop in (target.compute_flop, spend_flop))
    require_interior(setup.fit.law, best)
    candidates = candidate_runs(spend_flop, target.rule, tokens_per_param)
    criteria = _criteria(setup, target, aim, candidates, best)
    counts = COUNTS if n_runs is None else (n_runs,)
    sets = [
        candidates.part(best_set(criterion, candidates.compute_flop, spend_flop, count))
        for count in counts
        for criterion in criteria
    ]
    single = Runs(
        params=np.atleast_1d(alone.params),
        tokens=np.atleast_1d(alone.tokens),
        compute_flop=np.array([spend_flop]),
    )
    report = progress or _silent
    measured = []
    for runs in (*sets, single):
        seen = expected_gain(setup, runs, target, n_draws=N_SCREENING)
        measured.append(seen.loss_left if aim == "loss" else seen.size_left)
        report(SCREENING_SHARE * len(measured) / (len(sets) + 1))
    left = np.array(measured[:-1]).reshape(len(counts), len(criteria))
    count = int(np.argmax(left.min(axis=1) <= left.min() + WORTH_IT))
    chosen = sets[count * len(criteria) + int(np.argmin(left[count]))]
    chosen = chosen.part(np.lexsort((chosen.params, -chosen.compute_flop)))
    return Design(
        setup=setup,
        runs=chosen,
        spend_flop=spend_flop,
        target=target,
        aim=aim,
        counts=counts,
        left=left.min(axis=1),
        left_single=measured[-1],
        gain=expected_gain(
            setup,
            chosen,
            target,
            level=level,
            progress=lambda share: report(SCREENING_SHARE + (1 - SCREENING_SHARE) * share),
        ),
    )


def _silent(_: float) -> None:
    """Report progress to nobody."""


def noise_of_one_run(setup: Diagnostics) -> float:
    """Return the scatter with which one more run enters the fit, in the unit of its residuals.

    Where the objective has no noise of its own to tell, the robust standard deviation of the
    residuals.

    Raises
    ------
    PlanError
        If the residuals leave no noise to learn against.
    """
    try:
        return residual_scale(setup).noise
    except FitError as problem:
        robust = TO_SIGMA * float(np.median(np.abs(setup.fit.residuals)))
        if not robust > 0:
            raise PlanError(
                lazy_gettext("The fit leaves no residuals to judge a new run's scatter by."),
                detail=problem.detail,
                hint=lazy_gettext("Add rows, or choose a law with fewer parameters."),
            ) from None
        return robust


def _check(
    fit: Fit,
    spend_flop: float,
    target: Target,
    n_runs: int | None,
    tokens_per_param: tuple[float, float],
) -> None:
    """Refuse what cannot be designed for."""
    amounts = {
        lazy_gettext("The budget of the runs"): spend_flop,
        lazy_gettext("The target"): target.compute_flop,
    }
    problems = [
        lazy_gettext("{name} must be positive and finite, got {value:g}.", name=name, value=value)
        for name, value in amounts.items()
        if not (np.isfinite(value) and value > 0)
    ]
    if n_runs is not None and not 1 <= n_runs <= MAX_RUNS:
        problems.append(
            lazy_gettext(
                "Between 1 and {max_runs} runs can be proposed, not {n_runs}.",
                max_runs=MAX_RUNS,
                n_runs=n_runs,
            )
        )
    if not 0 < tokens_per_param[0] < tokens_per_param[1]:
        problems.append(
            lazy_gettext(
                "From {least:g} to {most:g} tokens per parameter is no range.",
                least=tokens_per_param[0],
                most=tokens_per_param[1],
            )
        )
    if problems:
        raise PlanError(
            lazy_gettext("These runs cannot be designed."), detail=joined("\n", problems)
        )


def candidate_runs(
    spend_flop: float, rule: ComputeRule, tokens_per_param: tuple[float, float]
) -> Runs:
    """Return runs of every twelfth of the budget and every shape."""
    low, high = tokens_per_param
    cost = spend_flop * np.arange(1, PARTS + 1)[:, None] / PARTS
    params = rule.params(cost, np.geomspace(low, high, N_SHAPES))
    tokens = rule.tokens(params, cost)
    is_real = tokens > 0
    return Runs(
        params=params[is_real],
        tokens=tokens[is_real],
        compute_flop=np.broadcast_to(cost, params.shape)[is_real],
    )


def _criteria(
    setup: Diagnostics, target: Target, aim: Aim, candidates: Runs, best: Optimum
) -> tuple[Criterion, ...]:
    """Return the criteria by which sets of runs are proposed."""
    draws = _settled(setup)
    noise_variance = noise_of_one_run(setup) ** 2
    at = partial(inputs_at, setup.fit.law, fixed=target.fixed, rule=target.rule)
    at_best = at(np.atleast_1d(best.params), np.atleast_1d(best.tokens))
    at_runs = at(candidates.params, candidates.tokens)
    if aim == "loss":
        wanted = setup.response(draws, at_best)
    else:
        wanted = np.log(optima(setup, draws, target).params)[:, None]
    together = np.column_stack([wanted, setup.response(draws, at_runs)])
    together = together[np.isfinite(together).all(axis=1)]
    over_draws = OverDraws(covariance=np.cov(together, rowvar=False), noise_variance=noise_variance)
    fit = setup.fit
    at_bound = fit.certificate.at_bound
    free = np.array([j for j, name in enumerate(fit.law.param_names) if name not in at_bound])
    own = np.where(setup.coordinates.is_log, fit.theta, 1.0)
    jacobian = (setup.problem.linearise(fit.theta)[0] * own)[:, free]
    size = np.sqrt(np.sum(jacobian**2, axis=0))
    pull = _derivative(fit, at_best)[0] * own if aim == "loss" else _size_derivative(setup, target)
    as_fitted = AsFitted(
        target=pull[free] / size,
        runs=(_derivative(fit, at_runs) * own)[:, free] / size,
        information=(jacobian / size).T @ (jacobian / size),
        covariance=np.outer(size, size)
        * np.cov(setup.coordinates.inward(draws)[:, free], rowvar=False),
        noise_variance=noise_variance,
    )
    return over_draws, as_fitted


def _derivative(fit: Fit, inputs: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the derivative of predictions by the parameters, as the residuals are taken."""
    gradient = fit.law.gradient(fit.theta, inputs)
    return gradient / fit.law.loss(fit.theta, inputs)[:, None] if fit.is_log else gradient


def _size_derivative(setup: Diagnostics, target: Target) -> NDArray[np.float64]:
    """Return the derivative of log N* by the solver's own parameters."""
    centre = setup.coordinates.inward(setup.fit.theta)
    steps = np.concatenate([STEP * np.eye(setup.n_params), -STEP * np.eye(setup.n_params)])
    found = optima(setup, setup.coordinates.outward(centre + steps), target)
    up, down = np.split(np.log(found.params), 2)
    return np.asarray((up - down) / (2 * STEP))


def _settled(setup: Diagnostics) -> NDArray[np.float64]:
    """Return the draws without those in which a parameter ran off.

    Raises
    ------
    PlanError
        If too few are left.
    """
    draws = np.empty((0, setup.n_params)) if setup.fit.draws is None else setup.fit.draws
    kept = draws
    if len(draws):
        internal = setup.coordinates.inward(draws)
        middle = np.median(internal, axis=0)
        reach = FAR * np.median(np.abs(internal - middle), axis=0)
        kept = draws[(np.abs(internal - middle) <= reach).all(axis=1)]
    if len(kept) < MIN_DRAWS:
        raise PlanError(
            lazy_gettext("The fit has {kept} usable bootstrap draws.", kept=len(kept)),
            detail=lazy_gettext(
                "At least {min_draws} are needed to estimate what a run would add.",
                min_draws=MIN_DRAWS,
            ),
            hint=lazy_gettext("Take more resamples, or a law that the rows determine better."),
        )
    return np.asarray(kept)
