"""What the Plan page asks and shows, the command line and the package do too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.pages.helpers import open_shipped

from isoflop.cli.main import build_parser
from isoflop.cli.plan_figures import FIGURES
from isoflop.fitting import FitOptions
from isoflop.options import options_of
from isoflop.planning import Budget, PlanOptions
from isoflop.planning.failures import Failures
from isoflop.planning.planned import PARTS, Planned
from isoflop.ui import documents, option_inputs, panels
from isoflop.ui.plan import saved as plan_saved
from isoflop.ui.plan import tabs as plan_tabs

# Widgets that are no option, by the start of their key: how the command line does the same.
OTHERWISE: dict[str, list[str]] = {
    "table": ["runs.csv"],
    "upload.": ["runs.csv"],
    "doubts.": ["--exclude", "3"],
    "families": ["--family", "Pythia"],
    "law": ["--law", "chinchilla"],
    "formula": ["--formula", "E + A/N**alpha"],
    "x": ["--law", "power", "--input", "x=tokens"],
    "param.": ["--param", "alpha=0.34"],
    "at.": ["--fix", "width=512"],
    "by": ["--by", "one"],
    "accelerator": ["--accelerator", "h100-sxm"],
    "plan.own.": ["--accelerator", "mine.toml"],
    "size": ["--params", "7B"],
    "target": ["--target", "1.9"],
    "serve.count": ["--serve-count", "8"],
    "serve.batch": ["--serve-batch", "4"],
    "plan.config": ["--params", "7B"],  # after `isoflop model config.json`
    "plan.save": ["--json", "plan.json"],
    "plan.compared": ["--json", "plan.json"],  # then `isoflop plans FILE...`
    "plan.delete": ["--json", "plan.json"],
    "plan.tab": ["--show", "all"],
}
SWITCHES = ("limit.", "own.")
"""Of an option: off is the flag left out."""
CHROME = ("theme", "tour", "share", "nav")
"""Of the app, not of a plan."""
SHOWN_BY: dict[str, tuple[str, ...]] = {
    "frontier": ("frontier",),
    "time": ("time",),
    "money": ("money",),
    "memory": ("memory",),
    "shape": ("shape",),
    "hints": ("hints",),
    "serving": ("serving",),
    "longer": ("longer",),
    "target": ("risk", "least"),
    "tornado": ("tornado",),
    "assumptions": ("assumptions",),
    "compare": (),  # `isoflop plans`
}
WIDGETS = (
    "button", "checkbox", "file_uploader", "multiselect", "number_input", "radio", "button_group",
    "select_slider", "selectbox", "slider", "text_area", "text_input", "toggle",
)  # fmt: skip


@pytest.fixture
def own_store(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ISOFLOP_DATABASE_URL", f"sqlite:///{tmp_path}/saved.db")
    documents.store.clear()
    yield
    documents.store.clear()


def plan_flags(capsys: pytest.CaptureFixture[str]) -> set[str]:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["plan", "--help"])
    return set(re.findall(r"--[a-z-]+", capsys.readouterr().out))


@pytest.mark.slow
def test_every_widget_and_figure_of_the_page_is_reached_without_it(
    monkeypatch: pytest.MonkeyPatch, own_store: None, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, tuple[type, str]] = {}
    drawn: set[str] = set()
    for name in ("choice", "quantity", "switch"):
        draw = getattr(option_inputs, name)

        def record(draw: Any, owner: type, entry: str, *, key: str, **rest: Any) -> Any:
            asked[key] = (owner, entry)
            return draw(owner, entry, key=key, **rest)

        monkeypatch.setattr(option_inputs, name, partial(record, draw))
    plotted = panels.drawn

    def record_figure(figure: Any, *, key: str, **rest: Any) -> Any:
        drawn.add(key.removeprefix("chart."))
        return plotted(figure, key=key, **rest)

    monkeypatch.setattr(panels, "drawn", record_figure)
    switches = {f"limit.{name}": "true" for name in ("money", "storage", "unique", "inference")}
    own = {f"own.{name}": "true" for name in ("realised", "goodput", "batch")}
    at = open_shipped("plan", **switches, **own, size="chosen", convention="6N_attention")
    at.session_state[plan_saved.DETAILS] = True  # the accelerator's own figures
    keys: set[str] = set()
    for tab in plan_tabs.TABS.values():
        at.session_state["plan.tab"] = tab
        at.run()
        assert not at.exception
        keys |= {plain(item.key) for kind in WIDGETS for item in at.get(kind) if item.key}
    assert {"goodput", "target", "serve.count", "limit.money"} <= keys
    assert any(key.startswith("plan.own.") for key in keys)
    assert {"surface", "risk", "disk", "tornado.loss"} <= drawn

    flag_of = {
        (owner, entry.name): f"--{entry.flag}"
        for owner in (Budget, PlanOptions, FitOptions)
        for entry in options_of(owner)
    }
    flag_of |= {
        (Failures, entry.name.removeprefix("failures.")): f"--{entry.flag}"
        for entry in options_of(Budget)
        if entry.name.startswith("failures.")
    }
    flags = plan_flags(capsys)
    without = {key for key, option in asked.items() if flag_of[option] not in flags}
    assert not without, f"add the options of {without} to `isoflop plan`"
    others = {key for key in keys - set(asked) if not key.startswith((*SWITCHES, *CHROME))}
    unknown = {key for key in others if not key.startswith(tuple(OTHERWISE))}
    assert not unknown, f"say in OTHERWISE how the command line does {sorted(unknown)}"
    assert drawn <= set(FIGURES), "draw it in cli/plan_figures.py too"


def plain(key: str) -> str:
    """Return a widget's key without what forms and sliders add to it."""
    return key.removeprefix("FormSubmitter:").removeprefix("_").removesuffix(".slider")


@pytest.mark.parametrize("words", OTHERWISE.values(), ids=OTHERWISE)
def test_what_is_no_option_can_be_typed(words: list[str]) -> None:
    table = [] if words[0] == "runs.csv" else ["runs.csv"]
    build_parser().parse_args(["plan", *table, *words, "--flop", "1e21"])


def test_every_tab_is_documented_with_its_parts() -> None:
    page = (Path(__file__).parents[1] / "docs" / "planning.md").read_text(encoding="utf-8")
    for tab, label in plan_tabs.TABS.items():
        parts = ", ".join(f"`{part}`" for part in SHOWN_BY[tab]) or "`isoflop plans`"
        assert f"| {label} | {parts} |" in page
    methods = re.findall(r"`([a-z_]+)\(", page.partition("| Tab |")[2].partition("\n\n")[0])
    assert {"risk", "least", "tornado", "memory"} <= set(methods)
    assert all(hasattr(Planned, name) for name in methods), methods


def test_every_tab_is_shown_by_parts() -> None:
    assert set(SHOWN_BY) == set(plan_tabs.TABS)
    assert {part for parts in SHOWN_BY.values() for part in parts} <= set(PARTS)
