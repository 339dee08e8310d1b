"""What the source may not write down, since it is said once elsewhere: one test a rule."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from isoflop.laws import load_laws, load_published_fits
from isoflop.tables import list_datasets

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "src").rglob("*.py"), *ROOT.glob("pages/*.py"), ROOT / "app.py"])
INTERFACE = [
    path for path in SOURCES if not path.is_relative_to(ROOT / "src") or "ui" in path.parts
]

LAW_KEYS = frozenset(load_laws()) | frozenset(load_published_fits())
# Keys that are words of other things too, such as the type of an axis: they mean a law where the
# statement that they stand in speaks of laws.
WORDS = frozenset({"linear", "power", "vocabulary"})
SPEAKS_OF_LAWS = re.compile(r"law|published|claim|functional_form", re.IGNORECASE)


def texts(source: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line and value of each text but docstrings, and if its statement speaks of laws."""
    todo: list[ast.AST] = list(ast.parse(source).body)
    while todo:
        statement = todo.pop()
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        own, names, found = [statement], [], []
        while own:
            node = own.pop()
            names += [getattr(node, field, None) for field in ("id", "attr", "arg", "name")]
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node)
            for child in ast.iter_child_nodes(node):
                is_inside = isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
                (todo if is_inside else own).append(child)
        of_laws = any(SPEAKS_OF_LAWS.search(str(name)) for name in names)
        yield from ((node.lineno, node.value, of_laws) for node in found)


def law_keys(source: str) -> list[tuple[int, str]]:
    """Return line and key of each law that a source names."""
    return [
        (line, text)
        for line, text, of_laws in texts(source)
        if text in LAW_KEYS and (text not in WORDS or of_laws)
    ]


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ('law = load_laws()["chinchilla"]', ["chinchilla"]),
        ('LAWS = ("linear", "power")', ["linear", "power"]),
        ('def fit(table, law="linear"): ...', ["linear"]),
        ('if fit.law.key == "power":\n    pass', ["power"]),
        ('def f():\n    """power_floor"""\n    return {"first": "power_floor"}', ["power_floor"]),
        ('match law.key:\n    case "sigmoid":\n        pass', ["sigmoid"]),
        ('axis = {"type": "linear"}', []),
        ('def of(law):\n    """linear"""\n    return axis(type="linear")', []),
    ],
)
def test_a_law_named_in_code_is_found(source: str, keys: list[str]) -> None:
    assert sorted(key for _, key in law_keys(source)) == keys


def test_words_are_keys() -> None:
    assert WORDS <= LAW_KEYS


def test_no_code_names_a_law() -> None:
    """A law says what it is for (``roles`` in laws.toml), and code asks the catalog for a role."""
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {key}"
        for path in SOURCES
        for line, key in law_keys(path.read_text(encoding="utf-8"))
    ]
    assert not offenders, "\n".join(offenders)


def test_no_page_names_a_data_set() -> None:
    """What a data set is for stands in its own dataset.toml (``roles``)."""
    ids = {dataset.id for dataset in list_datasets()}
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in INTERFACE
        for line, text, _ in texts(path.read_text(encoding="utf-8"))
        if text in ids
    ]
    assert not offenders, "\n".join(offenders)


def sixes(source: str) -> list[int]:
    """Return the lines on which something is multiplied or divided by the number 6."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp):
            operands = [node.left, node.right]
        elif isinstance(node, ast.AugAssign):
            operands = [node.value]
        else:
            continue
        is_product = isinstance(node.op, ast.Mult | ast.Div)
        if is_product and any(isinstance(o, ast.Constant) and o.value == 6 for o in operands):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ("flop = 6 * n * d", 1),
        ("flop = n * d * 6.0", 1),
        ("d = flop / (6 * n)", 1),
        ("flop *= 6", 1),
        ("n = 6\nmargin = 60 * n + 6", 0),
    ],
)
def test_a_factor_of_six_is_found(source: str, n_found: int) -> None:
    assert len(sixes(source)) == n_found


def test_no_code_assumes_six_flop_a_parameter_and_token() -> None:
    """Compute is a `ComputeRule`'s, or by ``FLOP_PER_PARAM_TOKEN`` that of tables without one."""
    offenders = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        for line in sixes(path.read_text(encoding="utf-8"))
    ]
    assert not offenders, "\n".join(offenders)
