"""Curves, surfaces and plans of a fit, as figures take them.

The figures take plain arrays; this module is where they come from. Nothing here draws or keeps
state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.figures import contours, loss_curve
from isoflop.fitting import Band, Fit, band, predict
from isoflop.laws import Law
from isoflop.planning import (
    Accelerator,
    Budget,
    Plan,
    compute_flop,
    compute_optimal,
    plan,
)
from isoflop.planning.inputs import PARAMS_COLUMNS, extrapolation_decades, inputs_at
from isoflop.tables import COLUMNS, LossTable
from isoflop.units import format_number, format_quantity

Basis = Literal["compute-optimal", "chosen", "assumed"]

LEVEL = 0.9
N_CURVE_POINTS = 120
N_SURFACE_POINTS = 56
SLICE_FACTOR = 30.0
TOKENS_PER_PARAM = 20.0
"""Data size for laws that do not say: close to compute-optimal (Hoffmann et al. 2022)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A quantity that losses are drawn against: its column, its name, its name with unit."""

    column: str
    name: str
    title: str
    is_compute: bool = False


AXES: Mapping[str, Axis] = {
    "compute_flop": Axis(
        column="compute_flop", name="Compute", title="Training compute C (FLOP)", is_compute=True
    ),
    "params": Axis(column="params", name="Model size", title="Model size N (parameters)"),
    "tokens": Axis(column="tokens", name="Data", title="Training data D (tokens)"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a budget buys under a fit.

    Parameters
    ----------
    plan : Plan
    basis : {"compute-optimal", "chosen", "assumed"}
        Where the plan's size comes from; assumed where the law has no optimum.
    assumption : str
        What an assumed size rests on; empty otherwise.
    """

    plan: Plan
    basis: Basis
    assumption: str = ""


def axes(table: LossTable) -> dict[str, Axis]:
    """Return the axes that the table has values for."""
    frame = table.included()
    return {name: axis for name, axis in AXES.items() if name in frame}


def law_axes(fit: Fit, table: LossTable) -> dict[str, Axis]:
    """Return what the loss may be drawn against: the usual axes, and the law's other inputs."""
    own = {
        column: Axis(column=column, name=name(column), title=title(column))
        for column in other_inputs(fit.law)
        if column in table.frame
    }
    return axes(table) | own


def name(column: str) -> str:
    """Return what a person calls a column."""
    if column in AXES:
        return AXES[column].name
    known = COLUMNS.get(column)
    return column if known is None else known.label


def title(column: str) -> str:
    """Return what an axis of a column says, with its unit."""
    known = COLUMNS.get(column)
    if known is None:
        return column
    return f"{known.label} ({known.unit})" if known.unit else known.label


def other_inputs(law: Law) -> tuple[str, ...]:
    """Return the columns of a law's inputs that a budget does not settle."""
    settled = PARAMS_COLUMNS | {"tokens", "unique_tokens", "compute_flop", "tokens_per_param"}
    return tuple(item.column for item in law.inputs if item.column not in settled)


def trades_size_for_data(law: Law) -> bool:
    """Say whether a law takes both model size and data, so that one may be too large.

    The loss of any other law is flat or monotone along a line of equal compute.
    """
    columns = {item.column for item in law.inputs}
    data = {"tokens", "unique_tokens", "compute_flop", "tokens_per_param"}
    return bool(columns & PARAMS_COLUMNS) and bool(columns & data)


def path(
    fit: Fit, flop: NDArray[np.float64], fixed: Mapping[str, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], str]:
    """Return compute, model sizes and tokens to draw a curve along, and what models they are.

    The compute-optimal ones, or where the law has none, those of `TOKENS_PER_PARAM`.
    """
    best = optimal_path(fit, flop, fixed)
    if best is not None:
        return *best, "best N and D"
    params = np.sqrt(flop / (6 * TOKENS_PER_PARAM))
    columns = {item.column for item in fit.law.inputs}
    kind = "" if columns == {"compute_flop"} else f"{TOKENS_PER_PARAM:g} tokens/param"
    return flop, params, flop / (6 * params), kind


def optimal_path(
    fit: Fit, flop: NDArray[np.float64], fixed: Mapping[str, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Return compute, sizes and tokens of the compute-optimal models; None where there are none.

    Compute at which the law has no optimum is left out.
    """
    if not trades_size_for_data(fit.law):
        return None
    best = compute_optimal(fit.law, fit.theta, flop, fixed=fixed)
    kept = best.is_interior
    if 2 * kept.sum() < len(flop):
        return None
    return flop[kept], best.params[kept], best.tokens[kept]


def answer(
    fit: Fit,
    budget: Budget,
    accelerator: Accelerator,
    *,
    params: float | None,
    fixed: Mapping[str, float],
) -> Answer:
    """Plan the run that a budget buys, at the chosen size or else the best one.

    Raises
    ------
    PlanError
        If the budget buys no run.
    """
    flop = compute_flop(budget, accelerator)
    basis: Basis = "chosen"
    assumption = ""
    if params is None:
        basis = "compute-optimal"
        if optimal_path(fit, np.array([flop]), fixed) is None:
            basis = "assumed"
            params = float(np.sqrt(flop / (6 * TOKENS_PER_PARAM)))
            assumption = (
                f"{fit.law.label} says nothing of the best size: {TOKENS_PER_PARAM:g} tokens per "
                "parameter are assumed."
            )
    result = plan(fit, budget, accelerator, params=params, level=LEVEL, fixed=fixed)
    return Answer(plan=result, basis=basis, assumption=assumption)


def compute_range(table: LossTable, flop: float | None) -> tuple[float, float]:
    """Return the compute to draw over: that of the rows and the budget, to half decades outside.

    Whole steps keep the range, and with it the cached curve, while a slider moves a little.
    """
    frame = table.included()
    if "compute_flop" in frame:
        known = frame["compute_flop"].to_numpy(np.float64)
    elif {"params", "tokens"} <= set(frame):
        known = 6 * frame["params"].to_numpy(np.float64) * frame["tokens"].to_numpy(np.float64)
    else:
        known = np.array([] if flop is None else [flop])
    known = known[np.isfinite(known) & (known > 0)]
    low, high = float(known.min()), float(known.max())
    high = max(high, flop or high)
    low = min(low, flop or low)
    return (
        float(10 ** (np.floor(2 * np.log10(low) - 0.2) / 2)),
        float(10 ** (np.ceil(2 * np.log10(high) + 0.4) / 2)),
    )


def best_band(fit: Fit, inputs: Mapping[str, NDArray[np.float64]]) -> tuple[Band | None, str]:
    """Return the confidence band at these inputs, or None and the reason."""
    try:
        return band(fit, inputs, level=LEVEL, kind="confidence"), ""
    except FitError as error:
        return None, error.detail or error.summary


def curve(
    fit: Fit, axis: str, flop_range: tuple[float, float], fixed: Mapping[str, float]
) -> tuple[loss_curve.Curve, str]:
    """Return the loss along the path over a range of compute, and why it has no band if so."""
    flop, params, tokens, kind = path(fit, np.geomspace(*flop_range, N_CURVE_POINTS), fixed)
    x = {"compute_flop": flop, "params": params, "tokens": tokens}[axis]
    return _curve(fit, x, params, tokens, fixed, kind)


def curve_over(
    fit: Fit, column: str, span: tuple[float, float], chosen: Plan, fixed: Mapping[str, float]
) -> tuple[loss_curve.Curve, str]:
    """Return the loss of the chosen size and tokens over a range of another input."""
    x = np.geomspace(*span, N_CURVE_POINTS) if span[0] > 0 else np.linspace(*span, N_CURVE_POINTS)
    params, tokens = np.full_like(x, chosen.params), np.full_like(x, chosen.tokens)
    return _curve(fit, x, params, tokens, {**fixed, column: x}, "chosen N and D")


def _curve(
    fit: Fit,
    x: NDArray[np.float64],
    params: NDArray[np.float64],
    tokens: NDArray[np.float64],
    fixed: Mapping[str, Any],
    kind: str,
) -> tuple[loss_curve.Curve, str]:
    origin = "Fitted law" if fit.certificate.n_starts else "Published law"
    inputs = inputs_at(fit.law, params, tokens, fixed)
    loss = predict(fit, inputs)
    found, reason = best_band(fit, inputs)
    decades = extrapolation_decades(fit, inputs).values()
    result = loss_curve.Curve(
        x=x,
        loss=loss,
        lower=None if found is None else found.lower,
        upper=None if found is None else found.upper,
        level=LEVEL,
        is_extrapolation=np.any([np.broadcast_to(d != 0, x.shape) for d in decades], axis=0),
        labels=tuple(
            describe(compute=6 * n * d, params=n, tokens=d, loss=value)
            for n, d, value in zip(params, tokens, loss, strict=True)
        ),
        name=f"{origin}, {kind}" if kind else origin,
    )
    return result, reason


def table_of_curve(
    fit: Fit, flop_range: tuple[float, float], fixed: Mapping[str, float]
) -> dict[str, NDArray[Any]]:
    """Return the curve along the path as named columns in canonical units."""
    flop, params, tokens, kind = path(fit, np.geomspace(*flop_range, N_CURVE_POINTS), fixed)
    drawn, _ = _curve(fit, flop, params, tokens, fixed, kind)
    columns = {
        "compute_flop": flop,
        "params": params,
        "tokens": tokens,
        fit.law.response: drawn.loss,
    }
    if drawn.lower is not None and drawn.upper is not None:
        share = f"{LEVEL * 100:.0f}"
        columns |= {f"lower_{share}": drawn.lower, f"upper_{share}": drawn.upper}
    return columns | {"is_extrapolation": drawn.is_extrapolation}


def slice_at(
    fit: Fit, axis: str, chosen: Plan, fixed: Mapping[str, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return x and loss of smaller and larger models that cost the same; None on other axes."""
    if axis not in {"params", "tokens"}:
        return None
    params = np.geomspace(chosen.params / SLICE_FACTOR, chosen.params * SLICE_FACTOR, 61)
    tokens = chosen.compute_flop / (6 * params)
    loss = predict(fit, inputs_at(fit.law, params, tokens, fixed))
    return (params, loss) if axis == "params" else (tokens[::-1], loss[::-1])


def marker(answer: Answer, axis: str, fixed: Mapping[str, float]) -> loss_curve.Marker:
    """Return where the budget lands on a loss curve."""
    chosen = answer.plan
    interval = chosen.loss_interval
    x = {
        "compute_flop": chosen.compute_flop,
        "params": chosen.params,
        "tokens": chosen.tokens,
        **fixed,
    }[axis]
    return loss_curve.Marker(
        x=x,
        loss=chosen.loss,
        lower=None if interval is None else interval.lower,
        upper=None if interval is None else interval.upper,
        label=describe(
            compute=chosen.compute_flop,
            params=chosen.params,
            tokens=chosen.tokens,
            loss=chosen.loss,
        ),
    )


def grid_range(values: NDArray[np.float64], also: float | None) -> tuple[float, float]:
    """Return a range around values and one more, to quarter decades outside."""
    known = np.append(values, [] if also is None else [also])
    known = known[np.isfinite(known) & (known > 0)]
    low = np.floor(4 * np.log10(known.min()) - 1) / 4
    high = np.ceil(4 * np.log10(known.max()) + 1) / 4
    return float(10**low), float(10**high)


def surface(
    fit: Fit,
    params_range: tuple[float, float],
    tokens_range: tuple[float, float],
    fixed: Mapping[str, float],
) -> contours.Surface:
    """Return the predicted loss on a grid of model sizes and tokens."""
    params = np.geomspace(*params_range, N_SURFACE_POINTS)
    tokens = np.geomspace(*tokens_range, N_SURFACE_POINTS)
    mesh_params, mesh_tokens = np.meshgrid(params, tokens)
    inputs = inputs_at(fit.law, mesh_params.ravel(), mesh_tokens.ravel(), fixed)
    return contours.Surface(
        params=params,
        tokens=tokens,
        loss=predict(fit, inputs).reshape(mesh_params.shape),
        loss_label=response_title(fit),
    )


def frontier(
    fit: Fit, flop_range: tuple[float, float], fixed: Mapping[str, float]
) -> contours.Path | None:
    """Return the compute-optimal models over a range of compute; None where there are none."""
    best = optimal_path(fit, np.geomspace(*flop_range, N_CURVE_POINTS), fixed)
    return None if best is None else contours.Path(params=best[1], tokens=best[2])


def compute_corners(surface: contours.Surface) -> tuple[float, float]:
    """Return the least and the most compute of a surface's models."""
    low, high = (6 * surface.params[end] * surface.tokens[end] for end in (0, -1))
    return float(low), float(high)


def span(table: LossTable, column: str) -> tuple[float, float]:
    """Return the range of a column's values."""
    values = table.values(column)
    return float(np.nanmin(values)), float(np.nanmax(values))


def response_title(fit: Fit) -> str:
    """Return what the loss axis says, with its unit."""
    if fit.law.response != "loss":
        return title(fit.law.response)
    return loss_title(fit.loss_unit)


def loss_title(unit: str) -> str:
    """Return what an axis of losses says."""
    return f"Loss ({unit})" if unit != "unknown" else "Loss (unit unknown)"


def chosen_point(answer: Answer, grid: NDArray[np.float64]) -> contours.Chosen:
    """Return the chosen model and the line of models that cost the same, over a grid of sizes."""
    plan_ = answer.plan
    return contours.Chosen(
        params=plan_.params,
        tokens=plan_.tokens,
        label=describe(
            compute=plan_.compute_flop, params=plan_.params, tokens=plan_.tokens, loss=plan_.loss
        ),
        same_compute=contours.Path(params=grid, tokens=plan_.compute_flop / (6 * grid)),
    )


def describe(
    *, loss: float, compute: float | None, params: float | None, tokens: float | None
) -> str:
    """Put one run into a few lines, with units, for a hover box."""
    parts = [
        f"<b>loss {loss:.4g}</b>",
        None if compute is None else format_quantity(compute, "flop"),
        None if params is None else f"{format_number(params)} parameters",
        None if tokens is None else f"{format_number(tokens)} tokens",
    ]
    return "<br>".join(part for part in parts if part)
