"""How far a fit can be trusted: its optimum, its residuals, and the influence of each row."""

from isoflop.fitting.diagnose.influence import LeaveOut, Unit, has_runs, leave_out
from isoflop.fitting.diagnose.intervals import (
    ParameterIntervals,
    bootstrap_interval,
    parameter_intervals,
    write_interval,
)
from isoflop.fitting.diagnose.profile import Profile, profile_likelihoods, profiles
from isoflop.fitting.diagnose.refit import Diagnostics, diagnostics, one_step, weights_without
from isoflop.fitting.diagnose.residuals import (
    TO_SIGMA,
    Quantiles,
    Residuals,
    Trend,
    normal_quantiles,
    residuals,
    trend,
)
from isoflop.fitting.diagnose.scale import Scale, residual_scale
from isoflop.fitting.diagnose.surface import (
    Extent,
    Multistart,
    ObjectiveSurface,
    drawn_pairs,
    drawn_parameters,
    multistart,
    objective_surface,
)

__all__ = [
    "TO_SIGMA",
    "Diagnostics",
    "Extent",
    "LeaveOut",
    "Multistart",
    "ObjectiveSurface",
    "ParameterIntervals",
    "Profile",
    "Quantiles",
    "Residuals",
    "Scale",
    "Trend",
    "Unit",
    "bootstrap_interval",
    "diagnostics",
    "drawn_pairs",
    "drawn_parameters",
    "has_runs",
    "leave_out",
    "multistart",
    "normal_quantiles",
    "objective_surface",
    "one_step",
    "parameter_intervals",
    "profile_likelihoods",
    "profiles",
    "residual_scale",
    "residuals",
    "trend",
    "weights_without",
    "write_interval",
]
