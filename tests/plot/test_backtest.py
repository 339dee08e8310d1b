"""The backtest as a picture: a cell a law and table, shaded against the best of each table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoflop import plot
from isoflop.fitting.backtest import load_backtest
from isoflop.plot import _backtest
from isoflop.plot.theme import LIGHT


def picture(measure: _backtest.Measure = "error") -> _backtest._Picture:
    return _backtest._Picture(
        laws=("a", "b", "c"),
        tables=("t", "u"),
        error=np.array([[0.01, 0.2], [0.02, np.nan], [0.3, 0.1]]),
        is_complete=np.array([[True, False], [True, False], [True, True]]),
        coverage=np.full((3, 2), 0.9),
        measure=measure,
    )


def test_only_complete_figures_are_shaded_against_the_best() -> None:
    partial, trace = _backtest._draw(picture(), LIGHT).data
    np.testing.assert_allclose(trace.z[:, 0], [0, np.log10(2), 1])
    assert np.isnan(trace.z[0, 1])
    assert trace.z[2, 1] == 0
    assert list(trace.text[0]) == ["1.0%", "(20%)"]
    assert list(trace.text[1]) == ["2.0%", ""]
    np.testing.assert_array_equal(np.isfinite(partial.z), [[0, 1], [0, 0], [0, 0]])
    assert "3 laws" in _backtest._draw(picture(), LIGHT).layout.meta["alt"]


def test_coverage_stands_in_place_of_errors() -> None:
    figure = _backtest._draw(picture("coverage"), LIGHT)
    assert list(figure.data[1].text[0]) == ["90%", "(90%)"]
    assert figure.layout.meta["alt"].startswith("Coverage of 90% intervals")


def test_every_law_and_table_of_the_report_has_a_cell() -> None:
    report = load_backtest().of(objective="huber_log")
    (_, trace) = plot.backtest(report).data
    assert set(trace.x) == {row.dataset for row in report.rows}
    assert len(trace.y) == len({row.law for row in report.rows})
    n_known = sum(np.isfinite(row.mean_abs_error) for row in report.rows)
    assert sum(bool(cell) for row in trace.text for cell in row) == n_known


def test_a_report_gives_its_parts() -> None:
    report = load_backtest()
    one = report.of(dataset=report.datasets[0])
    assert one.datasets == report.datasets[:1]
    frame = one.to_frame()
    assert len(frame) == len(one.rows)
    is_complete = frame["groups_predicted"] == frame["groups"]
    ranked = frame[is_complete]["mean_abs_error"].dropna()
    assert list(ranked) == sorted(ranked)
    assert report.of() == report
    assert one != report
    assert report.of(objective="huber_log").verdict().startswith("No law is best on more than")
    assert replace(report, rows=()).verdict() == "No law could be judged on any table."
