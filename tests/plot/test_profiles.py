"""Profile likelihoods: a chart for each parameter, with both intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.plot.helpers import named, small_fit

from isoflop import plot
from isoflop.errors import FitError
from isoflop.fitting.diagnose import Profile, bootstrap_interval, write_interval
from isoflop.plot import LIGHT
from isoflop.plot._profiles import _draw, _Picture


def profile(name: str = "E") -> Profile:
    value = np.linspace(1.0, 3.0, 21)
    return Profile(
        name=name,
        value=value,
        root=(value - 2) / 0.3,
        estimate=2.0,
        lower=1.5,
        upper=2.5,
        level=0.9,
        threshold=2.7,
        standard_error=0.35,
        is_log=False,
        theta=value[:, None],
        is_lower_found=False,
    )


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_each_profile_has_a_chart_of_its_own(count: int) -> None:
    shown = tuple(profile(f"p{i}") for i in range(count))
    picture = _Picture(profiles=shown, resampled=((1.2, 2.8),) * count, level=0.9)
    figure = _draw(picture, LIGHT)
    assert len({trace.xaxis for trace in figure.data}) == count
    assert sum(trace.name == "Profile" and trace.showlegend for trace in figure.data) == 1


def test_all_of_the_bootstrap_interval_is_shown() -> None:
    figure = _draw(_Picture(profiles=(profile(),), resampled=((0.2, 4.0),), level=0.9), LIGHT)
    low, high = figure.layout.xaxis.range
    assert low < 0.2
    assert high > 4.0


def test_open_intervals_are_said_to_be_open() -> None:
    assert write_interval(1.5, 2.5) == "1.5 to 2.5"
    assert write_interval(None, 2.5) == "up to 2.5"
    assert write_interval(1.5, None) == "from 1.5"
    assert write_interval(None, None) == "open on both sides"


def test_a_fit_alone_is_enough() -> None:
    fit = small_fit()
    figure = plot.profiles(fit)
    assert len(named(figure, "Profile")) == len(fit.law.params)
    shown = named(figure, "Bootstrap, 90%")
    for trace, name in zip(shown, fit.law.param_names, strict=True):
        assert tuple(trace.x) == bootstrap_interval(fit, name)
    assert all(f"{name} " in figure.layout.meta["alt"] for name in fit.law.param_names)


def test_without_draws_there_is_no_bootstrap_interval() -> None:
    figure = plot.profiles(small_fit(), found=[profile()], level=0.9)
    assert named(figure, "Bootstrap, 90%")
    bare = plot.profiles(replace(small_fit(), draws=None), found=[profile()], level=0.9)
    assert not named(bare, "Bootstrap, 90%")


def test_rows_that_are_not_at_hand_are_asked_for() -> None:
    with pytest.raises(FitError, match="rows of this fit are not at hand"):
        plot.profiles(replace(small_fit(), table=None))
