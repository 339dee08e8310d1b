"""The backtest report: how far off every law was on the largest decade of every table."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from isoflop import plot
from isoflop.fitting import OBJECTIVES, FitOptions
from isoflop.fitting.backtest import Backtest, load_backtest
from isoflop.fitting.backtest_summary import law_label, what_matters
from isoflop.fitting.extrapolation.calibration import load_report
from isoflop.language import all_translated, lazy_gettext, translated
from isoflop.language import gettext as _
from isoflop.plot import APP
from isoflop.tables import list_datasets
from isoflop.ui import inputs, messages, option_inputs, panels

MEASURES: dict[Literal["error", "coverage"], str] = {
    "error": lazy_gettext("Error"),
    "coverage": lazy_gettext("Coverage"),
}
MEANING = {
    "error": lazy_gettext("Mean error; green: the least on the table, orange: ten times that."),
    "coverage": lazy_gettext("Share of rows inside their 90% interval; green: 90%, orange: none."),
}
HEADINGS = {
    "law": lazy_gettext("Law"),
    "objective": lazy_gettext("Objective"),
    "mean_abs_error": lazy_gettext("Mean error"),
    "median_abs_error": lazy_gettext("Median error"),
    "bias": lazy_gettext("Bias"),
    "coverage": lazy_gettext("In 90% interval"),
    "rows_fitted": lazy_gettext("Rows fitted"),
    "rows_predicted": lazy_gettext("Rows predicted"),
    "families": lazy_gettext("Families"),
    "reason": lazy_gettext("Not fitted"),
}
AHEAD = {
    "dataset": lazy_gettext("Table"),
    "decades": lazy_gettext("Decades held out"),
    "method": lazy_gettext("Predicted by"),
    "mean_error": lazy_gettext("Mean error"),
    "best_error": lazy_gettext("Best law in hindsight"),
    "coverage": lazy_gettext("In 90% band"),
    "rows": lazy_gettext("Runs predicted"),
}
SHARES = ("mean_abs_error", "median_abs_error", "bias", "coverage")


def _ahead() -> None:
    """Draw how predictions by all laws, and by one, did on held-out runs of public tables."""
    found = load_report()
    st.markdown(_("**Predictions beyond the data: all laws together, and one**"))
    shown = found[list(AHEAD)].rename(columns=all_translated(AHEAD))
    by = translated(AHEAD["method"])
    shown[by] = shown[by].map({"average": _("average of all laws"), "one": _("law of lowest AICc")})
    shares = (_("Mean error"), _("Best law in hindsight"), _("In 90% band"))
    number = st.column_config.NumberColumn(format="percent")
    panels.listed(
        shown,
        hide_index=True,
        column_config=dict.fromkeys(shares, number),
        alt=_("Held-out runs of public tables, predicted by all laws and by one"),
    )
    st.caption(
        _(
            "The largest runs of each table predicted by the rest, families "
            "apart. The constants of a table's bands were estimated from the "
            "other tables."
        )
    )


def show() -> None:
    """Draw the picture of one objective, then every figure of one table."""
    report = load_backtest()
    left, right = st.columns(2)
    with left:
        objective = option_inputs.choice(FitOptions, "objective", key="compare.objective")
    with right:
        measure = inputs.choice(
            _("Show"),
            MEASURES,
            key="compare.measure",
            default="error",
            help=_(
                "The errors of the predictions, or how often 90% intervals contained the outcome."
            ),
            style="row",
        )
    shown = report.of(objective=objective)
    with st.container(key="answer"):
        st.markdown(messages.plain(shown.verdict()))
    panels.drawn(plot.backtest(shown, measure=measure, theme=APP), key="compare.backtest")
    st.markdown(messages.plain(what_matters(report)))
    st.caption(
        _(
            "The largest decade of compute of each table (of tokens or active "
            "parameters where it has no compute) predicted by fits to the rest, "
            "families apart. {meaning} Grey, in brackets: some families could "
            "not be fitted, so the figure is not ranked. Blank: no figure. Laws "
            "that could be evaluated on at least half of the tables come first. "
            "Made {made} by `isoflop backtest --csv`.",
            meaning=MEANING[measure],
            made=messages.plain(report.made),
        )
    )
    _one_table(report)
    _ahead()


def _one_table(report: Backtest) -> None:
    titles = {entry.id: entry.title for entry in list_datasets()}
    chosen = inputs.choice(
        _("Every law and objective on one table"),
        {table: titles.get(table, table) for table in report.datasets},
        key="compare.on",
        default=report.datasets[0],
        help=_("Errors and coverage by law and objective."),
    )
    frame = report.of(dataset=chosen).to_frame()
    counts = zip(frame["groups_predicted"], frame["groups"], strict=True)
    frame = frame.assign(
        law=[translated(law_label(law)) for law in frame["law"]],
        objective=[translated(OBJECTIVES[name]) for name in frame["objective"]],
        families=[_("{found} of {total}", found=found, total=total) for found, total in counts],
    )
    headings = all_translated(HEADINGS)
    if not frame["reason"].any():
        headings.pop("reason")
    panels.listed(
        frame[list(headings)].rename(columns=headings),
        column_config={
            headings[name]: st.column_config.NumberColumn(format="percent") for name in SHARES
        },
        hide_index=True,
        alt=_("Backtest of one table"),
    )
