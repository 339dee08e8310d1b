"""The section of the Fit page on its parameters: intervals by every method, and their relations."""

from __future__ import annotations

import numpy as np
import streamlit as st
from scipy.special import stdtrit

from isoflop.errors import FitError
from isoflop.figures import fit_pairs, fit_profiles
from isoflop.fitting.diagnose import Profile
from isoflop.ui import fit_view, messages, panels
from isoflop.ui.fit_view import LEVEL, View


def show(shown: View) -> None:
    """Draw the profiles with the intervals beside each other, and the pair plot."""
    st.markdown("**Profile likelihoods**")
    profiles: tuple[Profile, ...] = ()
    try:
        profiles = fit_view.traced(shown)
    except FitError as problem:
        st.caption(f"{messages.plain(problem.summary)} {messages.plain(problem.detail)}")
    drawn = [_drawn(shown, profile) for profile in profiles]
    if drawn:
        panels.chart(
            fit_profiles.figure(drawn, level=LEVEL),
            alt=fit_profiles.alt(drawn, level=LEVEL),
            key="chart.profiles",
        )
        if any(profile.is_lower_found for profile in profiles):
            st.warning(
                "On the way a profile came below the reported minimum: the fit is not at the "
                "lowest point. Fit again with another objective or law.",
                icon=":material/warning:",
            )
    st.markdown(f"**{LEVEL:.0%} intervals by every method**")
    _intervals(shown, {profile.name: profile for profile in drawn})
    st.markdown("**Bootstrap draws, in pairs**")
    _pairs(shown)


def _drawn(shown: View, profile: Profile) -> fit_profiles.Profile:
    return fit_profiles.Profile(
        name=profile.name,
        value=profile.value,
        statistic=profile.statistic,
        parabola=profile.parabola,
        estimate=profile.estimate,
        lower=profile.lower,
        upper=profile.upper,
        threshold=profile.threshold,
        is_log=profile.is_log,
        resampled=_resampled(shown, profile.name),
    )


def _resampled(shown: View, name: str) -> tuple[float, float] | None:
    draws = shown.fit.draws
    if draws is None:
        return None
    return fit_view.interval(draws[:, shown.fit.law.param_names.index(name)])


def _intervals(shown: View, by_name: dict[str, fit_profiles.Profile]) -> None:
    fit = shown.fit
    names = fit.law.param_names
    columns: dict[str, list[str]] = {
        "Parameter": list(names),
        "Estimate": [f"{fit.values[name]:.6g}" for name in names],
        "Profile likelihood": [
            fit_profiles.interval(by_name[name]) if name in by_name else "none" for name in names
        ],
        "Bootstrap": [_write(_resampled(shown, name)) for name in names],
        "Covariance": [_write(ends) for ends in _by_covariance(shown)],
        "Meaning": [param.help for param in fit.law.params],
    }
    st.dataframe(columns, hide_index=True, alt="Intervals of every parameter by three methods")
    notes = []
    if fit.draws is not None:
        notes.append(f"Bootstrap: {len(fit.draws):,} resamples of {fit.options.bootstrap}.")
    if fit.covariance is None:
        notes.append(f"No covariance: {fit.covariance_reason}")
    notes.append(
        "Where the three differ, the objective is not a parabola or the rows are not alike: "
        "trust the widest."
    )
    st.caption(messages.plain(" ".join(notes)))


def _by_covariance(shown: View) -> list[tuple[float, float] | None]:
    fit = shown.fit
    if fit.covariance is None:
        return [None] * len(fit.law.params)
    errors = np.sqrt(np.diagonal(fit.covariance))
    reach = float(stdtrit(fit.n_rows - len(errors), 0.5 + LEVEL / 2)) * errors
    return [
        (float(value - half), float(value + half)) if np.isfinite(half) else None
        for value, half in zip(fit.theta, reach, strict=True)
    ]


def _write(ends: tuple[float, float] | None) -> str:
    return "none" if ends is None else f"{ends[0]:.4g} to {ends[1]:.4g}"


def _pairs(shown: View) -> None:
    fit = shown.fit
    if fit.draws is None or len(fit.law.params) < 2:
        st.caption("There are no bootstrap draws: choose a number of resamples in the fit options.")
        return
    columns = [
        fit_pairs.Column(
            name=param.name,
            values=fit.draws[:, j],
            estimate=fit.values[param.name],
            is_log=param.scale == "log" and bool(np.all(fit.draws[:, j] > 0)),
        )
        for j, param in enumerate(fit.law.params)
    ]
    panels.chart(fit_pairs.figure(columns), alt=fit_pairs.alt(columns), key="chart.pairs")
    st.caption("Above the diagonal: correlations. The cross marks the fit to all rows.")
