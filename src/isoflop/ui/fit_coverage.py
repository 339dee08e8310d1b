"""The section of the Fit page on trust in its bands: how often such bands held the truth."""

from __future__ import annotations

import streamlit as st

from isoflop.fitting import OBJECTIVES, Fit
from isoflop.fitting.coverage import TARGETS, coverage_like, describe_coverage, load_coverage


def show(fit: Fit) -> None:
    """Write what was measured for fits like this one, and the whole table."""
    st.markdown("**How often such a band holds the truth**")
    st.caption(describe_coverage(coverage_like(fit)))
    rows = load_coverage()
    st.dataframe(
        {
            "Simulated tables": [row.setting for row in rows],
            "Objective": [OBJECTIVES[row.objective] for row in rows],
            "90% band": [row.band for row in rows],
            "Evaluated": [TARGETS[row.target] for row in rows],
            "Band held the truth": [f"{row.coverage:.1%}" for row in rows],
            "Prediction held a new run": [
                "" if row.prediction_coverage is None else f"{row.prediction_coverage:.1%}"
                for row in rows
            ],
            "Verdict": [row.verdict for row in rows],
            "Median width": [f"{row.relative_width:.2%} of the loss" for row in rows],
        },
        hide_index=True,
        height=240,
        alt="Measured coverage of nominal 90% bands in six kinds of simulated tables",
    )
