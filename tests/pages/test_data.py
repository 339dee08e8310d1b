"""The Data page: bring a table, name its columns, choose the rows to fit, undo."""

from __future__ import annotations

import gzip
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages import helpers
from tests.pages.helpers import figures, press, text, upload

from isoflop.fitting.opening import suited_law
from isoflop.tables import RawTable, list_datasets, load_dataset, read_raw
from isoflop.tables.trackers import mlflow
from isoflop.ui import documents

open_page = partial(helpers.open_page, "data")
UNCLEAR = b"size,tokens,val_loss,mmlu\n" + b"".join(
    b"%d,%de9,%f,%f\n" % (size, 20 * size, 3 / size**0.1, 0.25 + size / 200)
    for size in (1, 2, 4, 7, 13, 30, 70)
)
CURVES = "run,step,N,D,loss\n" + "".join(
    f"r{run},{step},{1e8 * 2**run},{1e8 * step},{5 - run / 10 - step / 100}\n"
    for run in range(6)
    for step in range(1, 41)
)


@pytest.fixture(autouse=True)
def own_store() -> None:
    """Open the store anew, in this test's own folder."""
    documents.store.clear()


def prep(at: AppTest) -> str:
    given = at.query_params["prep"]
    return given[0] if isinstance(given, list) else given


def points(at: AppTest) -> dict[str, int]:
    figure = figures(at)[0]
    return {trace["name"]: len(trace["text"]) for trace in figure["data"]}


def test_a_first_visit_shows_the_shipped_rows() -> None:
    at = open_page()
    assert points(at) == {"Cerebras-GPT": 7, "Pythia": 8}
    assert "**15** of 15 rows are fitted" in text(at.markdown)
    assert not at.error


@pytest.mark.parametrize("view", ["Rows", "Columns", "Quality", "Sources"])
@pytest.mark.parametrize("table", ["pile-cerebras-pythia", "simulated", "routed-experts"])
def test_every_view_of_every_kind_of_table(view: str, table: str, mirror: Path) -> None:
    at = open_page(view=view, table=table)
    assert not at.error


def test_a_rule_leaves_rows_out_everywhere_and_can_be_undone(mirror: Path) -> None:
    at = open_page(table="chinchilla")
    at.text_input(key="data.rule.reason").input("as in the paper")
    press(at, "Apply")
    assert points(at) == {"Chinchilla": 240, "Left out": 5}
    assert "The 5 highest losses: as in the paper" in text(at.markdown)
    assert json.loads(prep(at))["out"] == [["highest_losses", 5.0, "as in the paper"]]
    press(at, "Undo all")
    assert points(at) == {"Chinchilla": 245}
    assert "prep" not in at.query_params


def test_a_link_carries_exclusions_to_the_other_pages(mirror: Path) -> None:
    at = helpers.open_page("explore", table="chinchilla", prep='{"out":[["highest_losses",5,""]]}')
    figure = figures(at)[0]
    (rows,) = (trace for trace in figure["data"] if trace["name"] == "Chinchilla")
    assert len(rows["customdata"]) == 240


def test_a_link_with_junk_shows_why_and_goes_on() -> None:
    at = open_page(prep='{"curves":"first"}')
    assert "preparation of the table cannot be read" in text(at.error)
    assert points(at) == {"Cerebras-GPT": 7, "Pythia": 8}


def test_a_decision_that_cannot_be_applied_is_said_and_left_away() -> None:
    at = open_page(prep='{"out":[["warm_up",0.5,""]]}')
    assert "'warm-up' cannot be applied" in text(at.error)
    assert points(at) == {"Cerebras-GPT": 7, "Pythia": 8}


def test_the_count_of_parameters_is_chosen_here() -> None:
    at = open_page()
    at.selectbox(key="data.convention.pile-cerebras-pythia").select("non-embedding").run()
    assert not at.exception
    assert "N counts non-embedding parameters" in text(at.markdown)


def test_the_metric_is_chosen_here(mirror: Path) -> None:
    at = open_page(table="observational")
    at.selectbox(key="data.metric.observational").select("MMLU").run()
    assert not at.exception
    assert json.loads(prep(at)) == {"metric": "MMLU"}


def test_a_finding_leaves_its_rows_out(mirror: Path) -> None:
    at = open_page(view="Quality", table="chinchilla")
    press(at, "Leave out 4")
    assert "**241** of 245 rows" in text(at.markdown)


@pytest.mark.parametrize("table", [entry.id for entry in list_datasets()])
def test_every_published_table_is_explored_with_the_law_that_suits_it(
    table: str, mirror: Path
) -> None:
    at = helpers.open_page("explore", table=table, bootstrap="0")
    assert not at.error
    (entry,) = (entry for entry in list_datasets() if entry.id == table)
    rows = at.session_state["selection"]
    table_shown = load_dataset(table)
    shown = table_shown.families(*rows.families) if rows.families else table_shown
    found = suited_law(shown)
    assert at.selectbox(key="law").value == (entry.law if found is None else found.key)
    assert "predicted" in text(at.markdown)


# --- Bringing a file ---


def test_an_unclear_unit_is_asked_for_and_the_answer_is_remembered() -> None:
    at = upload(open_page(view="Columns"), "runs.csv", UNCLEAR)
    assert "In which unit is size?" in text(at.markdown)
    press(at, "billions")
    assert at.selectbox(key="table").value.startswith("upload-")
    assert "**7** of 7 rows are fitted" in text(at.markdown)

    again = upload(open_page(view="Sources"), "more runs.csv", UNCLEAR)
    assert not again.error
    assert "**7** of 7 rows are fitted" in text(again.markdown)


def test_a_meaning_is_changed_in_the_table_of_columns() -> None:
    content = b"N,D,val_loss,train_loss\n1e9,2e10,2.5,2.4\n2e9,2e10,2.4,2.3\n"
    at = upload(open_page(view="Columns"), "runs.csv", content)
    edit_columns(at, {3: {"meaning": "loss"}})
    press(at, "Use these columns: 2 rows")
    shown = at.data_editor[0].value.set_index("header")["meaning"].to_dict()
    assert shown["train_loss"] == "loss"
    assert shown["val_loss"] == "(its own name)"


def edit_columns(at: AppTest, edits: dict[int, dict[str, str]]) -> None:
    key = at.data_editor[0].key
    at.session_state[key] = {"edited_rows": edits, "added_rows": [], "deleted_rows": []}
    at.run()
    assert not at.exception


def test_long_learning_curves_keep_their_last_step() -> None:
    at = upload(open_page(view="Sources"), "curves.csv.gz", gzip.compress(CURVES.encode()))
    assert "**6** of 240 rows are fitted" in text(at.markdown)
    key = next(s.key for s in at.selectbox if s.label == "Learning curves")
    at.selectbox(key=key).select("all").run()
    assert "**240** of 240 rows are fitted" in text(at.markdown)


def test_several_files_become_one_table() -> None:
    at = open_page(view="Sources")
    field = at.file_uploader(key="data.files")
    field.upload("a.csv", b"N,D,loss\n1e8,1e9,3\n").upload("b.csv", b"N,D,loss\n2e8,1e9,2.9\n")
    at.run()
    assert "**2** of 2 rows are fitted" in text(at.markdown)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "The file empty.csv is empty."),
        ("x.csv", b"N:D:loss\n1:2:3\n", "has one column only"),
        ("x.csv", b"N,D,note\n1e9,2e10,0.5\n", "The file has no loss column."),
        ("x.csv", b"\x80\x04\x95" + bytes(60), "never opened"),
    ],
)
def test_what_cannot_be_read_is_said_and_the_page_goes_on(
    name: str, content: bytes, message: str
) -> None:
    at = upload(open_page(view="Sources"), name, content)
    assert message in text(at.error)
    assert "Published tables" in text(at.markdown)


def test_text_of_a_table_is_inert() -> None:
    hostile = "<img src=x onerror=alert(1)>[a](javascript:b) $x$"
    rows = "".join(f'{n}e8,1e9,{3 - n / 10},"{hostile}{n % 2}"\n' for n in range(1, 8))
    at = upload(open_page(), "x.csv", f"N,D,loss,family\n{rows}".encode())
    spec = json.dumps(figures(at)[0]["data"])
    assert "<img" not in spec
    assert "&lt;img" in spec
    assert "<img" not in text(at.markdown)


# --- The script that makes it again ---


def table_of_script(at: AppTest, folder: Path) -> str:
    """Run what the page's script does to get its table, in a process of its own."""
    code = at.code[0].value
    statements = [
        line
        for line in code.splitlines()
        if line.startswith(("from isoflop.tables", "table = ", "mapping = "))
    ]
    program = "\n".join([*statements, "print(len(table.included()), table.fingerprint)"])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=folder, check=True
    )
    return done.stdout


def test_the_script_makes_the_prepared_table_again(mirror: Path, tmp_path: Path) -> None:
    asked = '{"out":[["highest_losses",5,"as in the paper"]]}'
    at = helpers.open_page("explore", table="chinchilla", prep=asked, evidence="Code")
    rows, _ = table_of_script(at, tmp_path).split()
    assert rows == "240"


def test_the_script_reads_an_upload_with_its_mapping(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_bytes(UNCLEAR)
    at = upload(open_page(view="Columns"), "runs.csv", UNCLEAR)
    press(at, "billions")
    at = upload(helpers.open_page("explore", evidence="Code"), "runs.csv", UNCLEAR)
    rows, fingerprint = table_of_script(at, tmp_path).split()
    assert rows == "7"
    assert at.selectbox(key="table").value == f"upload-{fingerprint[:12]}"


# --- Where tables come from ---


def test_a_table_is_pasted() -> None:
    at = open_page(view="Sources")
    rows = "params\ttokens\tloss\n1.3B\t26B\t2.1\n7B\t140B\t1.8\n13B\t260B\t**1.7**\n"
    at.text_area(key="data.paste").input(rows)
    at = at.button(key="data.paste.read").click().run()
    assert not at.error
    assert at.selectbox(key="table").value.startswith("upload-")
    assert "**3** of 3 rows are fitted" in text(at.markdown)


def test_several_files_and_what_describes_them_become_one_table() -> None:
    at = open_page(view="Sources")
    runs = b"Name,n_params,tokens\nsmall,1e8,2e9\nlarge,2e8,4e9\n"
    curves = b"run,step,val_loss\nsmall,1,3.5\nsmall,2,3.0\nlarge,1,3.4\nlarge,2,2.9\n"
    files = at.file_uploader(key="data.files")
    files.upload("runs.csv", runs)
    files.upload("curves.csv", curves)
    at.run()
    assert not at.error
    assert "of 4 rows are fitted" in text(at.markdown)


def test_reading_a_tracker_shows_how_far_it_is_and_then_its_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []

    def read(*, progress: Callable[[float, str], None], **_: object) -> RawTable:
        progress(0.5, "Reading runs")
        shown.append("Reading runs")
        return read_raw(b"run_id,N,D,loss\na,1e8,2e9,3.5\nb,2e8,4e9,3.0\n", "MLflow")

    found = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: True if name == "mlflow" else found(name)
    )
    monkeypatch.setattr(mlflow, "read_mlflow", read)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    at = open_page(view="Sources")
    at = at.button(key="data.read.mlflow").click().run()
    assert shown == ["Reading runs"]
    assert at.selectbox(key="table").value.startswith("upload-")
