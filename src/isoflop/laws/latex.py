"""Formulas as LaTeX, written from the syntax tree so that they read as they were typed."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

from isoflop.laws.formula import CONSTANTS, Formula, parse

_GREEK = frozenset(
    (
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Phi",
        "Psi",
        "Omega",
    )
)
_SUM, _PRODUCT, _UNARY, _POWER, _ATOM = 1, 2, 3, 4, 5


def symbol_latex(name: str) -> str:
    r"""Return a name as LaTeX: Greek letters, and what follows a letter as a subscript.

    Examples
    --------
    >>> symbol_latex("alpha"), symbol_latex("R_D"), symbol_latex("alphaN"), symbol_latex("Nc")
    ('\\alpha', 'R_{D}', '\\alpha_{N}', 'N_{c}')
    """
    head, _, tail = name.partition("_")
    if not tail:
        greek = max((g for g in _GREEK if name.startswith(g)), key=len, default="")
        if greek and re.fullmatch(r"[A-Z0-9]?[a-z0-9]*", name[len(greek) :]):
            head, tail = greek, name[len(greek) :]
        elif match := re.fullmatch(r"([A-Za-z])(\d+|[a-z])", name):
            head, tail = match.groups()
    shown = f"\\{head}" if head in _GREEK else head if len(head) == 1 else f"\\mathrm{{{head}}}"
    if not tail:
        return shown
    tail = tail.replace("_", r"\,")
    return f"{shown}_{{{symbol_latex(tail) if tail in _GREEK else tail}}}"


def number_latex(value: float) -> str:
    """Return a number to four significant digits, with powers of ten as LaTeX."""
    text = f"{value:.4g}"
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text
    return rf"{mantissa} \times 10^{{{int(exponent)}}}"


def formula_latex(
    text: str,
    names: Mapping[str, str] | None = None,
    values: Mapping[str, float] | None = None,
) -> str:
    """Return a formula as LaTeX.

    Parameters
    ----------
    text : str
        The formula as typed.
    names : mapping of str to str, optional
        LaTeX of some names; the others are guessed.
    values : mapping of str to float, optional
        Numbers to put in place of names.

    Raises
    ------
    FormulaError
        If the formula is malformed.
    """
    formula = parse(text)
    writer = _Writer(formula, dict(names or {}), dict(values or {}))
    lines = [
        f"{writer.name(name)[0]} &= {writer.write(expression)[0]}"
        for name, expression in formula.definitions
    ]
    result = writer.write(formula.result)[0]
    if not lines:
        return result
    body = r" \\ ".join([*lines, f"L &= {result}"])
    return rf"\begin{{aligned}} {body} \end{{aligned}}"


class _Writer:
    def __init__(self, formula: Formula, names: dict[str, str], values: dict[str, float]) -> None:
        self.formula = formula
        self.names = names
        self.values = values

    def name(self, name: str) -> tuple[str, int]:
        if name in self.values:
            value = self.values[name]
            shown = number_latex(value)
            return shown, _UNARY if value < 0 else _PRODUCT if "times" in shown else _ATOM
        if name in CONSTANTS:
            return f"\\{name}", _ATOM
        return self.names.get(name) or symbol_latex(name), _ATOM

    def write(self, node: ast.expr) -> tuple[str, int]:
        """Return LaTeX and how tightly its outermost operation binds."""
        match node:
            case ast.Constant():
                assert isinstance(node.value, int | float)
                shown = number_latex(float(node.value))
                return shown, _PRODUCT if "times" in shown else _ATOM
            case ast.Name():
                return self.name(node.id)
            case ast.UnaryOp():
                sign = "-" if isinstance(node.op, ast.USub) else ""
                return sign + self.wrap(node.operand, _PRODUCT), _UNARY
            case ast.BinOp():
                return self.binary(node)
            case ast.Call():
                return self.call(node)
        raise AssertionError(f"unchecked node {node!r}")

    def wrap(self, node: ast.expr, least: int) -> str:
        shown, binding = self.write(node)
        return shown if binding >= least else rf"\left({shown}\right)"

    def binary(self, node: ast.BinOp) -> tuple[str, int]:
        match node.op:
            case ast.Add() | ast.Sub():
                sign = "+" if isinstance(node.op, ast.Add) else "-"
                least = _SUM if sign == "+" else _PRODUCT
                right = self.wrap(node.right, least)
                if right.startswith("-"):
                    if sign == "+":
                        sign, right = "-", right[1:]
                    else:
                        right = rf"\left({right}\right)"
                return f"{self.wrap(node.left, _SUM)} {sign} {right}", _SUM
            case ast.Mult():
                left, right = self.wrap(node.left, _PRODUCT), self.wrap(node.right, _PRODUCT)
                needs_cross = right[0].isdigit() or right[0] == "-"
                if right[0] == "-":
                    right = rf"\left({right}\right)"
                return left + (r" \times " if needs_cross else r" \, ") + right, _PRODUCT
            case ast.Div():
                return (
                    rf"\frac{{{self.write(node.left)[0]}}}{{{self.write(node.right)[0]}}}",
                    _POWER,
                )
        exponent = self.write(node.right)[0]
        return f"{self.wrap(node.left, _ATOM)}^{{{exponent}}}", _POWER

    def call(self, node: ast.Call) -> tuple[str, int]:
        assert isinstance(node.func, ast.Name)
        arguments = [self.write(argument)[0] for argument in node.args]
        match node.func.id:
            case "exp":
                return f"e^{{{arguments[0]}}}", _POWER
            case "sqrt":
                return rf"\sqrt{{{arguments[0]}}}", _ATOM
        name = re.sub(r"(\d+)$", r"_{\1}", node.func.id)  # log10 is the logarithm to base 10
        return rf"\{name}\left({', '.join(arguments)}\right)", _ATOM
