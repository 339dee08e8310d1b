"""What a bound does to a fit, what rows make doubtful, and a fit without those that are named."""

import numpy as np
import pytest
from tests.fitting.helpers import chinchilla_table, table_of

from isoflop.fitting import FitOptions, fit
from isoflop.fitting.before_after import before_and_after, named_rows, without_named
from isoflop.fitting.comparable import unlike_families
from isoflop.laws import load_laws, read_bounds, typed_law

LAW = load_laws()["chinchilla"]
SQUARES = FitOptions(objective="least_squares_log")


def notice(found, code):
    return next(one for one in found.notices if one.code == code)


def test_a_broken_power_that_stops_at_its_bound_says_how_far_it_is_from_the_optimum() -> None:
    """Bug: at c1 = 3 the notice said that the rows do not determine c1, which is 5.7."""
    x = np.geomspace(1e18, 1e24, 60)
    noise = np.exp(0.001 * np.random.default_rng(1).standard_normal(60))
    loss = noise * 2 * (x / 1e20) ** -0.02 * (1 + (x / 1e22) ** 2) ** (-5.7 * 0.5)
    table = table_of(compute_flop=x, loss=loss)
    law = load_laws()["broken_power"]
    held = fit(law, table)
    bound = next(one for one in held.certificate.bounds if one.name == "c1")
    assert (bound.end, bound.is_upper) == (3.0, True)
    assert bound.fall > 0.01
    assert bound.value_without == pytest.approx(5.7, rel=0.02)
    assert bound.objective_ratio > 20
    found = notice(held, "at-bound")
    assert found.severity == "serious"
    assert "c1 stops at its upper end 3" in found.text
    assert "do not determine" not in found.text + found.remedy
    free = fit(law, table, FitOptions(params=read_bounds({"c1": (0, 10)})))
    assert free.values["c1"] == pytest.approx(bound.value_without, rel=1e-3)
    assert held.objective_value / free.objective_value == pytest.approx(
        bound.objective_ratio, rel=1e-2
    )


def test_the_gradient_at_a_bound_is_that_of_the_objective() -> None:
    table, end = chinchilla_table(noise=0.01), 0.3
    held, beyond = (
        fit(LAW, table, FitOptions(params=read_bounds({"alpha": (0.0, upper)})))
        for upper in (end, end * (1 + 1e-5))
    )
    (bound,) = held.certificate.bounds
    fall = 1 - beyond.objective_value / held.objective_value
    assert bound.step == pytest.approx(0.01 * end)
    # The others move too, to second order alone: the gradient is that of the envelope.
    assert fall / 1e-5 * 0.01 == pytest.approx(bound.fall, rel=1e-3)


def test_a_parameter_at_zero_has_a_step_in_the_size_of_the_loss() -> None:
    n = np.geomspace(1e8, 1e10, 20)
    loss = 30 * n**-0.12 * np.exp(0.002 * np.random.default_rng(0).standard_normal(20)) - 0.4
    table = table_of(params=n, loss=loss)
    law = typed_law("E + A/N**a", table)
    held = fit(law, table, FitOptions(params=read_bounds({"E": (0.0, None)}), positive=("A",)))
    (bound,) = held.certificate.bounds
    assert (bound.name, bound.is_upper) == ("E", False)
    assert 0.005 * loss.mean() < bound.step < 0.02 * loss.mean()
    assert bound.value_without < 0


def test_repeated_rows_say_what_they_do_to_errors() -> None:
    table = chinchilla_table(n_sizes=3, n_ratios=5, noise=0.01)
    twice = table.with_frame(
        table.frame.loc[np.repeat(table.frame.index, 2)].reset_index(drop=True)
    )
    one, two = (fit(LAW, rows, SQUARES) for rows in (table, twice))
    found = notice(two, "repeated-rows")
    share = float(found.text.split(" at ")[1].split("%")[0]) / 100
    shrunk = two.params()["std_error"] / one.params()["std_error"]
    assert share == pytest.approx(float(shrunk["alpha"]), abs=0.01)
    assert len(found.rows) == 15
    assert without_named(two).n_rows == 15
    assert without_named(two).values == pytest.approx(one.values, rel=1e-6)


def test_rounding_is_no_outlier() -> None:
    """Bug: residuals of 1e-10 were five robust standard deviations off the curve."""
    table = chinchilla_table()
    loss = table.frame["loss"].to_numpy().copy()
    loss[7] *= 1 + 1e-9
    found = fit(LAW, table.with_frame(table.frame.assign(loss=loss)))
    assert "outliers" not in {one.code for one in found.notices}


def test_rows_that_notices_name_are_left_out_and_shown_before_and_after() -> None:
    table = chinchilla_table(noise=0.003)
    loss = table.frame["loss"].to_numpy().copy()
    loss[[2, 20]] *= 1.4
    before = fit(LAW, table.with_frame(table.frame.assign(loss=loss)))
    named = named_rows(before.notices)
    assert {3, 21} <= set(named)
    after = without_named(before)
    assert after.n_rows == 30 - len(named)
    assert set(after.table.frame["exclusion_reason"].dropna()) == {
        "named in a notice: outliers",
        "",
    }
    text = before_and_after(before, after)
    assert text.startswith("Left out because notices name them: rows 3 (outliers), ")
    assert f"rows   30         {after.n_rows}" in text
    clean = fit(LAW, table, SQUARES)
    assert without_named(clean) is clean


def test_families_may_be_pooled_where_nothing_says_they_differ() -> None:
    table = chinchilla_table(noise=0.01)
    halves = np.where(table.frame.index % 2, "one", "other")
    alike = table.with_frame(table.frame.assign(family=halves))
    assert unlike_families(alike) == ()
    tokenizer = np.where(table.frame.index % 2, "GPT-2", "Llama")
    unlike = alike.with_frame(alike.frame.assign(tokenizer=tokenizer))
    (found,) = unlike_families(unlike)
    assert found.aspect == "tokenizer"
    pooled = notice(fit(LAW, unlike), "families-pooled")
    assert pooled.severity == "serious"
    assert "families-pooled" not in {one.code for one in fit(LAW, unlike.families("one")).notices}
