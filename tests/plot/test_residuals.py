"""Residuals: every fitted row, zero and two standard deviations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.plot.helpers import n_markers, small_fit, two_families

from isoflop import plot
from isoflop.errors import FitError


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
