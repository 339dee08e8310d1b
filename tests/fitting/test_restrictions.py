"""Parameters that are fixed, bounded or positive, and rows that count more or less."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import curve_fit
from tests.fitting.helpers import chinchilla_table, table_of

from isoflop import api, export
from isoflop.errors import FitError, FormulaError, UnitError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.compare import compare_laws
from isoflop.fitting.diagnose import diagnostics, leave_out, profile_likelihoods, residuals
from isoflop.fitting.result import Fit
from isoflop.laws import load_laws, read_bounds, restricted, typed_law
from isoflop.options import code, from_mapping

TABLE = chinchilla_table(noise=0.01)
LAW = load_laws()["chinchilla"]


def options(**given: object) -> FitOptions:
    return from_mapping(FitOptions, given)


def with_columns(**columns: object):
    return TABLE.with_frame(TABLE.frame.assign(**columns))


# --- Parameters


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"alpha": 0.34, "E": (1.5, 2.0)}, ["E=1.5:2.0", "alpha=0.34"]),
        ("alpha=0.34, E=1.5:", ["E=1.5:", "alpha=0.34"]),
        (["E=:2", "alpha=-1e-3"], ["E=:2.0", "alpha=-0.001"]),
        ({"E": [None, 2]}, ["E=:2.0"]),
        (None, []),
    ],
)
def test_bounds_are_read_from_python_and_text(given, text) -> None:
    found = read_bounds(given)
    assert [str(one) for one in found] == text
    assert read_bounds(", ".join(text)) == found


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("alpha", "neither NAME=VALUE nor NAME=LOW:HIGH"),
        ("alpha=1:2:3", "more than two ends"),
        ("alpha=x", "x is not a number"),
        ({"E": (2, 1)}, "below the upper"),
        ({"E": (1, 2, 3)}, "a pair of ends"),
        ("E=1, E=2", "named twice"),
        ({"E": float("inf")}, "cannot be fixed at infinity"),
        (3, "no mapping of parameters"),
    ],
)
def test_bounds_that_cannot_be_read_say_why(given, message) -> None:
    with pytest.raises(UnitError, match=message):
        read_bounds(given)


@pytest.mark.parametrize("objective", ["huber_log", "least_squares_log", "least_squares"])
def test_a_fixed_parameter_is_the_formula_with_the_number_in_it(objective) -> None:
    """The two are one problem: they agree to rounding, intervals and profiles too."""
    plain = typed_law("E + A/N**0.34 + B/D**beta", TABLE)
    names = {param.name: param for param in LAW.params}
    plain = replace(plain, params=tuple(names[name] for name in plain.param_names))
    both = [
        fit(law, TABLE, options(objective=objective, n_bootstrap=60, **given))
        for law, given in ((LAW, {"params": {"alpha": 0.34}}), (plain, {}))
    ]
    held, typed = both
    assert held.law.formula == plain.formula
    assert held.values == pytest.approx({**typed.values, "alpha": 0.34}, rel=1e-12)
    assert held.objective_value == pytest.approx(typed.objective_value, rel=1e-13)
    np.testing.assert_allclose(held.draws, typed.draws, rtol=1e-9)
    if objective != "huber_log":
        np.testing.assert_allclose(held.covariance, typed.covariance, rtol=1e-9)
        first, second = (profile_likelihoods(diagnostics(one)) for one in both)
        assert [p.lower for p in first] == pytest.approx([p.lower for p in second], rel=1e-6)
    assert held.params().loc["alpha", "help"] == "Fixed at this value."
    assert "alpha      0.34" in held.summary()


def test_a_negative_number_and_a_definition_take_a_fixed_parameter() -> None:
    law = typed_law("k = a*b\nE + k*N**c", ["params", "loss"])
    found = restricted(law, read_bounds({"c": -0.5, "b": 2}))
    assert found.formula == "k = a*2\nE + k*N**(-0.5)"
    assert found.param_names == ("a", "E") or found.param_names == ("E", "a")
    assert restricted(found, read_bounds({"c": -0.5})) is found


def test_bounds_hold_in_optimum_and_draws_and_are_named() -> None:
    free = fit(LAW, TABLE, options(objective="least_squares_log"))
    given = {"E": (free.values["E"] + 0.05, None), "beta": (0.1, 0.9)}
    found = fit(LAW, TABLE, options(objective="least_squares_log", n_bootstrap=50, params=given))
    assert found.certificate.at_bound == ("E",)
    assert found.values["E"] == pytest.approx(given["E"][0], rel=1e-12)
    assert (found.draws[:, 0] >= given["E"][0] - 1e-12).all()
    assert found.certificate.gradient_norm < 1e-8
    loose = fit(LAW, TABLE, options(objective="least_squares_log", params={"E": (1.0, 3.0)}))
    assert loose.values == pytest.approx(free.values, rel=1e-7)
    assert not loose.certificate.at_bound


def test_positive_parameters_of_a_typed_law_stay_positive() -> None:
    law = typed_law("E + A/N**a", TABLE)
    found = fit(law, TABLE, options(positive="A, E"))
    assert [param.scale for param in found.law.params] == ["log", "log", "linear"]
    assert found.values["A"] > 0
    assert fit(found.law, TABLE, found.options).values == found.values


def test_unknown_parameters_and_nothing_to_fit_are_refused() -> None:
    with pytest.raises(FormulaError, match=r"Chinchilla has no parameter gamma\.") as caught:
        fit(LAW, TABLE, options(params={"gamma": 1.0}))
    assert "E, A, B, alpha, beta" in str(caught.value)
    with pytest.raises(FormulaError, match="Every parameter of Chinchilla is fixed"):
        fit(LAW, TABLE, options(params=dict.fromkeys(LAW.param_names, 1.0)))
    with pytest.raises(FormulaError, match="None of the laws has a parameter gamma"):
        compare_laws(TABLE, [LAW], options(params={"gamma": 1.0}))


def test_a_comparison_fixes_a_parameter_where_a_law_has_it() -> None:
    laws = [LAW, load_laws()["kaplan_joint"]]
    found = compare_laws(TABLE, laws, options(params={"alpha": 0.34}))
    assert [score.law.label for score in found.scores] == [
        "Chinchilla, alpha = 0.34",
        "Kaplan L(N, D)",
    ]
    assert [len(score.law.params) for score in found.scores] == [4, 4]


def test_what_was_fixed_is_saved_and_can_be_made_again() -> None:
    found = fit(LAW, TABLE, options(params={"alpha": 0.34, "E": (1.5, None)}))
    assert Fit.from_json(found.to_json()) == found
    assert code(found.options).startswith("FitOptions(params={'E': (1.5, None), 'alpha': 0.34}")
    script = export.snippet(found, table_code="table = ...", law_code=export.law_snippet(LAW))
    assert "params={" in script


# --- Weights


@pytest.mark.parametrize("objective", ["huber_log", "least_squares", "asymmetric_mae"])
def test_a_weight_of_two_is_the_row_twice(objective) -> None:
    """Objective and optimum are the same sum, whichever way it is written."""
    weights = np.where(np.arange(len(TABLE.frame)) % 3 == 0, 2.0, 1.0)
    frame = TABLE.frame.loc[np.repeat(TABLE.frame.index, weights.astype(int))].reset_index(
        drop=True
    )
    twice = fit(LAW, TABLE.with_frame(frame), options(objective=objective))
    found = fit(LAW, with_columns(w=weights), options(objective=objective, weights="w"))
    assert found.objective_value == pytest.approx(twice.objective_value, rel=1e-12)
    assert found.values == pytest.approx(twice.values, rel=1e-7)
    assert found.certificate.n_minima == twice.certificate.n_minima
    assert found.certificate.condition_number == pytest.approx(
        twice.certificate.condition_number, rel=1e-6
    )
    assert found.n_rows == 30


def test_weighted_least_squares_is_that_of_scipy() -> None:
    """Values and covariance against MINPACK's Levenberg-Marquardt, an independent solver."""
    size = np.geomspace(1e7, 1e10, 25)
    error = 0.002 + 0.02 * (np.arange(25) % 4)
    loss = 1.7 + 300 / size**0.3 + error * np.random.default_rng(3).standard_normal(25)
    table = table_of(params=size, loss=loss, loss_std=error)
    law = typed_law("E + A/N**a", table)
    found = fit(law, table, options(objective="least_squares", weights="loss_std"))
    expected, covariance = curve_fit(
        lambda n, e, a, b: e + a / n**b, size, loss, [1.7, 300.0, 0.3], error, ftol=1e-15
    )
    np.testing.assert_allclose(found.theta, expected, rtol=1e-6)
    np.testing.assert_allclose(np.diag(found.covariance), np.diag(covariance), rtol=1e-4)
    assert found.options.weight_kind == "standard_error"
    assert "weighted by loss_std as standard errors" in found.summary()


def test_weighted_least_squares_of_a_textbook() -> None:
    """Known answer: Weisberg 1985, Applied linear regression, example 4.1 (strong interaction)."""
    x = [0.345, 0.287, 0.251, 0.225, 0.207, 0.186, 0.161, 0.132, 0.084, 0.060]
    y = [367.0, 311.0, 295.0, 268.0, 253.0, 239.0, 220.0, 213.0, 193.0, 192.0]
    error = [17.0, 9.0, 9.0, 7.0, 7.0, 6.0, 6.0, 6.0, 5.0, 5.0]
    table = table_of(x=x, loss=y, loss_sd=error)
    law = typed_law("a + b*x", table)
    found = fit(law, table, options(objective="least_squares", weights="loss_sd"))
    rows = found.params()
    assert rows["value"].round(2).tolist() == [148.47, 530.84]
    assert rows["std_error"].round(2).tolist() == [8.08, 47.55]


def test_weighted_straight_line_has_its_closed_form() -> None:
    """Known answer: the normal equations (X'WX) b = X'Wy, and s^2 (X'WX)^-1."""
    x = np.arange(1.0, 9.0)
    y = np.array([2.1, 3.9, 6.2, 7.8, 10.4, 11.7, 14.5, 15.6])
    w = np.array([1.0, 4.0, 0.5, 2.0, 1.0, 8.0, 0.25, 3.0])
    table = table_of(x=x, loss=y, w=w)
    found = fit(typed_law("a + b*x", table), table, options(objective="least_squares", weights="w"))
    design = np.stack([np.ones(8), x], axis=1)
    normal = design.T @ (w[:, None] * design)
    expected = np.linalg.solve(normal, design.T @ (w * y))
    variance = float(w @ (y - design @ expected) ** 2) / 6
    np.testing.assert_allclose(found.theta, expected, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, variance * np.linalg.inv(normal), rtol=1e-9)


@pytest.mark.parametrize("objective", ["huber_log", "least_squares_log", "huber"])
def test_equal_standard_errors_change_nothing(objective) -> None:
    """They have a mean weight of 1, so that the objective is the same number."""
    column = TABLE.frame["loss"] * 0.01 if objective.endswith("log") else 0.01
    plain = fit(LAW, TABLE, options(objective=objective, n_bootstrap=20))
    found = fit(
        LAW,
        with_columns(loss_std=column),
        options(objective=objective, weights="loss_std", n_bootstrap=20),
    )
    assert found.objective_value == pytest.approx(plain.objective_value, rel=1e-12)
    np.testing.assert_allclose(found.draws, plain.draws, rtol=1e-6)


def test_leaving_a_row_out_and_the_table_of_residuals_know_the_weights() -> None:
    weights = np.linspace(0.5, 3.0, len(TABLE.frame))
    table = with_columns(w=weights)
    setup = diagnostics(fit(LAW, table, options(objective="least_squares_log", weights="w")))
    without = leave_out(setup).theta[3]
    rest = table.exclude([4], reason="test")
    direct = fit(LAW, rest, options(objective="least_squares_log", weights="w"))
    np.testing.assert_allclose(without, direct.theta, rtol=1e-5)
    found = residuals(setup)
    np.testing.assert_allclose(found.weighted, setup.fit.residuals * np.sqrt(weights))


def test_information_criteria_do_not_depend_on_the_scale_of_weights() -> None:
    weights = np.linspace(0.5, 3.0, len(TABLE.frame))
    scores = [
        compare_laws(
            with_columns(w=scale * weights), [LAW], options(objective="huber_log", weights="w")
        ).scores[0]
        for scale in (1.0, 1.0)
    ]
    assert scores[0].criteria == scores[1].criteria
    least = [
        compare_laws(
            with_columns(w=scale * weights), [LAW], options(objective="least_squares", weights="w")
        ).scores[0]
        for scale in (1.0, 7.0)
    ]
    assert least[0].criteria.aicc == pytest.approx(least[1].criteria.aicc, rel=1e-9)


def test_rows_without_a_weight_are_left_out_and_said() -> None:
    weights = np.ones(len(TABLE.frame))
    weights[:3] = [np.nan, 0.0, 1.0]
    found = fit(LAW, with_columns(w=weights), options(weights="w"))
    assert found.n_rows == 28
    assert "rows-without-values" in {notice.code for notice in found.notices}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [("w", -1.0, "w cannot weigh the rows"), ("loss_std", 0.0, "loss_std cannot weigh the rows")],
)
def test_weights_that_are_none_are_refused(column, value, message) -> None:
    values = np.full(len(TABLE.frame), 0.5)
    values[4] = value
    with pytest.raises(FitError, match=message) as caught:
        fit(LAW, with_columns(**{column: values}), options(weights=column))
    assert "Row 5" in str(caught.value)


def test_uneven_weights_are_noticed() -> None:
    weights = np.full(len(TABLE.frame), 0.01)
    weights[:6] = 10.0
    found = fit(LAW, with_columns(w=weights), options(weights="w"))
    assert "uneven-weights" in {notice.code for notice in found.notices}


def test_python_takes_a_weight_a_row() -> None:
    weights = np.linspace(0.5, 3.0, len(TABLE.frame))
    found = api.fit(TABLE, "chinchilla", weights=weights)
    assert found.options.weights == "row_weight"
    np.testing.assert_array_equal(found.weights, weights)
    assert Fit.from_json(found.to_json()) == found
    with pytest.raises(FitError, match="There are 2 weights for 30 rows"):
        api.fit(TABLE, "chinchilla", weights=[1.0, 2.0])
