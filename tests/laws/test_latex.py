import pytest

from isoflop.laws import formula_latex, load_laws


@pytest.mark.parametrize(
    ("formula", "latex"),
    [
        ("E + A/N**alpha", r"E + \frac{A}{N^{\alpha}}"),
        ("a - (b - c)", r"a - \left(b - c\right)"),
        ("(a + b)*c", r"\left(a + b\right) \, c"),
        ("a*3", r"a \times 3"),
        ("-a**2", r"-a^{2}"),
        ("(-a)**2", r"\left(-a\right)^{2}"),
        ("sqrt(a)*exp(-x)", r"\sqrt{a} \, e^{-x}"),
        ("log10(a) - arctan(x)/pi", r"\log_{10}\left(a\right) - \frac{\arctan\left(x\right)}{\pi}"),
        ("max(a, b)", r"\max\left(a, b\right)"),
        ("1.5e20*x", r"1.5 \times 10^{20} \, x"),
        ("alpha_N/alphaD", r"\frac{\alpha_{N}}{\alpha_{D}}"),
        ("(a**b)**c", r"\left(a^{b}\right)^{c}"),
    ],
)
def test_latex(formula, latex):
    assert formula_latex(formula) == latex


def test_numbers_take_the_place_of_parameters():
    text = load_laws()["chinchilla"].latex(
        {"E": 1.8172, "A": 477.8, "B": 2.1e9, "alpha": 0.3473, "beta": 0.3672}
    )
    assert text == (r"1.817 + \frac{477.8}{N^{0.3473}} + \frac{2.1 \times 10^{9}}{D^{0.3672}}")


def test_negative_numbers_keep_the_signs_readable():
    assert formula_latex("a + b*x", values={"a": 1.0, "b": -2.0}) == r"1 - 2 \, x"
    assert formula_latex("a - b", values={"a": 1.0, "b": -2.0}) == r"1 - \left(-2\right)"
