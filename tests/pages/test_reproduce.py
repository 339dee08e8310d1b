"""The code that a page shows makes again, in a process of its own, the numbers that it shows."""

from __future__ import annotations

import html
import itertools
import json
import os
import random
import re
import subprocess
import sys
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tests.api.test_report import words
from tests.pages.helpers import TIMEOUT_S, healthy, open_shipped

from isoflop import rendering, work
from isoflop.fitting import Fit
from isoflop.tables import build_table, guess_mapping, read_files, read_table
from isoflop.tables.exclude import exclusion_of
from isoflop.tables.prepare import Preparation, preparation_to_text
from isoflop.ui import panels, reproduce, shell, visitor
from isoflop.ui.panels import File
from isoflop.ui.state import UPLOAD_PREFIX
from isoflop.ui.uploads import Upload

LAW = (1.69, 406.4, 0.34, 410.7, 0.28)


def own_rows(header: str, seed: int = 0) -> bytes:
    """Return runs of a known law with noise and its size, and headers that are a person's own."""
    draw = random.Random(seed)
    lines = [f"{header},D,val_loss,loss_std,arm"]
    floor, size_scale, size_power, data_scale, data_power = LAW
    for params, tokens in itertools.product((1e8, 4e8, 1e9, 5e9), (2e9, 2e10, 2e11)):
        loss = floor + size_scale / params**size_power + data_scale / tokens**data_power
        noise = draw.choice((0.002, 0.02))
        loss *= 1 + draw.gauss(0, noise)
        lines.append(f"{params:g},{tokens:g},{loss:.6f},{noise},{draw.choice('ab')}")
    return "\n".join(lines).encode()


def run(code: str, folder: Path) -> dict[str, float]:
    """Run a script, and check that what it prints last is what it says was shown."""
    path = folder / "shown.py"
    check = "import json\nprint('@' + json.dumps([dict(result.values), shown]))\n"
    path.write_text(f"{code}\n{check}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", path.name],
        cwd=folder,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found, shown = json.loads(done.stdout.split("@")[-1])
    assert found == pytest.approx({name: shown[name] for name in found}, rel=1e-8)
    return dict(found)


STATES: dict[str, dict[str, str]] = {
    "as it is": {"law": "chinchilla"},
    "columns named": {"law": "chinchilla"},
    "typed law, weighted": {
        "law": "typed",
        "formula": "E + A/N**alpha + B/D**beta",
        "weights": "loss_std",
        "weight-kind": "standard_error",
    },
    "fixed and bounded": {"law": "chinchilla", "param.alpha": "0.34", "param.E": "1.6:1.8"},
    "rows left out": {"law": "chinchilla"},
    "several files": {"law": "chinchilla"},
    "another objective": {"law": "kaplan_joint", "objective": "least_squares"},
}
"""Addresses of the pages, each with the state that it names."""
NAMED = {
    "columns named": "mapping_from_json",
    "typed law, weighted": "weights='loss_std'",
    "fixed and bounded": "params=",
    "rows left out": "diverged",
    "several files": "['own.csv', 'more.csv']",
    "another objective": "least_squares",
}
"""What the code must speak of."""


def open_state(page: str, state: str, folder: Path, **more: str) -> AppTest:
    """Open a page on an uploaded table in a state, with the file in the folder of the code."""
    header = "size" if state == "columns named" else "N"
    content = own_rows(header)
    (folder / "own.csv").write_bytes(content)
    columns = {"size": "params"} if state == "columns named" else {}
    found = read_table(content, name="own.csv", columns=columns)
    if state == "several files":
        more_rows = own_rows(header, seed=1)
        (folder / "more.csv").write_bytes(more_rows)
        raw = read_files([("own.csv", content), ("more.csv", more_rows)])
        found = build_table(raw, guess_mapping(raw))
    table_id = UPLOAD_PREFIX + found.table.fingerprint[:12]
    address = {"table": table_id, **STATES[state], **more}
    if state == "rows left out":
        left_out = tuple(exclusion_of(text, found.table) for text in ("2,5", "tokens > 1e11"))
        left_out = (replace(left_out[0], reason="diverged"), *left_out[1:])
        address["prep"] = preparation_to_text(Preparation(exclusions=left_out))
    at = AppTest.from_file(str(shell.PAGES_FOLDER / f"{page}.py"), default_timeout=TIMEOUT_S)
    at.session_state["uploads"] = {
        table_id: Upload(name="own.csv", result=found, is_new=False),
    }
    for name, value in address.items():
        at.query_params[name] = value
    return healthy(at.run())


@pytest.mark.slow
@pytest.mark.parametrize("state", list(STATES))
def test_the_code_of_explore_makes_the_fit_again(state: str, tmp_path: Path) -> None:
    at = open_state("explore", state, tmp_path, evidence="Code")
    (shown,) = at.code
    found = run(shown.value, tmp_path)
    assert NAMED.get(state, "own.csv") in shown.value
    if state == "fixed and bounded":
        assert found["alpha"] == 0.34
        assert 1.6 <= found["E"] <= 1.8


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> dict[str, File]:
    """Return the files that the page which is opened offers, each made outside its session."""
    found: dict[str, File] = {}
    monkeypatch.setattr(
        panels, "downloads", lambda files: found.update({f.label: f for f in files})
    )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("page", ["explore", "plan"])
def test_what_is_taken_away_is_made_outside_the_session(
    page: str, offered: dict[str, File], tmp_path: Path
) -> None:
    """Streamlit makes a file when its button is clicked, where there is no session to ask."""
    open_state(page, "rows left out", tmp_path)
    made = {label: file.make() for label, file in offered.items() if "PDF" not in label}
    report, script = words(str(made["Report (HTML)"])), str(made["Python"])
    assert html.escape(script.strip()) in report
    assert "2, 5" in report  # rows left out
    assert "nats per token are assumed" in report  # how the file was read
    assert "Predicted loss" in report or "predicted loss" in report
    found = run(script, tmp_path)
    if page == "explore":
        fit = Fit.from_json(made["Fit (JSON)"])
        assert found == pytest.approx(dict(fit.values), rel=1e-8)
        assert str(made["Curve (CSV)"]).startswith("compute_flop,")
        assert str(made["Data (CSV)"]).startswith("row,")


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["flop", "usd"])
def test_the_code_of_plan_makes_the_plan_again(
    budget: str, offered: dict[str, File], tmp_path: Path
) -> None:
    """Where the law has no best size and one is assumed, too."""
    healthy(open_shipped("plan", law="power", budget=budget))
    (tmp_path / "plan.py").write_text(str(offered["Python"].make()), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "plan.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = words(str(offered["Report (HTML)"].make()))
    for name in ("tokens", "accelerators", "wall time"):
        (value,) = re.findall(rf"^{name}  +(.+?)(?:  .*)?$", done.stdout, re.MULTILINE)
        assert f"<th>{name}</th><td>{html.escape(value)}</td>" in report


@pytest.mark.parametrize("page", ["explore", "plan"])
def test_a_report_is_one_click_away_and_pdf_says_what_it_lacks(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "absent"))
    at = healthy(open_shipped(page))
    offered = {button.proto.label: button.proto for button in at.get("download_button")}
    assert not offered["Report (HTML)"].disabled
    pdf = offered["Report (PDF)"]
    assert pdf.disabled
    assert "Install Chromium or Chrome" in pdf.help
    assert "print the HTML report" in pdf.help


def test_pdf_is_printed_by_a_job_of_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, str]] = []

    def submit(function: object, page: str, *, owner: str) -> Future[bytes]:
        asked.append((function, owner))
        done: Future[bytes] = Future()
        done.set_result(page.encode())
        return done

    monkeypatch.setattr(work, "submit", submit)
    monkeypatch.setattr(visitor, "turns", lambda: "ada")
    shown = reproduce.Latest(of=None)  # type: ignore[arg-type]  # its report is made here
    monkeypatch.setattr(reproduce.Latest, "report", lambda _: "a page")
    page, pdf = reproduce.report_files(shown)
    monkeypatch.setattr(visitor, "turns", lambda: "")  # outside a session, as a click is answered
    assert (page.make(), pdf.make()) == ("a page", b"a page")
    assert asked == [(rendering.pdf, "ada")]
