"""The section of the Fit page on its predictions: both bands, by every method, and their record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.figures import fit_bands as drawing
from isoflop.fitting import Band, Fit, PredictOptions, band, predict
from isoflop.fitting.bands import BandKind
from isoflop.fitting.coverage import band_name
from isoflop.options import option
from isoflop.planning import trajectory
from isoflop.planning.inputs import inputs_at
from isoflop.plot import axes
from isoflop.ui import fit_coverage, inputs, messages, panels
from isoflop.ui.fit_view import LEVEL, View
from isoflop.units import format_quantity

N_POINTS = 80
KINDS = option(PredictOptions, "kind").choices
Inputs = Mapping[str, NDArray[np.float64]]


def show(shown: View) -> None:
    """Draw the bands over compute, list them at the budget, and say how often such bands held."""
    with st.container(horizontal=True, vertical_alignment="center", key="chart-head-bands"):
        st.markdown(f"**{LEVEL:.0%} confidence band holds**", width="content")
        whole = inputs.choice(
            option(PredictOptions, "is_simultaneous").label,
            {"each": "Each point", "whole": "The whole curve"},
            key="fit.band",
            default="each",
            help=option(PredictOptions, "is_simultaneous").help,
            style="row",
            is_label_shown=False,
        )
        scale = inputs.choice(
            "Drawn as",
            {"loss": "Loss", "off": "Off the curve (%)"},
            key="fit.band_as",
            default="loss",
            help="Bands are thin inside the rows: their distance from the curve shows them.",
            style="row",
            is_label_shown=False,
        )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _picture(shown, is_whole=whole == "whole", is_relative=scale == "off")
    with right:
        _at_budget(shown)
    fit_coverage.show(shown.fit)


def _picture(shown: View, *, is_whole: bool, is_relative: bool) -> None:
    fit, fixed = shown.fit, shown.target.fixed or {}
    span = trajectory.compute_range(fit, shown.fitted.table, shown.target.compute_flop)
    flop, params, tokens, kind = trajectory.line_of_models(
        fit, np.geomspace(*span, N_POINTS), fixed, rule=shown.target.rule
    )
    at = inputs_at(fit.law, params, tokens, fixed, rule=shown.target.rule)
    ribbons, missing = [], []
    kinds: tuple[tuple[BandKind, str], ...] = (
        ("prediction", f"{KINDS['prediction']} (prediction)"),
        ("confidence", f"{KINDS['confidence']} (confidence{', whole curve' if is_whole else ''})"),
    )
    for one, name in kinds:
        try:
            found = band(fit, at, LEVEL, one, is_simultaneous=is_whole and one == "confidence")
        except FitError as problem:
            missing.append(f"{name}: {problem.detail or problem.summary}")
            continue
        ribbons.append(drawing.Ribbon(name=name, lower=found.lower, upper=found.upper))
    figure = drawing.figure(
        flop,
        predict(fit, at),
        ribbons,
        target_flop=shown.target.compute_flop,
        rows_flop=trajectory.compute_of_rows(shown.fitted.table),
        y_title=axes.response_title(fit),
        is_relative=is_relative,
    )
    panels.chart(figure, alt=drawing.alt(ribbons), key=f"chart.bands.{is_whole}.{is_relative}")
    if missing:
        st.caption(messages.plain("No band. " + " ".join(missing)))
    along = f"Along models of {kind}. " if kind else ""
    st.caption(
        f"{along}The confidence band is of the mean of many such runs; the prediction band is of "
        "one, whose own scatter it adds. Both take the law for true: beyond the fitted rows that "
        "is an assumption."
    )


def _at_budget(shown: View) -> None:
    """List the intervals at the budget by every method that the fit allows."""
    fit, fixed, flop = shown.fit, shown.target.fixed or {}, shown.target.compute_flop
    _, params, tokens, _ = trajectory.line_of_models(
        fit, np.array([flop]), fixed, rule=shown.target.rule
    )
    at = inputs_at(fit.law, params, tokens, fixed, rule=shown.target.rule)
    where = messages.plain(format_quantity(flop, "flop"))
    st.markdown(f"**{LEVEL:.0%} intervals of the {fit.law.response} at {where}**")
    rows = [(method, *_both(source, at)) for method, source in _methods(fit)]
    st.dataframe(
        {
            "Method": [row[0] for row in rows],
            KINDS["confidence"]: [row[1] for row in rows],
            KINDS["prediction"]: [row[2] for row in rows],
        },
        hide_index=True,
        alt="Confidence and prediction intervals at the budget by method",
    )
    notes = [f"Fitted: {float(predict(fit, at)[0]):.4f}."]
    if fit.covariance is None:
        notes.append(f"No covariance: {fit.covariance_reason}")
    notes.append("Other ways to resample (whole runs, wild) are in the fit options.")
    st.caption(messages.plain(" ".join(notes)))


def _methods(fit: Fit) -> Iterator[tuple[str, Fit]]:
    """Yield each way to an interval that the fit allows, with the fit that takes it."""
    if fit.draws is not None:
        yield band_name(fit).capitalize(), fit
    if fit.covariance is not None:
        plain = replace(fit, draws=None)
        yield band_name(plain).capitalize(), plain


def _both(fit: Fit, at: Inputs) -> tuple[str, str]:
    kinds: tuple[BandKind, ...] = ("confidence", "prediction")
    ends = []
    for kind in kinds:
        try:
            ends.append(_write(band(fit, at, LEVEL, kind)))
        except FitError:
            ends.append("none")
    return ends[0], ends[1]


def _write(found: Band) -> str:
    return f"{float(found.lower[0]):.4f} to {float(found.upper[0]):.4f}"
