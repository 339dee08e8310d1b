"""The stage Law: the fit that follows the runs, and the way of their points to every page."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.figures import train_fit
from isoflop.fitting import Fit, FitOptions, predict
from isoflop.fitting.compare import LawComparison, compare_laws
from isoflop.laws import law_for_role, laws_for, load_laws
from isoflop.tables import LossTable, ReadResult, family_names
from isoflop.tables.select import of_families
from isoflop.training.config import FAMILY_DEFAULTS
from isoflop.training.ladders import Ladder
from isoflop.training.runs import ACTIVE
from isoflop.ui import inputs, messages, panels, train_state, uploads
from isoflop.ui.train_predict import fit_ladder
from isoflop.units import format_number

POLL_S = 2.0
NAME = "own-ladder.csv"
N_CURVE_POINTS = 60
HELD_OUT_DECADES = 0.5
REACH = 4.0
"""How far beyond the largest budget the curves are drawn."""


def show_law(ladder: Ladder) -> None:
    """Show the fit of the points so far; while runs are active it follows them."""
    train_state.follow(ladder, _law, every_s=POLL_S)


def _law(ladder: Ladder) -> None:
    with messages.boundary():
        seen = train_state.look_at(ladder.runs)
        points = train_state.points_of(seen)
        if points is None:
            st.caption("No budget is reached yet: the fit starts with the first points.")
            return
        left, right = st.columns(2)
        with left:
            law_key = law_input()
        with right:
            table = family_input(points.table)
        _fitted(table, law_key)
        if not any(one.state.status in ACTIVE for one in seen):
            _law_table(table)
        _use_everywhere(points)


def law_input() -> str:
    """Draw the choice of a law for the ladder."""
    labels = {law.key: law.label for law in laws_for("small-runs")}
    return inputs.choice(
        "Law",
        labels,
        key="ladder_law",
        default=law_for_role("small-runs-default").key,
        help="Small runs have an interaction of size and data that Chinchilla's form lacks.",
    )


def family_input(table: LossTable) -> LossTable:
    """Draw the choice of one family where there are several, and return its rows."""
    names = family_names(table)
    if len(names) < 2:
        return table
    labels: dict[str, str] = {
        name: known.label for name, known in FAMILY_DEFAULTS.items() if name in names
    }
    family = inputs.choice(
        "Family",
        labels,
        key="ladder_family",
        default=names[0],
        help="Each family follows a law of its own.",
    )
    return of_families(table, [family])


def _fitted(table: LossTable, law_key: str) -> None:
    """Draw points and fit; before there are more points than parameters, the points alone."""
    n_points, n_needed = len(table.included()), 1 + len(load_laws()[law_key].params)
    if n_points < n_needed:
        st.info(
            f"{n_points} points so far: the fit of this law starts with {n_needed}.",
            icon=":material/hourglass_top:",
        )
        shown = sizes(None, table)
        panels.chart(train_fit.figure(shown), alt=train_fit.alt(shown), key="chart.ladder")
        return
    fitted = fitted_law(table.fingerprint, law_key, 0, table)
    with st.grid(4, min_column_width=150):
        st.metric("Points", f"{fitted.n_rows}", help="Budgets reached so far.")
        st.metric("Residual", f"{fitted.residual_std:.2%}", help="Standard deviation of log loss.")
        st.metric(
            "Largest residual", f"{float(np.abs(fitted.residuals).max()):.2%}", help="Of any point."
        )
        st.metric(
            "Floor E",
            f"{fitted.values['E']:.2f}" if "E" in fitted.values else "none",
            help="A small ladder does not identify it: it is not the entropy of the text.",
        )
    shown = sizes(fitted, table)
    panels.chart(train_fit.figure(shown), alt=train_fit.alt(shown), key="chart.ladder")
    panels.equation(fitted)
    with st.expander("Parameters and certificate", key="train.parameters"):
        panels.parameters(fitted)
        panels.certificate(fitted)
    messages.notices(fitted.notices)


def _law_table(table: LossTable) -> None:
    """Set the laws side by side: on these points, and on the largest from the smaller ones."""
    try:
        scores = _compared(table.fingerprint, table).fitted
    except IsoflopError:
        return  # too few points yet; the fit above says so
    aicc = [score.criteria.aicc if score.criteria else np.inf for score in scores]
    held_out = [score.held_out.errors.mean_absolute if score.held_out else None for score in scores]
    st.dataframe(
        {
            "Law": [score.law.label for score in scores],
            "Residual": [100 * score.fit.residual_std if score.fit else None for score in scores],
            "AICc above the best": [value - min(aicc) for value in aicc],
            "Error on the largest runs": [None if e is None else 100 * e for e in held_out],
        },
        column_config={
            "Residual": st.column_config.NumberColumn(format="%.2f%%"),
            "AICc above the best": st.column_config.NumberColumn(
                format="%.1f", help="Weighs the fit against the number of parameters; 0 is best."
            ),
            "Error on the largest runs": st.column_config.NumberColumn(
                format="%.2f%%", help="Mean error of the law fitted to the rest alone."
            ),
        },
        hide_index=True,
        alt="Laws with residual, AICc and error on held-out runs",
    )


@st.cache_resource(max_entries=16, show_spinner="Comparing laws")
def _compared(fingerprint: str, _table: LossTable) -> LawComparison:
    options = FitOptions(objective="least_squares_log")
    return compare_laws(_table, laws_for("small-runs"), options, decades=HELD_OUT_DECADES)


@st.cache_resource(max_entries=32, show_spinner="Fitting the law")
def fitted_law(fingerprint: str, law_key: str, n_draws: int, _table: LossTable) -> Fit:
    """Return the fit of a ladder's points.

    Raises
    ------
    FitError
        If there are too few.
    """
    return fit_ladder(law_key, _table, n_draws=n_draws)


def sizes(fitted: Fit | None, table: LossTable) -> list[train_fit.Size]:
    """Return points and fitted curve, if there is one, of every model size, the smallest first."""
    frame = table.included()
    reach = np.geomspace(frame["tokens"].min(), REACH * frame["tokens"].max(), N_CURVE_POINTS)
    tokens = reach if fitted else np.empty(0)
    found = []
    for params in sorted(set(table.values("params").tolist())):
        group = frame[frame["params"] == params]
        at = {"params": np.full(len(tokens), params), "tokens": tokens}
        found.append(
            train_fit.Size(
                label=f"{format_number(params)} parameters",
                tokens=group["tokens"].to_numpy(float),
                loss=group["loss"].to_numpy(float),
                curve_tokens=tokens,
                curve_loss=_curve(fitted, at) if fitted else tokens,
            )
        )
    return found


def _curve(fitted: Fit, at: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return predict(fitted, {item.symbol: at[item.column] for item in fitted.law.inputs})


def _use_everywhere(points: ReadResult) -> None:
    frame = points.table.frame
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Use these points on every page",
            icon=":material/table:",
            key="train.use",
            on_click=_keep,
            args=(points,),
            help="They go through the reader of uploads, join the list of loss tables and are "
            "chosen there.",
        )
        st.download_button(
            "CSV",
            frame.to_csv(index=False),
            file_name=NAME,
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="train.csv",
        )
    kept: str = st.session_state.get("train.kept", "")
    if kept in uploads.kept():
        st.success(
            f"Kept as {messages.plain(NAME)}: every page shows these points now.",
            icon=":material/check:",
        )


def _keep(points: ReadResult) -> None:
    table_id = uploads.keep(NAME, points)
    uploads.choose(table_id)
    st.session_state["train.kept"] = table_id
