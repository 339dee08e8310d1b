"""What the Plan page shows, worked out once for each choice and kept.

Keys are text that says all about a result: the fit's own key and the scenario written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.accounting import Architecture, Family, find_family
from isoflop.accounting.shapes import CountedParams, ProposedShape, propose_shape
from isoflop.fitting import Fit
from isoflop.planning import Frontier, Plan, PlanOptions
from isoflop.planning import frontier as frontier_of
from isoflop.planning.constraints import Setting, fixed_for, law_for
from isoflop.planning.inverse import (
    LeastCompute,
    SmallerModel,
    cheapest,
    least_compute,
    smaller_models,
)
from isoflop.planning.plan import plan_within
from isoflop.planning.scenario import count_of, setting_of
from isoflop.planning.surface import Surface, loss_surface
from isoflop.planning.tornado import Sensitivity, sensitivity
from isoflop.planning.types import Optimum
from isoflop.ui import caching
from isoflop.ui.caching import Fitted
from isoflop.ui.keeping import kept
from isoflop.ui.plan_controls import Inputs
from isoflop.ui.plan_model import DEFAULT_FAMILY

MAX_RESULTS = 64
FACTORS = np.append(np.geomspace(1.0, 16.0, 33), [3.0, 6.0, 12.0])
"""How many times smaller than the plan's the models are that are trained longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The choices on the page and the plan that follows.

    Parameters
    ----------
    chosen : Inputs
    fitted : Fitted
    setting : Setting
    plan : Plan
    key : str
        Says all that the plan depends on.
    """

    chosen: Inputs
    fitted: Fitted
    setting: Setting
    plan: Plan
    key: str

    @property
    def fit(self) -> Fit:
        """The fit with the law that the plan uses: with repetition where tokens are short."""
        fit = self.fitted.fit
        return replace(fit, law=law_for(fit.law, self.setting.budget))

    @property
    def fixed(self) -> dict[str, float]:
        """Values of the law's other inputs."""
        return fixed_for(self.setting.budget, self.chosen.selection.fixed)

    @property
    def count(self) -> CountedParams:
        """What N counts."""
        return count_of(self.family, self.fitted.fit.param_convention)

    @property
    def family(self) -> Family:
        """The family whose proportions the model takes."""
        return find_family(self.chosen.scenario.options.family or DEFAULT_FAMILY)


def view(chosen: Inputs) -> View:
    """Fit and plan what is chosen.

    Raises
    ------
    IsoflopError
        If there is no fit, or nothing can be trained within the limits.
    """
    fitted = caching.fitted(chosen.selection)
    setting = setting_of(chosen.scenario, fitted.fit.param_convention)
    key = repr((fitted.key, chosen.scenario, dict(chosen.selection.fixed)))
    plan = _plan(key, fitted.fit, setting, chosen.scenario.options, chosen.selection.fixed)
    return View(chosen=chosen, fitted=fitted, setting=setting, plan=plan, key=key)


@st.cache_resource(max_entries=MAX_RESULTS, show_spinner="Planning")
def _plan(
    key: str,
    _fit: Fit,
    _setting: Setting,
    _options: PlanOptions,
    _fixed: Mapping[str, float],
) -> Plan:
    return plan_within(_fit, _setting, params=_options.params, level=_options.level, fixed=_fixed)


_surface = kept(loss_surface)


def surface(shown: View) -> Surface:
    """Return the best loss over accelerators and times around the plan."""
    return _surface(shown.fitted.fit, shown.setting, fixed=shown.chosen.selection.fixed)


def frontier(shown: View) -> Frontier:
    """Return the compute-optimal models around the plan and the data, with bands.

    Raises
    ------
    PlanError
        If the law has none.
    """
    return _frontier(shown.key, shown)


@st.cache_resource(max_entries=MAX_RESULTS, show_spinner=False)
def _frontier(key: str, _shown: View) -> Frontier:
    flop = _shown.plan.compute_flop
    rows = _shown.fitted.table.included()
    seen = rows["compute_flop"].to_numpy(np.float64) if "compute_flop" in rows else np.array([flop])
    low, high = min(float(np.nanmin(seen)), flop), max(float(np.nanmax(seen)), flop) * 10
    grid = np.geomspace(low, high, 60)
    return frontier_of(_shown.fit, grid, rule=_shown.setting.rule, fixed=_shown.fixed)


def sensitivities(shown: View) -> tuple[Sensitivity, ...]:
    """Return how far loss and money move with each assumption."""
    return _sensitivities(shown.key, shown)


@st.cache_resource(max_entries=MAX_RESULTS, show_spinner=False)
def _sensitivities(key: str, _shown: View) -> tuple[Sensitivity, ...]:
    return sensitivity(
        _shown.fitted.fit, _shown.setting, _shown.plan, _shown.chosen.selection.fixed
    )


def target(shown: View, loss: float) -> LeastCompute:
    """Return the least compute that reaches a loss.

    Raises
    ------
    LossUnreachable
        If none does.
    """
    return _target(shown.key, loss, shown)


@st.cache_resource(max_entries=MAX_RESULTS, show_spinner="Searching")
def _target(key: str, loss: float, _shown: View) -> LeastCompute:
    return least_compute(_shown.fit, loss, rule=_shown.setting.rule, fixed=_shown.fixed)


def smaller(shown: View) -> tuple[SmallerModel, ...]:
    """Return smaller models that reach the plan's loss, the largest first."""
    plan = shown.plan
    found = smaller_models(
        shown.fit,
        plan.params,
        plan.tokens,
        np.sort(FACTORS),
        rule=shown.setting.rule,
        fixed=shown.fixed,
    )
    return tuple(model for model in found if np.isfinite(model.tokens))


def lifetime(shown: View) -> tuple[NDArray[np.float64], Optimum]:
    """Return inference tokens, and the models of the plan's loss that are cheapest with each."""
    return _lifetime(shown.key, shown)


@st.cache_resource(max_entries=MAX_RESULTS, show_spinner=False)
def _lifetime(key: str, _shown: View) -> tuple[NDArray[np.float64], Optimum]:
    demand = np.geomspace(_shown.plan.tokens / 30, _shown.plan.tokens * 300, 25)
    fit = _shown.fit
    models = cheapest(
        fit.law,
        fit.theta,
        _shown.plan.loss,
        rule=_shown.setting.rule,
        inference_tokens=demand,
        fixed=_shown.fixed,
    )
    return demand, models


def shape(shown: View) -> ProposedShape:
    """Return a shape of the plan's size on the family's proportions.

    Raises
    ------
    PlanError
        If the family has none.
    """
    scenario = shown.chosen.scenario
    return propose_shape(
        shown.family,
        shown.plan.params,
        count=shown.count,
        heads_multiple=scenario.options.tensor,
    )


def context(shown: View, architecture: Architecture) -> int:
    """Return the sequence length of the run, in tokens."""
    return shown.chosen.scenario.options.context or architecture.context
