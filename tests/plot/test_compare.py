"""Laws compared: their errors in order, their curves over the rows, their errors row by row."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.plot.helpers import n_markers, named, two_families

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting import FitOptions
from isoflop.fitting.compare import (
    LawComparison,
    compare_laws,
    functional_forms,
    laws_of_size_and_data,
)
from isoflop.plot import _compare, axes, lines, offsets, rows
from isoflop.plot.theme import LIGHT

OPTIONS = FitOptions(objective="least_squares_log", n_bootstrap=50)


@cache
def forms() -> LawComparison:
    return compare_laws(two_families(), functional_forms("compute_flop"), OPTIONS)


@cache
def laws() -> LawComparison:
    return compare_laws(two_families(), laws_of_size_and_data(two_families())[:2], OPTIONS)


def test_laws_stand_in_order_with_the_best_on_top() -> None:
    found = forms()
    figure = plot.compare(found)
    order = [place.score.law.label for place in found.ranking.places]
    assert list(figure.layout.yaxis.categoryarray) == order[::-1]
    assert [trace.name for trace in figure.data] == ["Held-out scale", "Left-out rows"]
    held = dict(zip(figure.data[0].y, figure.data[0].x, strict=True))
    for place in found.ranking.places:
        assert held[place.score.law.label] == pytest.approx(100 * place.errors.mean_absolute)
    assert figure.layout.meta["alt"].endswith(f"; {order[0]} comes closest.")


def test_laws_without_an_error_of_a_kind_have_no_dot_of_it() -> None:
    kinds = (
        _compare._Errors(name="Held out", error=np.array([0.5, 2.0, np.nan])),
        _compare._Errors(name="Left-out rows", error=np.array([0.4, 1.0, 3.0])),
    )
    picture = _compare._Picture(laws=("A", "B", "C"), kinds=kinds, x_title="Mean error (%)")
    figure = _compare._draw(picture, LIGHT)
    assert list(figure.data[0].y) == ["A", "B"]
    empty = _compare._draw(replace(picture, laws=(), kinds=()), LIGHT)
    assert empty.layout.meta["alt"] == "No errors to show."


def test_every_row_and_every_law_is_drawn_with_the_held_out_part_shaded() -> None:
    found = forms()
    figure = plot.law_curves(found)
    assert n_markers(figure) == len(found.table.frame)
    assert {s.law.label for s in found.fitted} <= {trace.name for trace in figure.data}
    assert found.split is not None
    assert figure.layout.shapes[0].x0 == found.split.cut
    assert figure.layout.annotations[0].text.strip() == "held out"
    assert "Training compute C (FLOP): 24 rows" in figure.layout.meta["alt"]


def test_laws_of_several_inputs_have_no_curve() -> None:
    with pytest.raises(FitError, match="several inputs"):
        plot.law_curves(laws())


def test_each_held_out_row_shows_its_error_by_each_law() -> None:
    found = laws()
    figure = plot.held_out(found)
    assert found.split is not None
    assert n_markers(figure) == len(found.fitted) * len(found.split.upper.frame)
    assert "hollow: outside its 90% interval" in figure.layout.annotations[0].text
    for score in found.fitted:
        assert score.held_out is not None
        y = np.concatenate([trace.y for trace in named(figure, score.law.label)])
        np.testing.assert_allclose(np.sort(y), np.sort(100 * score.held_out.errors.error))
    with pytest.raises(FitError, match="No rows could be held out"):
        plot.held_out(replace(found, split=None))


def test_a_law_that_is_far_off_does_not_squeeze_the_rows() -> None:
    x = np.geomspace(1e18, 1e22, 9)
    loss = two_families().values("loss")
    picture = lines.Picture(
        axis=axes.AXES["compute_flop"],
        y_title="Loss",
        response="loss",
        groups=rows.groups(two_families()),
        lines=(lines.Line(name="Linear", x=x, y=-1e3 * x / 1e22),),
        cut=1e21,
    )
    figure = lines.draw(picture, LIGHT)
    low, high = 10.0 ** np.array(figure.layout.yaxis.range)
    assert 0.8 * loss.min() < low < loss.min()
    assert loss.max() < high < 1.2 * loss.max()


def offset_picture(offset: np.ndarray, n_hollow: int = 0) -> offsets.Picture:
    group = offsets.Offsets(
        name="Law",
        x=np.geomspace(1e18, 1e22, len(offset)),
        offset=offset,
        is_filled=np.arange(len(offset)) < len(offset) - n_hollow,
        labels=tuple(map(str, range(len(offset)))),
    )
    return offsets.Picture(
        axis=axes.AXES["compute_flop"], y_title="%", groups=(group,), exception="beyond its range"
    )


def test_exceptions_are_hollow_and_named() -> None:
    figure = offsets.draw(offset_picture(np.array([0.01, -0.02, 0.05]), n_hollow=1), LIGHT)
    filled, hollow = figure.data
    assert list(filled.y) == [1.0, -2.0]
    assert list(hollow.y) == [5.0]
    assert not hollow.showlegend
    assert "beyond its range" in hollow.hovertemplate
    assert "Law +1.0%" in figure.layout.meta["alt"]


def test_a_wild_row_does_not_squeeze_the_offsets() -> None:
    wild = offsets.draw(offset_picture(np.append(np.linspace(-0.02, 0.02, 99), 3.0)), LIGHT)
    assert wild.layout.yaxis.range[1] < 10
    assert "1 further off" in wild.layout.annotations[0].text
    calm = offsets.draw(offset_picture(np.linspace(-0.02, 0.02, 100)), LIGHT)
    assert calm.layout.yaxis.range is None
