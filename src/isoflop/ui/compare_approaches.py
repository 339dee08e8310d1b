"""The three approaches of Hoffmann et al. side by side on one table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.figures import isoflop_envelope, isoflop_profiles, isoflop_sizes
from isoflop.fitting import Fit, FitOptions
from isoflop.fitting.isoflop import (
    CURVES,
    DEFAULT_TOLERANCE,
    MAX_EPOCHS,
    Approach,
    Approaches,
    Curve,
    PowerLine,
    Profile,
    verdict,
    without_repetition,
)
from isoflop.fitting.isoflop.budgets import checkpoints
from isoflop.fitting.isoflop.types import LEVEL
from isoflop.laws import laws_for
from isoflop.plot import axes
from isoflop.tables import LossTable
from isoflop.ui import caching, compare_view, inputs, messages, panels
from isoflop.ui.compare_view import View
from isoflop.ui.inputs import Quantity
from isoflop.units import format_number, format_quantity

NAMES: dict[Curve, str] = {"parabola": "Parabola", "cubic": "Cubic", "akima": "Akima spline"}
TOLERANCE = Quantity(
    dimension="fraction",
    stops=(0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0),
    write=lambda value: f"{100 * value:g}%",
    upper=10.0,
)
Array = NDArray[np.float64]

NEEDED = ("params", "tokens", "compute_flop", "loss")
FEWEST_DRAWN = 3
"""Sizes of a budget from which it is drawn."""
REACH = 300.0
"""How far beyond the rows the lines are drawn, as a factor of compute."""


def show(shown: View) -> None:
    """Draw the verdict, the three lines, the table, the profiles and the envelope.

    Raises
    ------
    IsoflopError
        If the table lacks a column that all of them need.
    """
    shown = compare_view.of_one_convention(shown)
    missing = [name for name in NEEDED if name not in shown.table.included()]
    if missing:
        lacking = " and no ".join(axes.column_name(name).lower() for name in missing)
        st.info(
            "The three approaches need model size, tokens, compute and loss of each run. "
            f"This table has no {messages.plain(lacking)}."
        )
        return
    table, n_repeated = without_repetition(shown.table)
    curve, tolerance = _inputs()
    fitted, key, why = _parametric(table, shown.options)
    found = compare_view.approaches(table, fitted, key, curve, tolerance)
    with st.container(key="answer"):
        st.markdown(messages.plain(verdict(found)))
    _sizes(found)
    _table(found)
    if n_repeated:
        messages.assumption(
            f"{n_repeated} rows that saw their data more than {MAX_EPOCHS:g} times are left out: "
            "the best size for a budget is about fresh data."
        )
    if why:
        messages.assumption(f"The parametric law could not be fitted: {why}")
    messages.notices(found.notices)
    left, right = panels.side_by_side()
    with left:
        _profiles(found, table)
    with right:
        _envelope(found, table)


def _inputs() -> tuple[Curve, float]:
    left, right = st.columns(2)
    with left:
        curve = inputs.choice(
            "Curve through a profile",
            NAMES,
            key="compare.curve",
            default="parabola",
            help=" ".join(f"{NAMES[key]}: {text}" for key, text in CURVES.items()),
            style="row",
        )
    with right:
        tolerance = inputs.quantity(
            "Tolerance of a budget",
            key="compare.tolerance",
            default=DEFAULT_TOLERANCE,
            kind=TOLERANCE,
            help="Runs whose compute differs by up to this share count as one budget.",
        )
    return curve, tolerance


def _parametric(table: LossTable, options: FitOptions) -> tuple[Fit | None, str, str]:
    """Return the parametric fit with its key, or why there is none."""
    frame = table.included()
    if "run_id" in frame and frame["run_id"].duplicated().any():
        options = replace(options, bootstrap="clusters")
    law = laws_for("parametric-fit")[0]
    try:
        found = caching.fit_to(law, table, options)
    except IsoflopError as problem:
        return None, "", problem.summary
    return found, caching.key_of(table.fingerprint, law, options), ""


def _table(found: Approaches) -> None:
    st.dataframe(
        {
            "Approach": [one.label for one in found.approaches],
            "a (N as C to the a)": [_exponent(one.params_line) for one in found.approaches],
            "b (D as C to the b)": [_exponent(one.tokens_line) for one in found.approaches],
            "Bias of a": [_bias(one, found) for one in found.approaches],
            "a corrected": [_corrected(one) for one in found.approaches],
            f"N at {_at(found)}": [_size(one, found) for one in found.approaches],
        },
        hide_index=True,
        alt="Exponents, biases and best sizes of the three approaches",
    )
    st.caption(
        "Intervals are 90%: of the envelope from resampled runs, of the profiles from the scatter "
        "about the line (or from leaving out each run), of the law from its resamples. The bias is "
        "what the approach would get wrong on this very design if the fitted law were the truth; "
        "in brackets that of N at the largest compute."
    )


def _at(found: Approaches) -> str:
    return format_quantity(found.compute_range[1], "flop", 2)


def _exponent(line: PowerLine | None) -> str:
    if line is None:
        return "refused"
    if line.reason:
        return f"{line.exponent:.3f} (no interval)"
    low, high = line.exponent_interval(LEVEL)
    return f"{line.exponent:.3f} ({low:.3f} to {high:.3f})"


def _bias(one: Approach, found: Approaches) -> str:
    if one.bias is None:
        return ""
    factor = float(one.bias.params_line.at(found.compute_range[1]))
    return f"{one.bias.params_line.exponent:+.4f} (N {factor - 1:+.0%})"


def _corrected(one: Approach) -> str:
    corrected = one.corrected()
    return "" if corrected is None else _exponent(corrected[0])


def _size(one: Approach, found: Approaches) -> str:
    if one.params_line is None:
        return ""
    at = found.compute_range[1]
    centre = format_number(float(one.params_line.at(at)))
    if one.params_line.reason:
        return centre
    low, high = one.params_line.interval_at(at, LEVEL)
    return f"{centre} ({format_number(float(low[0]))} to {format_number(float(high[0]))})"


def _sizes(found: Approaches) -> None:
    """Draw the best size against compute by every approach that has one."""
    flop = np.geomspace(found.compute_range[0] / 3, found.compute_range[1] * REACH, 60)
    lines = []
    for place, one in enumerate(found.approaches):
        if one.params_line is None:
            continue
        lower = upper = None
        if not one.params_line.reason:
            lower, upper = one.params_line.interval_at(flop, LEVEL)
        points = _points(one, found)
        lines.append(
            isoflop_sizes.Line(
                name=one.label,
                place=place,
                compute_flop=flop,
                params=one.params_line.at(flop),
                lower=lower,
                upper=upper,
                point_flop=points[0],
                point_params=points[1],
            )
        )
    if lines:
        panels.chart(
            isoflop_sizes.figure(lines, compute_range=found.compute_range),
            alt=isoflop_sizes.alt(lines),
            key="compare.sizes",
        )


def _points(one: Approach, found: Approaches) -> tuple[Array, Array]:
    """Return what an approach's line goes through."""
    if one.key == "envelope":
        used = found.corners.is_used
        return found.corners.compute_flop[used], found.corners.params[used]
    accepted = [p for p in found.profiles if one.key == "profiles" and not p.refusal]
    return (
        np.array([profile.compute_flop for profile in accepted]),
        np.array([profile.optimal_params for profile in accepted]),
    )


def _profiles(found: Approaches, table: LossTable) -> None:
    st.subheader("IsoFLOP profiles", anchor=False)
    _why_not(found.approaches[1])
    drawn = [_drawn(profile) for profile in found.profiles if len(profile.params) >= FEWEST_DRAWN]
    if drawn:
        panels.chart(
            isoflop_profiles.figure(drawn, y_title=axes.loss_title(table.loss_unit)),
            alt=isoflop_profiles.alt(drawn),
            key="compare.profiles",
        )
    refused = [profile for profile in found.profiles if profile.refusal]
    if refused:
        with st.expander(f"{len(refused)} budgets refused, each with its reason"):
            st.dataframe(
                {
                    "Budget": [format_quantity(p.compute_flop, "flop") for p in refused],
                    "Sizes": [len(p.params) for p in refused],
                    "Reason": [p.refusal for p in refused],
                },
                hide_index=True,
                alt="Refused budgets with the reason of each",
            )


def _drawn(profile: Profile) -> isoflop_profiles.Profile:
    """Return a budget as its figure takes it."""
    x = y = np.array([])
    if profile.curve is not None and not profile.refusal:
        x = np.geomspace(profile.params[0], profile.params[-1], 60)
        y = np.asarray(profile.curve(np.log10(x)))
    return isoflop_profiles.Profile(
        name=format_quantity(profile.compute_flop, "flop", 2),
        params=profile.params,
        loss=profile.loss,
        curve_params=x,
        curve_loss=y,
        optimal_params=profile.optimal_params,
        optimal_loss=profile.optimal_loss,
        refusal=profile.refusal,
    )


def _why_not(one: Approach) -> None:
    if one.refusal:
        st.info(messages.plain(one.refusal))


def _envelope(found: Approaches, table: LossTable) -> None:
    st.subheader("Envelope", anchor=False)
    _why_not(found.approaches[0])
    corners = isoflop_envelope.Corners(
        compute_flop=found.corners.compute_flop,
        loss=found.corners.loss,
        params=found.corners.params,
        is_used=found.corners.is_used,
    )
    lines = _learning_curves(table)
    panels.chart(
        isoflop_envelope.figure(lines, corners, y_title=axes.loss_title(table.loss_unit)),
        alt=isoflop_envelope.alt(len(lines), corners),
        key="compare.envelope",
    )


def _learning_curves(table: LossTable) -> list[tuple[Array, Array]]:
    """Return compute and loss of each run, by ascending compute."""
    found = checkpoints(table)
    order = np.lexsort((found.compute_flop, found.run))
    cuts = np.flatnonzero(np.diff(found.run[order])) + 1
    return [(found.compute_flop[some], found.loss[some]) for some in np.split(order, cuts)]
