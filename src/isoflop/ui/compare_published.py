"""Published fits over the rows, each with its convention and the range it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.errors import PlanError
from isoflop.figures import compare_curves, compare_offsets
from isoflop.fitting import Fit, predict
from isoflop.fitting.compare import PublishedComparison
from isoflop.planning import trajectory
from isoflop.planning.inputs import extrapolation_decades, inputs_at
from isoflop.planning.rule import SIX_ND
from isoflop.plot import axes
from isoflop.tables import LossTable
from isoflop.ui import compare_view, inputs, messages, panels, rows
from isoflop.ui.compare_view import View
from isoflop.units import format_number

N_FIRST = 4
"""Fits drawn at first: those whose shape comes closest."""
MAX_SHOWN = 6
FEWEST_ROWS = 3
N_POINTS = 80
BEYOND = 3.0
"""How far curves go on beyond the rows, as a factor."""


def show(shown: View) -> None:
    """Draw the rows against the chosen published fits, then what each of them is."""
    shown = compare_view.of_one_convention(shown)
    found = compare_view.published(shown)
    able = {over.published.key: over for over in found if over.fit is not None}
    if not able:
        st.info("No published fit has all its inputs among this table's columns.")
        return
    closest = _closest(able)
    chosen = _chosen(able, closest)
    axes = compare_view.scale_axes(shown.table)
    column = inputs.choice(
        "Against",
        {name: axis.name for name, axis in axes.items()},
        key="compare.published.x",
        default=next(iter(axes)),
        help="What the rows are laid out by.",
        style="row" if len(axes) < 4 else "list",
    )
    with st.container(key="answer"):
        st.markdown(messages.plain(_sentence(able, closest)))
    drawn = [able[key] for key in chosen]
    lines = list(_lines(shown.table, drawn, column))
    if lines:
        left, right = panels.side_by_side()
        with left:
            _over_rows(shown.table, lines, axes[column])
    else:
        right = st.container()
    with right:
        _offset_chart(shown.table, drawn, axes[column])
    st.caption(
        "Flat offsets: the published shape holds, and a constant one is what other text and "
        "another tokenizer do. A slope or a bend is what no choice of text explains. Curves are of "
        "the best size where the law trades size for data, and dotted beyond their range."
    )
    _table(list(able.values()))
    _sources(list(able.values()))
    refused = [f"{over.published.label}: {over.refusal}" for over in found if over.fit is None]
    if refused:
        with st.expander(f"{len(refused)} published fits need other columns"):
            st.markdown("\n".join(f"- {messages.plain(text)}" for text in refused))


def _closest(able: Mapping[str, PublishedComparison]) -> list[str]:
    """Return the fits that the rows may be held against, the closest shape first."""
    fair = {
        key: over
        for key, over in able.items()
        if over.n_in_range >= FEWEST_ROWS and not over.conflicts
    }
    return sorted(fair, key=lambda key: fair[key].spread)


def _chosen(able: Mapping[str, PublishedComparison], closest: list[str]) -> list[str]:
    """Draw which fits are drawn, and return them."""
    first = (closest or list(able))[:N_FIRST]
    picked = st.multiselect(
        "Published fits to draw",
        list(able),
        default=first,
        format_func=lambda key: able[key].published.label if key in able else key,
        max_selections=MAX_SHOWN,
        key="compare.fits",
        bind="query-params",
        help="Each is drawn over your rows as it was published; at first those whose shape comes "
        "closest.",
    )
    return [key for key in picked if key in able] or first


def _lines(
    table: LossTable, drawn: list[PublishedComparison], column: str
) -> Iterator[compare_curves.Line]:
    """Yield the loss under each fit along an axis: of the best models at each compute."""
    low, high = table.span(column)
    grid = np.geomspace(low, high * BEYOND, N_POINTS)
    for place, over in enumerate(drawn):
        fitted = over.fit
        assert fitted is not None
        if [item.column for item in fitted.law.inputs] == [column]:
            x, asked = grid, {fitted.law.symbols[0]: grid}
        elif column == "compute_flop" and (path := _path(fitted, grid)) is not None:
            x, params, tokens = path
            asked = inputs_at(fitted.law, params, tokens, rule=SIX_ND)
        else:
            continue
        beyond = extrapolation_decades(fitted, asked).values()
        yield compare_curves.Line(
            name=over.published.label,
            x=x,
            loss=predict(fitted, asked),
            colour=place,
            is_beyond=np.any([decades > 0 for decades in beyond], axis=0),
        )


def _path(
    fitted: Fit, flop: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the best models at each compute; None for a law that has none."""
    try:
        return trajectory.optimal_models(fitted, flop, {})
    except PlanError:  # it needs more than a size and tokens
        return None


def _over_rows(table: LossTable, lines: list[compare_curves.Line], axis: axes.Axis) -> None:
    points = rows.losses(table, axis.column)
    panels.chart(
        compare_curves.figure(
            points,
            lines,
            x_title=axis.title,
            y_title=axes.loss_title(table.loss_unit),
            x_is_compute=axis.is_compute,
        ),
        alt=compare_curves.alt(points, lines, x_title=axis.name.lower()),
        key="compare.published.curves",
    )


def _offset_chart(table: LossTable, drawn: list[PublishedComparison], axis: axes.Axis) -> None:
    groups = [_offsets(table, over, axis.column) for over in drawn]
    panels.chart(
        compare_offsets.figure(
            groups,
            x_title=axis.title,
            y_title="Observed / published - 1 (%)",
            x_is_compute=axis.is_compute,
            exception="beyond its range",
        ),
        alt=compare_offsets.alt(groups),
        key="compare.published",
    )


def _offsets(table: LossTable, over: PublishedComparison, column: str) -> compare_offsets.Offsets:
    assert over.fit is not None
    frame = table.frame.loc[over.fit.row_index]
    return compare_offsets.Offsets(
        name=over.published.label,
        x=frame[column].to_numpy(np.float64),
        offset=np.expm1(over.fit.residuals),
        is_filled=over.is_in_range,
        labels=tuple(
            f"row {row}, loss {loss:.4g}"
            for row, loss in zip(frame.index, frame["loss"], strict=True)
        ),
    )


def _sentence(able: Mapping[str, PublishedComparison], closest: list[str]) -> str:
    """Say which published shape comes closest, without ranking the values."""
    if not closest:
        return (
            "None of these fits can be judged here: too few rows lie in their range, or losses or "
            "parameters are not known to be counted alike."
        )
    best = able[closest[0]]
    side = "above" if best.offset > 0 else "below"
    among = f" of {len(closest)} published fits that these rows may be held against"
    return (
        f"{best.published.label} has the closest shape{among if len(closest) > 1 else ''}: the "
        f"rows lie {abs(best.offset):.1%} {side} it in the median, and scatter by "
        f"{best.spread:.1%} about that."
    )


def _table(found: list[PublishedComparison]) -> None:
    st.dataframe(
        {
            "Published fit": [over.published.label for over in found],
            "Median offset": [round(over.offset, 4) + 0.0 for over in found],
            "Spread": [over.spread for over in found],
            "Valid range": [_range(over) for over in found],
            "Rows in range": [f"{over.n_in_range} of {_n_rows(over)}" for over in found],
            "N counts": [_counts(over) for over in found],
            "Counted otherwise here": [", ".join(over.conflicts) for over in found],
        },
        column_config={
            "Median offset": st.column_config.NumberColumn(format="percent"),
            "Spread": st.column_config.NumberColumn(format="percent"),
        },
        hide_index=True,
        alt="Published fits with convention, range and offset from the rows",
    )


def _n_rows(over: PublishedComparison) -> int:
    return 0 if over.fit is None else over.fit.n_rows


def _sources(found: list[PublishedComparison]) -> None:
    with st.expander("What each was fitted to, and where it was published"):
        st.dataframe(
            {
                "Published fit": [over.published.label for over in found],
                "Fitted to": [over.published.data for over in found],
                "Loss in": [over.published.loss_unit for over in found],
                "Source": [over.published.source for over in found],
                "Note": [
                    " ".join([*over.conflicts.values(), over.published.note]) for over in found
                ],
            },
            hide_index=True,
            alt="Data, unit and source of each published fit",
        )


def _counts(over: PublishedComparison) -> str:
    columns = {item.column for item in over.published.law.inputs}
    own = ", as here" if "params_nonembedding" in columns else ""
    return f"{over.published.param_convention}{own}"


def _range(over: PublishedComparison) -> str:
    ranges = over.published.input_ranges
    if not ranges:
        return "not published"
    return ", ".join(
        f"{symbol} {format_number(low)} to {format_number(high)}"
        for symbol, (low, high) in ranges.items()
    )
