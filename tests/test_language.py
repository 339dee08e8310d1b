"""Texts in two languages: how they are said, and that nothing is left out of the catalogs."""

from __future__ import annotations

import ast
import copy
import importlib.util
import re
import string
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import orjson
import pytest

from isoflop import data, language
from isoflop.language import (
    Text,
    gettext,
    joined,
    lazy_gettext,
    lazy_ngettext,
    listed,
    nearest,
    of_languages,
    sentences,
    speaking,
    translated,
)

ROOT = Path(__file__).resolve().parents[1]
OTHERS = [code for code in language.LANGUAGES if code != language.ENGLISH]


# --- How a text is said ---------------------------------------------------------------------------


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for the catalog, so that no wording of it is asserted here."""

    class Catalog:
        texts: ClassVar = {
            "{n} row": "{n} 行",
            "On {table}: {what}.": "{what},在 {table} 上。",
            "{before} {after}": "{before}{after}",
            "{before} and {after}": "{before}和{after}",
            "{before}, {after}": "{before}、{after}",
            "loss {loss:.2f}": "损失 {loss:.2f}",
        }

        def gettext(self, text: str) -> str:
            return self.texts.get(text, text)

        def ngettext(self, one: str, many: str, number: int) -> str:
            return self.texts.get(one, many)

    monkeypatch.setattr(language, "_catalog", lambda code: Catalog())


def test_a_text_is_english_text() -> None:
    text = lazy_gettext("loss {loss:.2f}", loss=2.0)
    assert text == "loss 2.00"
    assert orjson.dumps({"text": text}) == b'{"text":"loss 2.00"}'
    assert f"{text}!" == "loss 2.00!"


@pytest.mark.usefixtures("chinese")
def test_a_text_is_said_in_the_language_of_who_reads_it() -> None:
    text = lazy_gettext("loss {loss:.2f}", loss=2.0)
    assert translated(text) == "loss 2.00"
    with speaking("zh"):
        assert translated(text) == "损失 2.00"
        assert gettext("loss {loss:.2f}", loss=1.0) == "损失 1.00"
    assert gettext("loss {loss:.2f}", loss=1.0) == "loss 1.00"


@pytest.mark.usefixtures("chinese")
def test_what_stands_in_a_text_is_said_in_its_language() -> None:
    rows = lazy_ngettext("{n} row", "{n} rows", 3)
    text = lazy_gettext("On {table}: {what}.", table="mine", what=rows)
    assert text == "On mine: 3 rows."
    assert text.in_language("zh") == "3 行,在 mine 上。"


@pytest.mark.usefixtures("chinese")
def test_a_text_goes_to_another_process_whole() -> None:
    row = lazy_ngettext("{n} row", "{n} rows", 1)
    text = lazy_gettext("On {table}: {what}.", table="a", what=row)
    assert copy.deepcopy(text).in_language("zh") == "1 行,在 a 上。"
    make, parts = text.__reduce__()  # what pickle does
    assert make(*parts).in_language("zh") == "1 行,在 a 上。"


def test_one_and_many() -> None:
    assert [lazy_ngettext("{n} row", "{n} rows", n) for n in (0, 1, 2)] == [
        "0 rows",
        "1 row",
        "2 rows",
    ]


@pytest.mark.usefixtures("chinese")
def test_sentences_and_lists_follow_the_language() -> None:
    assert sentences(["One.", "", "Two."]) == "One. Two."
    assert sentences(["One.", "Two."]).in_language("zh") == "One.Two."
    assert sentences([]) == ""
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c"]).in_language("zh") == "a、b和c"
    assert listed(["a"]) == "a"
    assert listed(["a", "b"], last="or") == "a or b"


def test_braces_of_a_part_are_no_place() -> None:
    assert joined(" {x} ", ["{a}", "b"]) == "{a} {x} b"
    assert of_languages({"en": "{x}", "zh": "甲{x}"}).in_language("zh") == "甲{x}"


def test_a_data_file_says_its_own_languages() -> None:
    text = of_languages({"en": "Power law", "zh": "幂律"})
    assert text == "Power law"
    assert text.in_language("zh") == "幂律"
    assert of_languages({"en": "Power law"}).in_language("zh") == "Power law"


def test_a_file_says_a_text_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "data_root", lambda: tmp_path)
    (tmp_path / "laws.toml").write_text(
        """
        [power]
        label = "Power law"
        label_zh = "幂律"
        problems = ["Few {rows}", "Noise"]
        problems_zh = ["行{rows}太少", "噪声"]
        params = { k = { help = "Scale", help_zh = "尺度" }, last_zh = 1 }
        """,
        encoding="utf-8",
    )
    entry = data.read_toml("laws.toml")["power"]
    assert list(entry) == ["label", "problems", "params"]
    assert (entry["label"], entry["label"].in_language("zh")) == ("Power law", "幂律")
    assert [text.in_language("zh") for text in entry["problems"]] == ["行{rows}太少", "噪声"]
    assert entry["params"]["k"]["help"].in_language("zh") == "尺度"
    assert entry["params"]["last_zh"] == 1


def test_a_text_without_a_translation_is_english() -> None:
    assert lazy_gettext("not in any catalog").in_language("zh") == "not in any catalog"
    assert Text("").in_language("zh") == ""


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh_CN.UTF-8", "zh"),
        ("de-DE, en;q=0.5", "en"),
        ("de", None),
        ("", None),
    ],
)
def test_the_language_a_browser_asks_for(tags: str, code: str | None) -> None:
    assert nearest(tags) == code


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="language is one of en, zh, not 'xx'"), speaking("xx"):
        pass


# --- The catalogs ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    """Return the command that writes the catalogs."""
    spec = importlib.util.spec_from_file_location("messages", ROOT / ".ci" / "messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("code", OTHERS)
def test_catalogs_hold_what_is_marked(messages: ModuleType, code: str) -> None:
    """Otherwise run ``make messages``, and translate what it names."""
    catalog = messages.updated(code)
    assert not list(messages.missing(catalog))
    assert messages.as_po(catalog) == messages.path_of(code).read_bytes()
    assert messages.as_mo(catalog) == messages.path_of(code).with_suffix(".mo").read_bytes()


def places(template: str) -> set[str]:
    return {f"{name}:{spec}" for _, name, spec, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("code", OTHERS)
def test_a_translation_has_the_places_of_its_text(messages: ModuleType, code: str) -> None:
    wrong = []
    for entry in messages.read(code):
        ids = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        strings = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        if entry.id and any(places(text) != places(ids[-1]) for text in strings):
            wrong.append(f"{ids[-1]}\n    {strings[0]}")
    assert not wrong, "\n".join(wrong)


# --- Texts that are not marked --------------------------------------------------------------------

UNSPOKEN = ("cli", "server", "settings.py", "export.py", "language.py")
"""Files and folders of the package that say nothing on a page: in English alone."""
FAULTS = {"ValueError", "TypeError", "KeyError", "RuntimeError", "AssertionError", "AttributeError"}
"""What a person never sees: mistakes of a caller."""
NAMING = {"TypeVar", "ParamSpec", "cast", "add_argument"}
CODE = re.compile(
    r"^\s*<|^\s*@page|^[a-z]+\.[a-z. ]+|^(SELECT|UPDATE|PRAGMA|BEGIN|from|const|export) "
    r"|default-src|HttpOnly"
    r"|^(table|\w+) = \w+\("
)
"""Markup, scripts, statements of SQL and Python, keys of a session's state."""
UNSAID = {
    "accounting/config_import.py": {"Model", "Classification"},  # ends of class names
    "document.py": {"Infinity"},  # in JSON
    "workspace.py": {"Infinity"},
    "fitting/backtest.py": {  # files and errors of the command line
        "The data file 0 is malformed.",
        "The data file 0 is missing.",
        "# Made 0 by `isoflop backtest`",
        "Backtest of 0",
    },
    "fitting/notices.py": {"None"},
    "tables/trackers/wandb.py": {"None"},
    "ui/controls.py": {"None"},
    "laws/formula.py": {"invalid decimal literal", ". Perhaps you forgot a comma?"},  # Python's own
    "laws/latex.py": {"Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi", "Psi", "Omega"},
    "plot/_contours.py": {"top center", "middle right"},  # Plotly's own
    "plot/_design.py": {"top center"},
    "plot/_plans.py": {"middle right"},
    "plot/theme.py": {"Source Sans 3, Source Sans Pro, sans-serif"},
    "reference/pages.py": {"python -m isoflop.reference docs"},
    "reference/stops.py": {"source: 0; 0 sentences, in 0 language."},
    "store/migrations/versions/v0002_owners.py": {"deleted IS NULL"},
    "tables/parquet.py": {"Parquet"},
    "tables/read.py": {"Parquet", "Excel"},
    "tables/reading/columns.py": {"nats/token of perplexity"},  # a unit's name
    "tables/reading/plausible.py": {"bits per token"},
    "training/engine/export.py": {  # in files
        "Converting a tensor to a Python",
        "layer norm of each head, without weights, before the rotation",
        "neighbouring channels",
        "squared relu",
        "# {name}\n\n{family}, {parameters} parameters, trained by Isoflop",
    },
    "training/engine/onnx.py": {"Tanh"},
    "ui/data/table.py": {"Left out", "Reason"},  # columns' names, with labels
    "ui/messages.py": {"failure of a callback", "to be said"},  # keys
    "ui/prepared.py": {"preparation read"},
    "ui/resolve.py": {"opened tables"},
    "ui/shell.py": {"page shown", "About"},
    "ui/visitor.py": {"private, no-cache"},
}
"""What reads like a text and is none, by file; a longer one by how it begins."""
MARKS = {"_", "n_", "gettext", "ngettext", "lazy_gettext", "lazy_ngettext"}
SILENT = {"logger", "logging", "re"}
"""What their functions take is not read by a visitor."""
WORDS = re.compile(r"[^\W\d_]{2,}[,;:.]? [^\W\d_]+|^[A-Z][a-z]{2,}$")


def unmarked(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of what reads like a text and is not marked."""
    todo: list[ast.AST] = [ast.parse(source)]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call) and _name(node.func) in MARKS:
            # What is put into a text may be a text itself.
            todo += [keyword.value for keyword in node.keywords]
            continue
        if isinstance(node, ast.Call) and _is_silent(node.func):
            continue
        if isinstance(node, ast.Compare) or _is_names(node):
            continue
        if isinstance(node, ast.Subscript):
            todo.append(node.value)  # what is looked up by
            continue
        if isinstance(node, ast.Constant | ast.JoinedStr):
            text = _constant(node)
            if WORDS.search(text) and not CODE.search(text):
                yield node.lineno, text
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue  # documentation
        if isinstance(node, ast.AnnAssign | ast.arg | ast.FunctionDef):
            annotation = _annotation(node)
            todo += [part for part in ast.iter_child_nodes(node) if part is not annotation]
            todo += _described(annotation)
            continue
        todo += ast.iter_child_nodes(node)


def _described(annotation: ast.AST | None) -> list[ast.AST]:
    """Return what an annotation says of an option."""
    inner = ast.walk(annotation) if annotation is not None else ()
    calls = [node for node in inner if isinstance(node, ast.Call) and _name(node.func) == "Option"]
    said = {"label", "help", "choices"}
    return [k.value for call in calls for k in call.keywords if k.arg in said]


def _annotation(node: ast.AnnAssign | ast.arg | ast.FunctionDef) -> ast.AST | None:
    return node.returns if isinstance(node, ast.FunctionDef) else node.annotation


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _is_silent(node: ast.AST) -> bool:
    if _name(node) in FAULTS | NAMING:
        return True
    return isinstance(node, ast.Attribute) and _name(node.value) in SILENT


def _is_names(node: ast.AST) -> bool:
    """Say whether a node lists names, or writes an object for those who write code."""
    if isinstance(node, ast.FunctionDef):
        return node.name == "__repr__"
    return isinstance(node, ast.Assign) and _name(node.targets[0]) in {"__all__", "LAZY", "_LAZY"}


def _constant(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = (_constant(part) if isinstance(part, ast.Constant) else "0" for part in node.values)
    return "".join(parts)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('st.button("Save a copy")', ["Save a copy"]),
        ('st.button("Save")', ["Save"]),
        ('st.button(_("Save a copy"))', []),
        ('_("Save {what}", what="the whole plan")', ["the whole plan"]),
        ('st.write(f"{n} rows lie far off")', ["0 rows lie far off"]),
        ('logger.error("no such thing")', []),
        ('def f():\n    """Say a thing."""\n    return "plan.tab"', []),
        ('x: Literal["a b", "Yes"] = "key"', []),
        ('KEYS = {"frontier": "Frontier"}', ["Frontier"]),
        ('x: Annotated[int, Option(label=_("Seed"), help="Which one")] = 0', ["Which one"]),
    ],
)
def test_unmarked_texts_are_found(source: str, found: list[str]) -> None:
    assert [text for _, text in unmarked(source)] == found


def test_no_text_is_unmarked() -> None:
    package = ROOT / "src" / "isoflop"
    offenders = []
    for path in package.rglob("*.py"):
        name = path.relative_to(package).as_posix()
        if name.partition("/")[0] in UNSPOKEN or path.name == "__init__.py":
            continue
        unsaid = tuple(UNSAID.get(name, ()))
        offenders += [
            f"{name}:{line}: {text}"
            for line, text in unmarked(path.read_text(encoding="utf-8"))
            if not text.startswith(unsaid)
        ]
    assert not offenders, "\n".join(offenders)


def test_what_is_not_said_is_there() -> None:
    """An exception that its text has outlived goes."""
    package = ROOT / "src" / "isoflop"
    stale = []
    for name, texts in UNSAID.items():
        found = [text for _, text in unmarked((package / name).read_text(encoding="utf-8"))]
        stale += [f"{name}: {t}" for t in texts if not any(one.startswith(t) for one in found)]
    assert not stale, "\n".join(stale)
