"""How often a run fails, how often it is best saved, and the share of its time that trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, expm1
from typing import Annotated, Any, Literal, get_args

import numpy as np
from scipy.special import lambertw

from isoflop.data import read_toml, require_keys
from isoflop.errors import CatalogError, PlanError
from isoflop.identity import Keyed
from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.options import Option, problems
from isoflop.units import HOUR_S

FAILURES_FILE = "failures.toml"

_MOST_MEANS = 500.0
"""Longer than so many mean times between failures no run lasts: the goodput is 0."""

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


@once
def load_failure_rates() -> tuple[FailureRate, ...]:
    """Return every published rate, in the order of the file.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    entries: list[dict[str, Any]] = read_toml(FAILURES_FILE)["rates"]
    for number, entry in enumerate(entries, start=1):
        where = _("rate {number} of {failures_file}", number=number, failures_file=FAILURES_FILE)
        require_keys(entry, where=where, required=frozenset(FailureRate.__dataclass_fields__))
        if entry["counts"] not in get_args(Counted) or not entry["rate_per_device_hour"] > 0:
            raise CatalogError(
                _("The data file entry {where} is malformed.", where=where),
                detail=f"counts: {entry['counts']}; rate: {entry['rate_per_device_hour']}",
            )
    return tuple(FailureRate(**entry) for entry in entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay:
    """How long one published save held a run, or one run took to come back.

    Parameters
    ----------
    label : str
    seconds : float
    verified : bool
        Whether the time was seen in the source named.
    source : str
    asynchronous : bool
        Whether a save is written while the run goes on.
    """

    label: str
    seconds: float
    verified: bool
    source: str
    asynchronous: bool = False


@once
def load_delays(kind: Literal["stalls", "restarts"]) -> tuple[Delay, ...]:
    """Return every published stall or restart, in the order of the file.

    Raises
    ------
    CatalogError
        If the data file is malformed.
    """
    entries: list[dict[str, Any]] = read_toml(FAILURES_FILE)[kind]
    for number, entry in enumerate(entries, start=1):
        where = _(
            "{kind} {number} of {failures_file}",
            kind=kind,
            number=number,
            failures_file=FAILURES_FILE,
        )
        names = frozenset(Delay.__dataclass_fields__) - {"asynchronous"}
        require_keys(entry, where=where, required=names, optional=frozenset({"asynchronous"}))
    return tuple(Delay(**entry) for entry in entries)


def usual_stall_s() -> float:
    """Return the median of the verified times that a save holds a run that does not wait for it.

    Large runs save so: with a stall of 40 s none of four published goodputs is reached.
    """
    return _median([item for item in load_delays("stalls") if item.asynchronous])


def usual_restart_s() -> float:
    """Return the median of the verified times from a failure to the next step."""
    return _median(load_delays("restarts"))


def _median(delays: Sequence[Delay]) -> float:
    return float(np.median([item.seconds for item in delays if item.verified]))


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
    """How a run fails, is saved and comes back.

    Parameters
    ----------
    rate_per_device_hour : float or None
        Failures, each of which stops the whole run; they come independently of each other. None
        takes the median of published rates, and counts their range as its error.
    stall_s : float
        That one save holds the run.
    restart_s : float
        From a failure until the run goes on from its last save.
    save_every_s : float or None
        Training between two saves; None takes the best.

    Raises
    ------
    PlanError
        Naming every figure that is impossible.
    """

    rate_per_device_hour: Annotated[
        float | None,
        Option(
            label=_("Failures per device-hour"),
            help=_(
                "Each stops the whole run. The median of published rates unless "
                "given, 2.6e-5, with their range as its error."
            ),
            flag="failure-rate",
            gt=0.0,
        ),
    ] = None
    stall_s: Annotated[
        float,
        Option(
            label=_("Stall of a save"),
            help=_(
                "How long one save holds the run: 6 s where it is written meanwhile, "
                "40 s for BLOOM's 2.3 TB and 149 s for a 7B run that wait for it."
            ),
            dimension="seconds",
            flag="stall",
            gt=0.0,
        ),
    ] = field(default_factory=usual_stall_s)
    restart_s: Annotated[
        float,
        Option(
            label=_("Restart"),
            help=_(
                "From a failure until the run goes on from its last save; 11 minutes "
                "in the median on 504 B200."
            ),
            dimension="seconds",
            flag="restart",
            ge=0.0,
        ),
    ] = field(default_factory=usual_restart_s)
    save_every_s: Annotated[
        float | None,
        Option(
            label=_("Save every"),
            help=_(
                "Training between two saves; that of the largest goodput unless "
                "given (Young 1974, Daly 2006)."
            ),
            dimension="seconds",
            flag="save-every",
            gt=0.0,
        ),
    ] = None

    def __post_init__(self) -> None:
        wrong = problems(self)
        if wrong:
            raise PlanError(
                _("These failure settings are not possible."), detail=joined("\n", wrong)
            )

    @property
    def rate(self) -> float:
        """Failures a device-hour, given or the median of published ones."""
        return self.rate_per_device_hour or usual_failure_rate()


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
        At the largest and the least published rate, saved as often; this one's where the rate was
        given.
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
        return _mean_s(self.failures.rate, self.accelerators)

    def expected(self, wall_time_s: float) -> float:
        """Return the failures to expect in some wall time."""
        return wall_time_s / self.mean_time_between_failures_s

    def saves(self, wall_time_s: float) -> float:
        """Return how often the run is saved in some wall time."""
        return wall_time_s * self.goodput / self.interval_s

    def summary(self) -> str:
        """Return it in two sentences."""
        return _(
            "{accelerators:,} accelerators fail once in "
            "{mean_time_between_failures_s:.3g} h. Saved every {interval_s:.3g} "
            "min (best: {best_interval_s:.3g}), {goodput:.1%} of the time trains "
            "({goodput_lower:.1%} to {goodput_upper:.1%} at published rates).",
            accelerators=self.accelerators,
            mean_time_between_failures_s=self.mean_time_between_failures_s / HOUR_S,
            interval_s=self.interval_s / 60,
            best_interval_s=self.best_interval_s / 60,
            goodput=self.goodput,
            goodput_lower=self.goodput_lower,
            goodput_upper=self.goodput_upper,
        )


def _mean_s(rate_per_device_hour: float, accelerators: int) -> float:
    return HOUR_S / (rate_per_device_hour * accelerators)


def interruptions(accelerators: int, failures: Failures | None = None) -> Interruptions:
    """Work out what failures do to a run.

    Parameters
    ----------
    accelerators : int
        All of which must work.
    failures : Failures, optional
        As published ones if absent.

    Raises
    ------
    PlanError
        If there is no accelerator.
    """
    if accelerators < 1:
        raise PlanError(
            _("Failures are counted on accelerators."),
            detail=_("got {accelerators}", accelerators=accelerators),
        )
    failures = failures or Failures()
    best = best_interval_s(_mean_s(failures.rate, accelerators), failures.stall_s)
    chosen = best if failures.save_every_s is None else failures.save_every_s
    rates: tuple[float, ...] = (failures.rate,)
    if failures.rate_per_device_hour is None:
        rates += failure_rate_range()
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
