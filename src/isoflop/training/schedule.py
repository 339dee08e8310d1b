"""Warm-up, stable, decay: one trunk at a constant rate and a decay branch at every budget.

All budgets of a ladder then cost little more than the largest alone (Hu et al. 2024,
arXiv 2404.06395; Hägele et al. 2024, arXiv 2405.18392).
"""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.training.config import RunConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A stretch of steps trained in one go.

    Parameters
    ----------
    start, stop : int
        First step, and the one after the last.
    budget : int or None
        Index of the budget that this decay branch completes; None on the trunk.
    """

    start: int
    stop: int
    budget: int | None = None

    @property
    def is_decay(self) -> bool:
        """Whether the learning rate falls to zero here."""
        return self.budget is not None


def segments(config: RunConfig) -> tuple[Segment, ...]:
    """List trunk and branches in the order of training; a branch starts where its trunk ended."""
    found: list[Segment] = []
    position = 0
    for budget, stop in enumerate(config.budget_steps):
        start = max(position, min(stop - 1, round(stop * (1 - config.decay_fraction))))
        if start > position:
            found.append(Segment(start=position, stop=start))
        found.append(Segment(start=start, stop=stop, budget=budget))
        position = start
    return tuple(found)


def total_steps(config: RunConfig) -> int:
    """Count the optimiser steps of trunk and branches together."""
    return sum(segment.stop - segment.start for segment in segments(config))


def rate_multiplier(config: RunConfig, segment: Segment, step: int) -> float:
    """Learning rate of a step relative to its peak: linear warm-up, linear decay to zero.

    The warm-up does not depend on the budgets: a run of one of them goes the way of a ladder.
    """
    rate = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if segment.is_decay:
        rate *= (segment.stop - step) / (segment.stop - segment.start)
    return rate
