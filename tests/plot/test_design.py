"""Proposed runs: where they lie, how many are worth it, the band before and after them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from tests.plot.helpers import n_markers, named, small_fit, two_families

from isoflop import plot
from isoflop.errors import PlanError
from isoflop.fitting import fit
from isoflop.fitting.diagnose import diagnostics
from isoflop.planning.design import Design, design_runs
from isoflop.planning.refits import changes, changes_frame
from isoflop.planning.sensitivity import Target

TARGET = Target(compute_flop=1e24)


@cache
def proposed() -> Design:
    return design_runs(diagnostics(small_fit()), TARGET, spend_flop=1e22, n_runs=2)


def test_repeated_runs_are_written_as_a_multiple_and_every_row_is_drawn() -> None:
    runs = proposed().runs
    same = replace(runs, params=np.full(3, 1e9), tokens=np.full(3, 2e10), compute_flop=np.ones(3))
    figure = plot.design(replace(proposed(), runs=same))
    (shown,) = named(figure, "Proposed runs")
    assert list(shown.text) == ["×3"]
    assert "3 × 1B parameters, 20B tokens" in figure.layout.meta["alt"]
    marks = len(shown.x) + len(named(figure, "Target")[0].x)
    assert n_markers(figure) - marks == len(two_families().frame)


def test_a_design_says_what_it_would_do_and_lists_its_runs() -> None:
    design = proposed()
    assert design.summary().startswith("2 runs of ")
    assert f"to {design.width_left:.0%} of its width" in design.summary()
    frame = design.to_frame()
    assert frame["n_runs"].sum() == 2
    assert frame["share_of_budget"].sum() <= 1 + 1e-9
    assert frame["tokens_per_param"].to_numpy() == pytest.approx(frame["tokens"] / frame["params"])
    useless = replace(design, gain=replace(design.gain, loss_left=0.99))
    assert useless.summary().startswith("No set of runs within this budget narrows the interval")


def test_the_band_after_is_drawn_beside_the_band_now() -> None:
    figure = plot.expected_gain(proposed())
    names = ["Now, 90% band", "With the runs, 90% band", "Now", "With the runs"]
    assert [trace.name for trace in figure.data] == names
    assert f"each of {proposed().gain.n_draws} bootstrap draws" in figure.layout.meta["notes"][0]


def test_bars_are_shares_of_the_width() -> None:
    tried = replace(proposed(), counts=(1, 2), left=np.array([0.9, 0.8]), left_single=0.95)
    figure = plot.run_counts(tried)
    assert list(figure.data[0].y) == pytest.approx([90.0, 80.0])
    assert set(figure.data[1].y) == {95.0}
    assert "2: 80%" in figure.layout.meta["alt"]
    assert len(set(figure.data[0].marker.color)) == 2  # the number proposed stands out


def test_before_and_after_without_a_band_has_lines_alone() -> None:
    before = small_fit()
    table = two_families()
    fewer = fit(before.law, table.with_frame(table.frame.iloc[2:]), before.options)
    bare = replace(fewer, draws=None, covariance=None)
    figure = plot.before_after(before, bare, compute_flop=1e23)
    names = ["All rows, 90% band", "All rows", "Without 2 rows"]
    assert [trace.name for trace in figure.data] == names
    assert figure.layout.shapes[0].x0 == 1e23
    with pytest.raises(PlanError, match="no compute-optimal models"):
        plot.before_after(small_fit("power_floor"), small_fit("power_floor"))


def test_changes_between_fits_are_those_of_their_values() -> None:
    before = small_fit()
    table = two_families()
    after = fit(before.law, table.with_frame(table.frame.iloc[2:]), before.options)
    found = changes(diagnostics(before), diagnostics(after), TARGET)
    frame = changes_frame(found)
    assert list(frame.index[:3]) == ["N*", "a", "loss at N*"]
    assert frame.loc["E", "change"] == pytest.approx(
        after.values["E"] / before.values["E"] - 1
        if frame.loc["E", "is_relative"]
        else after.values["E"] - before.values["E"]
    )
    assert before.draws is not None
    alpha = before.law.param_names.index("alpha")
    expected = (after.values["alpha"] - before.values["alpha"]) / before.draws[:, alpha].std()
    assert frame.loc["alpha", "standard_errors"] == pytest.approx(expected)
    same = changes_frame(changes(diagnostics(before), diagnostics(before), TARGET))
    assert same["change"].abs().max() == 0
    bare = diagnostics(replace(before, draws=None))
    assert changes_frame(changes(bare, bare, TARGET))["standard_errors"].isna().all()
