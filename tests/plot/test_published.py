"""Published runs against our sums."""

from __future__ import annotations

import numpy as np

from isoflop import plot
from isoflop.planning.runs import check_runs
from isoflop.plot._published_flop import CONVENTIONS, HOVER_CHARACTERS


def test_every_run_with_a_count_is_drawn_by_every_convention() -> None:
    checks = [check for check in check_runs() if check.flop_ratio is not None]
    figure = plot.published_flop(check_runs())
    assert [trace.name for trace in figure.data] == list(reversed(CONVENTIONS))
    plain = figure.data[-1]
    assert list(plain.y) == [check.run.label for check in checks]
    np.testing.assert_array_equal(plain.x, [check.flop_ratio for check in checks])
    exact = figure.data[0]
    unknown = [check.exact_ratio is None for check in checks]
    assert np.isnan(exact.x).tolist() == unknown
    assert any(unknown)
    assert max(len(line) for text in plain.text for line in text.split("<br>")) <= HOVER_CHARACTERS
    assert f"{len(checks)} training runs" in figure.layout.meta["alt"]
    low, high = 10 ** np.array(figure.layout.xaxis.range)
    assert low < np.nanmin(plain.x)
    assert max(np.nanmax(trace.x) for trace in figure.data) < high


def test_utilisations_stand_by_hardware_beside_our_default() -> None:
    checks = [check for check in check_runs() if check.implied_mfu is not None]
    figure = plot.published_mfu(check_runs())
    default, implied, reported = figure.data
    assert set(implied.x) == set(default.x)
    assert len(implied.x) == len([c for c in checks if c.run.accelerator is not None])
    assert 0 < len(reported.x) < len(implied.x)
    assert figure.layout.yaxis.title.text == "Utilisation of the dense peak (%)"
    assert "published runs by hardware" in figure.layout.meta["alt"]
    assert figure.layout.meta["notes"][0].startswith("Implied: 6ND")
