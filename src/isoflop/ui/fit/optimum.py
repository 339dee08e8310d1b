"""The section of the Fit page on its optimum: whether it is the best fit there is."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.fitting.diagnose import Extent, drawn_pairs
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext, listed
from isoflop.language import ngettext as n_
from isoflop.plot import APP
from isoflop.ui import inputs, panels
from isoflop.ui.fit import view as fit_view
from isoflop.ui.fit.view import View

EXTENTS: dict[Extent, str] = {
    "search": lazy_gettext("Whole search range"),
    "near": lazy_gettext("Near the optimum"),
}


def show(shown: View) -> None:
    """Draw the objective with every start, and the certificate in figures."""
    pairs = {", ".join(pair): pair for pair in drawn_pairs(shown.fit.law)}
    left, right = st.columns([3, 2], gap="medium")
    with left:
        with st.container(horizontal=True, vertical_alignment="center", key="chart-head-land"):
            st.markdown(_("**Objective over**"), width="content")
            chosen = next(iter(pairs))
            if len(pairs) > 1:
                chosen = inputs.choice(
                    _("Parameters drawn"),
                    {key: listed(pair) for key, pair in pairs.items()},
                    key="fit.over",
                    default=chosen,
                    help=_(
                        "The surface is over two parameters, with all others at their best values."
                    ),
                    is_label_shown=False,
                )
            else:
                st.markdown(f"**{' and '.join(pairs[chosen])}**", width="content")
            extent = inputs.choice(
                _("Extent"),
                EXTENTS,
                key="fit.extent",
                default="search",
                help=_("The whole search range, or a few standard errors around the optimum."),
                style="row",
                is_label_shown=False,
            )
        surface = fit_view.objective(shown.setup, pairs[chosen], extent=extent)
        figure = plot.objective_surface(shown.fit, surface=surface, theme=APP)
        panels.drawn(figure, key=f"chart.land.{extent}")
    with right:
        panels.certificate(shown.fit)
        st.markdown(_reading(shown))


def _reading(shown: View) -> str:
    """Say in a few sentences what the picture proves."""
    proof = shown.fit.certificate
    n_same = round(proof.share_at_optimum * proof.n_starts)
    text = _(
        "The search evaluated **{n_grid:,} points** over the whole range, "
        "took the **{n_starts} lowest** that lie apart as starts, and ran "
        "each to its minimum. **{n_same}** ended at the reported one.",
        n_grid=proof.n_grid,
        n_starts=proof.n_starts,
        n_same=n_same,
    )
    if proof.n_minima == 1:
        return text + _(" No other minimum was found.")
    others = n_("{n:,} other minimum was", "{n:,} other minima were", proof.n_minima - 1)
    gap = panels.gap_in_words(proof)
    return (
        text
        + _(" {others} found", others=others)
        + (_(", the lowest {gap}.", gap=gap) if gap else ".")
    )
