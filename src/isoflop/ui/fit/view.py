"""What the Fit page shows, computed and kept: the search, profiles, refits, proposals."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.fitting import Fit
from isoflop.fitting.diagnose import (
    Diagnostics,
    Residuals,
    diagnostics,
    objective_surface,
    profile_likelihoods,
    residuals,
)
from isoflop.fitting.table_notices import table_notices
from isoflop.language import lazy_gettext
from isoflop.notices import Notice
from isoflop.planning.deciding import DecidingRuns, deciding_runs
from isoflop.planning.design import design_runs
from isoflop.planning.extrapolation import budget_notices
from isoflop.planning.frontier import compute_optimal, require_interior
from isoflop.planning.refits import changes
from isoflop.planning.sensitivity import (
    OptimumDraws,
    Target,
    influence,
    optimum_draws,
    sensitivity_curve,
)
from isoflop.planning.types import Optimum
from isoflop.tables.exclude import Exclusion, exclude
from isoflop.ui import resolve
from isoflop.ui.caching import kept
from isoflop.ui.jobs import Effort, KeptByJob
from isoflop.ui.resolve import Fitted
from isoflop.ui.state import FitChoice

LEVEL = 0.9
REASON = lazy_gettext("left out on the Fit page")


MANY_PARAMS, HARDER = 5, 4.0
"""A law of more parameters has more exponents to search: its refits take so many times as long."""


def _effort(few_s: float, per_1000_rows_s: float) -> Effort:
    """Return the CPU seconds of work on a fit that grows with its rows, as measured."""

    def seconds(setup: Diagnostics, *_: object, **__: object) -> float:
        times = HARDER if len(setup.fit.law.params) > MANY_PARAMS else 1.0
        return times * (few_s + per_1000_rows_s * setup.fit.n_rows / 1000)

    return seconds


objective = KeptByJob(
    objective_surface, lazy_gettext("Computing the objective surface"), effort=_effort(0.4, 0.3)
)
profiles = KeptByJob(
    profile_likelihoods, lazy_gettext("Computing the profile likelihoods"), effort=_effort(0.8, 0.2)
)
design = KeptByJob(
    design_runs, lazy_gettext("Comparing sets of runs by refits"), effort=_effort(1.5, 1.0)
)
leave_one_out = kept(influence, spinner=lazy_gettext("Leaving out each row in turn"))
sensitivity = kept(sensitivity_curve, spinner=lazy_gettext("Refitting along each choice"))
refit_changes = kept(changes)
_deciding = KeptByJob(
    deciding_runs,
    lazy_gettext("Computing what each run would decide"),
    effort=lambda table, *_, **__: 1.8 + 0.1 * len(table.frame) / 1000,
)
_optimum = kept(optimum_draws)
_table_notices = kept(table_notices)
_budget_notices = kept(budget_notices)
_exclude = kept(exclude)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A fit, laid out for diagnosis, and the budget at which its optimum matters.

    Parameters
    ----------
    fitted : Fitted
    setup : Diagnostics
    target : Target
    """

    fitted: Fitted
    setup: Diagnostics
    target: Target

    @property
    def fit(self) -> Fit:
        """The fit."""
        return self.fitted.fit

    @property
    def residuals(self) -> Residuals:
        """Residuals, fitted values and leverages."""
        return residuals(self.setup)

    @property
    def optimum(self) -> OptimumDraws:
        """The optimum at the budget under the fit and its draws."""
        return _optimum(self.setup, self.target)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Notices on the rows, and on the distance of the budget from them."""
        target = self.target
        return (
            *_table_notices(self.fit, self.fitted.table),
            *_budget_notices(
                self.fit, target.compute_flop, fixed=target.fixed, rule=target.rule, level=LEVEL
            ),
        )


def view(choice: FitChoice, fitted: Fitted, compute_flop: float) -> View:
    """Lay out a fit for diagnosis."""
    return View(
        fitted=fitted,
        setup=diagnostics(fitted.fit, fitted.table),
        target=Target(compute_flop=compute_flop, fixed=dict(choice.fixed)),
    )


def optimum(fit: Fit, target: Target) -> Optimum:
    """Return the compute-optimal run of a fit at a budget.

    Raises
    ------
    PlanError
        If the law has none there.
    """
    best = compute_optimal(
        fit.law, fit.theta, target.compute_flop, rule=target.rule, fixed=target.fixed
    )
    require_interior(fit.law, best)
    return best


def deciding(
    shown: View, *, spend_flop: float, tokens_per_param: tuple[float, float]
) -> DecidingRuns:
    """Return the runs that leave least of the laws' disagreement at the budget.

    Raises
    ------
    PlanError
        If the laws agree there, or the fit's own law has no best size to ask them about.
    """
    target = shown.target
    best = optimum(shown.fit, target)
    return _deciding(
        shown.fitted.table,
        float(best.params),
        float(best.tokens),
        spend_flop=spend_flop,
        tokens_per_param=tokens_per_param,
        rule=target.rule,
    )


def without(shown: View, rows: tuple[int, ...]) -> View:
    """Return the view of a fit to the same table without some rows.

    Raises
    ------
    TooFewRows, FitError
        If the rows left cannot be fitted.
    """
    left_out = Exclusion(rule="rows", rows=rows, reason=REASON)
    table = _exclude(shown.fitted.table, (left_out,))
    refitted = resolve.fit_to(shown.fit.law, table, shown.fit.options)
    return View(
        fitted=Fitted(table=table, fit=refitted, published=None),
        setup=diagnostics(refitted, table),
        target=shown.target,
    )
