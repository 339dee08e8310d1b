"""The section of the Fit page on trust in its bands: how often such bands held the truth."""

from __future__ import annotations

import streamlit as st

from isoflop.fitting import OBJECTIVES
from isoflop.fitting.coverage import NOMINAL, TARGETS, Coverage, coverage_like, load_coverage
from isoflop.fitting.result import Fit


def show(fit: Fit) -> None:
    """Write what was measured for fits like this one, and the whole table."""
    st.markdown("**How often such a band holds the truth**")
    st.caption(sentence(coverage_like(fit)))
    st.dataframe(
        {
            "Simulated tables": [row.setting for row in load_coverage()],
            "Objective": [OBJECTIVES[row.objective] for row in load_coverage()],
            "90% band": [row.band for row in load_coverage()],
            "Read": [TARGETS[row.target] for row in load_coverage()],
            "Band held the truth": [f"{row.coverage:.1%}" for row in load_coverage()],
            "Prediction held a new run": [
                "" if row.prediction_coverage is None else f"{row.prediction_coverage:.1%}"
                for row in load_coverage()
            ],
            "Verdict": [verdict(row) for row in load_coverage()],
            "Median width": [f"{row.relative_width:.2%} of the loss" for row in load_coverage()],
        },
        hide_index=True,
        height=240,
        alt="Measured coverage of nominal 90% bands in six kinds of simulated tables",
    )


def sentence(measured: tuple[Coverage, ...]) -> str:
    """Say in words how often bands like a fit's held the truth."""
    if not measured:
        return "The band of this objective and kind of resampling was not measured by simulation."
    first = measured[0]
    shares = ", ".join(f"{row.coverage:.0%} {TARGETS[row.target]}" for row in measured)
    text = (
        f"Nearest of six simulated settings: {first.setting} ({first.n_tables:,} tables, "
        f"Chinchilla law). The {NOMINAL:.0%} confidence band by {first.band} held the true loss in "
        f"{shares}."
    )
    off = [f"{_shortfall(row)} {TARGETS[row.target]}" for row in measured if not row.is_calibrated]
    text += f" Off nominal: {', '.join(off)}." if off else " That is as it should be."
    new = [row.prediction_coverage for row in measured if row.prediction_coverage is not None]
    if new:
        text += f" Its prediction band held a new run's loss in {min(new):.0%} to {max(new):.0%}."
    return text


def _shortfall(row: Coverage) -> str:
    points = 100 * abs(row.coverage - NOMINAL)
    return f"{verdict(row)} by {points:.0f} points"


def verdict(row: Coverage) -> str:
    """Say whether a band is calibrated, to two points."""
    if row.is_calibrated:
        return "calibrated"
    return "too wide" if row.coverage > NOMINAL else "too narrow"
