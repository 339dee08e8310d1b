"""Plans and optima for a reader: as frames, as text, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from isoflop.text import aligned, as_html, with_notices
from isoflop.units import format_number, format_quantity

if TYPE_CHECKING:
    from isoflop.planning.types import Frontier, Interval, Optimum, Plan


OPTIMUM_COLUMNS = ("compute_flop", "params", "tokens", "loss", "is_interior")


def optimum_frame(found: Optimum) -> pd.DataFrame:
    """Return a row a parameter vector."""
    columns = np.broadcast_arrays(*(getattr(found, name) for name in OPTIMUM_COLUMNS))
    return pd.DataFrame(dict(zip(OPTIMUM_COLUMNS, map(np.ravel, columns), strict=True)))


def frontier_columns(found: Frontier) -> dict[str, Any]:
    """Return arrays by name, a value an amount of compute; an interval's ends follow its figure."""
    columns: dict[str, Any] = {"compute_flop": found.compute_flop}
    for name in ("params", "tokens", "loss"):
        columns[name] = getattr(found, name)
        band = getattr(found, f"{name}_band")
        if band is not None:
            columns |= {f"{name}_lower": band.lower, f"{name}_upper": band.upper}
    return columns | {"is_extrapolation": found.is_extrapolation}


def frontier_text(found: Frontier) -> str:
    """Return a line an amount of compute."""
    bands = (found.params_band, found.tokens_band, found.loss_band)
    cells = []
    for i, flop in enumerate(found.compute_flop):
        values = (found.params[i], found.tokens[i])
        texts = [*(format_number(value) for value in values), f"{found.loss[i]:.4f}"]
        ends = [
            "" if band is None else f" ({_end(band.lower[i], k)} to {_end(band.upper[i], k)})"
            for k, band in enumerate(bands)
        ]
        joined = (text + end for text, end in zip(texts, ends, strict=True))
        where = "beyond the fitted rows" if found.is_extrapolation[i] else ""
        cells.append((format_quantity(float(flop), "flop"), *joined, where))
    level = next((f", {band.level:.0%} intervals" for band in bands if band is not None), "")
    text = aligned(cells, ("compute", "parameters", "tokens", "loss" + level, ""))
    return f"{text}\n\nNo intervals: {found.reason}" if found.reason else text


def _end(value: float, column: int) -> str:
    return f"{value:.4f}" if column == 2 else format_number(value)


def plan_frame(plan: Plan) -> pd.DataFrame:
    """Return a plan's figures in one row."""
    intervals = {"params": plan.params_interval, "tokens": plan.tokens_interval}
    columns: dict[str, Any] = {}
    for name, interval in {**intervals, "loss": plan.loss_interval}.items():
        columns[name] = getattr(plan, name)
        if interval is not None:
            columns |= {f"{name}_lower": interval.lower, f"{name}_upper": interval.upper}
    columns |= {
        "tokens_per_param": plan.tokens_per_param,
        "compute_flop": plan.compute_flop,
        "accelerators": plan.cost.accelerators,
        "wall_time_s": plan.cost.wall_time_s,
        "accelerator_hours": plan.cost.accelerator_hours,
        "usd": plan.cost.usd,
        "energy_j": plan.cost.energy_j,
        "storage_bytes": plan.storage.total_bytes,
        "epochs": plan.epochs,
        "basis": plan.basis,
    }
    return pd.DataFrame([columns])


def plan_text(plan: Plan, *, notices: bool) -> str:
    """Return a plan as text, with its notices if asked."""
    parts = [aligned(plan_figures(plan))]
    if plan.assumption:
        parts.append(plan.assumption)
    if plan.interval_reason:
        parts.append(f"No intervals: {plan.interval_reason}")
    return with_notices("\n\n".join(parts), plan.notices if notices else ())


def plan_html(plan: Plan) -> str:
    """Return a plan for a notebook."""
    figures = pd.DataFrame(plan_figures(plan), columns=["", "value", "interval"]).set_index("")
    reason = f"No intervals: {plan.interval_reason}" if plan.interval_reason else ""
    return as_html("Plan", figures, plan.assumption, reason, notices=plan.notices)


def plan_figures(plan: Plan) -> list[tuple[str, str, str]]:
    """Return what a plan says, each figure with its unit and its interval."""
    cost = plan.cost
    return [
        ("parameters", format_number(plan.params), _span(plan.params_interval)),
        ("tokens", format_number(plan.tokens), _span(plan.tokens_interval)),
        ("tokens per parameter", format_number(plan.tokens_per_param), ""),
        (f"predicted {plan.response}", f"{plan.loss:.4f}", _span(plan.loss_interval, 4)),
        ("compute", format_quantity(plan.compute_flop, "flop"), ""),
        ("accelerators", f"{cost.accelerators:,} {plan.accelerator}", ""),
        ("wall time", format_quantity(cost.wall_time_s, "seconds"), ""),
        ("accelerator-hours", format_number(cost.accelerator_hours), ""),
        ("money", "no price" if cost.usd is None else format_quantity(cost.usd, "usd"), ""),
        ("energy", "unknown" if cost.energy_j is None else _joules(cost.energy_j), ""),
        ("storage", format_quantity(plan.storage.total_bytes, "bytes"), ""),
    ]


def _joules(value: float) -> str:
    return format_quantity(value, "joules")


def _span(interval: Interval | None, decimals: int | None = None) -> str:
    if interval is None:
        return ""
    if decimals is None:
        ends = f"{format_number(interval.lower)} to {format_number(interval.upper)}"
    else:
        ends = f"{interval.lower:.{decimals}f} to {interval.upper:.{decimals}f}"
    return f"{ends} at {interval.level:.0%}"
