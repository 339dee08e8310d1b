"""The section of the Fit page on its parameters: intervals by every method, and their relations."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting.coverage import band_name
from isoflop.fitting.diagnose import Profile, parameter_intervals, write_interval
from isoflop.language import gettext as _
from isoflop.plot import APP
from isoflop.ui import messages, panels
from isoflop.ui.fit import view as fit_view
from isoflop.ui.fit.view import LEVEL, View


def show(shown: View) -> None:
    """Draw the profiles with the intervals beside each other, and the pair plot."""
    st.markdown(_("**Profile likelihoods**"))
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
                _(
                    "A profile fell below the reported minimum: the fit is not at the "
                    "lowest point. Fit again with another objective or law."
                ),
                icon=":material/warning:",
            )
    st.markdown(_("**{level:.0%} intervals by every method**", level=LEVEL))
    _intervals(shown, profiles)
    st.markdown(_("**Bootstrap draws, in pairs**"))
    _pairs(shown)


def _intervals(shown: View, profiles: tuple[Profile, ...]) -> None:
    fit = shown.fit
    rows = parameter_intervals(fit, profiles, level=LEVEL)
    columns: dict[str, list[str]] = {
        _("Parameter"): [row.name for row in rows],
        _("Estimate"): [f"{row.estimate:.6g}" for row in rows],
        _("Profile likelihood"): [
            _("none")
            if row.profile is None
            else write_interval(row.profile.lower, row.profile.upper)
            for row in rows
        ],
        _("Bootstrap"): [_write(row.bootstrap) for row in rows],
        _("Covariance"): [_write(row.covariance) for row in rows],
        _("Meaning"): [row.help for row in rows],
    }
    panels.listed(columns, hide_index=True, alt=_("Intervals of every parameter by three methods"))
    notes = []
    if fit.draws is not None:
        notes.append(
            _("Bootstrap: {draws:,} resamples, {fit}.", draws=len(fit.draws), fit=band_name(fit))
        )
    if fit.covariance is None:
        notes.append(
            _("No covariance: {covariance_reason}", covariance_reason=fit.covariance_reason)
        )
    notes.append(
        _(
            "Where the three differ, the objective is not quadratic, or the rows "
            "are not independent and identically distributed: trust the widest "
            "interval."
        )
    )
    st.caption(messages.plain(" ".join(notes)))


def _write(ends: tuple[float, float] | None) -> str:
    return _("none") if ends is None else write_interval(*ends)


def _pairs(shown: View) -> None:
    try:
        panels.drawn(plot.pairs(shown.fit, theme=APP), key="chart.pairs")
    except FitError as problem:
        st.caption(messages.plain(f"{problem.summary} {problem.hint}"))
