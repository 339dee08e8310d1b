"""How to fit: what is minimised, and how its uncertainty is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Objective = Literal["huber_log", "least_squares_log", "least_squares", "huber", "asymmetric_mae"]
LOG_OBJECTIVES = frozenset({"huber_log", "least_squares_log"})
"""Objectives on the logarithm of the loss."""

Bootstrap = Literal["rows", "smooth", "clusters", "wild"]
BY_ROW: frozenset[Bootstrap] = frozenset({"rows", "smooth"})
"""Ways to resample that take rows as independent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How to fit.

    Parameters
    ----------
    objective : str
        ``"huber_log"``: sum of Huber(log prediction - log loss) with ``huber_delta``;
        ``"least_squares_log"`` and ``"least_squares"``: half the sum of squared residuals of log
        loss and of loss; ``"huber"``: Huber on the loss itself; ``"asymmetric_mae"``: absolute
        residuals of the loss, points below the curve weighing ``asymmetry`` times as much, which
        fits the floor of the points.
    huber_delta : float
        Width of the quadratic part, in the residual's unit.
    asymmetry : float
        Weight of a point below the curve under ``"asymmetric_mae"``.
    n_bootstrap : int
        Number of resamples; 0 for none.
    bootstrap : {"rows", "smooth", "clusters", "wild"}
        Whether rows are drawn with replacement, as papers do; or each counts by a smooth random
        weight, which is better calibrated on small tables; or whole runs (``run_id``) are drawn;
        or the residuals of whole runs change size and sign (wild cluster bootstrap).
    seed : int
        Seed of the resampling.
    """

    objective: Objective = "huber_log"
    huber_delta: float = 1e-3
    asymmetry: float = 10.0
    n_bootstrap: int = 0
    bootstrap: Bootstrap = "rows"
    seed: int = 0
