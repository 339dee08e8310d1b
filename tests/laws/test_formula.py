import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop.errors import FormulaError
from isoflop.laws import parse, typed_law

COLUMNS = ["params", "tokens", "compute_flop", "loss", "width"]

REFUSED = {
    "": "The formula is empty.",
    "   \n ": "The formula is empty.",
    "__import__('os')": "The function __import__ is not known.",
    "__import__('os').system('true')": "Only a plain function name can be called.",
    "().__class__.__bases__[0]": "An index in brackets cannot stand in a formula.",
    "N.__class__": "An attribute (a dot) cannot stand in a formula.",
    "9**9**9**9": "A part made of numbers only has no finite value.",
    "a + 1/0": "The formula divides by zero.",
    "(-1)**0.5 * a": "A part made of numbers only has no finite value.",
    "1e999 * a": "A number is larger than 1e+100.",
    "sinh(N)": "The function sinh is not known.",
    "exp()": "exp takes 1 argument, but 0 are given.",
    "min(N)": "min takes at least 2 arguments, but 1 are given.",
    "exp": "exp is a function and needs its argument.",
    "exp(x=N)": "exp takes no named arguments.",
    "a[0]": "An index in brackets cannot stand in a formula.",
    "a == N": "A comparison cannot stand in a formula.",
    "a if N else b": "A conditional cannot stand in a formula.",
    "lambda: a": "A lambda cannot stand in a formula.",
    "[a for a in N]": "This (ListComp) cannot stand in a formula.",
    "a, N": "A comma between values cannot stand in a formula.",
    "f'{a}'": "A text cannot stand in a formula.",
    "'a' * N": "'a' is not a number.",
    "True * N": "True is not a number.",
    "2j * N": "2j is not a number.",
    "_a * N": "The name _a starts with an underscore.",
    "2N": "The formula cannot be read: a name cannot start with a digit; write a product with *, "
    "as in 2*x.",
    "a*(N": "The formula cannot be read: '(' was never closed.",
    "a = b = N": "The last line must be the expression that gives the loss.",
    "import os": "The last line must be the expression that gives the loss.",
    "N; a = 1": "Only definitions (name = expression) may come before the result.",
    "exp = 1; exp*N": "The name exp is already taken.",
    "pi = 3; pi*N": "The name pi is already taken.",
    "y = a*z; z = N; y + z": "The name z is used before its definition.",
    "(" * 300 + "N": "The formula cannot be read: too many nested parentheses.",
    "-" * 500 + "N": "The formula is nested more than 40 deep.",
    "max(" + ",".join(["a*N"] * 140) + ")": "The formula has more than 400 parts.",
    "a" * 3000: "The formula is longer than 2000 characters.",
    "a\x00*N": "The formula holds a null character.",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:24]))
def test_refused_formulas_say_why(text):
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert caught.value.summary == REFUSED[text]


def test_the_error_points_at_the_place():
    with pytest.raises(FormulaError) as caught:
        parse("E + A/N**alpha + sinh(D)")
    assert caught.value.detail == "E + A/N**alpha + sinh(D)\n                 ^"


def test_hostile_formulas_cost_milliseconds():
    # CPU time of this thread, with room for a slow machine; a formula that escapes takes minutes.
    begin = time.thread_time()
    for text in REFUSED:
        with pytest.raises(FormulaError):
            parse(text)
    assert time.thread_time() - begin < 2.0


def test_caret_is_power_and_a_left_hand_side_is_dropped():
    assert parse("L = E + A/N^alpha").names == ("E", "A", "N", "alpha")


def test_pi_is_a_number_and_no_parameter():
    law = typed_law("a*pi*N", COLUMNS)
    assert law.param_names == ("a",)
    assert law.loss([2.0], {"N": [1.0]})[0] == pytest.approx(2 * math.pi, rel=1e-15)


def test_definitions_come_before_the_result():
    formula = parse("M = D/N\nE + a*M**b")
    assert formula.names == ("D", "N", "E", "a", "b")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="aNDx0129.+-*/^()=;, \nexplogminsqrt'[]{}:_", max_size=40))
def test_any_text_is_a_formula_or_an_error(text):
    try:
        formula = parse(text)
    except FormulaError:
        return
    assert formula.names or formula.text


def test_names_that_are_columns_are_inputs():
    law = typed_law("E + A/N**a + b*width", COLUMNS)
    assert law.symbols == ("N", "width")
    assert [item.column for item in law.inputs] == ["params", "width"]
    assert law.param_names == ("E", "A", "a", "b")


def test_the_response_is_never_an_input():
    law = typed_law("a + b*loss", COLUMNS, response="width")
    assert law.symbols == ("loss",)
    with pytest.raises(FormulaError, match="loss is what the law predicts"):
        typed_law("a + b*loss", COLUMNS)


def test_a_formula_without_a_column_is_refused():
    with pytest.raises(FormulaError, match="uses no column of the table") as caught:
        typed_law("alpha + beta", COLUMNS)
    assert caught.value.detail == (
        "Names that stand for columns here: params, tokens, compute_flop, width, N, D, C."
    )


def test_a_formula_without_parameters_is_refused():
    with pytest.raises(FormulaError, match="The formula has no parameters to fit"):
        typed_law("1/N + 1/D", COLUMNS)


def test_a_typed_shipped_formula_takes_its_bounds():
    law = typed_law("E + A/N**alpha + B/D**beta", COLUMNS)
    assert {param.name: param.scale for param in law.params}["A"] == "log"
