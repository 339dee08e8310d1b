"""From compute to loss to accuracy: two steps, the error of both, and the proof on larger runs."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.figures import compare_metric, compare_proof
from isoflop.fitting import FitOptions
from isoflop.fitting.compare import SCALES, write_scale
from isoflop.fitting.downstream import (
    Downstream,
    MetricBand,
    MetricHeldOut,
    downstream_notices,
    error_source,
    metrics,
    predict_downstream,
)
from isoflop.laws import Law, law_for_role, laws_for, rebind
from isoflop.planning import compute_optimal
from isoflop.planning.inputs import inputs_at
from isoflop.planning.rule import SIX_ND
from isoflop.plot import axes
from isoflop.tables import LossTable, datasets_for
from isoflop.ui import caching, compare_places, compare_view, inputs, messages, panels
from isoflop.ui.compare_view import View
from isoflop.ui.state import TableChoice
from isoflop.units import format_number, format_quantity

DEFAULT_METRIC = ("core_average", "HellaSwag", "accuracy")
N_POINTS = 80
REACH = 100.0


def show(shown: View) -> None:
    """Draw the two steps on the chosen runs.

    Raises
    ------
    IsoflopError
        If the table cannot be had, or the steps cannot be fitted.
    """
    table, metric = _table_and_metric(shown)
    if "loss" in table.included():
        _measured(table, metric, shown.options)
    else:
        compare_places.show(table, metric)


def _table_and_metric(shown: View) -> tuple[LossTable, str]:
    """Draw whose accuracies, and which, and return them."""
    own = metrics(shown.table)
    options = {}
    if own:
        options["here"] = f"This table: {shown.table.provenance.title}"
    suited = datasets_for("downstream")
    options |= {entry.id: entry.title for entry in suited if entry.id != shown.whole.id}
    left, right = st.columns(2)
    with left:
        source = inputs.choice(
            "Runs with accuracies",
            options,
            key="compare.runs.own" if own else "compare.runs",
            default=next(iter(options)),
            help="A table with a bounded metric. Without losses, the models are placed by family.",
        )
    table = shown.table if source == "here" else caching.table(TableChoice(id=source))
    found = metrics(table)
    if not found:
        raise FitError(
            f"{table.provenance.title} has no metric between 0 and 1.",
            hint="Choose a table with accuracies.",
        )
    first = next((name for part in DEFAULT_METRIC for name in found if part in name), found[0])
    with right:
        metric = inputs.choice(
            "Metric",
            {name: name.rpartition("/")[2] for name in found},
            key="compare.metric",
            default=first,
            help="Any column between 0 and 1.",
        )
    return table, metric


def _measured(table: LossTable, metric: str, options: FitOptions) -> None:
    law = _loss_law(table)
    found, held = compare_view.two_steps(table, metric, law, options)
    flop = _range(table)
    path = _path(found, law, flop)
    band = predict_downstream(found, path)
    last = len(flop) - 1
    at = int(np.argmin(np.abs(np.log(flop / (10 * _largest(table))))))
    name = metric.rpartition("/")[2]
    with st.container(key="answer"):
        st.markdown(messages.plain(_sentence(name, flop, band, held, at)))
    st.markdown(messages.plain(error_source(band, min(at, last))))
    left, right = panels.side_by_side()
    with left:
        _metric_by_compute(table, metric, name, flop, band, law)
    with right:
        _metric_by_loss(found, name)
    messages.notices(list(downstream_notices(found)))
    _proof(held, name)


def _loss_law(table: LossTable) -> Law:
    known = set(table.included())
    able = {}
    for offered in laws_for("downstream-loss"):
        law = rebind(offered, {"x": "compute_flop"}) if "x" in offered.symbols else offered
        if {item.column for item in law.inputs} <= known:
            able[law.key] = law
    if not able:
        raise FitError("The table has no inputs that a law of the loss could take.")
    first = law_for_role("downstream-loss-default").key
    chosen = inputs.choice(
        "First step: law of the loss",
        {key: law.label for key, law in able.items()},
        key="compare.first",
        default=first if first in able else next(iter(able)),
        help="The second step is a sigmoid in that loss.",
    )
    return able[chosen]


def _largest(table: LossTable) -> float:
    return float(np.nanmax(table.values("compute_flop")))


def _range(table: LossTable) -> NDArray[np.float64]:
    values = table.values("compute_flop")
    return np.geomspace(np.nanmin(values), np.nanmax(values) * REACH, N_POINTS)


def _path(found: Downstream, law: Law, flop: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Return the inputs of the best run at each compute, at the tokens a parameter of the rows."""
    columns = {item.column for item in law.inputs}
    if columns == {"compute_flop"}:
        return {law.symbols[0]: flop}
    best = compute_optimal(law, found.loss_fit.theta, flop)
    return inputs_at(law, best.params, best.tokens, rule=SIX_ND)


def _sentence(
    name: str, flop: NDArray[np.float64], band: MetricBand, held: MetricHeldOut, at: int
) -> str:
    """Say what is expected a decade beyond the rows, and how well that went a decade before."""
    metric = band.metric
    text = (
        f"At {format_quantity(flop[at], 'flop', 2)} the best run is expected to reach "
        f"{metric.centre[at]:.1%} {name} ({metric.lower[at]:.1%} to {metric.upper[at]:.1%} at "
        f"{metric.level:.0%}), through a loss of {band.loss.centre[at]:.3f}. "
    )
    points = 100 * held.mean_absolute
    text += (
        f"On the {len(held.observed)} runs of the largest decade, held out, it was "
        f"{points:.1f} points off on average, {held.coverage:.0%} of them inside their 90% interval"
    )
    if np.isfinite(held.mean_absolute_one_step):
        text += f"; compute alone would have been {100 * held.mean_absolute_one_step:.1f} off"
    return text + "."


def _metric_by_loss(found: Downstream, name: str) -> None:
    losses = np.linspace(found.losses.min() * 0.85, found.losses.max() * 1.02, N_POINTS)
    law = found.metric_fit.law
    spread = law.loss(found.metric_draws, {"L": losses})
    low, high = np.percentile(spread, [5, 95], axis=0)
    curve = compare_metric.Curve(
        name="Sigmoid in the loss",
        x=losses,
        metric=law.loss(found.metric_fit.theta, {"L": losses}),
        lower=low,
        upper=high,
    )
    models = [
        compare_metric.Models(
            name="Runs",
            x=found.losses,
            metric=found.values,
            labels=tuple(f"loss {value:.4g}" for value in found.losses),
        )
    ]
    st.subheader("From loss to accuracy", anchor=False)
    panels.chart(
        compare_metric.figure(
            models, [curve], x_title=axes.loss_title(found.loss_fit.loss_unit), y_title=name
        ),
        alt=compare_metric.alt(models, [curve], x_title="loss", y_title=name),
        key="compare.second",
    )


def _metric_by_compute(
    table: LossTable,
    metric: str,
    name: str,
    flop: NDArray[np.float64],
    band: MetricBand,
    law: Law,
) -> None:
    columns = {item.column for item in law.inputs}
    kind = "" if columns == {"compute_flop"} else ", best N and D"
    curve = compare_metric.Curve(
        name=f"Both steps{kind}",
        x=flop,
        metric=band.metric.centre,
        lower=band.metric.lower,
        upper=band.metric.upper,
        level=band.metric.level,
    )
    frame = table.included()
    models = [
        compare_metric.Models(
            name="Runs",
            x=frame["compute_flop"].to_numpy(np.float64),
            metric=frame[metric].to_numpy(np.float64),
            labels=tuple(
                f"{format_number(n)} parameters, {format_number(d)} tokens"
                for n, d in zip(frame["params"], frame["tokens"], strict=True)
            )
            if {"params", "tokens"} <= set(frame)
            else tuple("" for _ in frame.index),
        )
    ]
    st.subheader("From compute to accuracy", anchor=False)
    panels.chart(
        compare_metric.figure(
            models,
            [curve],
            x_title="Training compute C (FLOP)",
            y_title=name,
            x_is_compute=True,
        ),
        alt=compare_metric.alt(models, [curve], x_title="compute", y_title=name),
        key="compare.both",
    )


def _proof(held: MetricHeldOut, name: str) -> None:
    """Draw what was predicted of the runs held out."""
    scale = held.split.upper.values(held.split.column)
    labels = tuple(write_scale(value, held.split.column) for value in scale)
    proof = compare_proof.Proof(
        observed=held.observed,
        predicted=held.predicted,
        lower=held.lower,
        upper=held.upper,
        rival=held.one_step,
        rival_name=f"from {SCALES.get(held.split.column, held.split.column)} alone",
        labels=labels,
    )
    st.subheader("Largest decade, held out", anchor=False)
    panels.chart(
        compare_proof.figure(proof, name=name),
        alt=compare_proof.alt(proof, name=name),
        key="compare.proof",
    )
    order = np.argsort(scale)
    with st.expander("Each held-out run"):
        st.dataframe(
            {
                "Run": [labels[i] for i in order],
                "Measured": held.observed[order],
                "Predicted in two steps": held.predicted[order],
                "90% interval": [
                    f"{100 * held.lower[i]:.1f} to {100 * held.upper[i]:.1f}%" for i in order
                ],
                proof.rival_name.capitalize(): held.one_step[order],
            },
            column_config=dict.fromkeys(
                ("Measured", "Predicted in two steps", proof.rival_name.capitalize()),
                st.column_config.NumberColumn(format="percent"),
            ),
            hide_index=True,
            alt="Held-out runs with what was predicted",
        )
