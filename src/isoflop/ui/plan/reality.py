"""The sections of the Reality check page: our sums of published runs against what was published."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.language import gettext as _
from isoflop.planning.runs import CLOSE_RATIO, Agreement, RunCheck, agreement, check_runs
from isoflop.planning.step_constants import INTERVAL_LEVEL
from isoflop.plot import APP
from isoflop.ui import messages, panels
from isoflop.units import format_number
from isoflop.units.said import format_quantity


def show() -> None:
    """Draw the verdict, the two charts and the table."""
    checks = check_runs()
    _verdict(agreement(checks))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.markdown(_("**Compute: our count over the published one**"))
        panels.drawn(plot.published_flop(checks, theme=APP), key="chart.flop")
    with right:
        st.markdown(_("**Utilisation: implied, reported, and what a plan predicts**"))
        panels.drawn(plot.published_mfu(checks, theme=APP), key="chart.mfu")
    st.markdown(_("**Every run, with the reason for its residual**"))
    _table(checks)


def _verdict(found: Agreement) -> None:
    with st.container(key="answer"):
        st.markdown(
            _(
                "Of **{n_runs} published runs**, {n_counted} give a count of FLOP: "
                "ours meets **{n_agreeing}** within {close_ratio:.0%}, and the "
                "others count something else, as said below. Of {n_timed} with "
                "hours, a plan would have said **{n_near}** within a factor of two: "
                "it is off by **{median:.0%}** in the median and {p90:.0%} for one "
                "in ten, and {n_inside} lie in its {interval_level:.0%} interval. "
                "Each is planned without its own source; the {n_runs2} of which not "
                "even a step was seen are off by {median2:.0%} and {p902:.0%}.",
                n_runs=found.n_runs,
                n_counted=found.n_counted,
                n_agreeing=found.n_agreeing,
                close_ratio=CLOSE_RATIO - 1,
                n_timed=found.n_timed,
                n_near=found.n_near,
                median=found.hours_error.median,
                p90=found.hours_error.p90,
                n_inside=found.n_inside,
                interval_level=INTERVAL_LEVEL,
                n_runs2=found.held_out_error.n_runs,
                median2=found.held_out_error.median,
                p902=found.held_out_error.p90,
            )
        )


def _table(checks: tuple[RunCheck, ...]) -> None:
    panels.listed(
        {
            _("Run"): [check.run.label for check in checks],
            _("FLOP published"): [_flop(check.run.published_flop) for check in checks],
            _("FLOP by 6ND"): [_flop(check.flop_6nd) for check in checks],
            _("Error of the closest count"): [_off(check.closest_ratio) for check in checks],
            _("Hours published"): [_hours_of(check.run.accelerator_hours) for check in checks],
            _("Hours predicted"): [_hours_of(check.planned_hours) for check in checks],
            "80% interval": [_interval(check) for check in checks],
            _("Error of the hours"): [_off(check.hours_ratio) for check in checks],
            _("MFU reported"): [_reported(check) for check in checks],
            _("MFU implied"): [_share(check.implied_mfu) for check in checks],
            _("Why they differ"): [check.run.reason for check in checks],
            _("Parameters"): [_params(check) for check in checks],
            _("Tokens"): [format_number(check.run.tokens) for check in checks],
            _("Hardware"): [_hardware(check) for check in checks],
            _("FLOP with attention"): [_flop(check.flop_with_attention) for check in checks],
            _("FLOP exact"): [_flop(check.flop_exact) for check in checks],
            _("Unverified"): [", ".join(check.run.unverified) or _("none") for check in checks],
            _("Source"): [check.run.source for check in checks],
        },
        hide_index=True,
        alt=_("Published runs and what a plan would have predicted"),
        height=560,
        column_config={
            _("Run"): st.column_config.TextColumn(pinned=True),
            _("Why they differ"): st.column_config.TextColumn(width="large"),
        },
    )
    st.caption(
        messages.plain(
            _(
                "Errors: ours over the published figure, minus one. Hours predicted: "
                "accelerator-hours in the fastest layout within the critical batch, "
                "at the speed that whole runs of other sources made of it. FLOP are "
                "model FLOP: what is recomputed is left out."
            )
        )
    )


def _params(check: RunCheck) -> str:
    run = check.run
    total = format_number(run.params)
    if run.params_active == run.params:
        return total
    return _(
        "{total} ({params_active} active)",
        total=total,
        params_active=format_number(run.params_active),
    )


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
    return _(
        "{lower} to {upper}", lower=format_number(found.lower), upper=format_number(found.upper)
    )


def _off(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio - 1:+.1%}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _reported(check: RunCheck) -> str:
    reported = check.run.published_mfu
    if reported is None:
        return ""
    low, high = reported
    return f"{low:.1%}" if low == high else _("{low:.0%} to {high:.0%}", low=low, high=high)
