"""Envelope, isoFLOP profiles and parametric fit: what each says of the best size, and on what."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from tests.fitting.helpers import TRUTH
from tests.plot.helpers import n_markers, named

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.isoflop import Approaches, compare_approaches
from isoflop.laws import load_laws
from isoflop.plot import _envelope, _isoflop_profiles
from isoflop.plot import theme as look
from isoflop.plot.theme import LIGHT
from isoflop.tables import LossTable
from isoflop.tables.schema import Provenance

BUDGETS = np.geomspace(1e19, 1e21, 4)


@cache
def table() -> LossTable:
    """Runs of eight sizes at each of four budgets, and one budget of three sizes."""
    flop = np.append(np.repeat(BUDGETS, 8), np.full(3, 1e22))
    best = 0.1 * np.sqrt(flop)
    spread = np.append(np.tile(np.geomspace(0.2, 5, 8), 4), [3.0, 5.0, 8.0])
    params = best * spread
    tokens = flop / (6 * params)
    loss = TRUTH["E"] + TRUTH["A"] / params ** TRUTH["alpha"] + TRUTH["B"] / tokens ** TRUTH["beta"]
    frame = pd.DataFrame(
        {"params": params, "tokens": tokens, "compute_flop": flop, "loss": loss},
        index=np.arange(1, len(flop) + 1),
    )
    provenance = Provenance(title="Budgets")
    return LossTable(id="budgets", frame=frame, provenance=provenance, loss_unit="nats/token")


@cache
def found() -> Approaches:
    options = FitOptions(objective="least_squares_log", n_bootstrap=60, bootstrap="smooth")
    return compare_approaches(table(), fit(load_laws()["chinchilla"], table(), options))


def test_every_usable_approach_has_its_line_and_points_in_one_colour() -> None:
    figure = plot.isoflop_sizes(found())
    for place, one in enumerate(found().approaches):
        traces = named(figure, one.label)
        assert bool(traces) == (one.params_line is not None)
        lines = [trace for trace in traces if trace.mode == "lines" and not trace.fill]
        assert {trace.line.color for trace in lines} <= {look.colour(place)}
    (points,) = [t for t in named(figure, "IsoFLOP profiles") if t.mode == "markers"]
    assert len(points.x) == sum(not profile.refusal for profile in found().profiles)
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == found().compute_range
    assert "Parametric fit " in figure.layout.meta["alt"]


def test_no_usable_approach_is_said() -> None:
    none = tuple(replace(one, params_line=None, refusal="No.") for one in found().approaches)
    with pytest.raises(FitError, match="None of the three approaches"):
        plot.isoflop_sizes(replace(found(), approaches=none))


def test_every_budget_is_drawn_and_refused_ones_are_grey_with_their_reason() -> None:
    figure = plot.isoflop_profiles(found())
    assert n_markers(figure) == len(table().frame) + len(BUDGETS) + 1  # minima, gap of the refused
    (refused,) = named(figure, "Refused")
    assert all(text.endswith(found().profiles[-1].refusal) for text in refused.text)
    (lowest,) = named(figure, "Lowest points")
    assert len(lowest.x) == len(BUDGETS)
    assert figure.layout.meta["alt"].endswith("at 5 budgets; 4 enclose a minimum.")


def test_refused_profiles_alone_are_joined() -> None:
    picture = _isoflop_profiles._prepare(found())
    grey = [
        replace(profile, refusal="Too flat.", optimal_params=np.nan)
        for profile in picture.profiles[:2]
    ]
    figure = _isoflop_profiles._draw(replace(picture, profiles=tuple(grey)), LIGHT)
    (refused,) = figure.data
    assert refused.mode == "lines+markers"
    assert np.isnan(refused.x).sum() == 2


def test_no_row_is_lost_below_the_envelope() -> None:
    figure = plot.envelope(found())
    corners = found().corners
    (used,) = named(figure, "Corners used")
    np.testing.assert_array_equal(used.x, corners.compute_flop[corners.is_used])
    (rows,) = named(figure, "Final losses")
    assert np.isfinite(rows.x).sum() == len(table().frame)
    assert f"{len(corners.loss)} corners" in figure.layout.meta["alt"]


def test_corners_that_do_not_count_are_hollow() -> None:
    picture = _envelope._prepare(found())
    is_used = np.arange(len(picture.corners.loss)) == 1
    corners = replace(picture.corners, is_used=is_used)
    figure = _envelope._draw(replace(picture, corners=corners), LIGHT)
    (used,) = named(figure, "Corners used")
    assert list(used.x) == [corners.compute_flop[1]]
    (hollow,) = named(figure, "Smallest or largest size: not used")
    assert len(hollow.x) == len(is_used) - 1
    assert hollow.marker.color == look.CLEAR


def test_checkpoints_of_a_run_are_joined_and_runs_are_not() -> None:
    picture = _envelope._prepare(found())
    runs = np.arange(len(picture.run)) // 7
    (curves,) = named(_envelope._draw(replace(picture, run=runs), LIGHT), "Learning curves")
    assert curves.mode == "lines+markers"
    assert np.isnan(curves.x).sum() == runs.max()
    assert np.flatnonzero(np.isnan(curves.x))[0] == 7


def test_approaches_say_what_they_found() -> None:
    frame = found().to_frame()
    assert list(frame.index) == ["envelope", "profiles", "parametric"]
    line = found()["profiles"].params_line
    assert line is not None
    assert frame.loc["profiles", "params_exponent"] == line.exponent
    assert found().summary().startswith(found().verdict())
    assert found() == replace(found())
