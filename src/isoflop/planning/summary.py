"""Plans and optima for a reader: as frames, as text, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from isoflop.language import joined
from isoflop.language import lazy_gettext as _
from isoflop.tables.schema import said_response
from isoflop.text import Sheet, aligned, as_html, with_notices
from isoflop.units import Dimension, format_number, format_quantity

if TYPE_CHECKING:
    from isoflop.planning.types import Frontier, Interval, LimitUse, Optimum, Plan


SMALLEST_GAIN = 5e-5
"""A gain that would be written as zero is not written."""

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
            ""
            if band is None
            else _(
                " ({lower} to {upper})", lower=_end(band.lower[i], k), upper=_end(band.upper[i], k)
            )
            for k, band in enumerate(bands)
        ]
        joined = (text + end for text, end in zip(texts, ends, strict=True))
        where = _("beyond the data") if found.is_extrapolation[i] else ""
        cells.append((format_quantity(float(flop), "flop"), *joined, where))
    level = next(
        (_(", {level:.0%} intervals", level=band.level) for band in bands if band is not None), ""
    )
    text = aligned(cells, ("compute", "parameters", "tokens", "loss" + level, ""))
    return (
        _("{text}\n\nNo intervals: {reason}", text=text, reason=found.reason)
        if found.reason
        else text
    )


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
    if plan.limits:
        parts.append(limits_sheet(plan).table())
    if plan.assumption:
        parts.append(plan.assumption)
    if plan.interval_reason:
        parts.append(_("No intervals: {interval_reason}", interval_reason=plan.interval_reason))
    return with_notices(joined("\n\n", parts), plan.notices if notices else ())


def limits_sheet(plan: Plan) -> Sheet:
    """Say what a plan uses of each limit, which bind, and what a tenth more buys."""
    return Sheet(
        title=_("Limits"),
        columns={
            "limit": [f"{use.label}{_mark(use)}" for use in plan.limits],
            "used": [format_quantity(use.used, use.dimension) for use in plan.limits],
            "of": [format_quantity(use.limit, use.dimension) for use in plan.limits],
            "10% more": [_bought(use, plan.response) for use in plan.limits],
        },
    )


def _mark(use: LimitUse) -> str:
    if use.is_exceeded:
        return " (exceeded)"
    return " (binds)" if use.is_binding else ""


def _bought(use: LimitUse, response: str) -> str:
    return (
        _("{response} {gain:+.4f}", response=response, gain=-use.gain)
        if use.gain >= SMALLEST_GAIN
        else _("nothing")
    )


def plan_html(plan: Plan) -> str:
    """Return a plan for a notebook."""
    figures = pd.DataFrame(plan_figures(plan), columns=["", "value", "interval"]).set_index("")
    reason = (
        _("No intervals: {interval_reason}", interval_reason=plan.interval_reason)
        if plan.interval_reason
        else ""
    )
    return as_html(_("Plan"), figures, plan.assumption, reason, notices=plan.notices)


def plan_figures(plan: Plan) -> list[tuple[str, str, str]]:
    """Return what a plan says, each figure with its unit and its interval."""
    cost, training = plan.cost, plan.training
    mfu = _("your own") if training.is_own_mfu else _share(training.mfu_interval)
    goodput = _("your own") if training.is_own_goodput else _share(training.goodput_interval)
    return [
        ("parameters", format_number(plan.params), _span(plan.params_interval)),
        ("tokens", format_number(plan.tokens), _span(plan.tokens_interval)),
        (_("tokens per parameter"), format_number(plan.tokens_per_param), ""),
        (
            _("predicted {response}", response=said_response(plan.response)),
            f"{plan.loss:.4f}",
            _span(plan.loss_interval, 4),
        ),
        ("compute", format_quantity(plan.compute_flop, "flop"), ""),
        ("accelerators", f"{cost.accelerators:,} {plan.accelerator}", ""),
        ("utilisation (MFU)", f"{training.mfu:.1%}", mfu),
        ("goodput", f"{training.goodput:.1%}", goodput),
        (_("wall time"), *_with_ends(cost.wall_time_s, cost.wall_time_interval, "seconds")),
        ("accelerator-hours", format_number(cost.accelerator_hours), _span(cost.hours_interval)),
        ("money", *_with_ends(cost.usd, cost.usd_interval, "usd", _("no price"))),
        ("energy", "unknown" if cost.energy_j is None else _joules(cost.energy_j), ""),
        ("storage", format_quantity(plan.storage.total_bytes, "bytes"), ""),
    ]


def _share(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return _(
        "{lower:.1%} to {upper:.1%} at {level:.0%}",
        lower=interval.lower,
        upper=interval.upper,
        level=interval.level,
    )


def _with_ends(
    value: float | None, interval: Interval | None, dimension: Dimension, unknown: str = ""
) -> tuple[str, str]:
    """Write a figure with its unit, and its interval."""
    if value is None:
        return unknown, ""
    said = format_quantity(value, dimension)
    if interval is None:
        return said, ""
    ends = [format_quantity(end, dimension) for end in (interval.lower, interval.upper)]
    return said, _(
        "{lower} to {upper} at {level:.0%}", lower=ends[0], upper=ends[1], level=interval.level
    )


def _joules(value: float) -> str:
    return format_quantity(value, "joules")


def _span(interval: Interval | None, decimals: int | None = None) -> str:
    if interval is None:
        return ""
    if decimals is None:
        ends = _(
            "{lower} to {upper}",
            lower=format_number(interval.lower),
            upper=format_number(interval.upper),
        )
    else:
        ends = _(
            "{lower} to {upper}",
            lower=f"{interval.lower:.{decimals}f}",
            upper=f"{interval.upper:.{decimals}f}",
        )
    return _("{ends} at {level:.0%}", ends=ends, level=interval.level)
