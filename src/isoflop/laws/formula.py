"""The safe reader of formulas: text that a person typed to a checked syntax tree.

A formula is one expression, or a few definitions ``name = expression`` before it, separated by
new lines or semicolons. Python's own ``ast`` reads the text and a whitelist decides what may stand
in it; nothing is ever evaluated as Python.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from isoflop.errors import FormulaError
from isoflop.language import lazy_gettext
from isoflop.once import once
from isoflop.syntax import syntax_tree

MAX_LENGTH = 2000
MAX_NODES = 400
MAX_DEPTH = 40
MAX_CONSTANT = 1e100

_ONE_ARGUMENT: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "sin": math.sin,
    "cos": math.cos,
    "arctan": math.atan,
}
FUNCTIONS = {**dict.fromkeys(_ONE_ARGUMENT, 1), "min": 2, "max": 2}
"""Functions that a formula may call, with their number of arguments (at least, for min and max)."""

CONSTANTS = {"pi": math.pi}
"""Names that stand for a number."""

_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_ALLOWED = (
    lazy_gettext("Allowed are numbers, names, + - * / **, parentheses, ")
    + ", ".join(f"{name}()" for name in FUNCTIONS)
    + lazy_gettext(" and the constant pi.")
)


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula.

    Parameters
    ----------
    text : str
        As typed, with ``^`` read as ``**``.
    definitions : tuple of (str, ast.expr)
        Names defined before the result, in order.
    result : ast.expr
    names : tuple of str
        Free names (inputs and parameters) in order of appearance.
    """

    text: str
    definitions: tuple[tuple[str, ast.expr], ...]
    result: ast.expr
    names: tuple[str, ...]


def _error(text: str, node: ast.AST | None, summary: str, hint: str = _ALLOWED) -> FormulaError:
    """Build an error that points at the place in the text."""
    line = getattr(node, "lineno", None)
    column = getattr(node, "col_offset", None)
    detail = ""
    if line is not None and column is not None:
        lines = text.splitlines()
        shown = lines[line - 1] if line <= len(lines) else ""
        if len(shown) <= 120:
            detail = f"{shown}\n{' ' * column}^"
        else:
            detail = lazy_gettext(
                "at character {column}: {shown}",
                column=column + 1,
                shown=shown[column : column + 60],
            )
    return FormulaError(summary, detail=detail, hint=hint)


def _syntax_error(text: str, error: SyntaxError) -> FormulaError:
    place = ast.Constant(value=0)
    place.lineno = min(error.lineno or 1, text.count("\n") + 1)
    place.col_offset = max((error.offset or 1) - 1, 0)
    reason = (error.msg or lazy_gettext("invalid syntax")).removesuffix(
        ". Perhaps you forgot a comma?"
    )
    if reason.startswith("invalid decimal literal"):
        reason = lazy_gettext("a name cannot start with a digit; write a product with *, as in 2*x")
    return _error(text, place, lazy_gettext("The formula cannot be read: {reason}.", reason=reason))


def _check_constant(text: str, node: ast.Constant) -> None:
    if isinstance(node.value, bool) or not isinstance(node.value, int | float):
        raise _error(text, node, lazy_gettext("{value!r} is not a number.", value=node.value))
    if not abs(node.value) <= MAX_CONSTANT:
        raise _error(
            text,
            node,
            lazy_gettext("A number is larger than {max_constant:g}.", max_constant=MAX_CONSTANT),
        )


def _check_call(text: str, node: ast.Call) -> None:
    if not isinstance(node.func, ast.Name):
        raise _error(text, node, lazy_gettext("Only a plain function name can be called."))
    name = node.func.id
    if name not in FUNCTIONS:
        raise _error(text, node, lazy_gettext("The function {name} is not known.", name=name))
    if node.keywords:
        raise _error(text, node, lazy_gettext("{name} takes no named arguments.", name=name))
    needed, got = FUNCTIONS[name], len(node.args)
    if got < needed or (needed == 1 and got > 1):
        wanted = "1 argument" if needed == 1 else lazy_gettext("at least 2 arguments")
        raise _error(
            text,
            node,
            lazy_gettext(
                "{name} takes {wanted}, but {got} are given.", name=name, wanted=wanted, got=got
            ),
        )


def _children(text: str, node: ast.expr) -> list[ast.expr]:
    """Check one node against the whitelist and return what hangs below it."""
    match node:
        case ast.Constant():
            _check_constant(text, node)
            return []
        case ast.Name():
            if node.id in FUNCTIONS:
                raise _error(
                    text,
                    node,
                    lazy_gettext("{id} is a function and needs its argument.", id=node.id),
                )
            if node.id.startswith("_"):
                raise _error(
                    text, node, lazy_gettext("The name {id} starts with an underscore.", id=node.id)
                )
            return []
        case ast.BinOp() if type(node.op) in _OPERATORS:
            return [node.left, node.right]
        case ast.UnaryOp() if isinstance(node.op, ast.USub | ast.UAdd):
            return [node.operand]
        case ast.Call():
            _check_call(text, node)
            return node.args
    raise _error(
        text, node, lazy_gettext("{node} cannot stand in a formula.", node=_describe(node))
    )


def _describe(node: ast.AST) -> str:
    names = {
        ast.Attribute: lazy_gettext("An attribute (a dot)"),
        ast.Subscript: lazy_gettext("An index in brackets"),
        ast.Compare: "A comparison",
        ast.Lambda: "A lambda",
        ast.IfExp: "A conditional",
        ast.Tuple: lazy_gettext("A comma between values"),
        ast.List: "A list",
        ast.JoinedStr: "A text",
        ast.BoolOp: "and/or",
        ast.NamedExpr: lazy_gettext("An assignment inside an expression"),
    }
    return names.get(type(node), lazy_gettext("This ({name})", name=type(node).__name__))


def walk(node: ast.expr, text: str = "") -> Iterator[tuple[ast.expr, int]]:
    """Yield every node below ``node`` with its depth, left to right, checking each."""
    stack = [(node, 1)]
    while stack:
        current, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise _error(
                text,
                current,
                lazy_gettext(
                    "The formula is nested more than {max_depth} deep.", max_depth=MAX_DEPTH
                ),
            )
        children = _children(text, current)
        yield current, depth
        stack.extend((child, depth + 1) for child in reversed(children))


def constant_value(node: ast.expr) -> float | None:
    """Return the value of an expression of numbers only, or None if names stand in it.

    Raises
    ------
    OverflowError, ZeroDivisionError, ValueError
        If the numbers have no finite real value.
    """
    match node:
        case ast.Constant():
            assert isinstance(node.value, int | float)
            return float(node.value)
        case ast.Name():
            return CONSTANTS.get(node.id)
        case ast.UnaryOp():
            value = constant_value(node.operand)
            if value is None:
                return None
            return -value if isinstance(node.op, ast.USub) else value
        case ast.BinOp():
            left, right = constant_value(node.left), constant_value(node.right)
            return None if left is None or right is None else _apply(node.op, left, right)
        case ast.Call():
            values = [constant_value(argument) for argument in node.args]
            if any(value is None for value in values):
                return None
            assert isinstance(node.func, ast.Name)
            return _call(node.func.id, [value for value in values if value is not None])
    return None


def _apply(operator: ast.operator, left: float, right: float) -> float:
    match operator:
        case ast.Add():
            result = left + right
        case ast.Sub():
            result = left - right
        case ast.Mult():
            result = left * right
        case ast.Div():
            result = left / right
        case _:
            power = left**right
            if isinstance(power, complex):
                raise ValueError("a negative number to a broken power")
            result = float(power)
    if not abs(result) <= MAX_CONSTANT:
        raise OverflowError
    return result


def _call(name: str, values: list[float]) -> float:
    if name in _ONE_ARGUMENT:
        return _ONE_ARGUMENT[name](values[0])
    return min(values) if name == "min" else max(values)


def _check_constants(text: str, node: ast.expr) -> None:
    """Refuse number-only parts without a finite value, such as 9**9**9**9 or 1/0."""
    for part, _ in walk(node, text):
        try:
            constant_value(part)
        except ZeroDivisionError:
            raise _error(text, part, lazy_gettext("The formula divides by zero.")) from None
        except (OverflowError, ValueError):
            raise _error(
                text,
                part,
                lazy_gettext("A part made of numbers only has no finite value."),
                hint=lazy_gettext(
                    "Constants must stay within {max_constant:g}.", max_constant=MAX_CONSTANT
                ),
            ) from None


def _statements(text: str) -> list[ast.stmt]:
    try:
        tree = syntax_tree(text)
    except SyntaxError as error:
        raise _syntax_error(text, error) from None
    except (ValueError, RecursionError, MemoryError):
        raise FormulaError(lazy_gettext("The formula cannot be read."), hint=_ALLOWED) from None
    assert isinstance(tree, ast.Module)
    return tree.body


def _split(text: str) -> tuple[list[tuple[str, ast.expr]], ast.expr]:
    statements = _statements(text)
    if not statements:
        raise FormulaError(
            lazy_gettext("The formula is empty."),
            hint=lazy_gettext("For example: E + A/N**alpha + B/D**beta"),
        )
    definitions: list[tuple[str, ast.expr]] = []
    for statement in statements[:-1]:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Name):
            raise _error(
                text,
                statement,
                lazy_gettext("Only definitions (name = expression) may come before the result."),
            )
        if target.id in {*FUNCTIONS, *CONSTANTS, *dict(definitions)}:
            raise _error(
                text, statement, lazy_gettext("The name {id} is already taken.", id=target.id)
            )
        definitions.append((target.id, statement.value))
    last = statements[-1]
    is_named = isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name)
    if isinstance(last, ast.Assign) and is_named and len(last.targets) == len(statements) == 1:
        # "L = E + A/N**alpha": people write the left-hand side too.
        return [], last.value
    if not isinstance(last, ast.Expr):
        raise _error(
            text, last, lazy_gettext("The last line must be the expression that gives the loss.")
        )
    return definitions, last.value


@once(max_entries=512)
def parse(text: str) -> Formula:
    """Read and check a formula.

    Parameters
    ----------
    text : str
        Such as ``"E + A/N**alpha + B/D**beta"``.

    Raises
    ------
    FormulaError
        Saying what is wrong and where, for anything but a plain formula of bounded size.

    Examples
    --------
    >>> parse("E + A/N**alpha").names
    ('E', 'A', 'N', 'alpha')
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            lazy_gettext(
                "The formula is longer than {max_length} characters.", max_length=MAX_LENGTH
            )
        )
    if "\x00" in text:
        raise FormulaError(lazy_gettext("The formula holds a null character."), hint=_ALLOWED)
    cleaned = "\n".join(line.strip() for line in text.replace("^", "**").strip().splitlines())
    definitions, result = _split(cleaned)
    names: dict[str, None] = {}
    defined: set[str] = set()
    n_nodes = 0
    for name, expression in [*definitions, ("", result)]:
        for node, _ in walk(expression, cleaned):
            n_nodes += 1
            if isinstance(node, ast.Name) and node.id not in {*defined, *CONSTANTS}:
                names.setdefault(node.id)
        if n_nodes > MAX_NODES:
            raise FormulaError(
                lazy_gettext("The formula has more than {max_nodes} parts.", max_nodes=MAX_NODES)
            )
        _check_constants(cleaned, expression)
        if name in names:
            raise _error(
                cleaned,
                expression,
                lazy_gettext("The name {name} is used before its definition.", name=name),
            )
        defined.add(name)
    return Formula(cleaned, tuple(definitions), result, tuple(names))
