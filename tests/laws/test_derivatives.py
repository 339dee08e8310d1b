"""Gradients and Hessians of every law, against complex steps, differences and sympy."""

import numpy as np
import pytest
import sympy

from isoflop.laws import load_laws, load_published_fits, parse, typed_law
from isoflop.laws.law import derive

LAWS = load_laws()
INPUTS = {
    "N": np.array([3e7, 4e8, 5e9]),
    "D": np.array([2e9, 9e9, 7e11]),
    "C": np.array([1e18, 1e20, 1e23]),
    "U": np.array([1e9, 8e9, 1e11]),
    "x": np.array([2e18, 5e19, 7e21]),
    "X": np.array([2.0, 16.0, 128.0]),
    "G": np.array([1.0, 4.0, 16.0]),
    "S": np.array([0.1, 0.5, 0.9]),
    "Nnv": np.array([3e7, 4e8, 5e9]),
    "Nv": np.array([3e6, 2e7, 8e7]),
    "H": np.array([2e9, 9e10, 7e11]),
    "L": np.array([2.1, 2.7, 3.6]),
}


def inputs_of(law):
    return {symbol: INPUTS[symbol] for symbol in law.symbols}


def point_of(law):
    """Return an ordinary point of a law's parameters, inside bounds and search ranges."""
    inputs = inputs_of(law)
    values = []
    for i, param in enumerate(law.params):
        low, high = param.search or (0.5, 2.0)
        if param.search_input:
            reference = inputs[param.search_input]
            low, high = low * reference.min(), high * reference.max()
        middle = np.sqrt(low * high) if param.scale == "log" else 0.4 * low + 0.6 * high
        values.append(np.clip(middle * (1 + 0.01 * i), param.lower, param.upper))
    return np.array(values)


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.key)
def test_gradient_against_complex_step(law):
    theta, inputs = point_of(law), inputs_of(law)
    gradient = law.gradient(theta, inputs)
    for j, value in enumerate(theta):
        step = theta.astype(complex)
        step[j] += 1j * abs(value) * 1e-30
        expected = law.loss(step, inputs).imag / (abs(value) * 1e-30)
        scale = np.abs(law.loss(theta, inputs)) / abs(value)
        np.testing.assert_allclose(gradient[:, j], expected, rtol=1e-11, atol=1e-13 * scale.max())


@pytest.mark.parametrize("law", LAWS.values(), ids=lambda law: law.key)
def test_hessian_against_complex_step_of_the_gradient(law):
    theta, inputs = point_of(law), inputs_of(law)
    hessian = law.hessian(theta, inputs)
    gradient = law.gradient(theta, inputs)
    for j, value in enumerate(theta):
        step = theta.astype(complex)
        step[j] += 1j * abs(value) * 1e-30
        expected = law.gradient(step, inputs).imag / (abs(value) * 1e-30)
        scale = np.abs(gradient).max(axis=0) / abs(value) + 1e-300
        np.testing.assert_allclose(hessian[:, j, :] / scale, expected / scale, atol=1e-9)
    np.testing.assert_array_equal(hessian, np.swapaxes(hessian, -1, -2))


@pytest.mark.parametrize("key", ["chinchilla", "interaction", "broken_power", "overtraining"])
def test_derivatives_against_sympy(key):
    """An independent computer algebra system agrees."""
    law = LAWS[key]
    formula = parse(law.formula)
    names = {name: sympy.Symbol(name, positive=True) for name in formula.names}
    import ast

    for name, expression in formula.definitions:
        names[name] = sympy.sympify(ast.unparse(expression), locals=dict(names))
    expression = sympy.sympify(ast.unparse(formula.result), locals=dict(names))
    theta, inputs = point_of(law), inputs_of(law)
    at = {names[n]: v for n, v in zip(law.param_names, theta, strict=True)}
    gradient, hessian = law.gradient(theta, inputs), law.hessian(theta, inputs)
    for row in range(3):
        here = at | {names[symbol]: inputs[symbol][row] for symbol in law.symbols}
        for j, first in enumerate(law.param_names):
            slope = expression.diff(names[first])
            assert gradient[row, j] == pytest.approx(float(slope.subs(here)), rel=1e-10)
            for k, second in enumerate(law.param_names):
                bend = float(slope.diff(names[second]).subs(here))
                assert hessian[row, j, k] == pytest.approx(bend, rel=1e-8, abs=1e-14)


@pytest.mark.parametrize(
    ("formula", "linear"),
    [
        ("E + A/N**alpha + B/D**beta", ("E", "A", "B")),
        ("a*N + b", ("a", "b")),
        ("(a/b)*exp(-N/c)", ("a",)),
        ("a*b*N + c", ("a", "c")),
        ("a*exp(b*N) + c*exp(d*N) + e", ("a", "c", "e")),
        ("(a + b*N + c*N**2)/(1 + d*N)", ("a", "b", "c")),
        ("max(a, b*N)", ()),
        ("max(a*N, b) + c", ("c",)),
        ("exp(a - c*log(N)) + b*D", ("b",)),
        ("exp(a*log(N) + b)", ()),
    ],
)
def test_linear_parameters_are_found(formula, linear):
    law = typed_law(formula, ["params", "tokens", "loss"])
    assert law.linear_params == linear


def test_batches_agree_with_single_vectors():
    law = LAWS["chinchilla"]
    theta = point_of(law) * np.linspace(0.9, 1.1, 12).reshape(3, 4, 1)
    batch = law.loss(theta, inputs_of(law))
    assert batch.shape == (3, 4, 3)
    for i in range(3):
        for j in range(4):
            np.testing.assert_allclose(batch[i, j], law.loss(theta[i, j], inputs_of(law)))


def test_max_takes_the_derivative_of_the_winner():
    law = typed_law("max(a*N, b)", ["params", "loss"])
    gradient = law.gradient([1.0, 5.0], {"N": [2.0, 9.0]})
    np.testing.assert_array_equal(gradient, [[0.0, 1.0], [9.0, 0.0]])


def test_a_power_of_zero_has_derivatives():
    """They come as 0 times the logarithm of 0, or 0 divided by 0."""
    law = typed_law("E + P*max(D - c, 0)**p + Q*N**q", ["tokens", "params", "loss"])
    theta = dict(zip(law.param_names, range(1, 7), strict=True)) | {"c": 2.0, "p": 0.7, "q": 0.3}
    vector = [theta[name] for name in law.param_names]
    inputs = {"D": [1.0, 2.0], "N": [0.0, 0.0]}
    np.testing.assert_array_equal(law.loss(vector, inputs), theta["E"])
    is_floor = np.array([name == "E" for name in law.param_names])
    np.testing.assert_array_equal(law.gradient(vector, inputs), [is_floor] * 2)
    np.testing.assert_array_equal(law.hessian(vector, inputs), 0.0)


def test_min_of_three():
    law = typed_law("min(a, N, 3*b)", ["params", "loss"])
    np.testing.assert_array_equal(law.loss([4.0, 1.0], {"N": [2.0, 9.0]}), [2.0, 3.0])


FUNCTIONS = {
    "exp": np.exp,
    "log": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "arctan": np.arctan,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_and_their_derivatives(name):
    law = typed_law(f"{name}(a*N + b)", ["params", "loss"])
    theta, inputs = np.array([0.7, 1.3]), {"N": np.array([0.2, 1.0, 3.0])}
    inner = theta[0] * inputs["N"] + theta[1]
    np.testing.assert_allclose(law.loss(theta, inputs), FUNCTIONS[name](inner), rtol=1e-14)
    for j in range(2):
        step = theta.astype(complex)
        step[j] += 1e-30j
        slope = law.loss(step, inputs).imag / 1e-30
        np.testing.assert_allclose(law.gradient(theta, inputs)[:, j], slope, rtol=1e-13)
        bend = law.gradient(step, inputs).imag / 1e-30
        np.testing.assert_allclose(law.hessian(theta, inputs)[:, j], bend, rtol=1e-12, atol=1e-15)


def test_shared_parts_are_computed_once():
    derived = derive("E + A/N**alpha + B/D**beta", ("N", "D"), ("E", "A", "B", "alpha", "beta"))
    exponentials = 2
    assert derived.products.count("exp") == derived.loss.count("exp") == exponentials


@pytest.mark.parametrize("published", load_published_fits().values(), ids=lambda fit: fit.key)
def test_published_fits_give_plausible_losses(published):
    inputs = {"N": 1e9, "D": 1e11, "C": 6e20, "x": 6e20, "U": 1e11, "X": 64.0, "G": 4.0, "S": 0.9}
    loss = published.law.loss(published.theta, inputs)[0]
    assert 1.5 < loss < 3.5
    for param in published.law.params:
        assert param.lower <= published.values[param.name] <= param.upper
    assert published.source
