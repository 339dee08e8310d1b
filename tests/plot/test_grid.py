"""Several charts in one figure: where they lie."""

from __future__ import annotations

import pytest
from plotly.subplots import make_subplots

from isoflop.plot.grid import cells


@pytest.mark.parametrize(("n_rows", "n_columns"), [(1, 1), (1, 3), (4, 3), (7, 7)])
def test_places_are_those_of_plotlys_own_helper(n_rows: int, n_columns: int) -> None:
    own = make_subplots(
        rows=n_rows, cols=n_columns, horizontal_spacing=0.02, vertical_spacing=0.03
    ).layout
    for line in cells(n_rows, n_columns, x_gap=0.02, y_gap=0.03):
        for cell in line:
            axes = cell.axes({}, {})
            for name, axis in axes.items():
                assert axis["domain"] == pytest.approx(own[name].domain)
                assert axis["anchor"] == own[name].anchor
                assert max(axis["domain"]) <= 1


def test_a_trace_is_drawn_on_the_axes_of_its_cell() -> None:
    first, second = cells(1, 2, x_gap=0.1, y_gap=0.1)[0]
    assert first.trace({"type": "bar"}) == {"type": "bar", "xaxis": "x", "yaxis": "y"}
    assert second.trace({})["yaxis"] == "y2"
    assert list(second.axes({"type": "log"}, {})) == ["xaxis2", "yaxis2"]
