"""Published failures and goodput against the median rate and the formula."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.failures import (
    Failures,
    best_interval_s,
    goodput,
    interruptions,
    load_failure_rates,
)
from isoflop.units import HOUR_S

GOODPUTS = Path(__file__).parent / "goodput.csv"
N_SAVES = 20_000


def rate_log_errors() -> NDArray[np.float64]:
    """Return log of predicted over published rates, each by the median of the other systems'."""
    rates = np.log(
        [
            rate.rate_per_device_hour
            for rate in load_failure_rates()
            if rate.verified and rate.counts == "failures"
        ]
    )
    return np.array([np.median(np.delete(rates, i)) - rates[i] for i in range(len(rates))])


def simulated_goodput(
    interval_s: float, mean_s: float, stall_s: float, restart_s: float, seed: int = 0
) -> float:
    """Return the share that trains of a run whose failures are drawn one by one."""
    random = np.random.default_rng(seed)
    clock = 0.0
    for _ in range(N_SAVES):
        while (failure := random.exponential(mean_s)) <= interval_s + stall_s:
            clock += failure
            while (again := random.exponential(mean_s)) < restart_s:  # it fails while it restarts
                clock += again
            clock += restart_s
        clock += interval_s + stall_s
    return N_SAVES * interval_s / clock


def formula_errors() -> NDArray[np.float64]:
    """Return the formula less a simulation, in points, over a grid of systems and intervals."""
    found = []
    for mean_h, stall_s, factor in product((1.0, 3.0, 24.0), (5.0, 150.0), (0.5, 1.0, 2.0)):
        mean_s = mean_h * HOUR_S
        interval_s = factor * best_interval_s(mean_s, stall_s)
        ours = goodput(interval_s, mean_s, stall_s, 600.0)
        found.append(ours - simulated_goodput(interval_s, mean_s, stall_s, 600.0))
    return np.array(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goodput:
    """A published goodput beside the predicted one, its range and its miss.

    Parameters
    ----------
    label : str
    published : str
    predicted, lower, upper : float
        At the median, the largest and the least published rate, saved as is best.
    miss : float
        Points by which the prediction lies outside what was published; 0 inside.
    """

    label: str
    published: str
    predicted: float
    lower: float
    upper: float
    miss: float


def goodputs() -> Iterator[Goodput]:
    """Yield each published goodput beside the predicted one, by the usual stall and restart."""
    with GOODPUTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            low, high = float(row["published_lower"]), float(row["published_upper"])
            found = interruptions(int(row["accelerators"]), Failures())
            inside = min(max(found.goodput, low), high)
            yield Goodput(
                label=f"{row['label']}, {int(row['accelerators']):,} ({row['counts']})",
                published=f"{low:.1%}" if low == high else f"above {low:.0%}",
                predicted=found.goodput,
                lower=found.goodput_lower,
                upper=found.goodput_upper,
                miss=found.goodput - inside,
            )
