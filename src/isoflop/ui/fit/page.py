"""The Fit page: how far the fit can be trusted, and which runs would improve it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isoflop.errors import PlanError
from isoflop.language import gettext, lazy_gettext, ngettext
from isoflop.planning import compute_flop
from isoflop.planning.doubts import doubts
from isoflop.planning.left_out import before_and_after
from isoflop.ui import (
    budget_inputs,
    controls,
    headline,
    inputs,
    messages,
    resolve,
    uploads,
    views,
)
from isoflop.ui.budget_inputs import Means
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
from isoflop.units import format_number
from isoflop.units.said import format_quantity

SECTIONS = {
    "optimum": lazy_gettext("Optimum"),
    "parameters": lazy_gettext("Parameters"),
    "bands": lazy_gettext("Bands"),
    "residuals": lazy_gettext("Residuals"),
    "influence": lazy_gettext("Influence"),
    "next-runs": lazy_gettext("Next runs"),
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
    """Draw the whole page: the controls, the fit in figures, and one section at a time.

    What the amount of the budget changes is a fragment of its own: moving its slider draws that
    again and leaves the other inputs and the row of tabs as they are.
    """
    with st.sidebar:
        choice = controls.fit_choice()
        means, _ = budget_inputs.means(), budget_inputs.size()
    understood.show(choice.table.id)
    fitted = resolve.fitted(choice)
    if fitted.published is not None:
        raise PlanError(
            gettext("A published fit was not made here, so there is nothing to diagnose."),
            detail=gettext("Its starts, draws and rows are the authors' own."),
            hint=gettext("Choose the same law to fit it to these rows, and compare."),
        )
    body, below = st.container(), st.container()
    with below:
        name, tab = inputs.tabs(SECTIONS, key="section")
    with body:
        show_fit(choice, fitted, means, name, tab)


@st.fragment
def show_fit(
    choice: FitChoice, fitted: Fitted, means: Means, name: str, tab: DeltaGenerator
) -> None:
    """Draw the amount of the budget, the fit in figures, and the section in its tab."""
    below = tab.container()  # filled or not: what is drawn alone later has its place
    with messages.boundary():
        budget = budget_inputs.budget_of(means)
        shown = fit_view.view(choice, fitted, compute_flop(budget, means.accelerator))
        found = _doubts(choice, shown)
        found.serious()
        show_figures(shown)
        found.others()
        with below, messages.boundary():
            _DRAW[name](shown)
    views.note()


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
            gettext("Rows fitted"),
            f"{fit.n_rows:,}",
            gettext("{params} parameters", params=len(fit.law.params)),
            gettext("Rows that have every value the law needs, and the number of its parameters."),
        ),
        (
            gettext("Starts at this optimum"),
            f"{proof.share_at_optimum:.0%}",
            gettext(
                "of {n_starts}, {minima}",
                n_starts=proof.n_starts,
                minima=ngettext("{n:,} minimum", "{n:,} minima", proof.n_minima),
            ),
            gettext("Starts of the search that ended at the reported parameters."),
        ),
        (
            gettext("Residual"),
            f"{shown.residuals.scale:.2%}" if fit.is_log else f"{fit.residual_std:.3g}",
            gettext("robust, relative") if fit.is_log else gettext("standard deviation"),
            gettext("How far a typical row lies from the curve."),
        ),
    ]
    if best.exists:
        cards += [
            (
                gettext("Compute-optimal size N*"),
                format_number(best.params),
                _span(best.interval("params", LEVEL), format_number),
                gettext(
                    "At {compute_flop}.",
                    compute_flop=format_quantity(shown.target.compute_flop, "flop"),
                ),
            ),
            (
                gettext("Exponent a of N*"),
                f"{best.exponent:.3f}",
                _span(best.interval("exponent", LEVEL), lambda value: f"{value:.3f}"),
                gettext("N* grows as C^a at this budget."),
            ),
        ]
    headline.cards(cards)


def _span(ends: tuple[float, float] | None, write: Callable[[float], str]) -> str:
    return (
        gettext("no interval")
        if ends is None
        else gettext("{lower} to {upper}", lower=write(ends[0]), upper=write(ends[1]))
    )
