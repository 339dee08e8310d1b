"""Envelope, isoFLOP profiles and parametric fit side by side on one table."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.errors import FitError, IsoflopError
from isoflop.fitting import Fit, FitOptions
from isoflop.fitting.isoflop import (
    COLUMNS,
    CURVE_LABELS,
    CURVES,
    DEFAULT_TOLERANCE,
    MAX_EPOCHS,
    Approaches,
    Curve,
    compare_approaches,
    without_repetition,
)
from isoflop.language import gettext, lazy_gettext, ngettext, translated
from isoflop.laws import laws_for
from isoflop.plot import APP, axes
from isoflop.tables import LossTable
from isoflop.ui import inputs, messages, panels, resolve
from isoflop.ui.compare import view as compare_view
from isoflop.ui.compare.view import View
from isoflop.ui.inputs import Quantity
from isoflop.ui.jobs import KeptByJob
from isoflop.units.said import format_quantity

TOLERANCE = Quantity(
    dimension="fraction",
    stops=(0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0),
    write=lambda value: f"{100 * value:g}%",
    upper=10.0,
)


def _effort(table: LossTable, *_: object, **__: object) -> float:
    """Return the CPU seconds of the three approaches, as measured."""
    return 1.0 + len(table.frame) / 1000


_compare_approaches = KeptByJob(
    compare_approaches,
    lazy_gettext("Comparing envelope, profiles and parametric fit"),
    effort=_effort,
)


def show(shown: View) -> None:
    """Draw the verdict, the three lines, the table, the profiles and the envelope.

    Raises
    ------
    IsoflopError
        If the table lacks a column that all of them need.
    """
    shown = compare_view.of_one_convention(shown)
    missing = [name for name in COLUMNS if name not in shown.table.included()]
    if missing:
        lacking = gettext(" and no ").join(
            translated(axes.column_name(name)).lower() for name in missing
        )
        st.info(
            gettext(
                "Envelope, isoFLOP profiles and parametric fit need model size, "
                "tokens, compute and loss of each run. This table has no {lacking}.",
                lacking=messages.plain(lacking),
            )
        )
        return
    table, n_repeated = without_repetition(shown.table)
    curve, tolerance = _inputs()
    fitted, why = _parametric(table, shown.options)
    found = _compare_approaches(table, fitted, curve=curve, tolerance=tolerance)
    with st.container(key="answer"):
        st.markdown(messages.plain(found.verdict()))
    if any(one.params_line is not None for one in found.approaches):
        panels.drawn(plot.isoflop_sizes(found, theme=APP), key="compare.sizes")
    _table(found)
    if n_repeated:
        messages.assumption(
            gettext(
                "{rows} that saw their data more than {max_epochs:g} times are left "
                "out: a compute-optimal size is defined for fresh data.",
                rows=ngettext("{n:,} row", "{n:,} rows", n_repeated),
                max_epochs=MAX_EPOCHS,
            )
        )
    if why:
        messages.assumption(gettext("The parametric law could not be fitted: {why}", why=why))
    messages.notices(found.notices)
    left, right = panels.side_by_side()
    with left:
        _profiles(found)
    with right:
        _envelope(found)


def _inputs() -> tuple[Curve, float]:
    left, right = st.columns(2)
    with left:
        curve = inputs.choice(
            gettext("Curve fitted to each profile"),
            CURVE_LABELS,
            key="compare.curve",
            default="parabola",
            help=" ".join(f"{CURVE_LABELS[key]}: {text}" for key, text in CURVES.items()),
            style="row",
        )
    with right:
        tolerance = inputs.quantity(
            gettext("Tolerance of compute"),
            key="compare.tolerance",
            default=DEFAULT_TOLERANCE,
            kind=TOLERANCE,
            help=gettext("Runs whose compute differs by up to this share belong to one budget."),
        )
    return curve, tolerance


def _parametric(table: LossTable, options: FitOptions) -> tuple[Fit | None, str]:
    """Return the parametric fit, or why there is none."""
    try:
        return resolve.fit_to(laws_for("parametric-fit")[0], table, options), ""
    except IsoflopError as problem:
        return None, problem.summary


def _table(found: Approaches) -> None:
    panels.listed(
        found.written(),
        hide_index=True,
        alt=gettext("Exponents, biases and best sizes of the three approaches"),
    )
    st.caption(
        gettext(
            "Intervals are 90%: of the envelope from resampled runs, of the "
            "profiles from the scatter about the line (or from leaving out each "
            "run), of the parametric fit from its resamples. The bias is the "
            "error that the approach would make on this design if the fitted law "
            "were true; in brackets, the bias of N at the largest compute."
        )
    )


def _profiles(found: Approaches) -> None:
    st.header(gettext("IsoFLOP profiles"), anchor=False)
    _why_not(found["profiles"].refusal)
    try:
        panels.drawn(plot.isoflop_profiles(found, theme=APP), key="compare.profiles")
    except FitError as problem:
        st.caption(problem.summary)
    refused = [profile for profile in found.profiles if profile.refusal]
    if refused:
        with st.expander(
            gettext(
                "{budgets} refused, each with its reason",
                budgets=ngettext("{n:,} budget", "{n:,} budgets", len(refused)),
            )
        ):
            panels.listed(
                {
                    gettext("Budget"): [format_quantity(p.compute_flop, "flop") for p in refused],
                    gettext("Sizes"): [len(p.params) for p in refused],
                    gettext("Reason"): [p.refusal for p in refused],
                },
                hide_index=True,
                alt=gettext("Refused budgets with the reason of each"),
            )


def _envelope(found: Approaches) -> None:
    st.header(gettext("Envelope"), anchor=False)
    _why_not(found["envelope"].refusal)
    panels.drawn(plot.envelope(found, theme=APP), key="compare.envelope")


def _why_not(refusal: str) -> None:
    if refusal:
        st.info(messages.plain(refusal))
