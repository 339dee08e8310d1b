"""The section of the Fit page on its parameters: intervals by every method, and their relations."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting.coverage import band_name
from isoflop.fitting.diagnose import Profile, parameter_intervals, write_interval
from isoflop.plot import APP
from isoflop.ui import messages, panels
from isoflop.ui.fit import view as fit_view
from isoflop.ui.fit.view import LEVEL, View


def show(shown: View) -> None:
    """Draw the profiles with the intervals beside each other, and the pair plot."""
    st.markdown("**Profile likelihoods**")
    profiles: tuple[Profile, ...] = ()
    try:
        profiles = fit_view.profiles(shown.setup, level=LEVEL)
    except FitError as problem:
        st.caption(f"{messages.plain(problem.summary)} {messages.plain(problem.detail)}")
    if profiles:
        figure = plot.profiles(shown.fit, found=profiles, level=LEVEL, theme=APP)
        panels.drawn(figure, key="chart.profiles")
        if any(profile.is_lower_found for profile in profiles):
            st.warning(
                "A profile fell below the reported minimum: the fit is not at the lowest point. "
                "Fit again with another objective or law.",
                icon=":material/warning:",
            )
    st.markdown(f"**{LEVEL:.0%} intervals by every method**")
    _intervals(shown, profiles)
    st.markdown("**Bootstrap draws, in pairs**")
    _pairs(shown)


def _intervals(shown: View, profiles: tuple[Profile, ...]) -> None:
    fit = shown.fit
    rows = parameter_intervals(fit, profiles, level=LEVEL)
    columns: dict[str, list[str]] = {
        "Parameter": [row.name for row in rows],
        "Estimate": [f"{row.estimate:.6g}" for row in rows],
        "Profile likelihood": [
            "none" if row.profile is None else write_interval(row.profile.lower, row.profile.upper)
            for row in rows
        ],
        "Bootstrap": [_write(row.bootstrap) for row in rows],
        "Covariance": [_write(row.covariance) for row in rows],
        "Meaning": [row.help for row in rows],
    }
    st.dataframe(columns, hide_index=True, alt="Intervals of every parameter by three methods")
    notes = []
    if fit.draws is not None:
        notes.append(f"Bootstrap: {len(fit.draws):,} resamples, {band_name(fit)}.")
    if fit.covariance is None:
        notes.append(f"No covariance: {fit.covariance_reason}")
    notes.append(
        "Where the three differ, the objective is not quadratic, or the rows are not independent "
        "and identically distributed: trust the widest interval."
    )
    st.caption(messages.plain(" ".join(notes)))


def _write(ends: tuple[float, float] | None) -> str:
    return "none" if ends is None else write_interval(*ends)


def _pairs(shown: View) -> None:
    try:
        panels.drawn(plot.pairs(shown.fit, theme=APP), key="chart.pairs")
    except FitError as problem:
        st.caption(messages.plain(f"{problem.summary} {problem.hint}"))
