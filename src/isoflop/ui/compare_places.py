"""Accuracy by family where no loss was measured: a reference law says how much went into each."""

from __future__ import annotations

import numpy as np
import streamlit as st

from isoflop.figures import compare_metric, compare_proof
from isoflop.fitting import FitOptions
from isoflop.fitting.downstream import (
    FamilyCurves,
    LargestHeldOut,
    family_curve_notices,
    predict_family,
)
from isoflop.laws import law_for_role
from isoflop.tables import LossTable, datasets_for
from isoflop.ui import caching, compare_view, inputs, messages, panels
from isoflop.ui.state import FitChoice, TableChoice

N_POINTS = 80
N_FIRST = 4
"""Families drawn at first: those of most models."""
MAX_FAMILIES = 6


def show(table: LossTable, metric: str) -> None:
    """Draw families in their places, the proof on the largest models, and the table of places.

    Raises
    ------
    IsoflopError
        If the reference cannot be had, or the families cannot be fitted.
    """
    references = {entry.id: entry.title for entry in datasets_for("reference-loss")}
    law = law_for_role("default")
    reference = inputs.choice(
        "Reference for effort",
        references,
        key="compare.reference",
        default=next(iter(references)),
        help=f"No loss was measured: the law {law.label} fitted to these runs gives one for each "
        "model's size and tokens.",
    )
    fitted = caching.fitted(
        FitChoice(
            table=TableChoice(id=reference),
            families=(),
            law=law.key,
            formula="",
            input_column="",
            options=FitOptions(n_bootstrap=1000),
        )
    )
    found, held = compare_view.by_family(table, metric, fitted.fit, fitted.key)
    with st.container(key="answer"):
        st.markdown(messages.plain(_family_sentence(found, held)))
    chosen = _chosen_families(found)
    left, right = panels.side_by_side()
    with left:
        st.subheader("Families in their places", anchor=False)
        _family_curves(found, chosen)
    with right:
        _family_proof(held, metric)
    messages.notices(list(family_curve_notices(found)))
    _places(found)


def _family_sentence(found: FamilyCurves, held: LargestHeldOut) -> str:
    return (
        f"One sigmoid for {len(found.families)} families, each in its own place, explains "
        f"{found.r_squared:.0%} of the variance of {found.metric}. The largest model of each of "
        f"{len(held.families)} families, held out, was predicted within "
        f"{100 * held.mean_absolute:.1f} points on average, {held.coverage:.0%} of them inside "
        "the 90% interval."
    )


def _chosen_families(found: FamilyCurves) -> list[str]:
    counts = found.table.frame["family"].astype(str).value_counts()
    first = sorted(found.families, key=lambda name: -int(counts[name]))[:N_FIRST]
    picked = st.multiselect(
        "Families to draw",
        list(found.families),
        default=first,
        max_selections=MAX_FAMILIES,
        key="compare.drawn",
        bind="query-params",
        help="All of them are fitted together.",
    )
    return [name for name in picked if name in found.families] or first


def _family_curves(found: FamilyCurves, chosen: list[str]) -> None:
    """Draw families against compute: what was measured, and the curve along their own tokens."""
    frame = found.table.frame
    names = frame["family"].astype(str).to_numpy()
    models, drawn = [], []
    for index, family in enumerate(chosen):
        own = frame[names == family].sort_values("compute_flop")
        models.append(
            compare_metric.Models(
                name=family,
                x=own["loss"].to_numpy(np.float64),
                metric=own[found.metric].to_numpy(np.float64),
                labels=tuple(own["run_id"].astype(str)) if "run_id" in own else ("",) * len(own),
            )
        )
        if not found.has_offset(family):
            continue
        params = own["params"].to_numpy(np.float64)
        ratio = float(np.exp(np.mean(np.log(own["tokens"].to_numpy(np.float64) / params))))
        grid = np.geomspace(params.min() / 2, params.max() * 10, N_POINTS)
        band = predict_family(found, family, {"N": grid, "D": grid * ratio}, kind="confidence")
        drawn.append(
            compare_metric.Curve(
                name=family,
                x=band.loss,
                metric=band.metric,
                lower=band.lower,
                upper=band.upper,
                level=band.level,
                place=index,
            )
        )
    panels.chart(
        compare_metric.figure(
            models,
            drawn,
            x_title="Reference loss for size and tokens (nats/token)",
            y_title=found.metric,
        ),
        alt=compare_metric.alt(models, drawn, x_title="reference loss", y_title=found.metric),
        key="compare.by-family",
    )


def _places(found: FamilyCurves) -> None:
    """Draw how much effort each family needs to be half-way up, the least first."""
    places = {name: found.offset(name) for name in found.families}
    order = sorted(found.families, key=lambda name: -places[name][0])
    names = found.table.frame["family"].astype(str)
    st.dataframe(
        {
            "Family": order,
            "Models": [int((names == name).sum()) for name in order],
            "Half-way at reference loss": [
                places[name][0] if found.has_offset(name) else np.nan for name in order
            ],
            "90% interval": [f"{places[name][1]:.3f} to {places[name][2]:.3f}" for name in order],
        },
        column_config={"Half-way at reference loss": st.column_config.NumberColumn(format="%.3f")},
        hide_index=True,
        alt="Half-way points of the families",
    )
    left = ", ".join(f"{name} ({count})" for name, count in found.dropped)
    st.caption(
        "Half-way at a higher reference loss: the family makes more of the same size and tokens, "
        f"by its data, tokenizer and recipe. Left out for fewer than 3 models: "
        f"{messages.plain(left) or 'none'}."
    )


def _family_proof(held: LargestHeldOut, name: str) -> None:
    """Draw the largest model of each family, predicted and measured."""
    proof = compare_proof.Proof(
        observed=held.observed,
        predicted=held.predicted,
        lower=held.lower,
        upper=held.upper,
        labels=held.families,
    )
    st.subheader("Largest of each family, held out", anchor=False)
    panels.chart(
        compare_proof.figure(proof, name=name),
        alt=compare_proof.alt(proof, name=name),
        key="compare.proof",
    )
