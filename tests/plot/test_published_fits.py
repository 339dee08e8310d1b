"""Published fits over rows: curves within and beyond their range, and how far the rows lie off."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from tests.plot.helpers import n_markers, named, two_families

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting.compare import PublishedComparison, compare_published


@cache
def found() -> PublishedComparison:
    return compare_published(two_families())


def test_curves_lie_over_all_rows_dotted_beyond_the_range_of_each() -> None:
    figure = plot.published(found())
    assert n_markers(figure) == len(two_families().frame)
    drawn = found().closest[:4]
    labels = [found().evaluated[key].published.label for key in drawn]
    assert {trace.name for trace in figure.data} >= set(labels)
    dashes = [trace.line.dash for label in labels for trace in named(figure, label)]
    assert "dot" in dashes
    assert f"({', '.join(labels)})" in figure.layout.meta["alt"]


def test_named_fits_are_drawn_in_their_order() -> None:
    keys = list(found().evaluated)[:2]
    figure = plot.published_shift(found(), fits=keys)
    labels = [found().evaluated[key].published.label for key in keys]
    assert list(dict.fromkeys(trace.name for trace in figure.data)) == labels
    assert n_markers(figure) == sum(found().evaluated[key].fit.n_rows for key in keys)


def test_the_median_of_rows_in_range_is_the_shift() -> None:
    key = found().closest[0]
    one = found().evaluated[key]
    (filled, *_) = plot.published_shift(found(), fits=[key]).data
    assert len(filled.y) == one.n_in_range
    # Of an even number of rows the shift takes the middle of two logarithms.
    assert np.median(filled.y) == pytest.approx(100 * one.shift, rel=1e-4)


def test_no_curve_over_tokens_is_said() -> None:
    with pytest.raises(FitError, match="None of these fits gives a curve over data"):
        plot.published(found(), fits=["hoffmann"], x="tokens")
