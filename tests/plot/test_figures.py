"""Every figure is found by its name, is typed there, looks the same, and is tested."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

from isoflop import plot

FOLDER = Path(plot.__file__).parent
NOT_FIGURES = {"__init__", "_figure"}
TESTS = "\n".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))


def test_every_module_with_an_underscore_is_listed() -> None:
    names = sorted(path.stem[1:] for path in FOLDER.glob("_*.py") if path.stem not in NOT_FIGURES)
    lacking = [name for name in names if name not in plot.FIGURES]
    assert not lacking, f"Add to FIGURES in plot/__init__.py: {', '.join(lacking)}"
    assert names == list(plot.FIGURES), (
        "FIGURES in plot/__init__.py should be in the order of the alphabet"
    )


def test_every_figure_is_imported_for_type_checkers() -> None:
    """Without its line, ``plot.NAME`` would be of type Any."""
    source = ast.parse((FOLDER / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        (node.module, alias.name, alias.asname)
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    lines = [
        f"from isoflop.plot._{name} import {name} as {name}"
        for name in plot.FIGURES
        if (f"isoflop.plot._{name}", name, name) not in imported
    ]
    assert not lines, "Under TYPE_CHECKING in plot/__init__.py add:\n" + "\n".join(lines)


@pytest.mark.parametrize("name", plot.FIGURES)
def test_every_figure_takes_a_theme_by_name(name: str) -> None:
    theme = inspect.signature(getattr(plot, name)).parameters["theme"]
    assert theme.kind is theme.KEYWORD_ONLY
    assert theme.default is plot.LIGHT


def test_every_figure_has_a_test() -> None:
    lacking = [name for name in plot.FIGURES if not re.search(rf"\bplot\.{name}\b", TESTS)]
    assert not lacking, f"No test in tests/plot draws {', '.join(lacking)}"
