"""The section of the Fit page on its predictions: both bands, by every method, and their record."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.fitting import OBJECTIVES, Band, Fit, PredictOptions
from isoflop.fitting.coverage import (
    SIZE_TARGETS,
    coverage_like,
    describe_coverage,
    load_coverage,
    where,
)
from isoflop.language import gettext as _
from isoflop.options import option
from isoflop.planning.bands import bands_by_method
from isoflop.plot import APP
from isoflop.tables.schema import said_response
from isoflop.ui import inputs, messages, panels
from isoflop.ui.fit.view import LEVEL, View
from isoflop.units.said import format_quantity

KINDS = option(PredictOptions, "kind").choices
WHOLE = option(PredictOptions, "is_simultaneous")


def show(shown: View) -> None:
    """Draw the bands over compute, list them at the budget, and say how often such bands held."""
    with st.container(horizontal=True, vertical_alignment="center", key="chart-head-bands"):
        st.markdown(_("**{level:.0%} confidence band**", level=LEVEL), width="content")
        whole = inputs.choice(
            WHOLE.label,
            {"each": _("Pointwise"), "whole": _("Simultaneous")},
            key="fit.band",
            default="each",
            help=WHOLE.help,
            style="row",
            is_label_shown=False,
        )
        scale = inputs.choice(
            _("Drawn as"),
            {"loss": shown.fit.law.response.capitalize(), "off": _("Distance from the curve (%)")},
            key="fit.band_as",
            default="loss",
            help=_(
                "Bands are narrow within the data: drawn as a distance from the "
                "curve, they can be seen."
            ),
            style="row",
            is_label_shown=False,
        )
    left, right = st.columns([3, 2], gap="medium")
    with left:
        figure = plot.bands(
            shown.fit,
            compute_flop=shown.target.compute_flop,
            table=shown.fitted.table,
            fixed=shown.target.fixed,
            rule=shown.target.rule,
            level=LEVEL,
            is_simultaneous=whole == "whole",
            is_relative=scale == "off",
            theme=APP,
        )
        panels.drawn(figure, key=f"chart.bands.{whole}.{scale}")
        st.caption(
            _(
                "The confidence band is for the mean of many such runs; the "
                "prediction band is for one new run and adds its scatter. Both "
                "assume that the law is true, which beyond the data is untested."
            )
        )
    with right:
        _at_budget(shown)
    _coverage(shown.fit)


def _at_budget(shown: View) -> None:
    """List the intervals at the budget by every method that the fit allows."""
    fit, target = shown.fit, shown.target
    found = bands_by_method(
        fit, target.compute_flop, fixed=target.fixed, rule=target.rule, level=LEVEL
    )
    where = messages.plain(format_quantity(target.compute_flop, "flop"))
    st.markdown(
        _(
            "**{level:.0%} intervals of the {response} at {where}**",
            level=LEVEL,
            response=said_response(fit.law.response),
            where=where,
        )
    )
    panels.listed(
        {
            _("Method"): [row.method for row in found],
            KINDS["confidence"]: [_write(row.confidence) for row in found],
            KINDS["prediction"]: [_write(row.prediction) for row in found],
        },
        hide_index=True,
        alt=_("Confidence and prediction intervals at the budget by method"),
    )
    notes = []
    if fit.covariance is None:
        notes.append(
            _("No covariance: {covariance_reason}", covariance_reason=fit.covariance_reason)
        )
    notes.append(_("Other bootstraps (cluster, wild) are in the fit options."))
    st.caption(messages.plain(" ".join(notes)))


def _write(found: Band | None) -> str:
    return (
        _("none")
        if found is None
        else _("{lower:.4f} to {upper:.4f}", lower=found.lower[0], upper=found.upper[0])
    )


def _coverage(fit: Fit) -> None:
    """Write what was measured for fits like this one, and the whole table."""
    st.markdown(_("**How often such a band contains the truth**"))
    st.caption(messages.plain(describe_coverage(coverage_like(fit))))
    rows = load_coverage()
    panels.listed(
        {
            _("Simulated tables"): [row.setting for row in rows],
            _("Objective"): [OBJECTIVES[row.objective] for row in rows],
            "90% band": [row.band for row in rows],
            _("Evaluated"): [where(row.target) for row in rows],
            _("Contains the truth"): [f"{row.coverage:.1%}" for row in rows],
            _("Contains a new run"): [
                "" if row.prediction_coverage is None else f"{row.prediction_coverage:.1%}"
                for row in rows
            ],
            _("Verdict"): [row.verdict for row in rows],
            _("Median width"): [
                _("{relative_width:.3g} times N*", relative_width=row.relative_width)
                if row.target in SIZE_TARGETS
                else _("{relative_width:.2%} of the loss", relative_width=row.relative_width)
                for row in rows
            ],
        },
        hide_index=True,
        height=240,
        alt=_("Measured coverage of nominal 90% bands in six kinds of simulated tables"),
    )
