"""Two fits side by side: all rows, and without some of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.figures import fit_before_after
from isoflop.fitting import predict
from isoflop.planning import trajectory
from isoflop.planning.inputs import inputs_at
from isoflop.plot import axes
from isoflop.ui import fit_view, panels
from isoflop.ui.fit_view import LEVEL, View
from isoflop.units import counted, format_number

N_POINTS = 80
Row = tuple[str, str, str, str, str]


def show(before: View, after: View, n_dropped: int) -> None:
    """Draw the table of both fits, and the loss along each one's best models."""
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _table(before, after, n_dropped)
    with right:
        _curves(before, after)


def _table(before: View, after: View, n_dropped: int) -> None:
    rows = [*_optimum_rows(before, after), *_parameter_rows(before, after)]
    scales = [fit_view.remainder(view).scale for view in (before, after)]
    rows.append(("Typical residual", f"{scales[0]:.3g}", f"{scales[1]:.3g}", _percent(*scales), ""))
    heads = (
        "Quantity",
        f"All {counted(before.fit.n_rows, 'row')}",
        f"Without {n_dropped}",
        "Change",
        "In standard errors",
    )
    st.dataframe(
        {head: [row[i] for row in rows] for i, head in enumerate(heads)},
        hide_index=True,
        alt="Both fits side by side, with intervals",
        height="content",
    )
    st.caption(f"In brackets: {LEVEL:.0%} bootstrap intervals; the change in units of the first.")


def _optimum_rows(before: View, after: View) -> list[Row]:
    if not (fit_view.has_optimum(before) and fit_view.has_optimum(after)):
        return []
    spreads = [fit_view.best(view) for view in (before, after)]
    rows = []
    for label, name, write, is_log in (
        ("Best size N*", "params", format_number, True),
        ("Exponent a of N*", "exponent", lambda value: f"{value:.4f}", False),
    ):
        values = [float(getattr(spread.centre, name)) for spread in spreads]
        draws = None if spreads[0].draws is None else getattr(spreads[0].draws, name)
        rows.append(
            _row(label, values, [spread.interval(name) for spread in spreads], draws, write, is_log)
        )
    losses = [
        _loss_at_optimum(view, float(s.centre.params))
        for view, s in zip((before, after), spreads, strict=True)
    ]
    label = f"Best {before.fit.law.response}"
    rows.append(
        (label, f"{losses[0]:.4f}", f"{losses[1]:.4f}", f"{losses[1] - losses[0]:+.4f}", "")
    )
    return rows


def _loss_at_optimum(view: View, params: float) -> float:
    target = view.target
    tokens = target.rule.tokens(params, target.compute_flop)
    size = np.array([params])
    at = inputs_at(view.fit.law, size, np.atleast_1d(tokens), target.fixed, rule=target.rule)
    return float(predict(view.fit, at)[0])


def _parameter_rows(before: View, after: View) -> list[Row]:
    rows = []
    for j, param in enumerate(before.fit.law.params):
        views = (before, after)
        values = [view.fit.values[param.name] for view in views]
        draws = [None if view.fit.draws is None else view.fit.draws[:, j] for view in views]
        intervals = [None if one is None else fit_view.interval(one) for one in draws]
        is_log = param.scale == "log" and all(value > 0 for value in values)
        rows.append(_row(param.name, values, intervals, draws[0], lambda v: f"{v:.5g}", is_log))
    return rows


def _row(
    label: str,
    values: list[float],
    intervals: list[tuple[float, float] | None],
    draws: NDArray[np.float64] | None,
    write: Callable[[float], str],
    is_log: bool,
) -> Row:
    shown = [
        write(value) + ("" if ends is None else f"  [{write(ends[0])}, {write(ends[1])}]")
        for value, ends in zip(values, intervals, strict=True)
    ]
    change = _percent(*values) if is_log else f"{values[1] - values[0]:+.4g}"
    return label, shown[0], shown[1], change, _in_errors(values, draws, is_log)


def _percent(before: float, after: float) -> str:
    return f"{100 * (after / before - 1):+.1f}%" if before else ""


def _in_errors(values: list[float], draws: NDArray[np.float64] | None, is_log: bool) -> str:
    """Return the change in standard errors of the first fit; empty where there are none."""
    if draws is None:
        return ""
    known = draws[np.isfinite(draws) & ((draws > 0) | (not is_log))]
    inward = np.log if is_log else np.asarray
    error = float(np.std(inward(known))) if len(known) > 1 else 0.0
    if not error > 0:
        return ""
    return f"{float(inward(values[1]) - inward(values[0])) / error:+.1f}"


def _curves(before: View, after: View) -> None:
    fixed, target = before.target.fixed or {}, before.target.compute_flop
    low, high = trajectory.compute_range(before.fit, before.fitted.table, target)
    flop = np.geomspace(low, high, N_POINTS)
    first = trajectory.optimal_models(before.fit, flop, fixed, rule=before.target.rule)
    if first is None:
        return
    flop, params, tokens = first
    states = []
    for name, view in (("All rows", before), ("Without", after)):
        at = inputs_at(view.fit.law, params, tokens, fixed, rule=before.target.rule)
        band, _ = trajectory.band_or_reason(view.fit, at)
        states.append(
            fit_before_after.State(
                name=name,
                loss=predict(view.fit, at),
                lower=None if band is None else band.lower,
                upper=None if band is None else band.upper,
            )
        )
    figure = fit_before_after.figure(
        flop,
        states,
        target_flop=target,
        y_title=axes.response_title(before.fit),
        level=LEVEL,
    )
    panels.chart(figure, alt=fit_before_after.alt(states), key="chart.before_after")
    st.caption("Along the models that are best for all rows.")
