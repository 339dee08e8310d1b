"""How far runs are, counted by FLOP: runs differ too much in size to be counted by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import harmonic_mean

from isoflop.training.config import RunConfig
from isoflop.training.estimates import estimate_cpu_s, run_flop
from isoflop.training.records import Record, RunHistory
from isoflop.training.runs import ACTIVE, RunState
from isoflop.training.schedule import segments, total_steps

N_AVERAGED = 16
"""Records that a speed is averaged over: single ones jump with whatever else the machine does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProgress:
    """One run at a glance.

    Parameters
    ----------
    share : float
        Between 0 and 1, by steps; every step of a run costs the same.
    total_flop : float
        Of trunk and branches.
    expected_s : float
        What the run was expected to take of a core.
    tokens_per_s : float or None
        Over the last ``N_AVERAGED`` records; None before the first.
    flop_per_s : float or None
        The same in FLOP.
    peak_share : float or None
        FLOP per CPU second over the rate of a plain matrix product on the same core.
    loss, gradient_norm : float or None
        Of the last record.
    n_points : int
        Finished budgets.
    """

    share: float
    total_flop: float
    expected_s: float
    tokens_per_s: float | None = None
    flop_per_s: float | None = None
    peak_share: float | None = None
    loss: float | None = None
    gradient_norm: float | None = None
    n_points: int = 0


def run_progress(config: RunConfig, history: RunHistory) -> RunProgress:
    """Read the progress of a run off its records."""
    model, steps = history.fact("model"), history.of_kind("step")
    n_points = len(history.of_kind("point"))
    if not model or not steps:
        return RunProgress(
            share=0.0,
            total_flop=run_flop(config),
            expected_s=estimate_cpu_s(config),
            n_points=n_points,
        )
    last = steps[-1]
    tokens_per_s = _mean_rate(steps, "tokens_per_s")
    per_token = float(model["training_flop_per_token"])
    environment = history.fact("environment") or {}
    peak = environment.get("matmul_peak_flop_per_s")
    return RunProgress(
        share=min(steps_done(config, last["segment"], last["step"]) / total_steps(config), 1.0),
        total_flop=per_token * config.tokens_per_step * total_steps(config),
        expected_s=estimate_cpu_s(config),
        tokens_per_s=tokens_per_s,
        flop_per_s=tokens_per_s * per_token,
        peak_share=_mean_rate(steps, "tokens_per_cpu_s") * per_token / peak if peak else None,
        loss=last["loss"],
        gradient_norm=last["gradient_norm"],
        n_points=n_points,
    )


def _mean_rate(steps: Sequence[Record], name: str) -> float:
    """Average a rate over the last records: of equal work, so the harmonic mean."""
    return float(harmonic_mean([max(step[name], 1e-9) for step in steps[-N_AVERAGED:]]))


def steps_done(config: RunConfig, segment_index: int, step: int) -> int:
    """Count the steps up to a place in the schedule."""
    found = segments(config)
    if segment_index >= len(found):  # records of another configuration
        return total_steps(config)
    before = sum(segment.stop - segment.start for segment in found[:segment_index])
    return before + step - found[segment_index].start


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """Several runs together.

    Parameters
    ----------
    share : float
        Of the FLOP of all, between 0 and 1.
    eta_s : float or None
        Seconds to go at the present pace; None while nothing runs.
    """

    share: float
    eta_s: float | None


def overall(parts: Sequence[tuple[RunState, RunProgress]]) -> Overall:
    """Add up runs; the time to go is that of the active ones.

    A run that trains goes on at its own pace. One that waits takes what it was expected to, times
    how much longer those took whose pace is known: small models and recurrent ones make fewer FLOP
    a second, so that one pace does not serve all.
    """
    total = sum(part.total_flop for _, part in parts)
    done = sum(part.share * part.total_flop for _, part in parts)
    share = done / total if total else 0.0
    running = [part for state, part in parts if state.status == "running" and part.flop_per_s]
    if not running:
        return Overall(share=share, eta_s=None)
    slowdown = sum(map(_whole_s, running)) / sum(part.expected_s for part in running)
    left = [(1 - part.share) * _whole_s(part) for part in running]
    waiting = [
        (1 - part.share) * part.expected_s * slowdown
        for state, part in parts
        if state.status in ACTIVE and part not in running
    ]
    return Overall(share=share, eta_s=max([*left, sum(left + waiting) / len(running)]))


def _whole_s(part: RunProgress) -> float:
    """Seconds that a whole run takes at the pace that it has."""
    assert part.flop_per_s is not None
    return part.total_flop / part.flop_per_s
