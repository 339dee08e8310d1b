"""Selecting runs within a budget so that knowing their losses leaves a target least uncertain.

Two criteria say what is left of the target's variance, both to first order. They differ where the
draws scatter more than the residuals explain: `OverDraws` lets the new runs count as much as that
implies, `AsFitted` as little as the fit, which weighs every row alike, will let them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

PARTS = 12
"""Equal parts that the budget is dealt out in."""

MAX_SWEEPS = 8


class Criterion(Protocol):
    """Says how much variance of a target some runs leave."""

    def variances(self, known: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the target's variance with each candidate known beside some runs known.

        Parameters
        ----------
        known : ndarray of int, shape (n_known,)
            Positions of candidates, with repetition.

        Returns
        -------
        ndarray, shape (n_candidates,)
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class OverDraws:
    """The expected variance over draws, given the losses of some runs.

    Parameters
    ----------
    covariance : ndarray, shape (1 + n_candidates, 1 + n_candidates)
        Over the draws, of the target and of each candidate's loss.
    noise_variance : float
        Of one run's own scatter.
    """

    covariance: NDArray[np.float64]
    noise_variance: float

    def variances(self, known: NDArray[np.intp]) -> NDArray[np.float64]:
        """Condition the joint covariance; see `Criterion`."""
        target, pull, among = self.covariance[0, 0], self.covariance[0, 1:], self.covariance[1:, 1:]
        own = np.diagonal(among)
        if len(known):
            given = among[np.ix_(known, known)] + self.noise_variance * np.eye(len(known))
            weights = np.linalg.solve(given, np.column_stack([pull[known], among[known]]))
            target = target - pull[known] @ weights[:, 0]
            own = own - np.einsum("kc,kc->c", among[known], weights[:, 1:])
            pull = pull - pull[known] @ weights[:, 1:]
        return np.asarray(target - pull**2 / (np.maximum(own, 0.0) + self.noise_variance))


@dataclass(frozen=True, slots=True, kw_only=True)
class AsFitted:
    """The variance of the target once the fit has taken some runs in like any other row.

    With runs ``X`` added to rows ``J``, estimates vary by ``inv(J'J + X'X) (J'J V J'J + s X'X)
    inv(J'J + X'X)``, where ``V`` is their covariance over the draws and ``s`` the noise. All
    derivatives are by the solver's own parameters.

    Parameters
    ----------
    target : ndarray, shape (n_params,)
        Derivative of the target.
    runs : ndarray, shape (n_candidates, n_params)
        Derivative of each candidate's loss.
    information : ndarray, shape (n_params, n_params)
        J'J.
    covariance : ndarray, shape (n_params, n_params)
        V.
    noise_variance : float
    """

    target: NDArray[np.float64]
    runs: NDArray[np.float64]
    information: NDArray[np.float64]
    covariance: NDArray[np.float64]
    noise_variance: float

    def variances(self, known: NDArray[np.intp]) -> NDArray[np.float64]:
        """Update the inverse information by Sherman and Morrison's formula; see `Criterion`."""
        added = self.runs[known].T @ self.runs[known]
        score = self.information @ self.covariance @ self.information + self.noise_variance * added
        inverse = np.linalg.inv(self.information + added)
        moved, pull = self.runs @ inverse, inverse @ self.target
        share = (self.runs @ pull) / (1 + np.einsum("cp,cp->c", moved, self.runs))
        pulls = pull - moved * share[:, None]
        own = np.einsum("cp,cp->c", self.runs, pulls)
        return np.asarray(
            np.einsum("cp,pq,cq->c", pulls, score, pulls) + self.noise_variance * own**2
        )


def best_set(
    criterion: Criterion, cost: NDArray[np.float64], budget: float, count: int
) -> NDArray[np.intp]:
    """Return the candidates, with repetition, that leave least variance within a budget.

    The budget is dealt out to the runs in every way that twelfths allow; for each, one run after
    the other is exchanged for the best one of its share, until none changes. The best of those
    sets is then improved without regard to shares.

    Parameters
    ----------
    criterion : Criterion
    cost : ndarray, shape (n_candidates,)
        Some of them at most a twelfth of the budget.
    budget : float
    count : int
        Number of runs, up to `PARTS`.

    Returns
    -------
    ndarray of int, shape (count,)
    """
    start = np.full(count, int(np.argmin(cost)))
    best, least = start, np.inf
    for parts in _partitions(PARTS, count):
        limits = np.array(parts) / PARTS * budget
        found, variance = _exchange(criterion, cost, start, limits=limits)
        if variance < least:
            best, least = found, variance
    return _exchange(criterion, cost, best, budget=budget)[0]


def _exchange(
    criterion: Criterion,
    cost: NDArray[np.float64],
    chosen: NDArray[np.intp],
    *,
    limits: NDArray[np.float64] | None = None,
    budget: float = np.inf,
) -> tuple[NDArray[np.intp], float]:
    """Exchange one run after the other for a better one until none is; return the variance too."""
    chosen, least = chosen.copy(), np.inf
    for _ in range(MAX_SWEEPS):
        before = chosen.copy()
        for i in range(len(chosen)):
            others = np.delete(chosen, i)
            limit = budget - cost[others].sum() if limits is None else limits[i]
            variances = criterion.variances(others)
            allowed = np.where(cost <= limit * (1 + 1e-9), variances, np.inf)
            if allowed.min() < variances[chosen[i]] * (1 - 1e-9):
                chosen[i] = int(np.argmin(allowed))
            least = float(variances[chosen[i]])
        if np.array_equal(before, chosen):
            break
    return chosen, least


def _partitions(total: int, count: int, largest: int | None = None) -> Iterator[tuple[int, ...]]:
    """Yield every way to write a total as a sum of positive whole numbers, descending."""
    largest = total if largest is None else largest
    if count == 0:
        if total == 0:
            yield ()
        return
    for first in range(min(largest, total - count + 1), 0, -1):
        for rest in _partitions(total - first, count - 1, first):
            yield (first, *rest)
