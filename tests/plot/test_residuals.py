"""Residuals: every fitted row, zero and two standard deviations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.plot.helpers import n_markers, named, small_fit, two_families

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting.diagnose import diagnostics, residuals, trend


def test_residuals_show_every_fitted_row_zero_and_two_deviations() -> None:
    fit = small_fit()
    figure = plot.residuals(fit)
    assert n_markers(figure) == fit.n_rows
    drawn = np.concatenate([trace.y for trace in figure.data])
    np.testing.assert_array_equal(np.sort(drawn), np.sort(fit.residuals))
    spread = 2 * fit.residual_std
    assert sorted(shape.y0 for shape in figure.layout.shapes) == [-spread, 0.0, spread]
    largest = float(np.abs(fit.residuals).max())
    assert f"the largest is {largest:.3g}" in figure.layout.meta["alt"]


def test_an_unknown_spread_is_not_drawn() -> None:
    figure = plot.residuals(replace(small_fit(), residual_std=float("nan")))
    assert [shape.y0 for shape in figure.layout.shapes] == [0.0]
    assert figure.layout.meta["notes"] == []


def test_rows_stay_with_their_residuals_when_some_are_left_out() -> None:
    fit, table = small_fit(), two_families()
    kept = replace(fit, residuals=fit.residuals[::2], row_index=fit.row_index[::2])
    figure = plot.residuals(kept, x="params", table=table)
    x = np.concatenate([trace.x for trace in figure.data])
    y = np.concatenate([trace.y for trace in figure.data])
    of_row = dict(zip(table.frame["params"].loc[kept.row_index], kept.residuals, strict=False))
    assert all(np.isclose(of_row[n], r) or n in x for n, r in zip(x, y, strict=True))


def test_a_fit_without_rows_has_to_be_given_them() -> None:
    bare = replace(small_fit(), table=None)
    with pytest.raises(FitError, match="The rows of this fit are not at hand"):
        plot.residuals(bare)
    assert n_markers(plot.residuals(bare, table=two_families())) == bare.n_rows


def test_far_rows_are_marked_at_the_edge_and_none_is_lost() -> None:
    fit = small_fit()
    scale = residuals(diagnostics(fit)).scale
    far = int(np.sum(np.abs(fit.residuals) > 1.5 * scale))
    figure = plot.residuals(fit, has_trend=True, clip=1.5)
    (edge,) = named(figure, f"{far} further out")
    assert np.abs(edge.y) == pytest.approx(1.5 * scale)
    assert all("residual" in text for text in edge.text)
    rows = [t for t in figure.data if t.mode == "markers" and t.name != edge.name]
    assert sum(len(trace.x) for trace in rows) + far == fit.n_rows
    assert not [t for t in plot.residuals(fit, clip=100.0).data if "further out" in t.name]


def test_medians_run_along_the_fitted_value_and_two_robust_deviations_are_marked() -> None:
    fit = small_fit()
    figure = plot.residuals(fit, x="fitted", has_trend=True)
    assert figure.layout.xaxis.title.text == "Fitted loss"
    assert figure.layout.xaxis.type == "linear"
    found = residuals(diagnostics(fit))
    assert sorted(shape.y0 for shape in figure.layout.shapes)[-1] == 2 * found.scale
    (median,) = named(figure, "Running median, 95% interval")
    expected = trend(found.fitted, fit.residuals)
    assert expected is not None
    np.testing.assert_array_equal(median.y, expected.median)
    x = np.concatenate([t.x for t in figure.data if t.mode == "markers"])
    np.testing.assert_allclose(np.sort(x), np.sort(found.fitted))


def test_quantiles_hold_every_row_and_tell_those_outside() -> None:
    fit = small_fit()
    figure = plot.residual_quantiles(fit, clip=1.0)
    inside, outside = (named(figure, name)[0] for name in ("Rows inside", "Rows outside"))
    assert len(inside.x) + len(outside.x) == fit.n_rows
    assert f"{len(outside.x)} lie outside" in figure.layout.meta["alt"]
    drawn = np.concatenate([inside.y, outside.y])
    assert np.abs(drawn).max() == 1.0
    labels = [*inside.text, *outside.text]
    assert sorted(int(text.split("</b>")[0].removeprefix("<b>row ")) for text in labels) == sorted(
        fit.row_index
    )
