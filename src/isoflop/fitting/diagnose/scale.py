"""How much one row says: the scale on which differences of the objective are judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.errors import FitError
from isoflop.fitting.diagnose.refit import Diagnostics
from isoflop.language import lazy_gettext, lazy_ngettext

FEWEST, WINDOW_SHARE = 8, 0.3
"""Residuals, beyond one a parameter, that a density around zero is taken from at least.

A third of a normal sample spans less than half a standard deviation, where its density is flat.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What the residuals say of the objective's own noise.

    Parameters
    ----------
    slope_variance : float
        Of the penalty's slope at a residual.
    curvature : float
        Of the penalty on average over the residuals: 1 for least squares; for the Huber penalty the
        share of residuals inside its quadratic part, as their density around zero implies it.
    correction : float
        Huber's factor for small samples, on a standard error.
    """

    slope_variance: float
    curvature: float
    correction: float

    @property
    def likelihood(self) -> float:
        """What twice a difference of the objective is divided by to be a chi-square."""
        return self.correction**2 * self.slope_variance / self.curvature

    @property
    def noise(self) -> float:
        """Standard deviation of a least-squares row that says as much as one row does here."""
        return self.correction * float(np.sqrt(self.slope_variance)) / self.curvature


def residual_scale(setup: Diagnostics) -> Scale:
    """Measure the noise of a fit's objective.

    Where the Huber delta holds too few residuals to see how dense they lie, more are taken: the
    curve is drawn through as many as it has parameters anyway.

    Raises
    ------
    FitError
        If the residuals do not say, with the reason.

    References
    ----------
    Huber 1981, Robust Statistics, section 7.6; Koenker and Bassett 1982, Econometrica 50, for the
    likelihood ratio of absolute deviations, to which a narrow delta leads.
    """
    problem = setup.problem
    n_free = setup.n_params - len(setup.fit.certificate.at_bound)
    freedom = problem.n_rows - n_free
    _, slope, _ = problem.linearise(setup.fit.theta)
    reason = ""
    if freedom <= 0:
        reason = lazy_gettext(
            "{rows} nothing to judge {n_free} parameters by.",
            rows=lazy_ngettext("{n:,} row leaves", "{n:,} rows leave", problem.n_rows),
            n_free=n_free,
        )
    elif problem.below != 1.0:
        reason = lazy_gettext("The asymmetric objective has none.")
    elif np.isfinite(problem.delta) and freedom < FEWEST:
        reason = lazy_gettext(
            "{n_rows} rows are too few to see how dense the residuals lie.", n_rows=problem.n_rows
        )
    elif float(slope @ slope) <= problem.rounding:
        reason = lazy_gettext("The law fits these rows without error.")
    if reason:
        raise FitError(
            lazy_gettext("No likelihood is available."),
            detail=reason,
            hint=lazy_gettext("Use the bootstrap, add rows, or choose another objective."),
        )
    inside = curvature = 1.0
    if np.isfinite(problem.delta):
        size = np.sort(np.abs(setup.fit.residuals))
        needed = n_free + max(FEWEST, int(WINDOW_SHARE * freedom))
        window = max(problem.delta, float(size[needed - 1]))
        inside = (int(np.sum(size <= window)) - n_free) / freedom
        curvature = inside * problem.delta / window
    return Scale(
        slope_variance=float(slope @ slope) / freedom,
        curvature=curvature,
        correction=1 + n_free / problem.n_rows * (1 - inside) / inside,
    )
