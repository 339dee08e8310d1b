"""What whole runs make of the speed of tuned steps: evaluation, slower software, repairs by hand.

The hours of published runs are compared with those that their fastest layout would have taken at
the usual rate of failures. The median is what a plan counts on, the spread the error to expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.data import read_toml, require_keys
from isoflop.language import lazy_gettext
from isoflop.once import once
from isoflop.planning.step_constants import CONSTANTS_FILE, INTERVAL_LEVEL

Array = NDArray[np.float64]

LARGE_FLOP = 2e24
"""From so much training compute on a run is of the largest, whose code is tuned for it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRuns:
    """What published runs made of the speed of tuned steps.

    Parameters
    ----------
    share : float
        Of the tuned speed, the median.
    lower, upper : float
        Between which multiples of the hours so planned 80% of the published hours lay, each run's
        source left out.
    large_lower : float
        The lower end for runs of `LARGE_FLOP` or more, from those alone.
    n_runs, n_sources, n_large : int
    """

    share: float
    lower: float
    upper: float
    large_lower: float
    n_runs: int
    n_sources: int
    n_large: int

    def ratios(self, flop: float) -> tuple[float, float]:
        """Return between which multiples of its planned hours a run of so much compute should lie.

        The share of the speed is no other for the largest runs, since it does not predict them
        better without their source; but some of them made all of the tuned speed.
        """
        return (min(self.lower, self.large_lower) if flop >= LARGE_FLOP else self.lower), self.upper


@once
def load_whole_runs() -> WholeRuns:
    """Return what published runs made of the speed of tuned steps.

    The file is made by ``python -m benchmarks.step_time --write``.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    entry = read_toml(CONSTANTS_FILE)["whole_runs"]
    names = frozenset(WholeRuns.__dataclass_fields__)
    require_keys(
        entry,
        where=lazy_gettext("whole_runs of {constants_file}", constants_file=CONSTANTS_FILE),
        required=names,
    )
    return WholeRuns(**entry)


def realised_share(tuned_over_published: Array, groups: Sequence[str]) -> float:
    """Return the median share of the tuned speed; a source weighs like the root of its runs.

    Parameters
    ----------
    tuned_over_published : ndarray, shape (n,)
        Hours in the fastest layout over those published.
    groups : sequence of str, shape (n,)
        Who published each.
    """
    return float(_quantile(tuned_over_published, _weights(groups), 0.5))


def shares_without_source(tuned_over_published: Array, groups: Sequence[str]) -> Array:
    """Return for each run the share that all other sources make, shape (n,)."""
    labels = np.asarray(groups)
    return np.array(
        [
            realised_share(tuned_over_published[labels != own], labels[labels != own].tolist())
            for own in labels
        ]
    )


def fit_whole_runs(tuned_over_published: Array, groups: Sequence[str], flop: Array) -> WholeRuns:
    """Return the share that whole runs make, and the error to expect of hours planned by it.

    Parameters
    ----------
    tuned_over_published, groups
        As `realised_share`.
    flop : ndarray, shape (n,)
        Training compute of each.
    """
    tail = (1 - INTERVAL_LEVEL) / 2
    off = shares_without_source(tuned_over_published, groups) / tuned_over_published
    weights, is_large = _weights(groups), flop >= LARGE_FLOP
    return WholeRuns(
        share=realised_share(tuned_over_published, groups),
        lower=float(_quantile(off, weights, tail)),
        upper=float(_quantile(off, weights, 1 - tail)),
        large_lower=float(_quantile(off[is_large], weights[is_large], tail)),
        n_runs=len(off),
        n_sources=len(set(groups)),
        n_large=int(is_large.sum()),
    )


def _weights(groups: Sequence[str]) -> Array:
    _, group, counts = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return np.asarray(counts[group] ** -0.5)


def _quantile(values: Array, weights: Array, share: float) -> float:
    found = np.quantile(values, share, weights=weights, method="inverted_cdf")
    return float(found)
