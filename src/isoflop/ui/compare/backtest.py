"""The backtest report: how far off every law was on the largest decade of every table."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from isoflop import plot
from isoflop.fitting import OBJECTIVES, FitOptions
from isoflop.fitting.backtest import Backtest, load_backtest
from isoflop.fitting.backtest_summary import law_label, what_matters
from isoflop.fitting.extrapolation.calibration import load_report
from isoflop.plot import APP
from isoflop.tables import list_datasets
from isoflop.ui import inputs, messages, option_inputs, panels

MEASURES: dict[Literal["error", "coverage"], str] = {"error": "Error", "coverage": "Coverage"}
MEANING = {
    "error": "Mean error; green: the least on the table, orange: ten times that.",
    "coverage": "Share of rows inside their 90% interval; green: 90%, orange: none.",
}
HEADINGS = {
    "law": "Law",
    "objective": "Objective",
    "mean_abs_error": "Mean error",
    "median_abs_error": "Median error",
    "bias": "Bias",
    "coverage": "In 90% interval",
    "rows_fitted": "Rows fitted",
    "rows_predicted": "Rows predicted",
    "families": "Families",
    "reason": "Not fitted",
}
AHEAD = {
    "dataset": "Table",
    "decades": "Decades held out",
    "method": "Predicted by",
    "mean_error": "Mean error",
    "best_error": "Best law in hindsight",
    "coverage": "In 90% band",
    "rows": "Runs predicted",
}
SHARES = ("mean_abs_error", "median_abs_error", "bias", "coverage")


def _ahead() -> None:
    """Draw how predictions by all laws, and by one, did on held-out runs of public tables."""
    found = load_report()
    st.markdown("**Predictions beyond the data: all laws together, and one**")
    shown = found[list(AHEAD)].rename(columns=AHEAD)
    shown["Predicted by"] = shown["Predicted by"].map(
        {"average": "average of all laws", "one": "law of lowest AICc"}
    )
    shares = ("Mean error", "Best law in hindsight", "In 90% band")
    number = st.column_config.NumberColumn(format="percent")
    st.dataframe(
        shown,
        hide_index=True,
        column_config=dict.fromkeys(shares, number),
        alt="Held-out runs of public tables, predicted by all laws and by one",
    )
    st.caption(
        "The largest runs of each table predicted by the rest, families apart. The constants of a "
        "table's bands were estimated from the other tables."
    )


def show() -> None:
    """Draw the picture of one objective, then every figure of one table."""
    report = load_backtest()
    left, right = st.columns(2)
    with left:
        objective = option_inputs.choice(FitOptions, "objective", key="compare.objective")
    with right:
        measure = inputs.choice(
            "Show",
            MEASURES,
            key="compare.measure",
            default="error",
            help="The errors of the predictions, or how often 90% intervals contained the outcome.",
            style="row",
        )
    shown = report.of(objective=objective)
    with st.container(key="answer"):
        st.markdown(messages.plain(shown.verdict()))
    panels.drawn(plot.backtest(shown, measure=measure, theme=APP), key="compare.backtest")
    st.markdown(messages.plain(what_matters(report)))
    st.caption(
        "The largest decade of compute of each table (of tokens or active parameters where it has "
        f"no compute) predicted by fits to the rest, families apart. {MEANING[measure]} Grey, in "
        "brackets: some families could not be fitted, so the figure is not ranked. Blank: no "
        "figure. Laws that could be evaluated on at least half of the tables come first. Made "
        f"{messages.plain(report.made)} by `isoflop backtest --csv`."
    )
    _one_table(report)
    _ahead()


def _one_table(report: Backtest) -> None:
    titles = {entry.id: entry.title for entry in list_datasets()}
    chosen = inputs.choice(
        "Every law and objective on one table",
        {table: titles.get(table, table) for table in report.datasets},
        key="compare.on",
        default=report.datasets[0],
        help="Errors and coverage by law and objective.",
    )
    frame = report.of(dataset=chosen).to_frame()
    counts = zip(frame["groups_predicted"], frame["groups"], strict=True)
    frame = frame.assign(
        law=frame["law"].map(law_label),
        objective=frame["objective"].map(dict(OBJECTIVES)),
        families=[f"{found} of {total}" for found, total in counts],
    )
    headings = dict(HEADINGS)
    if not frame["reason"].any():
        headings.pop("reason")
    st.dataframe(
        frame[list(headings)].rename(columns=headings),
        column_config={
            HEADINGS[name]: st.column_config.NumberColumn(format="percent") for name in SHARES
        },
        hide_index=True,
        alt="Backtest of one table",
    )
