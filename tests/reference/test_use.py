"""Every control has its help, every term its entry: read from the source, so none is missed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from isoflop.fitting import FitOptions, PredictOptions
from isoflop.lessons import BandOfRuns, BudgetOfProfile, Floor, HeldBack, PowerLaw, Spread, Steps
from isoflop.options import Option, options_of
from isoflop.planning import Budget, PlanOptions
from isoflop.reference import find_term, load_glossary
from isoflop.training.config import Recipe

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src" / "isoflop" / "ui").rglob("*.py"))
OWNERS = (
    *(FitOptions, PredictOptions, Budget, PlanOptions, Recipe),
    *(BandOfRuns, BudgetOfProfile, Floor, HeldBack, PowerLaw, Spread, Steps),
)
OPTIONS = [
    pytest.param(entry, id=f"{owner.__name__}.{entry.name}")
    for owner in OWNERS
    for entry in options_of(owner)
]

CONTROLS = {
    *("slider", "select_slider", "selectbox", "multiselect", "radio", "pills", "number_input"),
    *("segmented_control", "text_input", "text_area", "date_input", "file_uploader", "toggle"),
    *("checkbox", "metric"),
}
"""Functions of Streamlit that draw what a person sets, or a figure that may want a word."""


def without_help(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and function of each control without help; one that has no label needs none."""
    tree = ast.parse(source)
    own = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("isoflop")
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        label = given.get("label_visibility")
        is_companion = isinstance(label, ast.Constant) and label.value == "collapsed"
        module = ast.unparse(node.func.value)
        is_ours = module == "inputs" and node.func.attr in {"number", "text"}
        is_drawn = is_ours or (node.func.attr in CONTROLS and module not in own)
        if is_drawn and not is_companion and not given.get("help") and None not in given:
            yield node.lineno, node.func.attr


@pytest.mark.parametrize(
    ("source", "n_found"),
    [
        ('st.slider("N", 0, 1)', 1),
        ('left.toggle("N", help="What N is.")', 0),
        ('st.text_input("N, typed", label_visibility="collapsed")', 0),
        ('st.selectbox("N", **given)', 0),
        ('st.button("Go")', 0),
        ("from isoflop.ui.fit import exclusions\nexclusions.toggle(table, rows)", 0),
    ],
)
def test_a_control_without_help_is_found(source: str, n_found: int) -> None:
    assert len(list(without_help(source))) == n_found


def test_every_control_has_help() -> None:
    lacking = [
        f"{path.relative_to(ROOT)}:{line}: {name} without help"
        for path in SOURCES
        for line, name in without_help(path.read_text(encoding="utf-8"))
    ]
    assert not lacking, "\n".join(lacking)


@pytest.mark.parametrize("entry", OPTIONS)
def test_every_option_has_help_and_a_known_term(entry: Option) -> None:
    assert re.search(r"[.?!]$", entry.help), f"{entry.label}: {entry.help!r} is no sentence"
    assert not entry.term or find_term(entry.term)


ABBREVIATION = re.compile(r"\b(?:[A-Z][a-z]*){2,}[a-z]?\b")
PLAIN = re.compile(
    "API|AWS|CC|CI|CPU|CSV|Gi?B|HTML|HTTPS?|ID|JSONL?|LaTeX|MB|MIT|M[Ll]?[Ff]low|NaN|OK|PDF|PNG|PyTorch|SVG"
    "|SHA|TB|TOML|TSV|UTC|UTF|URL|USD?|XLSX|YAML|ZIP|HttpOnly|SameSite|TensorBoard|TorchScript"
    "|BLOOM|DeepSeek|FineWeb|GPT|OLMo"
)
"""Known to all who use a computer: formats, units, names of programs; and names of models."""


def texts(source: str) -> Iterator[str]:
    """Yield the sentences and labels of a source: texts with a space in them, no documentation."""
    tree = ast.parse(source)
    docs = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def test_every_abbreviation_on_a_page_has_an_entry() -> None:
    known = " ".join(
        word for term in load_glossary().values() for word in (*term.words, term.formula)
    )
    said = {
        word: path.relative_to(ROOT)
        for path in SOURCES
        for text in texts(path.read_text(encoding="utf-8"))
        if " " in text
        for word in ABBREVIATION.findall(text)
    }
    said |= {
        word: entry.values[0].label
        for entry in OPTIONS
        for word in ABBREVIATION.findall(f"{entry.values[0].label} {entry.values[0].help}")
    }
    unknown = {
        word: where
        for word, where in said.items()
        if word not in known and not PLAIN.fullmatch(word)
    }
    assert not unknown, "\n".join(f"{word} ({where})" for word, where in unknown.items())
