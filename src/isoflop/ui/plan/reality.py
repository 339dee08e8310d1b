"""The sections of the Reality check page: our sums of published runs against what was published."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.planning.runs import CLOSE_RATIO, Agreement, RunCheck, agreement, check_runs
from isoflop.planning.step_constants import INTERVAL_LEVEL
from isoflop.plot import APP
from isoflop.ui import messages, panels
from isoflop.units import format_number, format_quantity


def show() -> None:
    """Draw the verdict, the two charts and the table."""
    checks = check_runs()
    _verdict(agreement(checks))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.markdown("**Compute: our count over the published one**")
        panels.drawn(plot.published_flop(checks, theme=APP), key="chart.flop")
    with right:
        st.markdown("**Utilisation: implied, reported, and what a plan predicts**")
        panels.drawn(plot.published_mfu(checks, theme=APP), key="chart.mfu")
    st.markdown("**Every run, with the reason for its residual**")
    _table(checks)


def _verdict(found: Agreement) -> None:
    with st.container(key="answer"):
        st.markdown(
            f"Of **{found.n_runs} published runs**, {found.n_counted} give a count of FLOP: ours "
            f"meets **{found.n_agreeing}** within {CLOSE_RATIO - 1:.0%}, and the others count "
            f"something else, as said below. Of {found.n_timed} with hours, a plan would have said "
            f"**{found.n_near}** within a factor of two: it is off by "
            f"**{found.hours_error.median:.0%}** in the median and {found.hours_error.p90:.0%} for "
            f"one in ten, and {found.n_inside} lie in its {INTERVAL_LEVEL:.0%} interval. Each is "
            f"planned without its own source; the {found.held_out_error.n_runs} of which not even "
            f"a step was seen are off by {found.held_out_error.median:.0%} and "
            f"{found.held_out_error.p90:.0%}."
        )


def _table(checks: tuple[RunCheck, ...]) -> None:
    st.dataframe(
        {
            "Run": [check.run.label for check in checks],
            "FLOP published": [_flop(check.run.published_flop) for check in checks],
            "FLOP by 6ND": [_flop(check.flop_6nd) for check in checks],
            "Error of the closest count": [_off(check.closest_ratio) for check in checks],
            "Hours published": [_hours_of(check.run.accelerator_hours) for check in checks],
            "Hours predicted": [_hours_of(check.planned_hours) for check in checks],
            "80% interval": [_interval(check) for check in checks],
            "Error of the hours": [_off(check.hours_ratio) for check in checks],
            "MFU reported": [_reported(check) for check in checks],
            "MFU implied": [_share(check.implied_mfu) for check in checks],
            "Why they differ": [check.run.reason for check in checks],
            "Parameters": [_params(check) for check in checks],
            "Tokens": [format_number(check.run.tokens) for check in checks],
            "Hardware": [_hardware(check) for check in checks],
            "FLOP with attention": [_flop(check.flop_with_attention) for check in checks],
            "FLOP exact": [_flop(check.flop_exact) for check in checks],
            "Unverified": [", ".join(check.run.unverified) or "none" for check in checks],
            "Source": [check.run.source for check in checks],
        },
        hide_index=True,
        alt="Published runs and what a plan would have predicted",
        height=560,
        column_config={
            "Run": st.column_config.TextColumn(pinned=True),
            "Why they differ": st.column_config.TextColumn(width="large"),
        },
    )
    st.caption(
        messages.plain(
            "Errors: ours over the published figure, minus one. Hours predicted: "
            "accelerator-hours in the fastest layout within the critical batch, at the speed that "
            "whole runs of other sources made of it. FLOP are model FLOP: what is recomputed is "
            "left out."
        )
    )


def _params(check: RunCheck) -> str:
    run = check.run
    total = format_number(run.params)
    if run.params_active == run.params:
        return total
    return f"{total} ({format_number(run.params_active)} active)"


def _hardware(check: RunCheck) -> str:
    count = check.run.accelerators
    return check.run.hardware if count is None else f"{count:,} x {check.run.hardware}"


def _flop(value: float | None) -> str:
    return "" if value is None else format_quantity(value, "flop")


def _hours_of(value: float | None) -> str:
    return "" if value is None else f"{format_number(value)} h"


def _interval(check: RunCheck) -> str:
    found = check.planned_interval
    if found is None:
        return ""
    return f"{format_number(found.lower)} to {format_number(found.upper)}"


def _off(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio - 1:+.1%}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _reported(check: RunCheck) -> str:
    reported = check.run.published_mfu
    if reported is None:
        return ""
    low, high = reported
    return f"{low:.1%}" if low == high else f"{low:.0%} to {high:.0%}"
