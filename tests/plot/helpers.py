"""Small fits and plans to draw, and what is asked of a figure."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
from tests.fitting.helpers import TRUTH

from isoflop.fitting import Fit, FitOptions, fit
from isoflop.laws import load_laws
from isoflop.planning import Budget, Plan, Setting, find_accelerator, plan, plan_within
from isoflop.tables import LossTable
from isoflop.tables.schema import Provenance
from isoflop.units import DAY_S


@cache
def two_families(n: int = 12) -> LossTable:
    """Return a table of ``n`` runs in each of two families that follow the Chinchilla law."""
    import pandas as pd

    random = np.random.default_rng(0)
    params = np.tile(np.geomspace(1e8, 1e10, n), 2)
    tokens = params * np.repeat([10.0, 60.0], n) * random.uniform(0.5, 2, 2 * n)
    loss = TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
    loss = loss * np.exp(0.003 * random.standard_normal(2 * n))
    frame = pd.DataFrame(
        {
            "params": params,
            "tokens": tokens,
            "compute_flop": 6 * params * tokens,
            "loss": loss,
            "family": np.repeat(["one", "<two>"], n),
        },
        index=np.arange(1, 2 * n + 1),
    )
    provenance = Provenance(title="Two families")
    return LossTable(id="two", frame=frame, provenance=provenance, loss_unit="nats/token")


@cache
def small_fit(law: str = "chinchilla", n_bootstrap: int = 100) -> Fit:
    """Return a fit of a law to the two families, with a few draws."""
    options = FitOptions(n_bootstrap=n_bootstrap, bootstrap="smooth")
    return fit(load_laws()[law], two_families(), options)


@cache
def small_plan(compute_flop: float = 1e23, law: str = "chinchilla") -> Plan:
    """Return what some compute buys by the small fit."""
    return plan(small_fit(law), Budget(compute_flop=compute_flop), find_accelerator("h100-sxm"))


def named(figure: go.Figure, name: str) -> list[Any]:
    """Return the traces of a name."""
    return [trace for trace in figure.data if trace.name == name]


def n_markers(figure: go.Figure) -> int:
    """Return how many rows are drawn as markers."""
    marked = (trace for trace in figure.data if "markers" in (getattr(trace, "mode", "") or ""))
    return sum(len(trace.x) for trace in marked if trace.name != "You are here")


@cache
def small_setting(accelerators: int = 64) -> Setting:
    """Return time and money on some accelerators, with room for a little storage."""
    budget = Budget(wall_time_s=10 * DAY_S, usd=1e6, accelerators=accelerators, storage_bytes=1e14)
    return Setting(budget=budget, accelerator=find_accelerator("h100-sxm"))


@cache
def limited_plan(accelerators: int = 64) -> Plan:
    """Return the best run within the small setting."""
    return plan_within(small_fit(), small_setting(accelerators))
