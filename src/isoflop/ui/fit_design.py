"""The section of the Fit page on what to train next: the runs that make the prediction surer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from isoflop.figures import contours, fit_before_after
from isoflop.figures import fit_design as drawing
from isoflop.planning import trajectory
from isoflop.planning.design import COUNTS, MAX_RUNS, TOKENS_PER_PARAM, Aim, Design, design_runs
from isoflop.planning.gain import ExpectedGain, Runs, expected_gain
from isoflop.plot import axes
from isoflop.ui import fit_view, inputs, messages, panels, rows
from isoflop.ui.fit_view import LEVEL, View
from isoflop.units import counted, format_number, format_quantity

AUTO = "auto"
RATIO = inputs.over(1.0, 2000.0)


def show(shown: View) -> None:
    """Draw the wishes, the runs proposed, and the band before and after."""
    if shown.fit.draws is None:
        st.info(
            "Proposing runs needs to know how unsure the fit is: choose a number of bootstrap "
            "resamples in the fit options.",
            icon=":material/info:",
        )
        return
    wishes = _wishes(shown)
    proposal, seen = fit_view.kept(
        "design",
        (shown.key, shown.at, wishes),
        "Comparing sets of runs by refits",
        lambda report: _propose(shown, *wishes, report),
    )
    _say(shown, proposal, seen)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _band(shown, seen)
    with right:
        _map(shown, proposal)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _table(proposal)
    with right:
        _counts(proposal)


Wishes = tuple[float, int | None, Aim, tuple[float, float]]


def _wishes(shown: View) -> Wishes:
    """Draw what may be spent on small runs and what they are for."""
    target = shown.target.compute_flop
    cells = st.columns(3, gap="medium")
    with cells[0]:
        spend = inputs.quantity(
            "Budget of the small runs",
            key="fit.spend",
            default=float(f"{target / 50:.0e}"),
            kind=inputs.COMPUTE,
            help="Training compute of all proposed runs together, such as 1e21.",
            is_default_fixed=False,
        )
        aims: dict[Aim, str] = {"loss": "The loss", "size": "The best size"}
        aim = inputs.choice(
            "Make surer",
            aims,
            key="fit.aim",
            default="loss",
            help="What the runs are to pin down at the large budget.",
            style="row",
        )
    with cells[1]:
        low = inputs.quantity(
            "Least tokens/param",
            key="fit.ratio_from",
            default=TOKENS_PER_PARAM[0],
            kind=RATIO,
            help="Runs with less data for their size are not proposed.",
        )
        high = inputs.quantity(
            "Most tokens/param",
            key="fit.ratio_to",
            default=TOKENS_PER_PARAM[1],
            kind=RATIO,
            help="Runs with more data for their size are not proposed.",
        )
    with cells[2]:
        count = inputs.choice(
            "Number of runs",
            {AUTO: "As many as help", **{str(n): str(n) for n in range(1, MAX_RUNS + 1)}},
            key="fit.runs",
            default=AUTO,
            help="As many as still make a difference, unless you choose.",
        )
    return spend, None if count == AUTO else int(count), aim, (low, high)


def _propose(
    shown: View,
    spend_flop: float,
    n_runs: int | None,
    aim: Aim,
    ratio: tuple[float, float],
    report: Callable[[float], None],
) -> tuple[Design, ExpectedGain]:
    proposal = design_runs(
        shown.setup,
        shown.target,
        spend_flop=spend_flop,
        n_runs=n_runs,
        aim=aim,
        tokens_per_param=ratio,
        progress=lambda share: report(0.7 * share),
    )
    seen = expected_gain(
        shown.setup,
        proposal.runs,
        shown.target,
        level=LEVEL,
        progress=lambda share: report(0.7 + 0.3 * share),
    )
    return proposal, seen


def _say(shown: View, proposal: Design, seen: ExpectedGain) -> None:
    """Say what the runs would do, in a sentence and in figures."""
    spent = float(proposal.runs.compute_flop.sum())
    is_loss = proposal.aim == "loss"
    left = seen.loss_left if is_loss else seen.size_left
    what = f"the {shown.fit.law.response}" if is_loss else "the best size"
    where = messages.plain(format_quantity(shown.target.compute_flop, "flop"))
    count = len(proposal.runs.params)
    if left < 0.98:
        text = (
            f"**{counted(count, 'run')} of "
            f"{messages.plain(format_quantity(spent, 'flop'))}** together would shrink the "
            f"{LEVEL:.0%} interval of {what} at {where} **to {left:.0%}** of its width."
        )
    else:
        text = (
            f"**No set of runs within this budget makes {what} at {where} surer**: the best found "
            f"leaves {left:.0%} of the interval's width. Runs nearer to the target would."
        )
    with st.container(key="answer"):
        st.markdown(text)
    loss, size = seen.loss, seen.size
    with st.container(key="figures-design"), st.grid(4, min_column_width=140, gap="small"):
        for label, value, note in (
            ("Loss now", f"{float(loss.centre[0]):.3f}", _ends(loss.before, ".3f")),
            ("Loss with the runs", f"{seen.loss_left:.0%} as wide", _ends(loss.after, ".3f")),
            ("Best size now", format_number(float(size.centre[0])), _sizes(size.before)),
            ("Best size with the runs", f"{seen.size_left:.0%} as wide", _sizes(size.after)),
        ):
            st.metric(
                label,
                value,
                delta=note,
                delta_color="off",
                delta_arrow="off",
                border=True,
                help=f"{LEVEL:.0%} interval at the large budget; of the size in logarithms.",
            )


def _ends(ends: np.ndarray, spec: str) -> str:
    return f"{ends[0, 0]:{spec}} to {ends[1, 0]:{spec}}"


def _sizes(ends: np.ndarray) -> str:
    return f"{format_number(float(ends[0, 0]))} to {format_number(float(ends[1, 0]))}"


def _band(shown: View, seen: ExpectedGain) -> None:
    st.markdown("**Band before and after**")
    curve = seen.curve
    states = [
        fit_before_after.State(name=name, loss=curve.centre, lower=ends[0], upper=ends[1])
        for name, ends in (("Now", curve.before), ("With the runs", curve.after))
    ]
    figure = fit_before_after.figure(
        seen.curve_flop,
        states,
        target_flop=shown.target.compute_flop,
        y_title=axes.response_title(shown.fit),
        level=LEVEL,
    )
    panels.chart(figure, alt=fit_before_after.alt(states), key="chart.design_band")
    st.caption(
        f"Expected: each of {seen.n_draws:,} bootstrap draws in turn is taken for the truth, the "
        "runs come out as it says, with scatter, and the law is fitted again. If the law is wrong "
        "at scale, no small run shows it."
    )


def _map(shown: View, proposal: Design) -> None:
    st.markdown("**Where the runs lie**")
    kinds, count = grouped(proposal.runs)
    drawn = drawing.Proposed(
        params=kinds.params, tokens=kinds.tokens, count=count, labels=_labels(kinds, count)
    )
    low, high = trajectory.compute_range(shown.fit, shown.fitted.table, shown.target.compute_flop)
    path = trajectory.optimal_models(
        shown.fit,
        np.geomspace(low, high, trajectory.N_POINTS),
        shown.target.fixed,
        rule=shown.target.rule,
    )
    params = float(fit_view.best(shown).centre.params)
    tokens = float(shown.target.rule.tokens(params, shown.target.compute_flop))
    nothing = contours.Path(params=np.array([]), tokens=np.array([]))
    table = shown.fitted.table
    is_drawn = {"params", "tokens"} <= set(table.frame)
    figure = drawing.figure(
        rows.runs(table) if is_drawn else [],
        drawn,
        nothing if path is None else contours.Path(params=path[1], tokens=path[2]),
        (params, tokens),
    )
    panels.chart(figure, alt=drawing.alt(drawn), key="chart.design_map")


def grouped(runs: Runs) -> tuple[Runs, np.ndarray]:
    """Return each kind of run once, and how many there are of it."""
    pairs = np.stack([runs.params, runs.tokens])
    _, first, count = np.unique(pairs, axis=1, return_index=True, return_counts=True)
    order = np.argsort(first)
    return runs.part(first[order]), count[order]


def _labels(kinds: Runs, count: np.ndarray) -> tuple[str, ...]:
    return tuple(
        f"<b>{number} × {format_number(n)} parameters</b><br>{format_number(d)} tokens"
        f"<br>{format_quantity(c, 'flop')}"
        for number, n, d, c in zip(
            count, kinds.params, kinds.tokens, kinds.compute_flop, strict=True
        )
    )


def _table(proposal: Design) -> None:
    kinds, count = grouped(proposal.runs)
    st.markdown("**Runs to train**")
    st.dataframe(
        {
            "Runs": count,
            "Parameters N": [format_number(n) for n in kinds.params],
            "Tokens D": [format_number(d) for d in kinds.tokens],
            "Tokens per parameter": [
                f"{d / n:.3g}" for n, d in zip(kinds.params, kinds.tokens, strict=True)
            ],
            "Compute of one": [format_quantity(c, "flop") for c in kinds.compute_flop],
            "Share of the budget": [
                f"{n * c / proposal.spend_flop:.0%}"
                for n, c in zip(count, kinds.compute_flop, strict=True)
            ],
        },
        hide_index=True,
        alt="Proposed runs",
    )
    if (count > 1).any():
        st.caption("Train repeated runs with different seeds: their scatter is what averages out.")


def _counts(proposal: Design) -> None:
    if len(proposal.counts) < len(COUNTS):
        return
    st.markdown("**How many runs are worth it**")
    chosen = len(proposal.runs.params)
    figure = drawing.widths(proposal.counts, proposal.left, proposal.left_single, chosen)
    panels.chart(figure, alt=drawing.widths_alt(proposal.counts, proposal.left), key="chart.counts")
