"""Figures: one function each, results in, a `plotly.graph_objects.Figure` out.

>>> import isoflop as iso
>>> fit = iso.fit(iso.load("pile-cerebras-pythia"))
>>> figure = iso.plot.loss_curve(fit)
>>> figure.layout.meta["alt"]
'Loss against Training compute C (FLOP): ...'

Each figure says what it shows in ``figure.layout.meta["alt"]``, and what a reader must know of it
in ``figure.layout.meta["notes"]``. Nothing is imported until a figure is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoflop.plot._attention import attention as attention
    from isoflop.plot._backtest import backtest as backtest
    from isoflop.plot._bands import bands as bands
    from isoflop.plot._before_after import before_after as before_after
    from isoflop.plot._both_vary import both_vary as both_vary
    from isoflop.plot._compare import compare as compare
    from isoflop.plot._components import components as components
    from isoflop.plot._compute_multiplier import compute_multiplier as compute_multiplier
    from isoflop.plot._contours import contours as contours
    from isoflop.plot._decade_cost import decade_cost as decade_cost
    from isoflop.plot._design import design as design
    from isoflop.plot._disk import disk as disk
    from isoflop.plot._downstream import downstream as downstream
    from isoflop.plot._early_stop import early_stop as early_stop
    from isoflop.plot._envelope import envelope as envelope
    from isoflop.plot._expected_gain import expected_gain as expected_gain
    from isoflop.plot._extrapolation import extrapolation as extrapolation
    from isoflop.plot._families import families as families
    from isoflop.plot._floor import floor as floor
    from isoflop.plot._forecasts import forecasts as forecasts
    from isoflop.plot._frontier import frontier as frontier
    from isoflop.plot._gap import gap as gap
    from isoflop.plot._growth import growth as growth
    from isoflop.plot._held_out import held_out as held_out
    from isoflop.plot._influence import influence as influence
    from isoflop.plot._isoflop_profile import isoflop_profile as isoflop_profile
    from isoflop.plot._isoflop_profiles import isoflop_profiles as isoflop_profiles
    from isoflop.plot._isoflop_sizes import isoflop_sizes as isoflop_sizes
    from isoflop.plot._ladder import ladder as ladder
    from isoflop.plot._law_curves import law_curves as law_curves
    from isoflop.plot._learning_rates import learning_rates as learning_rates
    from isoflop.plot._leverage import leverage as leverage
    from isoflop.plot._lifetime import lifetime as lifetime
    from isoflop.plot._limits import limits as limits
    from isoflop.plot._loss_curve import loss_curve as loss_curve
    from isoflop.plot._loss_surface import loss_surface as loss_surface
    from isoflop.plot._memory import memory as memory
    from isoflop.plot._metric_by_family import metric_by_family as metric_by_family
    from isoflop.plot._metric_held_out import metric_held_out as metric_held_out
    from isoflop.plot._metric_of_loss import metric_of_loss as metric_of_loss
    from isoflop.plot._money import money as money
    from isoflop.plot._new_runs import new_runs as new_runs
    from isoflop.plot._next_token import next_token as next_token
    from isoflop.plot._objective_surface import objective_surface as objective_surface
    from isoflop.plot._optimum_sensitivity import optimum_sensitivity as optimum_sensitivity
    from isoflop.plot._overview import overview as overview
    from isoflop.plot._pairs import pairs as pairs
    from isoflop.plot._plans import plans as plans
    from isoflop.plot._power_law import power_law as power_law
    from isoflop.plot._profiles import profiles as profiles
    from isoflop.plot._published import published as published
    from isoflop.plot._published_flop import published_flop as published_flop
    from isoflop.plot._published_mfu import published_mfu as published_mfu
    from isoflop.plot._published_shift import published_shift as published_shift
    from isoflop.plot._residual_quantiles import residual_quantiles as residual_quantiles
    from isoflop.plot._residuals import residuals as residuals
    from isoflop.plot._risk import risk as risk
    from isoflop.plot._rolling_origin import rolling_origin as rolling_origin
    from isoflop.plot._room import room as room
    from isoflop.plot._run_counts import run_counts as run_counts
    from isoflop.plot._runs import runs as runs
    from isoflop.plot._smaller_models import smaller_models as smaller_models
    from isoflop.plot._time_shares import time_shares as time_shares
    from isoflop.plot._token_frequencies import token_frequencies as token_frequencies
    from isoflop.plot._tornado import tornado as tornado
    from isoflop.plot._training import training as training
    from isoflop.plot.theme import APP as APP
    from isoflop.plot.theme import DARK as DARK
    from isoflop.plot.theme import LIGHT as LIGHT
    from isoflop.plot.theme import Figure as Figure
    from isoflop.plot.theme import Theme as Theme

_THEME = ("APP", "DARK", "LIGHT", "Figure", "Theme")
FIGURES = (
    "attention",
    "backtest",
    "bands",
    "before_after",
    "both_vary",
    "compare",
    "components",
    "compute_multiplier",
    "contours",
    "decade_cost",
    "design",
    "disk",
    "downstream",
    "early_stop",
    "envelope",
    "expected_gain",
    "extrapolation",
    "families",
    "floor",
    "forecasts",
    "frontier",
    "gap",
    "growth",
    "held_out",
    "influence",
    "isoflop_profile",
    "isoflop_profiles",
    "isoflop_sizes",
    "ladder",
    "law_curves",
    "learning_rates",
    "leverage",
    "lifetime",
    "limits",
    "loss_curve",
    "loss_surface",
    "memory",
    "metric_by_family",
    "metric_held_out",
    "metric_of_loss",
    "money",
    "new_runs",
    "next_token",
    "objective_surface",
    "optimum_sensitivity",
    "overview",
    "pairs",
    "plans",
    "power_law",
    "profiles",
    "published",
    "published_flop",
    "published_mfu",
    "published_shift",
    "residual_quantiles",
    "residuals",
    "risk",
    "rolling_origin",
    "room",
    "run_counts",
    "runs",
    "smaller_models",
    "time_shares",
    "token_frequencies",
    "tornado",
    "training",
)
"""Names of the functions that draw, each in a module of its name with an underscore before it."""

__all__ = [*_THEME, "FIGURES", *FIGURES]


def __getattr__(name: str) -> Any:
    # A module named like its function would be found here in place of the function.
    if name in FIGURES:
        return getattr(import_module(f"isoflop.plot._{name}"), name)
    if name in _THEME:
        return getattr(import_module("isoflop.plot.theme"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
