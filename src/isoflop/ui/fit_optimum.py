"""The section of the Fit page on its optimum: whether it is the best fit there is."""

from __future__ import annotations

from itertools import combinations

import streamlit as st

from isoflop.figures import fit_landscape
from isoflop.fitting.diagnose import drawn_parameters
from isoflop.ui import fit_view, inputs, panels
from isoflop.ui.fit_view import View
from isoflop.units import counted


def show(shown: View) -> None:
    """Draw the objective with every start, and the certificate in figures."""
    names = drawn_parameters(shown.fit.law)
    pairs: list[tuple[str, ...]] = [*combinations(names, 2)] or [names[:1]]
    left, right = st.columns([3, 2], gap="medium")
    with left:
        with st.container(horizontal=True, vertical_alignment="center", key="chart-head-land"):
            st.markdown("**Objective over**", width="content")
            pair = pairs[0]
            if len(pairs) > 1:
                chosen = inputs.choice(
                    "Parameters drawn",
                    {", ".join(pair): " and ".join(pair) for pair in pairs},
                    key="fit.over",
                    default=", ".join(pairs[0]),
                    help="The picture is over two parameters; all others are at their best.",
                    is_label_shown=False,
                )
                pair = tuple(chosen.split(", "))
            else:
                st.markdown(f"**{' and '.join(pair)}**", width="content")
            extent = inputs.choice(
                "Extent",
                {"search": "All that was searched", "near": "Near the optimum"},
                key="fit.extent",
                default="search",
                help="Over the whole search, or a few standard errors around the optimum.",
                style="row",
                is_label_shown=False,
            )
        _picture(shown, pair, "near" if extent == "near" else "search")
    with right:
        panels.certificate(shown.fit)
        st.markdown(_reading(shown))


def _picture(shown: View, names: tuple[str, ...], extent: str) -> None:
    relief = fit_view.relief(shown, names, "near" if extent == "near" else "search")
    found = fit_view.found(shown)
    columns = [shown.fit.law.param_names.index(name) for name in names]
    drawn = fit_landscape.Relief(
        names=relief.names,
        axes=relief.axes,
        is_log=relief.is_log,
        excess=relief.excess,
        starts=found.starts[:, columns],
        ends=found.ends[:, columns],
        end_excess=found.excess,
        minima=found.minima,
    )
    panels.chart(
        fit_landscape.figure(drawn), alt=fit_landscape.alt(drawn), key=f"chart.land.{extent}"
    )
    if relief.n_rows < shown.fit.n_rows:
        st.caption(f"The surface is computed on {relief.n_rows} of {shown.fit.n_rows:,} rows.")


def _reading(shown: View) -> str:
    """Say in a few sentences what the picture proves."""
    proof = shown.fit.certificate
    n_same = round(proof.share_at_optimum * proof.n_starts)
    text = (
        f"The search looked at **{proof.n_grid:,} points** of the whole range, took the "
        f"**{proof.n_starts} lowest** that lie apart as starts, and brought each to its minimum. "
        f"**{n_same}** ended at the reported one."
    )
    if proof.n_minima == 1:
        return text + " No other minimum was found."
    others = counted(proof.n_minima - 1, "other minimum was", "other minima were")
    gap = panels.gap_in_words(proof)
    return text + f" {others} found" + (f", the lowest {gap}." if gap else ".")
