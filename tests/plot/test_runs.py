"""The runs of a table: every row once, those left out apart, text of the file inert."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.plot.helpers import two_families

from isoflop import plot
from isoflop.plot._runs import MAX_FAMILIES, MAX_POINTS, across, upwards
from isoflop.tables import LossTable


def left_out(*rows: int) -> LossTable:
    frame = two_families().frame
    return two_families().with_frame(
        frame.assign(
            is_excluded=frame.index.isin(rows),
            exclusion_reason=pd.Series("", index=frame.index, dtype="str").mask(
                frame.index.isin(rows), "<i>spike</i>"
            ),
        )
    )


def test_every_row_is_drawn_with_its_number() -> None:
    figure = plot.runs(two_families())
    numbers = np.concatenate([trace.customdata for trace in figure.data])
    assert sorted(numbers) == list(two_families().frame.index)
    assert figure.layout.meta["alt"] == (
        "Loss (nats/token) of 24 rows against Training compute C (FLOP), in 2 families."
    )


def test_rows_left_out_are_crosses_with_their_reason() -> None:
    figure = plot.runs(left_out(3, 4))
    crosses = figure.data[-1]
    assert (crosses.name, crosses.marker.symbol) == ("Left out", "x-thin")
    assert list(crosses.customdata) == [3, 4]
    assert "&lt;i&gt;spike&lt;/i&gt;" in crosses.text[0]
    assert "2 left out are crosses" in figure.layout.meta["alt"]


def test_an_even_sample_is_drawn_of_many_rows_and_said() -> None:
    table = two_families(MAX_POINTS)
    figure = plot.runs(table)
    assert sum(len(trace.x) for trace in figure.data) == MAX_POINTS
    assert figure.layout.meta["notes"][0].startswith("One row in 2 is drawn")


def test_small_families_go_together() -> None:
    frame = two_families().frame
    many = two_families().with_frame(frame.assign(family=[f"f{i}" for i in range(len(frame))]))
    names = [trace.name for trace in plot.runs(many).data]
    assert len(names) == MAX_FAMILIES
    assert names[-1] == "Other families"


def test_any_numeric_column_may_run_along_either_axis() -> None:
    frame = two_families().frame
    table = two_families().with_frame(frame.assign(rate=np.linspace(-1, 1, len(frame))))
    assert across(table) == ("compute_flop", "params", "tokens", "rate")
    assert upwards(table)[0] == "loss"
    figure = plot.runs(table, x="rate", y="params")
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("linear", "linear")


@pytest.mark.parametrize("columns", [["params", "tokens", "loss"], ["compute_flop", "loss"]])
def test_an_overview_draws_what_the_table_has(columns: list[str]) -> None:
    table = two_families().with_frame(two_families().frame[columns])
    figure = plot.overview(table)
    (points,) = figure.data
    assert len(points.x) == len(table.frame)
    assert figure.layout.meta["alt"].startswith("24 rows: ")
    assert figure.layout.meta["alt"].endswith("coloured by loss.")
