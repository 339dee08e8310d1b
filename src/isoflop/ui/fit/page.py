"""The Fit page: how far the fit can be trusted, and which runs would improve it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from isoflop.errors import PlanError
from isoflop.planning import compute_flop
from isoflop.planning.doubts import doubts
from isoflop.planning.left_out import before_and_after
from isoflop.ui import budget_inputs, controls, inputs, messages, resolve, uploads
from isoflop.ui.data import understood
from isoflop.ui.doubts import Doubts
from isoflop.ui.fit import bands as fit_bands
from isoflop.ui.fit import design as fit_design
from isoflop.ui.fit import influence as fit_influence
from isoflop.ui.fit import optimum as fit_optimum
from isoflop.ui.fit import parameters as fit_parameters
from isoflop.ui.fit import residuals as fit_residuals
from isoflop.ui.fit import view as fit_view
from isoflop.ui.fit.view import LEVEL, View
from isoflop.ui.resolve import Fitted
from isoflop.ui.state import FitChoice
from isoflop.units import counted, format_number, format_quantity

SECTIONS = {
    "optimum": "Optimum",
    "parameters": "Parameters",
    "bands": "Bands",
    "residuals": "Residuals",
    "influence": "Influence",
    "next-runs": "Next runs",
}
_DRAW: dict[str, Callable[[View], None]] = {
    "optimum": fit_optimum.show,
    "parameters": fit_parameters.show,
    "bands": fit_bands.show,
    "residuals": fit_residuals.show,
    "influence": fit_influence.show,
    "next-runs": fit_design.show,
}


def show() -> None:
    """Draw the whole page: the controls, the fit in figures, and one section at a time."""
    with st.sidebar:
        choice = controls.fit_choice()
        accelerator, budget, _ = budget_inputs.budget_and_size()
    understood.show(choice.table.id)
    fitted = resolve.fitted(choice)
    if fitted.published is not None:
        raise PlanError(
            "A published fit was not made here, so there is nothing to diagnose.",
            detail="Its starts, draws and rows are the authors' own.",
            hint="Choose the same law to fit it to these rows, and compare.",
        )
    shown = fit_view.view(choice, fitted, compute_flop(budget, accelerator))
    found = _doubts(choice, shown)
    found.serious()
    show_figures(shown)
    found.others()
    name, tab = inputs.tabs(SECTIONS, key="section")
    with tab, messages.boundary():
        _DRAW[name](shown)


def _doubts(choice: FitChoice, shown: View) -> Doubts:
    """Return everything that should make a reader doubt the fit and its optimum at the budget."""
    fitted, target = shown.fitted, shown.target

    def change(before: Fitted) -> str:
        return before_and_after(
            fit_view.optimum(before.fit, target),
            fit_view.optimum(fitted.fit, target),
            fitted.fit.law.response,
        )

    influence = resolve.influence(fitted.fit, fitted.table, target.compute_flop, fixed=choice.fixed)
    more = (*shown.notices, *influence, *uploads.notices(choice.table.id))
    found = doubts(fitted.fit, fitted.table, more=more)
    return Doubts(choice=choice, fitted=fitted, found=found, change=change)


def show_figures(shown: View) -> None:
    """Say in large figures what was fitted, and how sure it is."""
    fit, proof = shown.fit, shown.fit.certificate
    best = shown.optimum
    cards = [
        (
            "Rows fitted",
            f"{fit.n_rows:,}",
            f"{len(fit.law.params)} parameters",
            "Rows that have every value the law needs, and the number of its parameters.",
        ),
        (
            "Starts at this optimum",
            f"{proof.share_at_optimum:.0%}",
            f"of {proof.n_starts}, {counted(proof.n_minima, 'minimum', 'minima')}",
            "Starts of the search that ended at the reported parameters.",
        ),
        (
            "Residual",
            f"{shown.residuals.scale:.2%}" if fit.is_log else f"{fit.residual_std:.3g}",
            "robust, relative" if fit.is_log else "standard deviation",
            "How far a typical row lies from the curve.",
        ),
    ]
    if best.exists:
        cards += [
            (
                "Compute-optimal size N*",
                format_number(best.params),
                _span(best.interval("params", LEVEL), format_number),
                f"At {format_quantity(shown.target.compute_flop, 'flop')}.",
            ),
            (
                "Exponent a of N*",
                f"{best.exponent:.3f}",
                _span(best.interval("exponent", LEVEL), lambda value: f"{value:.3f}"),
                "N* grows as C^a at this budget.",
            ),
        ]
    with st.container(key="figures-fit"), st.grid(len(cards), min_column_width=140, gap="small"):
        for label, value, note, help_text in cards:
            st.metric(
                label,
                value,
                delta=note or None,
                delta_color="off",
                delta_arrow="off",
                help=help_text,
                border=True,
                height="stretch",
            )


def _span(ends: tuple[float, float] | None, write: Callable[[float], str]) -> str:
    return "no interval" if ends is None else f"{write(ends[0])} to {write(ends[1])}"
