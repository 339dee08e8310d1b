"""The section of the Fit page on what to train next: the runs that narrow the prediction most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from isoflop import plot
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.planning.design import COUNTS, MAX_RUNS, TOKENS_PER_PARAM, Design
from isoflop.planning.gain import Spread
from isoflop.plot import APP
from isoflop.ui import inputs, messages, panels
from isoflop.ui.fit import view as fit_view
from isoflop.ui.fit.view import LEVEL, View
from isoflop.units import format_number
from isoflop.units.said import format_quantity

AUTO = "auto"
RATIO = inputs.over(1.0, 2000.0)
Wanted = Literal["loss", "size", "agreement"]
AIMS: dict[Wanted, str] = {
    "loss": lazy_gettext("Loss"),
    "size": lazy_gettext("Compute-optimal size"),
    "agreement": lazy_gettext("Agreement of all laws"),
}


def show(shown: View) -> None:
    """Draw the inputs, the runs proposed, and the band before and after."""
    if shown.fit.draws is None:
        st.info(
            _(
                "Proposing runs needs to know how uncertain the fit is: choose a "
                "number of bootstrap resamples in the fit options."
            ),
            icon=":material/info:",
        )
        return
    spend_flop, n_runs, aim, tokens_per_param = _asked(shown)
    if aim == "agreement":
        _show_deciding(shown, spend_flop, tokens_per_param)
        return
    proposed = fit_view.design(
        shown.setup,
        shown.target,
        spend_flop=spend_flop,
        n_runs=n_runs,
        aim=aim,
        tokens_per_param=tokens_per_param,
        level=LEVEL,
    )
    _figures(proposed)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        st.markdown(_("**Band before and after**"))
        panels.drawn(plot.expected_gain(proposed, theme=APP), key="chart.design_band")
    with right:
        st.markdown(_("**Proposed runs among the rows**"))
        panels.drawn(plot.design(proposed, theme=APP), key="chart.design_map")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _table(proposed)
    with right:
        if len(proposed.counts) == len(COUNTS):
            st.markdown(_("**How many runs are worth it**"))
            panels.drawn(plot.run_counts(proposed, theme=APP), key="chart.counts")


Asked = tuple[float, int | None, Wanted, tuple[float, float]]


def _asked(shown: View) -> Asked:
    """Draw what may be spent on small runs and what they are for."""
    target = shown.target.compute_flop
    cells = st.columns(3, gap="medium")
    with cells[0]:
        spend = inputs.quantity(
            _("Budget of the small runs"),
            key="fit.spend",
            default=float(f"{target / 50:.0e}"),
            kind=inputs.COMPUTE,
            help=_("Training compute of all proposed runs together, such as 1e21."),
            is_default_fixed=False,
        )
        aim = inputs.choice(
            _("Goal of the runs"),
            AIMS,
            key="fit.aim",
            default="loss",
            help=_(
                "What the runs should determine at the large budget: the loss or the "
                "best size by this law, or which of all laws is right."
            ),
            style="row",
        )
    with cells[1]:
        low = inputs.quantity(
            _("Fewest tokens per parameter"),
            key="fit.ratio_from",
            default=TOKENS_PER_PARAM[0],
            kind=RATIO,
            help=_("Runs with less data for their size are not proposed."),
        )
        high = inputs.quantity(
            _("Most tokens per parameter"),
            key="fit.ratio_to",
            default=TOKENS_PER_PARAM[1],
            kind=RATIO,
            help=_("Runs with more data for their size are not proposed."),
        )
    with cells[2]:
        count = inputs.choice(
            _("Number of runs"),
            {AUTO: _("As many as help"), **{str(n): str(n) for n in range(1, MAX_RUNS + 1)}},
            key="fit.runs",
            default=AUTO,
            help=_("As many as still make a difference, unless you give a number."),
        )
    return spend, None if count == AUTO else int(count), aim, (low, high)


def _show_deciding(shown: View, spend_flop: float, tokens_per_param: tuple[float, float]) -> None:
    """Draw the runs that would leave least of the laws' disagreement."""
    found = fit_view.deciding(shown, spend_flop=spend_flop, tokens_per_param=tokens_per_param)
    with st.container(key="answer"):
        st.markdown(messages.plain(found.summary()))
    panels.listed(
        {
            _("Runs"): found.n_runs,
            _("Parameters N"): [format_number(value) for value in found.params],
            _("Tokens D"): [format_number(value) for value in found.tokens],
            _("Compute of one"): [format_quantity(value, "flop") for value in found.compute_flop],
            _("Disagreement left"): [f"{value:.0%}" for value in found.left],
        },
        hide_index=True,
        alt=_("Runs by how little they leave of the laws' disagreement"),
    )
    st.caption(
        _(
            "An expectation over the laws, each true with its weight, and over "
            "the scatter of one run. How refits to the new rows would change the "
            "laws is left out."
        )
    )


def _figures(proposed: Design) -> None:
    """Say what the runs would do, in a sentence and in figures."""
    with st.container(key="answer"):
        st.markdown(messages.plain(proposed.summary()))
    gain, outcome = proposed.gain, proposed.setup.fit.law.response.capitalize()
    cards = (
        (
            _("{outcome} now", outcome=outcome),
            f"{gain.loss.centre[0]:.3f}",
            _ends(gain.loss, now=True),
        ),
        (
            _("{outcome} with the runs", outcome=outcome),
            _("{loss_left:.0%} as wide", loss_left=gain.loss_left),
            _ends(gain.loss, now=False),
        ),
        (
            _("Compute-optimal size now"),
            format_number(float(gain.size.centre[0])),
            _ends(gain.size, now=True, write=format_number),
        ),
        (
            _("Size with the runs"),
            _("{size_left:.0%} as wide", size_left=gain.size_left),
            _ends(gain.size, now=False, write=format_number),
        ),
    )
    with st.container(key="figures-design"), st.grid(4, min_column_width=140, gap="small"):
        for label, value, note in cards:
            st.metric(
                label,
                value,
                delta=note,
                delta_color="off",
                delta_arrow="off",
                border=True,
                help=_(
                    "{level:.0%} interval at the large budget; of the size in logarithms.",
                    level=gain.level,
                ),
            )


def _ends(spread: Spread, *, now: bool, write: Callable[[float], str] = "{:.3f}".format) -> str:
    low, high = (spread.before if now else spread.after)[:, 0]
    return _("{low} to {high}", low=write(float(low)), high=write(float(high)))


def _table(proposed: Design) -> None:
    rows = proposed.to_frame()
    st.markdown(_("**Runs to train**"))
    panels.listed(
        {
            _("Runs"): rows["n_runs"],
            _("Parameters N"): [format_number(value) for value in rows["params"]],
            _("Tokens D"): [format_number(value) for value in rows["tokens"]],
            _("Tokens per parameter"): [f"{value:.3g}" for value in rows["tokens_per_param"]],
            _("Compute of one"): [format_quantity(value, "flop") for value in rows["compute_flop"]],
            _("Share of the budget"): [f"{value:.0%}" for value in rows["share_of_budget"]],
        },
        hide_index=True,
        alt=_("Proposed runs"),
    )
    if (rows["n_runs"] > 1).any():
        st.caption(
            _("Train repeated runs with different seeds, so that their scatter averages out.")
        )
