"""How far a fit may be believed: refits, profiles, objective surface, residuals, influence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from isoflop.errors import FitError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.diagnose import (
    diagnostics,
    drawn_parameters,
    has_runs,
    leave_out,
    multistart,
    normal_quantiles,
    objective_surface,
    one_step,
    parameter_intervals,
    profile_likelihoods,
    profiles,
    residuals,
    trend,
    weights_without,
)
from isoflop.fitting.diagnose.conditional import hold, minimise_held
from isoflop.laws import load_laws, typed_law
from isoflop.tables import LossTable, load_dataset, simulated_table
from isoflop.tables.schema import Provenance

CHINCHILLA = load_laws()["chinchilla"]
LEAST_SQUARES = FitOptions(objective="least_squares")


def table_of(**columns: NDArray[np.float64]) -> LossTable:
    frame = pd.DataFrame(columns)
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return LossTable(id="made", frame=frame, provenance=Provenance(title="Made"))


def dropped(table: LossTable, positions: NDArray[np.intp]) -> LossTable:
    return table.with_frame(table.frame.drop(index=table.frame.index[positions]))


@pytest.fixture(scope="module")
def made() -> LossTable:
    return simulated_table(design="grid", noise=0.005, outliers=2, seed=1)


@pytest.fixture(scope="module")
def straight() -> LossTable:
    """Rows on a line with noise, of which everything is known in closed form."""
    random = np.random.default_rng(4)
    x = np.linspace(1.0, 10.0, 30)
    return table_of(params=x, loss=2.0 + 0.3 * x + 0.1 * random.standard_normal(30))


LINE = typed_law("b0 + b1*params", ["params", "loss"])


# --- Refits ---------------------------------------------------------------------------------------


def test_refit_with_every_row_is_the_fit(made: LossTable) -> None:
    setup = diagnostics(fit(CHINCHILLA, made), made)
    (theta,) = setup.refit(np.ones((1, setup.problem.n_rows)))
    assert theta == pytest.approx(setup.fit.theta, rel=1e-5)
    assert setup.is_optimum()


@pytest.mark.parametrize("objective", ["huber_log", "least_squares_log", "least_squares"])
def test_leaving_out_is_fitting_without(made: LossTable, objective: str) -> None:
    options = FitOptions(objective=objective)  # type: ignore[arg-type]  # parametrised text
    setup = diagnostics(fit(CHINCHILLA, made, options), made)
    left_out = leave_out(setup)
    assert left_out.is_exact.all()
    for row in (0, 17, 40):
        without = fit(CHINCHILLA, dropped(made, np.array([row])), options)
        assert left_out.theta[row] == pytest.approx(without.theta, rel=1e-4)


def test_one_newton_step_is_close_to_leaving_out(made: LossTable) -> None:
    setup = diagnostics(fit(CHINCHILLA, made, LEAST_SQUARES), made)
    exact = leave_out(setup).theta - setup.fit.theta
    step = setup.stepped(one_step(setup)) - setup.fit.theta
    for j in range(setup.n_params):
        assert np.corrcoef(exact[:, j], step[:, j])[0, 1] > 0.98


def test_refit_on_too_few_rows_says_nothing(made: LossTable) -> None:
    setup = diagnostics(fit(CHINCHILLA, made), made)
    most = np.arange(4, setup.problem.n_rows)
    assert np.isnan(setup.refit(weights_without([most], setup.problem.n_rows))).all()


def test_a_run_is_left_out_whole(made: LossTable) -> None:
    runs = np.arange(len(made.frame)) // 3
    frame = made.frame.assign(run_id=[f"run {run}" for run in runs])
    table = made.with_frame(frame)
    setup = diagnostics(fit(CHINCHILLA, table), table)
    assert has_runs(setup)
    left_out = leave_out(setup, unit="runs")
    assert len(left_out.members) == runs.max() + 1
    without = fit(CHINCHILLA, dropped(made, left_out.members[4]))
    assert left_out.theta[4] == pytest.approx(without.theta, rel=1e-4)


def test_only_promising_rows_of_a_large_table_are_refitted(monkeypatch: pytest.MonkeyPatch) -> None:
    table = simulated_table(design="random", n_rows=200, noise=0.01)
    setup = diagnostics(fit(CHINCHILLA, table, LEAST_SQUARES), table)
    exact = leave_out(setup).theta
    monkeypatch.setattr("isoflop.fitting.diagnose.influence.MAX_EXACT", 20)
    some = leave_out(setup)
    assert some.is_exact.sum() == 20
    furthest = np.argsort(-np.abs(exact[:, 0] - setup.fit.theta[0]))[:5]
    assert some.is_exact[furthest].all()
    assert some.theta[some.is_exact] == pytest.approx(exact[some.is_exact])


# --- Profiles -------------------------------------------------------------------------------------


def test_profile_of_a_straight_line_is_the_t_interval(straight: LossTable) -> None:
    """On a linear law the profile is a parabola and its interval the textbook one."""
    setup = diagnostics(fit(LINE, straight, LEAST_SQUARES), straight)
    found = {profile.name: profile for profile in profiles(setup, level=0.9)}
    textbook = stats.linregress(straight.values("params"), straight.values("loss"))
    reach = stats.t.ppf(0.95, 28)
    for name, centre, error in (
        ("b0", textbook.intercept, textbook.intercept_stderr),
        ("b1", textbook.slope, textbook.stderr),
    ):
        assert found[name].lower == pytest.approx(centre - reach * error, rel=1e-6)
        assert found[name].upper == pytest.approx(centre + reach * error, rel=1e-6)
        assert found[name].statistic == pytest.approx(found[name].parabola, rel=1e-5, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["huber_log", "least_squares_log"])
def test_each_point_of_a_profile_is_a_constrained_optimum(made: LossTable, objective: str) -> None:
    """Holding E at a point of its profile and fitting the rest from scratch ends there too."""
    options = FitOptions(objective=objective)  # type: ignore[arg-type]  # parametrised text
    setup = diagnostics(fit(CHINCHILLA, made, options), made)
    profile = next(iter(profiles(setup)))
    assert profile.name == "E"
    assert np.all(np.diff(profile.root) > 0)
    for i in (3, len(profile.value) - 4):
        held = typed_law(
            f"{float(profile.value[i])!r} + A/N**alpha + B/D**beta", ["params", "tokens", "loss"]
        )
        restricted = fit(held, made, options)
        here = float(setup.problem.value(profile.theta[i][None])[0])
        assert here == pytest.approx(restricted.objective_value, rel=1e-5)


def test_profile_agrees_with_the_covariance_where_the_objective_is_smooth() -> None:
    table = simulated_table(n_rows=150, noise=0.002)
    setup = diagnostics(fit(CHINCHILLA, table, FitOptions(objective="least_squares_log")), table)
    errors = np.sqrt(np.diagonal(setup.fit.covariance))
    for profile, error in zip(profiles(setup), errors, strict=True):
        own = profile.standard_error * (profile.estimate if profile.is_log else 1.0)
        assert own == pytest.approx(error, rel=0.05)


@pytest.mark.slow
def test_profile_stops_at_a_bound_and_says_that_side_is_open(mirror: Path) -> None:
    table = load_dataset("sardana")  # E hangs on the tail: no lower end
    setup = diagnostics(fit(CHINCHILLA, table), table)
    found = {profile.name: profile for profile in profiles(setup)}
    assert found["E"].lower is None
    assert found["E"].value[0] == 0.0
    assert found["E"].upper is not None


def test_profile_of_a_parameter_at_its_bound_is_one_sided() -> None:
    table = load_dataset("pile-cerebras-pythia")
    setup = diagnostics(fit(CHINCHILLA, table), table)
    assert setup.fit.certificate.at_bound == ("E",)
    profile = next(iter(profiles(setup)))
    assert (profile.name, profile.lower) == ("E", None)
    assert profile.root.min() >= 0
    assert profile.upper is not None
    assert 0.5 < profile.upper < 1.5


def test_profile_refuses_what_has_no_likelihood(made: LossTable) -> None:
    table = dropped(made, np.arange(11, len(made.frame)))
    for options, rows, reason in (
        (FitOptions(objective="asymmetric_mae"), made, "asymmetric objective has none"),
        (FitOptions(), table, "11 rows are too few to see how dense"),
    ):
        setup = diagnostics(fit(CHINCHILLA, rows, options), rows)
        with pytest.raises(FitError, match=reason):
            next(iter(profiles(setup)))


def test_a_narrow_delta_gives_nearly_the_intervals_of_a_wide_one() -> None:
    """The likelihood does not hang on how many residuals the delta happens to hold."""
    table = simulated_table(n_rows=120, noise=0.01, seed=5)
    widths = []
    for delta in (1e-5, 3e-3):
        setup = diagnostics(fit(CHINCHILLA, table, FitOptions(huber_delta=delta)), table)
        profile = next(iter(profiles(setup)))
        assert profile.lower is not None
        assert profile.upper is not None
        widths.append(profile.upper - profile.lower)
    assert max(widths) < 1.6 * min(widths)


def test_profile_refuses_a_perfect_fit() -> None:
    table = simulated_table(noise=0.0)
    setup = diagnostics(fit(CHINCHILLA, table, FitOptions(objective="least_squares_log")), table)
    with pytest.raises(FitError, match="fits these rows without error"):
        next(iter(profiles(setup)))


# --- The objective surface ------------------------------------------------------------------------


def test_held_parameters_stay_and_the_rest_settles(made: LossTable) -> None:
    setup = diagnostics(fit(CHINCHILLA, made), made)
    start = np.tile(setup.fit.theta, (3, 1))
    start[:, 3] = (0.3, setup.fit.theta[3], 0.4)
    found = minimise_held(setup.problem, setup.coordinates, start, 3)
    assert found.theta[:, 3] == pytest.approx(start[:, 3], rel=1e-12)
    best = setup.fit.objective_value
    assert found.value[1] == pytest.approx(best, rel=1e-6)
    assert (found.value[[0, 2]] > best).all()
    point = hold(setup.problem, 3).evaluate(found.theta)
    assert not point.gradient[:, 3].any()


def test_search_repeats_the_certificate(made: LossTable, mirror: Path) -> None:
    runs = load_dataset("chinchilla")
    for law, table in (("chinchilla", made), ("kaplan_joint", runs)):
        setup = diagnostics(fit(load_laws()[law], table), table)
        found = multistart(setup)
        certificate = setup.fit.certificate
        assert len(found.starts) == certificate.n_starts
        assert len(found.minima) == certificate.n_minima
        assert np.mean(found.excess <= 1e-6) == pytest.approx(certificate.share_at_optimum)
        assert np.all(np.diff(found.excess) >= 0)


def test_objective_surface_is_lowest_at_the_optimum(made: LossTable) -> None:
    setup = diagnostics(fit(CHINCHILLA, made), made)
    for extent in ("search", "near"):
        surface = objective_surface(setup, ("alpha", "beta"), extent=extent)
        assert surface.excess.shape == (len(surface.axes[1]), len(surface.axes[0]))
        assert np.nanmin(surface.excess) >= 0
        row, column = np.unravel_index(np.nanargmin(surface.excess), surface.excess.shape)
        step = [axis[1] - axis[0] for axis in surface.axes]
        assert abs(surface.axes[0][column] - setup.fit.values["alpha"]) <= 2 * step[0]
        assert abs(surface.axes[1][row] - setup.fit.values["beta"]) <= 2 * step[1]
    assert surface.axes[0][0] < setup.fit.values["alpha"] < surface.axes[0][-1]


def test_objective_surface_of_one_parameter_and_of_none_nonlinear(straight: LossTable) -> None:
    assert drawn_parameters(CHINCHILLA) == ("alpha", "beta")
    assert drawn_parameters(load_laws()["interaction"])[:2] == ("alpha", "beta")
    assert drawn_parameters(LINE) == ("b0", "b1")
    setup = diagnostics(fit(LINE, straight, LEAST_SQUARES), straight)
    line = objective_surface(setup, ("b1",), extent="near")
    # One parameter of a parabola: the excess is the squared distance in standard errors.
    covariance = setup.fit.covariance
    assert covariance is not None
    scaled = (line.axes[0] - setup.fit.values["b1"]) ** 2 / covariance[1, 1]
    assert line.excess == pytest.approx(scaled / 28, rel=1e-4, abs=1e-9)


def test_objective_surface_refuses_other_parameters(made: LossTable) -> None:
    setup = diagnostics(fit(CHINCHILLA, made), made)
    with pytest.raises(FitError, match="over one or two parameters of Chinchilla"):
        objective_surface(setup, ("alpha", "gamma"))


# --- Residuals ------------------------------------------------------------------------------------


def test_leverages_add_up_to_the_number_of_parameters(made: LossTable) -> None:
    left = residuals(diagnostics(fit(CHINCHILLA, made), made))
    assert left.leverage.sum() == pytest.approx(5)
    assert ((left.leverage > 0) & (left.leverage <= 1)).all()
    assert made.values("loss") == pytest.approx(left.fitted * np.exp(left.residual))


def test_leverage_of_a_straight_line_is_the_textbook_one(straight: LossTable) -> None:
    left = residuals(diagnostics(fit(LINE, straight, LEAST_SQUARES), straight))
    x = straight.values("params")
    textbook = 1 / 30 + (x - x.mean()) ** 2 / np.sum((x - x.mean()) ** 2)
    assert left.leverage == pytest.approx(textbook, rel=1e-8)


def test_places_of_a_normal_sample_lie_inside_their_range() -> None:
    random = np.random.default_rng(0)
    outside = []
    for _ in range(40):
        found = normal_quantiles(random.standard_normal(200))
        assert np.all(np.diff(found.observed) >= 0)
        outside.append(np.mean((found.observed < found.lower) | (found.observed > found.upper)))
    assert np.mean(outside) == pytest.approx(0.05, abs=0.02)
    heavy = normal_quantiles(random.standard_t(2, size=200))
    assert np.mean((heavy.observed < heavy.lower) | (heavy.observed > heavy.upper)) > 0.15


def test_trend_follows_a_bend_and_is_flat_without() -> None:
    random = np.random.default_rng(1)
    x = random.uniform(0, 1, 240)
    noise = 0.05 * random.standard_normal(240)
    bent = trend(x, (x - 0.5) ** 2 + noise)
    assert bent is not None
    assert bent.lower[0] > 0.05
    assert bent.lower[-1] > 0.05
    flat = trend(x, noise)
    assert flat is not None
    assert np.mean((flat.lower <= 0) & (flat.upper >= 0)) >= 0.8
    assert trend(np.ones(50), noise[:50]) is None
    assert trend(x[:8], noise[:8]) is None


def test_residuals_as_a_table_keep_rows_runs_and_order(made: LossTable) -> None:
    table = made.with_frame(made.frame.assign(run_id=[f"run {i}" for i in made.frame.index]))
    left = residuals(diagnostics(fit(CHINCHILLA, table), table))
    frame = left.to_frame()
    assert list(frame.index) == list(table.frame.index)
    assert frame["run_id"].iloc[3] == f"run {table.frame.index[3]}"
    assert np.log(frame["observed"] / frame["fitted"]).to_numpy() == pytest.approx(left.residual)
    furthest = left.furthest(4)
    sizes = furthest["standardised"].abs()
    assert sizes.is_monotonic_decreasing
    assert sizes.iloc[0] == np.abs(left.standardised).max()
    ratio = float(np.abs(left.residual).max()) / left.scale
    assert left.are_far(0.99 * ratio)
    assert not left.are_far(1.01 * ratio)


# --- Intervals ------------------------------------------------------------------------------------


def test_intervals_by_every_method_agree_on_a_straight_line(straight: LossTable) -> None:
    """On a linear law by least squares, profile and covariance are both the textbook interval."""
    options = FitOptions(objective="least_squares", n_bootstrap=200)
    setup = diagnostics(fit(LINE, straight, options), straight)
    reports: list[float] = []
    found = profile_likelihoods(setup, level=0.9, progress=reports.append)
    assert reports == [0.5, 1.0]
    for row in parameter_intervals(setup.fit, found, level=0.9):
        assert row.profile is not None
        assert (row.profile.lower, row.profile.upper) == pytest.approx(row.covariance, rel=1e-6)
        assert setup.fit.draws is not None
        assert row.bootstrap == pytest.approx(row.covariance, rel=0.02)


def test_a_method_that_is_not_at_hand_gives_no_interval(straight: LossTable) -> None:
    bare = replace(fit(LINE, straight, LEAST_SQUARES), covariance=None)
    for row in parameter_intervals(bare):
        assert (row.profile, row.bootstrap, row.covariance) == (None, None, None)


def test_rows_are_asked_for_where_a_fit_holds_none(straight: LossTable) -> None:
    fitted = fit(LINE, straight, LEAST_SQUARES)
    assert diagnostics(fitted) == diagnostics(fitted, straight)
    with pytest.raises(FitError, match="rows of this fit are not at hand"):
        diagnostics(replace(fitted, table=None))
