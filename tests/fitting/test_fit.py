import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fitting.helpers import TRUTH, chinchilla_table, table_of

from isoflop.errors import FitError, NotIdentified, TableError, TooFewRows
from isoflop.fitting import OBJECTIVES, FitOptions, fit
from isoflop.laws import load_laws, rebind, typed_law

CHINCHILLA = load_laws()["chinchilla"]
SMOOTH = [name for name in OBJECTIVES if name != "asymmetric_mae"]


def shuffled(table, order):
    frame = table.frame.iloc[list(order)]
    return table_of(**{name: frame[name].to_numpy() for name in frame})


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_noise_free_rows_give_back_the_law(objective):
    result = fit(CHINCHILLA, chinchilla_table(), FitOptions(objective=objective))
    for name, value in TRUTH.items():
        assert result.values[name] == pytest.approx(value, rel=1e-6), name
    assert result.residuals == pytest.approx(np.zeros(30), abs=1e-8)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.permutations(range(30)), st.sampled_from(SMOOTH))
def test_row_order_does_not_matter(order, objective):
    table = chinchilla_table(noise=0.01)
    options = FitOptions(objective=objective)
    first, second = (
        fit(CHINCHILLA, table, options),
        fit(CHINCHILLA, shuffled(table, order), options),
    )
    assert second.objective_value == pytest.approx(first.objective_value, rel=1e-9)
    assert second.theta == pytest.approx(first.theta, rel=1e-6)


@settings(max_examples=12, deadline=None)
@given(st.floats(1e-3, 1e3), st.sampled_from(["huber_log", "least_squares_log"]))
def test_rescaling_tokens_changes_only_the_data_term(factor, objective):
    table = chinchilla_table(noise=0.01)
    options = FitOptions(objective=objective)
    first = fit(CHINCHILLA, table, options)
    frame = table.frame
    scaled = table_of(params=frame["params"], tokens=frame["tokens"] * factor, loss=frame["loss"])
    second = fit(CHINCHILLA, scaled, options)
    expected = dict(first.values) | {"B": first.values["B"] * factor ** first.values["beta"]}
    for name, value in expected.items():
        assert second.values[name] == pytest.approx(value, rel=1e-5), name


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=30, max_size=30), st.sampled_from(SMOOTH))
def test_a_weight_is_a_repetition(counts, objective):
    from isoflop.fitting.fit import law_coordinates
    from isoflop.fitting.objective import make_problem
    from isoflop.fitting.rows import usable_rows
    from isoflop.fitting.solve import minimise

    table, options = chinchilla_table(noise=0.01), FitOptions(objective=objective)
    frame = table.frame.loc[np.repeat(table.frame.index, counts)]
    repeated = fit(CHINCHILLA, table_of(**{n: frame[n].to_numpy() for n in frame}), options)
    rows = usable_rows(CHINCHILLA, table)
    problem = make_problem(CHINCHILLA.derived, rows.inputs, rows.target, options)
    # From there: a single start 1% away ends in another minimum, or short of it, once in thirty.
    weighted = minimise(
        problem, law_coordinates(CHINCHILLA), repeated.theta[None], np.array(counts, float)
    )
    assert weighted.value[0] == pytest.approx(repeated.objective_value, rel=1e-9)


@settings(max_examples=6, deadline=None)
@given(st.floats(0.1, 10))
def test_a_wide_huber_is_least_squares(width):
    table = chinchilla_table(noise=0.01)
    wide = fit(CHINCHILLA, table, FitOptions(huber_delta=width))
    squares = fit(CHINCHILLA, table, FitOptions(objective="least_squares_log"))
    assert wide.theta == pytest.approx(squares.theta, rel=1e-7)


@pytest.mark.parametrize("objective", SMOOTH)
def test_gradient_and_hessian_of_the_objective(objective):
    """Against central differences of the value and of the gradient, with row weights."""
    from isoflop.fitting.objective import make_problem
    from isoflop.fitting.rows import usable_rows

    table = chinchilla_table(noise=0.02)
    rows = usable_rows(CHINCHILLA, table)
    options = FitOptions(objective=objective, huber_delta=0.03)
    problem = make_problem(CHINCHILLA.derived, rows.inputs, rows.target, options)
    theta = np.array(list(TRUTH.values())) * 1.01
    weights = np.random.default_rng(1).integers(0, 3, 30).astype(float)
    steps = np.diag(theta * 1e-6)
    here = problem.evaluate(theta[None], weights)
    up, down = (problem.evaluate(theta + sign * steps, weights) for sign in (1, -1))
    width = 2e-6 * theta
    np.testing.assert_allclose(here.gradient[0], (up.value - down.value) / width, rtol=2e-6)
    np.testing.assert_allclose(
        here.hessian[0], (up.gradient - down.gradient) / width[:, None], rtol=2e-4, atol=1e-12
    )
    assert np.linalg.eigvalsh(here.gauss_newton[0]).min() > -1e-12


def test_outliers_hardly_move_the_huber_fit():
    table = chinchilla_table(noise=0.002)
    loss = table.frame["loss"].to_numpy().copy()
    loss[[3, 17]] *= 1.5
    spoiled = table_of(**{n: table.frame[n] for n in ("params", "tokens")}, loss=loss)
    huber, squares = (
        fit(CHINCHILLA, spoiled, FitOptions(objective=o)) for o in ("huber_log", "least_squares")
    )
    assert abs(huber.values["E"] - TRUTH["E"]) < 0.05
    assert abs(squares.values["E"] - TRUTH["E"]) > 2 * abs(huber.values["E"] - TRUTH["E"])
    assert "outliers" in {notice.code for notice in huber.notices}


def test_too_few_rows():
    table = table_of(params=[1e8, 1e9, 1e10], tokens=[1e9, 1e10, 1e11], loss=[3.5, 3, 2.5])
    with pytest.raises(TooFewRows) as caught:
        fit(CHINCHILLA, table)
    assert caught.value.summary == "Chinchilla has 5 parameters, but the table has 3 usable rows."
    assert caught.value.hint.startswith("Add at least 2 rows")


def test_one_row():
    with pytest.raises(TooFewRows, match="has 2 parameters, but the table has 1 usable row"):
        fit(load_laws()["power"], table_of(compute_flop=[1e20], loss=[2.5]))


def test_all_rows_of_one_size():
    table = chinchilla_table()
    same = table_of(params=np.full(30, 1e9), tokens=table.frame["tokens"], loss=table.frame["loss"])
    with pytest.raises(NotIdentified) as caught:
        fit(CHINCHILLA, same)
    assert "All rows have the same params (1e+09)" in caught.value.summary


def test_a_missing_column_names_what_there_is():
    with pytest.raises(TableError) as caught:
        fit(load_laws()["data_constrained"], chinchilla_table())
    assert caught.value.summary == "The table test has no column unique_tokens."


def test_log_objective_refuses_values_that_are_not_positive():
    table = table_of(compute_flop=[1e18, 1e19, 1e20, 1e21], loss=[1.0, 0.5, 0.0, -0.5])
    law = rebind(load_laws()["logarithmic"], {"x": "compute_flop"})
    with pytest.raises(FitError, match="A log objective needs positive values"):
        fit(law, table)
    assert fit(law, table, FitOptions(objective="least_squares")).values["b"] < 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"objective": "median"}, "Objective: median is none of huber_log, least_squares_log, "),
        ({"huber_delta": 0.0}, "Huber δ: a number above 0 is needed, got 0.0."),
        ({"asymmetry": -1.0}, "Asymmetry: a number above 0 is needed, got -1.0."),
        ({"asymmetry": np.nan}, "Asymmetry: a number above 0 is needed, got nan."),
        (
            {"n_bootstrap": 10**6},
            "Bootstrap resamples: a whole number from 0 to 20000 is needed, got 1000000.",
        ),
        ({"n_bootstrap": -1}, "Bootstrap resamples: a whole number from 0 to 20000 is needed"),
        ({"bootstrap": "columns"}, "Resample: columns is none of auto, smooth, rows, clusters"),
        ({"seed": -1}, "Seed: a whole number at least 0 is needed, got -1."),
    ],
)
def test_options_out_of_range(given, message):
    with pytest.raises(FitError, match="These fit options cannot be used") as error:
        FitOptions(**given)
    assert message in error.value.detail


def test_all_options_out_of_range_are_named_at_once():
    with pytest.raises(FitError) as error:
        FitOptions(huber_delta=0.0, seed=-1, objective="median")
    assert len(error.value.detail.splitlines()) == 3


def test_excluded_rows_are_left_out():
    table = chinchilla_table(noise=0.01)
    frame = table.frame.assign(is_excluded=np.arange(30) < 4)
    result = fit(CHINCHILLA, table_of(**{n: frame[n].to_numpy() for n in frame}))
    assert result.n_rows == 26
    assert result.row_index.min() == 5


def test_rows_with_an_empty_cell_are_left_out_and_said():
    table = chinchilla_table(noise=0.01)
    tokens = table.frame["tokens"].to_numpy().copy()
    tokens[2] = np.nan
    result = fit(
        CHINCHILLA,
        table_of(params=table.frame["params"], tokens=tokens, loss=table.frame["loss"]),
    )
    assert result.n_rows == 29
    assert "rows-without-values" in {notice.code for notice in result.notices}


def test_a_floor_that_the_rows_do_not_want_is_at_its_bound():
    compute = np.logspace(17, 22, 20)
    result = fit(
        load_laws()["power_floor"], table_of(compute_flop=compute, loss=90 * compute**-0.08)
    )
    assert result.certificate.at_bound == ("E",)
    assert np.isnan(result.covariance[0]).all()
    assert np.isfinite(result.covariance[1:, 1:]).all()


def test_starts_stand_in_for_the_search():
    table = chinchilla_table(noise=0.01)
    law = typed_law("E + A/N**a + B/D**b", ["params", "tokens", "loss"])
    start = {"E": 1.0, "A": 100.0, "B": 100.0, "a": 0.3, "b": 0.3}
    assert fit(law, table, starts=[start]).objective_value == pytest.approx(
        fit(CHINCHILLA, table).objective_value, rel=1e-9
    )
    with pytest.raises(FitError, match="A start lacks the parameter b"):
        fit(law, table, starts=[{"E": 1.0, "A": 100.0, "B": 100.0, "a": 0.3}])


def test_many_rows_are_thinned_for_the_search_only():
    table = chinchilla_table(60, 40, noise=0.01)
    result = fit(CHINCHILLA, table)
    assert result.n_rows == 2400
    assert result.values["alpha"] == pytest.approx(TRUTH["alpha"], rel=0.02)


def test_a_fit_can_be_cancelled_from_its_progress():
    class Cancelled(Exception):
        pass

    def progress(share):
        if share > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        fit(
            CHINCHILLA,
            chinchilla_table(noise=0.01),
            FitOptions(n_bootstrap=2000),
            progress=progress,
        )


PEAKS = "floor + a*exp(-(width - m1)**2/s1**2) + b*exp(-(width - m2)**2/s2**2)"


@pytest.mark.slow
@pytest.mark.parametrize(("m1", "m2"), [(60.0, 180.0), (110.0, 140.0), (20.0, 230.0)])
def test_two_narrow_terms_are_found_without_starts(m1, m2):
    """A lattice over four parameters has no point with both peaks in place."""
    width = np.arange(1.0, 251.0)
    noise = 0.02 * np.random.default_rng(4).standard_normal(len(width))
    truth = {"floor": 2.0, "a": 1.0, "m1": m1, "s1": 12.0, "b": 0.7, "m2": m2, "s2": 9.0}
    law = typed_law(PEAKS, ["width", "loss"])
    loss = law.loss([truth[name] for name in law.param_names], {"width": width}) + noise
    result = fit(law, table_of(width=width, loss=loss), FitOptions(objective="least_squares"))
    for name, value in truth.items():
        assert result.values[name] == pytest.approx(value, rel=0.05), name


def test_of_terms_that_can_be_swapped_a_start_keeps_its_order():
    width = np.linspace(0.1, 8.0, 40)
    law = typed_law("a*exp(-p*width) + b*exp(-q*width)", ["width", "loss"])
    table = table_of(width=width, loss=2.0 * np.exp(-0.3 * width) + 1.0 * np.exp(-2.0 * width))
    options = FitOptions(objective="least_squares")
    first = fit(law, table, options, starts=[{"a": 1.0, "p": 0.5, "b": 1.0, "q": 3.0}])
    second = fit(law, table, options, starts=[{"a": 1.0, "p": 3.0, "b": 1.0, "q": 0.5}])
    assert (first.values["p"], first.values["q"]) == pytest.approx((0.3, 2.0), rel=1e-6)
    assert (second.values["p"], second.values["q"]) == pytest.approx((2.0, 0.3), rel=1e-6)


@pytest.mark.parametrize("objective", ["huber_log", "least_squares_log"])
def test_the_law_typed_with_exponentials_is_the_same_law(objective):
    """The form that Hoffmann et al. fit, exp(a - alpha log N) + ..., needs no starts either."""
    table = chinchilla_table(noise=0.01)
    options = FitOptions(objective=objective)
    plain = fit(CHINCHILLA, table, options)
    typed = typed_law("exp(a - alpha*log(N)) + exp(b - beta*log(D)) + exp(e)", list(table.frame))
    result = fit(typed, table, options)
    assert result.objective_value == pytest.approx(plain.objective_value, rel=1e-8)
    for log_name, name in (("a", "A"), ("b", "B"), ("e", "E")):
        assert np.exp(result.values[log_name]) == pytest.approx(plain.values[name], rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_the_smaller_of_two_terms_is_not_lost_in_a_max(seed):
    """A parameter inside a max has no closed form, though its second derivative is zero."""
    table = chinchilla_table(n_sizes=8, n_ratios=8)
    law = typed_law("E + max(A/N**a, B/D**b)", list(table.frame))
    assert law.linear_params == ("E",)
    truth = {"E": 1.6, "A": 300.0, "a": 0.34, "B": 900.0, "b": 0.32}
    inputs = {"N": table.frame["params"], "D": table.frame["tokens"]}
    loss = law.loss([truth[name] for name in law.param_names], inputs)
    loss *= np.exp(0.01 * np.random.default_rng(seed).standard_normal(len(loss)))
    rows = table_of(params=table.frame["params"], tokens=table.frame["tokens"], loss=loss)
    result = fit(law, rows, FitOptions(objective="least_squares_log"))
    from_truth = fit(law, rows, FitOptions(objective="least_squares_log"), starts=[truth])
    assert result.objective_value <= from_truth.objective_value * 1.02


def counted(monkeypatch, call):
    """Return how many parameter vectors a call evaluates with derivatives."""
    from isoflop.fitting.objective import Problem

    sizes = []
    original = Problem.evaluate

    def evaluate(self, theta, weights=None, shift=None):
        sizes.append(len(theta))
        return original(self, theta, weights, shift)

    with monkeypatch.context() as patch:
        patch.setattr(Problem, "evaluate", evaluate)
        call()
    return sum(sizes)


def test_evaluations_of_a_fit(monkeypatch):
    """What a fit costs, in counts: seeds stop at the best end, and resamples take few steps."""
    table = chinchilla_table(16, 15, noise=0.005)
    plain = counted(monkeypatch, lambda: fit(CHINCHILLA, table))
    assert plain < 500
    options = FitOptions(n_bootstrap=200, bootstrap="rows")
    assert counted(monkeypatch, lambda: fit(CHINCHILLA, table, options)) - plain < 200 * 16
    typed = typed_law("floor + p/N**s + r/D**t", list(table.frame))
    assert counted(monkeypatch, lambda: fit(typed, table)) < 5000


def test_a_sum_of_power_laws_takes_two_exponentials_a_row():
    """And 15 pairs of parameters take six passes, not fifteen, over the batch times the rows."""
    from isoflop.fitting.sums import layout

    products = CHINCHILLA.derived.products
    assert products.count("exp") == 2
    assert products.n_cores == 3
    assert len(layout(products).double) == 6


def test_equivalent_ends_are_one_minimum():
    """Terms that can be swapped, and signs that can be flipped, make no second minimum."""
    width = np.linspace(0.1, 8.0, 40)
    loss = 2.0 * np.exp(-0.3 * width) + np.exp(-2.0 * width)
    loss *= np.exp(0.01 * np.random.default_rng(0).standard_normal(40))
    table = table_of(width=width, loss=loss)
    options = FitOptions(objective="least_squares")
    for formula in ("a*exp(-p*width) + b*exp(-q*width)", "a*exp(-p**2*width) + b*exp(-q*width)"):
        result = fit(typed_law(formula, ["width", "loss"]), table, options)
        gap = result.certificate.gap_to_second
        assert gap is None or gap > 0.1, formula


def test_a_power_of_zero_does_not_stop_a_fit():
    """Derivatives by the exponent come as 0 times the logarithm of 0 where nothing is repeated."""
    table = chinchilla_table(8, 8)
    tokens = table.frame["tokens"].to_numpy()
    unique = np.where(np.arange(64) % 2, tokens, tokens / 4)
    law = typed_law(
        "E + A/N**a + B/D**b + P*max(D/U - 1, 0)**p", ["params", "tokens", "unique_tokens", "loss"]
    )
    truth = {"E": 1.8, "A": 480.0, "a": 0.35, "B": 2100.0, "b": 0.37, "P": 0.05, "p": 0.6}
    inputs = {"N": table.frame["params"], "D": tokens, "U": unique}
    loss = law.loss([truth[name] for name in law.param_names], inputs)
    rows = table_of(params=inputs["N"], tokens=tokens, unique_tokens=unique, loss=loss)
    result = fit(law, rows)
    # P and p cannot be told apart with one degree of repetition: P * 3**p is determined.
    assert result.residuals == pytest.approx(np.zeros(64), abs=1e-8)
    assert np.isfinite(result.certificate.gradient_norm)
    assert result.values["a"] == pytest.approx(0.35, rel=1e-5)


@pytest.mark.slow
def test_a_curved_valley_is_followed_to_its_end(shared):
    """On few rows the exponent of the sum trades against both scales over decades."""
    import pandas as pd

    raw = pd.read_csv(shared / "datasets" / "epoch_chinchilla_svg_extracted_data.csv")
    some = raw.iloc[np.random.default_rng(3).permutation(len(raw))[:81]]
    params, compute = some["Model Size"], some["Training FLOP"]
    table = table_of(params=params, tokens=compute / (6 * params), loss=some["loss"])
    law = typed_law("E + (A/N**alpha + B/D**beta)**k", list(table.frame))
    result = fit(law, table)
    # The lowest of several thousand random restarts.
    assert result.objective_value == pytest.approx(0.00056750013346, rel=1e-9)
    assert result.certificate.share_at_optimum > 0.3
    assert result.certificate.gradient_norm < 1e-9
