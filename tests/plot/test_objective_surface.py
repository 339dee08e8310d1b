"""The objective surface: the optimum, every start of the search, other minima."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.plot.helpers import named, small_fit

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting.diagnose import Multistart, ObjectiveSurface
from isoflop.plot import LIGHT
from isoflop.plot._objective_surface import _draw

AXIS = np.linspace(0.1, 1.0, 20)


def surface(*, n_axes: int = 2, n_minima: int = 2) -> ObjectiveSurface:
    mesh = np.meshgrid(*[AXIS] * n_axes)
    starts = np.full((4, n_axes), 0.2) + np.arange(4)[:, None] / 10
    ends = np.full((4, n_axes), 0.4)
    return ObjectiveSurface(
        names=("alpha", "beta")[:n_axes],
        axes=(AXIS,) * n_axes,
        is_log=(False,) * n_axes,
        excess=np.asarray(sum((part - 0.4) ** 2 for part in mesh)),
        n_rows=20,
        starts=starts,
        ends=ends,
        search=Multistart(
            starts=starts,
            ends=ends,
            excess=np.array([0.0, 0.0, 0.0, 0.3]),
            is_best=np.array([True, True, True, False]),
            minima=np.array([0, 3][:n_minima]),
        ),
    )


@pytest.mark.parametrize("n_axes", [1, 2])
def test_the_optimum_is_marked_apart_from_other_minima(n_axes: int) -> None:
    figure = _draw(surface(n_axes=n_axes), [], LIGHT)
    names = [trace.name for trace in figure.data]
    assert {"4 starts", "Reported optimum", "Other minima"} <= set(names)
    assert figure.data[0].type == ("contour" if n_axes == 2 else "scatter")
    assert json.loads(figure.to_json())
    said = figure.layout.meta["alt"]
    assert "3 of them end at the reported optimum" in said
    assert "1 other minimum found" in said
    alone = _draw(surface(n_axes=n_axes, n_minima=1), [], LIGHT)
    assert "Other minima" not in [trace.name for trace in alone.data]


def test_a_fit_alone_is_enough() -> None:
    fit = small_fit()
    figure = plot.objective_surface(fit)
    (best,) = named(figure, "Reported optimum")
    values = (fit.values["alpha"], fit.values["beta"])
    assert (best.x[0], best.y[0]) == pytest.approx(values, rel=1e-4)
    (starts,) = named(figure, f"{fit.certificate.n_starts} starts")
    assert len(starts.x) == fit.certificate.n_starts
    assert figure.layout.meta["notes"] == []


def test_other_parameters_and_the_rows_it_was_computed_on() -> None:
    fit = small_fit()
    figure = plot.objective_surface(replace(fit, n_rows=5000), surface=surface())
    assert figure.layout.meta["notes"] == ["The surface is computed on 20 of 5,000 rows."]
    with pytest.raises(FitError, match="over one or two parameters"):
        plot.objective_surface(fit, over=("alpha", "gamma"))
