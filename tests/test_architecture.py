"""The shape of the code, checked from its source: one test a rule, which lists every offender.

What a linter can tell is the linter's: who may import a library, and how long a function may grow.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "isoflop"

# Every component, lowest layer first. A component may import itself and any lower layer.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"files", "niceness", "once"}),
    frozenset({"errors", "language"}),
    frozenset({"notices", "settings"}),
    frozenset({"people"}),
    frozenset({"data", "document", "identity", "store", "syntax", "text", "units", "work"}),
    frozenset({"reference"}),
    frozenset({"options"}),
    frozenset({"accounting"}),
    frozenset({"tables"}),
    frozenset({"laws", "training"}),
    frozenset({"fitting"}),
    frozenset({"planning"}),
    frozenset({"lessons"}),
    frozenset({"export", "forecast", "plot", "workspace"}),
    frozenset({"rendering"}),
    frozenset({"html_report"}),
    frozenset({"api"}),
    frozenset({"server"}),
    frozenset({"cli", "ui"}),
    frozenset({"__main__", "app", "pages"}),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# Exceptions to the order alone: training stays clear of the fit, and the fit of training.
FORBIDDEN = {("fitting", "training"), ("laws", "training"), ("planning", "training")}

SOURCES = sorted(chain(PACKAGE.rglob("*.py"), ROOT.glob("pages/*.py"), ROOT.glob("app.py")))


def component(path: Path) -> str:
    """Return the layer table's name of the component that a source file belongs to."""
    if path.is_relative_to(PACKAGE):
        return path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))))


@pytest.fixture(scope="module", autouse=True)
def parsed() -> None:
    """Parse every file once, for all rules."""
    for path in SOURCES:
        nodes(path)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the component of every import from the package, in functions too."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "isoflop":
            names = [f"isoflop.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        else:
            continue
        for parts in (name.split(".") for name in names):
            if parts[0] == "isoflop" and len(parts) > 1 and parts[1] != "__version__":
                yield node.lineno, parts[1]


def test_every_component_has_its_place() -> None:
    assert {component(path) for path in SOURCES} - {"__init__"} <= set(RANK)


def test_imports_point_one_way() -> None:
    offenders = [
        f"{path.relative_to(ROOT)}:{line}: {importer} may not import isoflop.{imported}"
        for path in SOURCES
        if (importer := component(path)) != "__init__"  # it imports nothing at start: see below
        for line, imported in imports(path)
        if importer != imported
        and (RANK.get(imported, 99) >= RANK[importer] or (importer, imported) in FORBIDDEN)
    ]
    assert not offenders, "\n".join(offenders)


def run_python(code: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_the_package_itself_imports_nothing_at_start() -> None:
    code = "import sys, isoflop; print([n for n in sys.modules if n.startswith('isoflop.')])"
    assert run_python(code) == "[]"


IMPORT_ALL = """
import importlib, pkgutil, sys
heavy = ["fastapi", "plotly", "streamlit", "sympy", "torch"]
for name in {packages!r}:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if ".engine" not in module.name and not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
    if name in {drawing!r}:
        heavy.remove("plotly")
    if found := [library for library in heavy if library in sys.modules]:
        print(name, "imports", *found)
"""


@pytest.mark.slow
def test_importing_stays_light() -> None:
    """What each package imports, after the packages below it, in one fresh process."""
    packages = ["tables", "laws", "fitting", "planning", "training", "plot"]
    code = IMPORT_ALL.format(
        packages=[f"isoflop.{name}" for name in packages], drawing=["isoflop.plot"]
    )
    assert run_python(code) == ""


def test_rows_of_a_table_change_by_one_method() -> None:
    """Only what was read and is no table yet, named ``raw``, may have its frame replaced."""
    offenders = [
        f"{path.relative_to(ROOT)}:{node.lineno}: say table.with_frame(frame)"
        for path in chain(SOURCES, ROOT.glob("benchmarks/**/*.py"))
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).split(".")[-1] == "replace"
        and any(keyword.arg == "frame" for keyword in node.keywords)
        and ast.unparse(node.args[0]) != "raw"
    ]
    assert not offenders, "\n".join(offenders)


# Spelled in pieces, so that this file does not contain what it forbids.
FORBIDDEN_TEXT = re.compile(
    "|".join(
        (
            r"\b(TO" + "DO|FIX" + r"ME|XX" + r"X)\b",
            "# no" + "qa",
            r"# type: " + r"ignore(?![^#\n]*# )",  # allowed with its reason behind it
            r"pragma: no " + r"cover(?![^#\n]*# )",
            r"(?<![\w.])/(work|root)/" + r"\w",
            r"py"
            + r"pi\.org|python"
            + r"hosted\.org|npm"
            + r"js\.(org|com)|deb\.debi"
            + r"an\.org",
        )
    )
)
TEXT_FILES = (".py", ".toml", ".md", ".txt", ".yaml", ".yml", ".cfg", ".ini", ".sh", ".css", ".js")


def tracked_text_files() -> list[Path]:
    """Return every text file of the repository that is not ignored."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (ROOT / line for line in listing.stdout.splitlines())
    names = {"Makefile", "Dockerfile", "run"}
    return [path for path in paths if path.suffix in TEXT_FILES or path.name in names]


def test_no_promises_silencers_or_paths_of_one_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked_text_files()
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if FORBIDDEN_TEXT.search(line)
    ]
    assert not found, "\n".join(found)
