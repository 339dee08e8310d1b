"""The documentation says what the code does: names, commands, links and examples."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from isoflop import errors, plot, settings
from isoflop.cli.main import build_parser
from isoflop.fitting import FitOptions, PredictOptions
from isoflop.laws import FIT_ROLES, ROLES, load_laws, load_published_fits
from isoflop.options import markdown
from isoflop.planning import Budget, PlanOptions
from isoflop.tables import DATASET_ROLES, READERS, list_datasets
from isoflop.tables.simulated import SimulationOptions
from isoflop.training.config import Recipe
from isoflop.ui.shell import PAGES as PAGES_OF_THE_APP

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "benchmarks" / "README.md"])
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def first_column(text: str) -> list[str]:
    """Return the names in backquotes that open the rows of a page's tables."""
    rows = re.findall(r"^\| (`[^|]*?`(?:, `[^|]*?`)*) \|", text, flags=re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def assert_table(name: str, rows: Sequence[str]) -> None:
    """Check that a page has a table of these rows alone, in this order; print what it lacks."""
    text = text_of(name)
    lacking = [row for row in rows if row not in text]
    assert not lacking, f"docs/{name} lacks, each at its place:\n" + "\n".join(lacking)
    table = "\n".join(rows)
    assert f"|---|\n{table}\n\n" in f"{text}\n", f"docs/{name} should hold just this:\n{table}"


# --- Laws, data sets, errors, notices, settings -------------------------------------------------


def test_every_law_is_documented() -> None:
    rows = []
    for key, law in load_laws().items():
        lines = [line.strip() for line in law.formula.splitlines() if line.strip()]
        inputs = ", ".join(f"{item.symbol} = `{item.column}`" for item in law.inputs)
        rows.append(f"| `{key}` | `{'; '.join(lines)}` | {inputs} | {law.help} | {law.source} |")
    assert_table("laws.md", rows)


def test_every_published_fit_is_documented() -> None:
    rows = [
        f"| `{key}` | {fit.label} | `{fit.law.key}` | {fit.param_convention} | {fit.data}"
        f" | {fit.source} |"
        for key, fit in load_published_fits().items()
    ]
    assert_table("laws.md", rows)


@pytest.mark.parametrize(
    ("name", "roles"),
    [("laws.md", ROLES), ("laws.md", FIT_ROLES), ("data.md", DATASET_ROLES)],
    ids=["law", "published fit", "data set"],
)
def test_every_role_is_documented(name: str, roles: Mapping[str, str]) -> None:
    assert_table(name, [f"| `{role}` | {meaning} |" for role, meaning in roles.items()])


def test_the_readme_counts_the_laws() -> None:
    said = f"{len(load_laws())} laws ship"
    assert said in README, f"README.md should say: {said}"


def test_every_figure_is_documented_by_its_docstring() -> None:
    rows = []
    for name in plot.FIGURES:
        draw = getattr(plot, name)
        needed = [
            item.name
            for item in inspect.signature(draw).parameters.values()
            if item.kind is item.POSITIONAL_OR_KEYWORD and item.default is item.empty
        ]
        said = (inspect.getdoc(draw) or "").partition("\n")[0]
        rows.append(f"| `{name}({', '.join(needed)})` | {said} |")
    assert_table("api.md", rows)


def test_every_data_set_is_documented() -> None:
    names = first_column(text_of("data.md"))
    lacking = [item.id for item in list_datasets() if item.id not in names]
    assert not lacking, f"docs/data.md has no row for {', '.join(lacking)}"


def test_every_format_is_documented() -> None:
    section = text_of("data.md").partition("### Formats")[2].partition("\n#")[0]
    documented = " ".join(re.findall(r"^\| ([^|]*) \|", section, flags=re.MULTILINE)).lower()
    lacking = [reader.format for reader in READERS if reader.format.lower() not in documented]
    assert not lacking, f"The formats in docs/data.md lack {', '.join(lacking)}"


def test_every_data_file_is_documented() -> None:
    documented = set(first_column(text_of("data.md")))
    there = {path.name for path in (ROOT / "data").iterdir() if path.is_file()}
    assert there <= documented, f"docs/data.md has no row for {', '.join(there - documented)}"


def test_every_page_is_documented() -> None:
    section = README.partition("## Pages")[2].partition("\n## ")[0]
    titles = re.findall(r"^\| (?!Page )(\w[^|]*?) \|", section, flags=re.MULTILINE)
    expected = [page.title for page in PAGES_OF_THE_APP]
    assert titles == expected, f"The table of pages in README.md should list {expected}"


def test_every_benchmark_is_documented() -> None:
    documented = first_column((ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8"))
    there = {f"benchmarks.{path.parent.name}" for path in ROOT.glob("benchmarks/*/__main__.py")}
    assert there <= set(documented)


def test_every_command_is_documented() -> None:
    (names,) = (item.choices for item in build_parser()._actions if isinstance(item.choices, dict))
    assert_table("commands.md", [f"| `isoflop {n}` | {p.description} |" for n, p in names.items()])


def test_every_chinese_page_and_its_english_one_name_each_other() -> None:
    pages = list((DOCS / "zh").glob("*.md"))
    assert len(pages) > 1
    for path in pages:
        assert f"](../{path.name})" in path.read_text(encoding="utf-8"), f"zh/{path.name}"
        assert f"](zh/{path.name})" in text_of(path.name), f"docs/{path.name} has no link to it"


def test_every_error_is_documented() -> None:
    classes = [
        name
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.IsoflopError)
    ]
    assert sorted(first_column(text_of("errors.md"))) == sorted(classes)


@pytest.mark.slow
def test_every_example_in_a_docstring_holds() -> None:
    failed = []
    for path in SOURCES:
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(ROOT / "src").with_suffix("").parts
            module = import_module(".".join(parts).removesuffix(".__init__"))
            if doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed:
                failed.append(module.__name__)
    assert not failed


def test_every_error_has_a_code_of_its_own() -> None:
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    codes = [vars(value)["code"] for value in classes]
    assert len(set(codes)) == len(codes)
    assert all(KEBAB.fullmatch(code) for code in codes)


def test_every_error_is_in_the_tree_of_the_docstring() -> None:
    tree = errors.__doc__ or ""
    for name, value in inspect.getmembers(errors, inspect.isclass):
        line = next(line for line in tree.splitlines() if re.search(rf"\b{name}\b", line))
        depth = len(value.__mro__) - len(errors.IsoflopError.__mro__)
        assert line.index(name) == 4 + 4 * depth, f"{name} is not below its base class"


KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def raised_codes() -> Iterator[re.Pattern[str]]:
    """Yield a pattern for the code of every notice that the source makes."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", "")).lower()
            if not name.endswith(("notice", "finding")):
                continue
            values = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            for value in flatten(values or node.args[:2]):
                if isinstance(value, ast.Constant) and KEBAB.fullmatch(str(value.value)):
                    yield re.compile(re.escape(str(value.value)))
                elif isinstance(value, ast.JoinedStr):
                    parts = (
                        re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z-]+"
                        for part in value.values
                    )
                    yield re.compile("".join(parts))


def flatten(values: list[ast.expr]) -> Iterator[ast.expr]:
    """Yield both sides of conditional expressions, and everything else as it is."""
    for value in values:
        yield from flatten([value.body, value.orelse]) if isinstance(value, ast.IfExp) else [value]


def test_every_notice_is_documented_and_every_documented_notice_is_made() -> None:
    patterns = list(raised_codes())
    codes = first_column(text_of("notices.md"))
    assert len(codes) == len(set(codes))
    lacking = [p.pattern.replace("\\", "") for p in patterns if not any(map(p.fullmatch, codes))]
    assert not lacking, f"docs/notices.md has no row for {', '.join(lacking)}"
    unmade = [code for code in codes if not any(p.fullmatch(code) for p in patterns)]
    assert not unmade, f"docs/notices.md has rows that no code makes: {', '.join(unmade)}"


@pytest.mark.parametrize(
    "owner", [FitOptions, PredictOptions, Budget, PlanOptions, SimulationOptions, Recipe]
)
def test_the_tables_of_options_are_those_of_the_code(owner: type) -> None:
    text = text_of("options.md")
    assert f"`{owner.__name__}`" in text
    assert markdown(owner) in text, f"docs/options.md should hold:\n{markdown(owner)}"


def settings_in(paths: list[Path]) -> set[str]:
    return {
        name for path in paths for name in re.findall(r"\bISOFLOP_[A-Z_]*[A-Z]\b", path.read_text())
    }


def test_every_setting_is_in_the_one_list_and_documented() -> None:
    used = settings_in(SOURCES)
    assert used == {setting.name for setting in settings.SETTINGS}
    for section in dict.fromkeys(setting.section for setting in settings.SETTINGS):
        assert_table("settings.md", settings.markdown(section))
    tested = settings_in([*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")])
    product = {name for name in first_column(text_of("settings.md")) if name.startswith("ISOFLOP_")}
    assert product == used | {name for name in tested if name.startswith("ISOFLOP_TEST_")}


# --- Commands, links and examples -----------------------------------------------------------------


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_that_is_named_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^\s*|: )(?:[A-Z]+=\S+ )?make ([a-z-]+)", text, flags=re.MULTILINE)
    assert set(named) <= make_targets()


def test_the_readme_starts_with_the_two_commands() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    assert [line.split("#")[0].strip() for line in blocks[0].splitlines()] == [
        "make run",
        "make test",
    ]


def test_every_make_variable_is_documented() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    variables = set(re.findall(r"^([A-Z_]+) \?=", makefile, flags=re.MULTILINE))
    assert variables <= set(first_column(text_of("settings.md")))


def test_every_container_variable_is_documented() -> None:
    files = ("compose.yaml", "deploy/compose.yaml", "deploy/Caddyfile")
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in files]
    variables = set(re.findall(r"\$\{([A-Z_]+)|\{\$([A-Z_]+)", "".join(texts)))
    variables = {name for pair in variables for name in pair if name}
    arguments = set(re.findall(r"^ARG ([A-Z_]+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    assert variables | arguments <= set(first_column(text_of("settings.md")))


def test_every_command_line_in_the_readme_parses() -> None:
    parser = build_parser()
    lines = re.findall(r"^isoflop (.+)$", README, flags=re.MULTILINE)
    assert len(lines) > 5
    for line in lines:
        words = subprocess.run(
            ["sh", "-c", f'printf "%s\\n" {line}'], capture_output=True, text=True, check=True
        )
        parser.parse_args(words.stdout.splitlines())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_or_heading_leads_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), f"{target} does not exist"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles]
            assert anchor in anchors, f"{target}: no such heading"


def test_every_part_of_the_repository_that_is_named_exists() -> None:
    for name in re.findall(r"`([\w./]+/|app\.py)`", README):
        assert (ROOT / name).exists(), name
