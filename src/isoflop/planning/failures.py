"""How often a run fails, how often it is best saved, and the share of its time that trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from math import exp, expm1, isfinite
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import lambertw

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError, PlanError
from isoflop.identity import Keyed
from isoflop.units import HOUR_S

FAILURES_FILE = "failures.toml"

STALL_S = 40.0
"""That a save holds the run: BLOOM's 2.3 TB (stas00/ml-engineering, training/fault-tolerance)."""
_MOST_MEANS = 500.0
"""Longer than so many mean times between failures no run lasts: the goodput is 0."""
RESTART_S = 660.0
"""From a failure to the next step: the median of 11 minutes on 504 B200 (arXiv 2605.09370)."""

Counted = Literal["failures", "interruptions", "jobs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRate:
    """How often one run or cluster was interrupted.

    Parameters
    ----------
    label, accelerator : str
    accelerators : int
    rate_per_device_hour : float
    counts : {"failures", "interruptions", "jobs"}
        Failures of a whole system, every interruption, or failures of jobs of one size.
    verified : bool
        Whether the rate was seen in the source named.
    source : str
    """

    label: str
    accelerator: str
    accelerators: int
    rate_per_device_hour: float
    counts: Counted
    verified: bool
    source: str


@cache
def load_failure_rates() -> tuple[FailureRate, ...]:
    """Return every published rate, in the order of the file.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    entries: list[dict[str, Any]] = read_toml(FAILURES_FILE)["rates"]
    for number, entry in enumerate(entries, start=1):
        where = f"rate {number} of {FAILURES_FILE}"
        require_keys(entry, where=where, required=frozenset(FailureRate.__dataclass_fields__))
        if entry["counts"] not in get_args(Counted) or not entry["rate_per_device_hour"] > 0:
            raise CatalogError(
                f"The data file entry {where} is malformed.",
                detail=f"counts: {entry['counts']}; rate: {entry['rate_per_device_hour']}",
            )
    return tuple(FailureRate(**entry) for entry in entries)


def _comparable_rates() -> list[float]:
    return [
        rate.rate_per_device_hour
        for rate in load_failure_rates()
        if rate.verified and rate.counts == "failures"
    ]


def usual_failure_rate() -> float:
    """Return the median (of logarithms) of the verified rates of failures, a device-hour."""
    return float(np.exp(np.median(np.log(_comparable_rates()))))


def failure_rate_range() -> tuple[float, float]:
    """Return the least and the largest of the verified rates of failures, a device-hour."""
    rates = _comparable_rates()
    return min(rates), max(rates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """How a run fails and comes back.

    Parameters
    ----------
    rate_per_device_hour : float
        Failures, each of which stops the whole run; they come independently of each other.
    stall_s : float
        That one save holds the run.
    restart_s : float
        From a failure until the run goes on from its last save.

    Raises
    ------
    PlanError
        If the rate or the stall is not positive, or the restart is negative.
    """

    rate_per_device_hour: float = field(default_factory=usual_failure_rate)
    stall_s: float = STALL_S
    restart_s: float = RESTART_S

    def __post_init__(self) -> None:
        problems = [
            f"{name} = {value:g}"
            for name, value, is_sound in (
                ("rate_per_device_hour", self.rate_per_device_hour, self.rate_per_device_hour > 0),
                ("stall_s", self.stall_s, self.stall_s > 0),
                ("restart_s", self.restart_s, self.restart_s >= 0),
            )
            if not (isfinite(value) and is_sound)
        ]
        if problems:
            raise PlanError(
                "Failures need a positive rate, a save that takes time and a restart.",
                detail="\n".join(problems),
            )


def goodput(
    interval_s: float, mean_time_between_failures_s: float, stall_s: float, restart_s: float
) -> float:
    """Return the share of the wall time that trains, when failures come at random.

    Parameters
    ----------
    interval_s : float
        Training between two saves.
    mean_time_between_failures_s : float
        Of the whole run.
    stall_s : float
        That a save takes.
    restart_s : float
        From a failure until training goes on; it may itself be cut short by a failure.

    References
    ----------
    Daly 2006, A higher order estimate of the optimum checkpoint interval for restart dumps,
    Future Generation Computer Systems 22(3), equation 20 (exponential times between failures).
    """
    mean = mean_time_between_failures_s
    if (interval_s + stall_s + restart_s) / mean > _MOST_MEANS:
        return 0.0
    return interval_s / (mean * exp(restart_s / mean) * expm1((interval_s + stall_s) / mean))


def best_interval_s(mean_time_between_failures_s: float, stall_s: float) -> float:
    """Return the training time between two saves at which the goodput is largest.

    About ``sqrt(2 stall x mean)`` (Young 1974) where failures are rare; here exactly, by Lambert's
    function: ``mean (1 + W(-exp(-1 - stall / mean)))``. The restart does not matter.
    """
    mean = mean_time_between_failures_s
    return mean * (1 + float(lambertw(-exp(-1 - stall_s / mean)).real))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Interruptions(Keyed):
    """What failures do to a run.

    Parameters
    ----------
    accelerators : int
    failures : Failures
    interval_s : float
        Training between two saves.
    best_interval_s : float
        Where the goodput is largest.
    goodput : float
        Share of the wall time that trains.
    goodput_lower, goodput_upper : float
        At the largest and the least published rate, saved as often; they hold this rate's.
    """

    accelerators: int
    failures: Failures
    interval_s: float
    best_interval_s: float
    goodput: float
    goodput_lower: float
    goodput_upper: float
    key: str = field(init=False, repr=False)

    def __repr__(self) -> str:
        return f"<Interruptions: {self.accelerators:,} accelerators, goodput {self.goodput:.3f}>"

    @property
    def mean_time_between_failures_s(self) -> float:
        """Of the whole run."""
        return _mean_s(self.failures.rate_per_device_hour, self.accelerators)

    def expected(self, wall_time_s: float) -> float:
        """Return the failures to expect in some wall time."""
        return wall_time_s / self.mean_time_between_failures_s

    def saves(self, wall_time_s: float) -> float:
        """Return how often the run is saved in some wall time."""
        return wall_time_s * self.goodput / self.interval_s

    def summary(self) -> str:
        """Return it in two sentences."""
        return (
            f"{self.accelerators:,} accelerators fail once in "
            f"{self.mean_time_between_failures_s / HOUR_S:.3g} h. Saved every "
            f"{self.interval_s / 60:.3g} min (best: {self.best_interval_s / 60:.3g}), "
            f"{self.goodput:.1%} of the time trains ({self.goodput_lower:.1%} to "
            f"{self.goodput_upper:.1%} at published rates)."
        )


def _mean_s(rate_per_device_hour: float, accelerators: int) -> float:
    return HOUR_S / (rate_per_device_hour * accelerators)


def interruptions(
    accelerators: int, *, failures: Failures | None = None, interval_s: float | None = None
) -> Interruptions:
    """Work out what failures do to a run.

    Parameters
    ----------
    accelerators : int
        All of which must work.
    failures : Failures, optional
        At the usual rate if absent.
    interval_s : float, optional
        Training between two saves; the best if absent.

    Raises
    ------
    PlanError
        If there is no accelerator, or the interval is not positive.
    """
    if accelerators < 1 or (interval_s is not None and not interval_s > 0):
        raise PlanError(
            "Failures are counted on accelerators that train for a while between saves.",
            detail=f"accelerators = {accelerators}; interval = {interval_s} s",
        )
    failures = failures or Failures()
    best = best_interval_s(_mean_s(failures.rate_per_device_hour, accelerators), failures.stall_s)
    chosen = best if interval_s is None else interval_s
    rates = (failures.rate_per_device_hour, *failure_rate_range())
    shares = [
        goodput(chosen, _mean_s(rate, accelerators), failures.stall_s, failures.restart_s)
        for rate in rates
    ]
    return Interruptions(
        accelerators=accelerators,
        failures=failures,
        interval_s=chosen,
        best_interval_s=best,
        goodput=shares[0],
        goodput_lower=min(shares),
        goodput_upper=max(shares),
    )
