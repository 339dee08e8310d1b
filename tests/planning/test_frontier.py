import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning.conftest import HOFFMANN, D, N, law

from isoflop.accounting import find_family
from isoflop.errors import PlanError
from isoflop.laws.law import Input, Law
from isoflop.planning import ComputeRule, compute_optimal, frontier
from isoflop.planning.family_rule import family_rule
from isoflop.planning.frontier import best_along, expected_size
from isoflop.planning.rule import SIX_ND

C = 5.76e23


def closed_form(theta: np.ndarray, flop: float) -> tuple[np.ndarray, np.ndarray]:
    """N* and D* of E + A/N**alpha + B/D**beta along C = 6 N D (arXiv 2203.15556, equation 4)."""
    _, a, alpha, b, beta = np.moveaxis(theta, -1, 0)
    g = (alpha * a / (beta * b)) ** (1 / (alpha + beta))
    params = g * (flop / 6) ** (beta / (alpha + beta))
    return params, flop / (6 * params)


@settings(max_examples=50)
@given(
    alpha=st.floats(0.1, 0.9),
    beta=st.floats(0.1, 0.9),
    log_a=st.floats(2, 9),
    log_b=st.floats(2, 9),
    exponent=st.floats(18, 26),
)
def test_agrees_with_the_closed_form(
    alpha: float, beta: float, log_a: float, log_b: float, exponent: float
) -> None:
    theta = np.array([0.5, np.exp(log_a), alpha, np.exp(log_b), beta])
    flop = 10.0**exponent
    params, tokens = closed_form(theta, flop)
    if min(params, tokens) < 1e4:
        return
    best = compute_optimal(
        law("E + A/N**alpha + B/D**beta", (N, D), "E A alpha B beta"), theta, flop
    )
    assert best.is_interior
    # A flat minimum (small gain over E) amplifies the rounding of the loss itself.
    gain = best.loss - theta[0]
    assert best.params == pytest.approx(params, rel=1e-9 + 1e-11 / gain)
    assert best.tokens == pytest.approx(tokens, rel=1e-9 + 1e-11 / gain)


def test_many_draws_at_once_equal_each_alone(chinchilla, draws) -> None:
    batch = compute_optimal(chinchilla, draws, C)
    assert batch.params.shape == (len(draws),)
    params, tokens = closed_form(draws, C)
    np.testing.assert_allclose(batch.params, params, rtol=1e-9)
    np.testing.assert_allclose(batch.tokens, tokens, rtol=1e-9)
    alone = compute_optimal(chinchilla, draws[17], C)
    assert alone.params == pytest.approx(batch.params[17], rel=1e-10)


def test_compute_broadcasts_against_draws(chinchilla, draws) -> None:
    flop = np.array([1e20, 1e22])
    grid = compute_optimal(chinchilla, draws[:5][None], flop[:, None])
    assert grid.params.shape == (2, 5)
    np.testing.assert_allclose(grid.params[1], closed_form(draws[:5], 1e22)[0], rtol=1e-9)


def test_a_law_of_size_and_compute_gives_the_same_optimum(chinchilla) -> None:
    c = Input(symbol="C", column="compute_flop")
    same = law("E + A/N**alpha + B/(C/(6*N))**beta", (N, c), "E A alpha B beta")
    expected = compute_optimal(chinchilla, HOFFMANN, C)
    assert compute_optimal(same, HOFFMANN, C).params == pytest.approx(expected.params, rel=1e-9)


def test_a_law_of_tokens_per_parameter_gives_the_same_optimum(chinchilla) -> None:
    m = Input(symbol="M", column="tokens_per_param")
    same = law("E + A/N**alpha + B/(N*M)**beta", (N, m), "E A alpha B beta")
    expected = compute_optimal(chinchilla, HOFFMANN, C)
    assert compute_optimal(same, HOFFMANN, C).params == pytest.approx(expected.params, rel=1e-9)


def test_other_inputs_come_from_fixed(chinchilla) -> None:
    e = Input(symbol="X", column="experts", label="Experts")
    mixed = law("E + A/N**alpha + B/D**beta + 0*X", (N, D, e), "E A alpha B beta")
    expected = compute_optimal(chinchilla, HOFFMANN, C)
    best = compute_optimal(mixed, HOFFMANN, C, fixed={"experts": 8})
    assert best.params == pytest.approx(expected.params, rel=1e-9)
    with pytest.raises(PlanError, match="No value was given for: Experts"):
        compute_optimal(mixed, HOFFMANN, C)


def test_inference_tokens_make_the_model_smaller_and_keep_the_sum(chinchilla) -> None:
    rule = ComputeRule(lifetime_inference_tokens=1e13)
    best = compute_optimal(chinchilla, HOFFMANN, C, rule=rule)
    assert best.params < compute_optimal(chinchilla, HOFFMANN, C).params
    assert 6 * best.params * best.tokens + 2 * best.params * 1e13 == pytest.approx(C)


@pytest.mark.parametrize(
    ("formula", "inputs"),
    [("E + A/N**alpha", (N,)), ("E + A/D**alpha", (D,))],
)
def test_a_law_of_one_input_is_flagged(formula, inputs, make_fit) -> None:
    one = law(formula, inputs, "E A alpha")
    theta = np.array([1.7, 400.0, 0.3])
    assert not compute_optimal(one, theta, C).is_interior
    with pytest.raises(PlanError, match=r"no compute-optimal model size.*\n.*alone"):
        frontier(make_fit(one, theta), [C])


@pytest.mark.parametrize("convention", ["6N", "6N_attention", "appendix_f"])
def test_a_law_of_compute_has_no_best_size_under_any_rule(convention) -> None:
    """A line of constant compute is one under the rule that it was drawn by."""
    one = law("E + k*x**(-a)", (Input(symbol="x", column="compute_flop"),), "E k a")
    rule = family_rule(find_family("llama-3"), convention)
    flop = np.geomspace(1e16, 1e27, 200)
    best = compute_optimal(one, np.array([1.7, 400.0, 0.1]), flop, rule=rule)
    assert not np.any(best.is_interior)
    np.testing.assert_allclose(best.loss, 1.7 + 400.0 * flop**-0.1, rtol=1e-12)


def test_a_law_of_size_and_compute_is_asked_at_the_compute_of_the_rule(chinchilla) -> None:
    """Fitted to compute of another convention, it means other tokens; the optimum is the same."""
    rule = ComputeRule(flop_per_param_token=8.0)
    c = Input(symbol="C", column="compute_flop")
    same = law("E + A/N**alpha + B/(C/(8*N))**beta", (N, c), "E A alpha B beta")
    expected = compute_optimal(chinchilla, HOFFMANN, C, rule=rule)
    best = compute_optimal(same, HOFFMANN, C, rule=rule)
    assert best.params == pytest.approx(expected.params, rel=1e-9)
    assert best.loss == pytest.approx(expected.loss, rel=1e-12)


def test_a_law_that_never_turns_is_flagged(chinchilla, make_fit) -> None:
    theta = HOFFMANN * np.array([1, 1, 1, 0, 1])
    with pytest.raises(PlanError, match=r"falls all the way to .* parameters"):
        frontier(make_fit(chinchilla, theta), [C])


def test_too_little_compute_is_refused(chinchilla) -> None:
    with pytest.raises(PlanError, match="below a single training step"):
        compute_optimal(chinchilla, HOFFMANN, 1e5)
    with pytest.raises(PlanError, match="once all inference is paid for"):
        compute_optimal(
            chinchilla, HOFFMANN, 1e20, rule=ComputeRule(lifetime_inference_tokens=1e20)
        )


def test_a_frontier_carries_bands_from_the_draws(chinchilla, draws, make_fit) -> None:
    result = frontier(make_fit(chinchilla, draws=draws), np.geomspace(1e19, 1e24, 6), level=0.8)
    band = result.params_band
    assert band is not None
    off = np.abs(np.log(closed_form(draws, 1e19)[0] / band.centre[0]))
    reach = np.quantile(off, 0.8, method="higher")
    assert band.lower[0] == pytest.approx(band.centre[0] * np.exp(-reach), rel=1e-9)
    assert band.upper[0] == pytest.approx(band.centre[0] * np.exp(reach), rel=1e-9)
    assert result.reason == ""
    assert result.is_extrapolation[-1]
    assert not result.is_extrapolation[1]


def test_without_draws_the_bands_are_absent_with_the_reason(chinchilla, make_fit) -> None:
    result = frontier(make_fit(chinchilla), [1e20])
    assert result.params_band is None
    assert result.loss_band is None
    assert result.reason == "The fit carries no bootstrap draws."


def test_an_optimum_beside_the_size_that_inference_uses_up_is_found(chinchilla) -> None:
    # The model of 5e6 parameters spends all compute on inference; the best is a little smaller.
    rule = ComputeRule(lifetime_inference_tokens=1e13)
    best = compute_optimal(chinchilla, HOFFMANN, 1e20, rule=rule)
    assert best.is_interior
    assert 0.9 * 5e6 < best.params < 5e6
    sizes = np.linspace(0.9, 0.99999, 20001) * 5e6
    losses = chinchilla.loss(HOFFMANN, {"N": sizes, "D": rule.tokens(sizes, 1e20)})
    assert best.loss <= losses.min() * (1 + 1e-12)
    assert best.params == pytest.approx(sizes[np.argmin(losses)], rel=1e-5)


def test_the_exponents_are_those_of_the_closed_form(chinchilla, make_fit) -> None:
    found = frontier(make_fit(chinchilla), np.geomspace(1e20, 1e24, 7))
    _, _, alpha, _, beta = HOFFMANN
    assert found.exponents == pytest.approx((beta / (alpha + beta), alpha / (alpha + beta)))
    assert frontier(make_fit(chinchilla), [1e21]).exponents is None


TRADING = {
    "E + A/N**alpha + B/D**beta": {"E": 1.7, "A": 406.0, "alpha": 0.34, "B": 411.0, "beta": 0.28},
    "((Nc/N)**(a/b) + Dc/D)**b": {"Nc": 8.8e13, "a": 0.076, "Dc": 5.4e13, "b": 0.095},
    "E + ((A/N**a)**q + (B/D**b)**q)**(1/q)": {
        "E": 1.7, "A": 406.0, "a": 0.34, "B": 411.0, "b": 0.28, "q": 1.3,
    },
    "log(E + A*exp(-a*log(N)) + B/D**b)": {"E": 5.0, "A": 406.0, "a": 0.34, "B": 411.0, "b": 0.28},
}  # fmt: skip


@pytest.mark.parametrize("formula", TRADING)
def test_the_closed_form_is_where_the_search_ends(formula: str) -> None:
    names = TRADING[formula]
    traded = law(formula, (N, D), " ".join(names))
    spread = np.random.default_rng(1).normal(scale=0.05, size=(200, len(names)))
    theta = np.array(list(names.values())) * np.exp(spread)
    assert expected_size(traded, theta, C, SIX_ND) is not None
    exact = compute_optimal(traded, theta, C)
    searched = best_along(traded, theta, lambda params: SIX_ND.tokens(params, C))
    np.testing.assert_allclose(exact.params, searched.params, rtol=1e-10)
    np.testing.assert_allclose(exact.loss, searched.loss, rtol=1e-12)


def test_a_closed_form_costs_a_sixth_of_the_search(monkeypatch, chinchilla, draws) -> None:
    asked = 0
    evaluate = Law.loss

    def counted(self, theta, inputs):
        nonlocal asked
        asked += evaluate(self, theta, inputs).size
        return evaluate(self, theta, inputs)

    monkeypatch.setattr(Law, "loss", counted)
    compute_optimal(chinchilla, draws, C)
    assert asked <= 10 * len(draws)


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("E + A/(N + N0)**a + B/D**b", "E A N0 a B b"),  # no power of the size
        ("E + A*N**(-a)*D**(-b)", "E A a B b"),  # no sum
        ("E + A/N**a + B/D**b + G/N**g", "E A a B b G g"),  # three terms
    ],
)
def test_other_laws_are_searched(formula: str, names: str) -> None:
    theta = np.full(len(names.split()), 0.3)
    if "N0" in names:
        theta[2] = 1e8
    found = expected_size(law(formula, (N, D), names), theta, C, SIX_ND)
    assert found is None or np.isnan(found)


def test_a_largest_loss_is_not_taken_for_the_least() -> None:
    """A law that falls with both terms has its maximum where the closed form points."""
    upside_down = law("E - A/N**a - B/D**b", (N, D), "E A a B b")
    theta = np.array([2.0, 406.0, 0.34, 411.0, 0.28])
    assert not compute_optimal(upside_down, theta, C).is_interior
