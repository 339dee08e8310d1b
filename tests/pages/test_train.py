"""The Train page: what it says before, during and after runs, and in every trouble."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages import helpers
from tests.pages.helpers import figures, healthy, metrics, press

from isoflop.fitting.table_notices import table_notices
from isoflop.forecast import fit_ladder
from isoflop.laws import load_laws
from isoflop.people import Actor, Sharing
from isoflop.training import queue as queue_module
from isoflop.training.config import RunConfig
from isoflop.training.elsewhere import ElsewhereJob, remember_job
from isoflop.training.ladder import PRESETS
from isoflop.training.ladders import keep_ladder, list_ladders
from isoflop.training.ownership import write_sharing
from isoflop.training.processes import NEVER_S, ProcessId
from isoflop.training.queue import RunQueue
from isoflop.training.records import RecordWriter
from isoflop.training.reporting import RunReport
from isoflop.training.runs import FOLDER_SETTING, Run
from isoflop.ui import documents, shell, visitor
from isoflop.ui.train import page as train_page
from isoflop.ui.train import state as train_state
from isoflop.units import parse_quantity

open_page = partial(helpers.open_page, "train")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Keep runs in a folder of the test, with workers that never come."""
    monkeypatch.setenv(FOLDER_SETTING, str(tmp_path / "runs"))
    monkeypatch.setenv("ISOFLOP_DATABASE_URL", f"sqlite:///{tmp_path / 'forecasts.sqlite3'}")
    documents.store.clear()
    monkeypatch.setattr(
        queue_module, "start_detached", lambda *_, **__: ProcessId(pid=1, started_s=NEVER_S)
    )
    return tmp_path / "runs"


def words(at: AppTest) -> str:
    parts = [*at.markdown, *at.caption, *at.info, *at.error]
    return "\n".join(part.value for part in parts)


def progress_text(at: AppTest) -> str:
    return str(at.get("progress")[0].proto.text).replace("\\", "")


def write_run(run: Run, *, is_finished: bool = True) -> None:
    """Write the records that a worker would: two budgets that follow a law exactly."""
    config = run.config()
    params = 1000.0 * config.width
    step = {"kind": "step", "loss": 2.5, "gradient_norm": 0.5, "tokens_per_s": 1e5}
    with RecordWriter(run.records_path) as records:
        records.write({"kind": "environment", "matmul_peak_flop_per_s": 1e11, "device": "cpu",
                       "precision": "float32", "python": "3", "torch": "2"})  # fmt: skip
        records.write({"kind": "corpus", "source": "a text", "vocab_size": 100})
        records.write({"kind": "model", "params": params, "params_nonembedding": params,
                       "training_flop_per_token": 6 * params})  # fmt: skip
        for index, tokens in enumerate(config.token_budgets):
            records.write(
                step | {"segment": 2 * index, "step": tokens // 1000, "tokens": tokens,
                        "is_decay": False, "tokens_per_cpu_s": 1e5}
            )  # fmt: skip
            loss = 1.0 + 20 / params**0.3 + 30 / tokens**0.3
            records.write(
                {"kind": "point", "segment": 2 * index + 1, "step": tokens // 1000,
                 "budget": index, "tokens": tokens, "compute_flop": 6 * params * tokens,
                 "nats_per_byte": loss, "bits_per_byte": loss / 0.693, "perplexity": 7.0,
                 "accuracy": 0.4, "cpu_s": 1.0, "eval_tokens": 1000}
            )  # fmt: skip
    if is_finished:
        run.write_state("finished")


@pytest.fixture
def ladder(root):
    """Start the quick ladder through the page and finish it by hand."""
    at = press(healthy(open_page()), "Start training")
    (made,) = list_ladders(root)
    for run in made.runs:
        write_run(run)
    assert at.query_params["run"] in (made.id, [made.id])
    return made


def test_first_visit_says_what_to_do(root):
    at = healthy(open_page())
    assert "Train a ladder of small language models" in words(at)
    assert "4 runs, 16 points" in words(at)


def test_start_goes_to_the_runs_and_two_clicks_are_one_ladder(root):
    at = press(healthy(open_page()), "Start training")
    healthy(at)
    assert progress_text(at).startswith("Quick: 0 of 16 points, starting")
    healthy(press(at, "Start training"))
    assert len(list_ladders(root)) == 1


def test_stop_then_resume(root):
    at = press(healthy(open_page()), "Start training")
    at = healthy(press(at, "Stop"))
    (made,) = list_ladders(root)
    assert {run.state().status for run in made.runs} == {"stopped"}
    at = healthy(press(at, "Resume"))
    assert {run.state().status for run in made.runs} == {"queued"}


def test_the_address_comes_back_to_the_runs(ladder):
    at = healthy(open_page(run=ladder.id))
    assert progress_text(at) == "Quick: 16 of 16 points"
    (figure,) = figures(at)
    assert [trace["name"] for trace in figure["data"]][::2] == [
        f"transformer w{width} d3 s0" for width in (16, 24, 32, 48)
    ]


def test_training_losses_of_longer_tokens_are_shown_per_byte(ladder):
    """Records hold nats per token; the held-out dots beside them are per byte."""
    run = ladder.runs[0]
    tokens = replace(run.config(), tokenizer="bpe-512")
    (run.folder / "config.json").write_text(json.dumps(tokens.to_dict()))
    with RecordWriter(run.records_path) as records:
        records.write({"kind": "corpus", "source": "a text", "vocab_size": 512, "n_bytes": 1000,
                       "train_tokens": 380, "validation_tokens": 20})  # fmt: skip
    at = healthy(open_page(run=run.id))
    assert at.dataframe[0].value["Training loss"].tolist() == [pytest.approx(2.5 * 0.4)]
    (figure,) = figures(at)
    assert figure["layout"]["yaxis"]["title"]["text"] == "Loss (nats/byte)"


def test_a_single_run_has_an_address_too(ladder):
    at = healthy(open_page(run=ladder.runs[0].id))
    assert progress_text(at) == "transformer w16 d3 s0: 4 of 4 points"


def test_an_unknown_address_is_said_and_the_page_goes_on(root):
    at = open_page(run="../../etc")
    assert "There is no run" in at.error[0].value
    assert "Train a ladder" in words(at)


def test_a_crash_says_so_and_keeps_its_curve(ladder):
    run = ladder.runs[0]
    run.write_state("running", process=ProcessId(pid=1, started_s=NEVER_S))
    run.log_path.write_text("Fatal Python error: Segmentation fault\nCurrent thread:\n")
    at = open_page(run=run.id)
    assert "it was killed" in at.error[0].value.replace("\\", "")
    assert "Segmentation fault" in at.error[0].value
    assert len(figures(at)) == 1


@pytest.mark.parametrize("stage", train_page.STAGES)
def test_every_stage_works_before_and_after(stage, ladder):
    healthy(open_page(stage=stage))
    healthy(open_page(stage=stage, run=ladder.id))


def test_runs_that_failed_before_their_first_loss_are_not_starting(root):
    press(healthy(open_page()), "Start training")
    (made,) = list_ladders(root)
    for run in made.runs:
        run.write_state("failed", message="Out of memory.")
    at = open_page(stage="Train", run=made.id)
    assert not at.exception
    assert "starting" not in words(at) + progress_text(at)
    assert "These runs ended before their first loss." in words(at)


def test_damaged_members_are_named_and_the_rest_is_shown(ladder, root):
    (ladder.runs[0].folder / "config.json").write_text("")
    (root / "ladders" / "ladder-0.json").write_text("")
    at = healthy(open_page(stage="Train", run=ladder.id))
    assert len(at.dataframe[0].value) == len(ladder.runs) - 1
    assert f"Left out, {ladder.runs[0].id}: config.json" in at.warning[0].value.replace("\\", "")
    assert "ladders/ladder-0.json" in words(at).replace("\\", "")


def test_a_ladder_of_a_cluster_waits_ends_and_has_a_law(root):
    runs, _ = RunQueue(root).take_up(PRESETS["quick"].grid.configs(), status="submitted")
    made = keep_ladder(root, runs, title="On Slurm")
    at = healthy(open_page(run=made.id))
    assert progress_text(at) == "On Slurm: 0 of 16 points, waiting in the cluster's queue"
    cancelled, *others = runs
    gone = ProcessId(pid=1, started_s=NEVER_S)
    remember_job(cancelled, ElsewhereJob(executor="local", job_id="1", process=gone))
    for run in others:
        write_run(run)
    at = healthy(open_page(run=made.id))
    assert list(at.dataframe[0].value["State"]) == ["stopped", *["finished"] * 3]
    assert at.dataframe[0].value["Note"][0] == "Its process ended."
    at = healthy(open_page(stage="Law", run=made.id, ladder_law="Chinchilla"))
    assert metrics(at)["Points"] == "12"


def report_run(params, tokens, name=""):
    loss = 1.7 + 400 / params**0.34 + 410 / tokens**0.28
    with RunReport(
        name or f"{params:.0e} {tokens:.0e}", params=params, tokens=tokens, steps=100, ladder="Lab"
    ) as report:
        report.step(50, loss=loss + 1)
        report.evaluation(100, loss=loss)
    return loss


@pytest.fixture
def lab(root):
    for params in (1e6, 3e6, 1e7, 3e7, 1e8):
        for tokens in (1e8, 1e9):
            report_run(params, tokens)
    (made,) = list_ladders(root)
    return made


def test_runs_of_other_code_are_followed_and_have_a_law(lab):
    for stage in train_page.STAGES:
        at = healthy(open_page(stage=stage, run=lab.id))
        if stage == "evaluate":
            assert "Nats per token" in at.dataframe[0].value.columns
        if stage == "law":
            assert metrics(at)["Points"] == "10"


def test_a_run_of_other_code_is_forecast_and_decided_by_its_report(lab):
    at = healthy(open_page(stage="Forecast", run=lab.id, ladder_law="Chinchilla"))
    assert "nats per token" in words(at)
    at.text_input(key="forecast_name").set_value("400M").run()
    at.text_input(key="forecast_parameters").set_value("400M").run()
    at.text_input(key="forecast_tokens").set_value("4B").run()
    at = healthy(press(at, "Record the forecast"))
    assert "open" in list(at.dataframe[0].value["Result"])
    (shared,) = [box for box in at.selectbox if box.label == "Shared with"]
    assert shared.options == ["Only me", "Everyone here can view"]
    report_run(100e6, 4e9, "400M")  # of another size: not the run predicted
    at = healthy(open_page(stage="Forecast", run=lab.id))
    assert list(at.dataframe[0].value["Result"]) == ["open"]
    loss = report_run(400e6, 4e9, "400M")
    at = healthy(open_page(stage="Forecast", run=lab.id))
    assert at.dataframe[0].value["Outcome"][0] == pytest.approx(loss)
    assert list(at.dataframe[0].value["Result"]) != ["open"]


def test_a_run_that_was_reported_cannot_be_forecast(lab):
    at = healthy(open_page(stage="Forecast", run=lab.id, ladder_law="Chinchilla"))
    at.text_input(key="forecast_name").set_value("1e+06 1e+08").run()
    at = press(at, "Record the forecast")
    assert "its outcome may be known" in at.error[0].value.replace("\\", "")


def test_runs_can_be_deleted(ladder, root):
    at = healthy(press(open_page(run=ladder.id), "Delete them"))
    assert "Train a ladder" in words(at)
    assert not list_ladders(root)
    assert not list((root / "runs").iterdir())


def test_the_corpus_is_described(root):
    at = healthy(open_page(stage="Corpus"))
    assert {metric.label for metric in at.metric} >= {"Text", "Vocabulary", "Training tokens"}
    assert "SHA-256" in words(at)
    assert at.code


def test_models_are_counted_before_training(root):
    at = healthy(open_page(stage="Model", ladder="Compare families"))
    assert len(figures(at)) == 2
    assert at.dataframe[0].value["Parameters"].min() > 1000
    assert len(at.dataframe[0].value) == 20


def test_scores_are_listed(ladder):
    at = healthy(open_page(stage="Evaluate", run=ladder.id))
    scores = at.dataframe[0].value
    assert len(scores) == 16
    assert {"Nats per byte", "Bits per byte", "Perplexity", "Next-token accuracy"} <= set(scores)


def test_a_sweep_of_the_learning_rate(root):
    at = healthy(open_page(stage="Evaluate"))
    at = healthy(press(at, "Tune: sweep 5 learning rates of transformer"))
    (made,) = list_ladders(root)
    rates = [run.config().peak_learning_rate for run in made.runs]
    assert rates == pytest.approx([0.0015, 0.003, 0.006, 0.012, 0.024])
    for run in made.runs:
        write_run(run)
    at = healthy(open_page(stage="Evaluate", run=made.id))
    (figure,) = figures(at)
    assert figure["data"][0]["name"] == "Transformer (GPT style), width 32"


def test_the_law_is_fitted_and_its_points_go_to_every_page(ladder):
    at = healthy(open_page(stage="Law", run=ladder.id, ladder_law="Chinchilla"))
    metrics = {metric.label: metric.value for metric in at.metric}
    assert metrics["Points"] == "16"
    assert metrics["Residual"] == "0.00%"
    assert metrics["Floor E"] == "1.00"
    laws = at.dataframe[-1].value
    assert laws.sort_values("AICc above the best")["Law"].iloc[0] == "Chinchilla"
    assert laws["Error on the largest runs"].min() < 0.01
    at = healthy(press(at, "Use these points on every page"))
    (kept,) = at.session_state["uploads"]
    table = at.session_state["uploads"][kept].result.table
    assert len(table.frame) == 16
    assert table.loss_unit == "nats/byte"


def test_too_few_points_are_drawn_and_said_while_they_come(root):
    press(healthy(open_page()), "Start training")
    (made,) = list_ladders(root)
    write_run(made.runs[0])
    at = healthy(open_page(stage="Law", run=made.id))
    assert at.info[0].value == "4 points so far: the fit of this law needs 7."
    (figure,) = figures(at)
    assert [bool(trace["y"]) for trace in figure["data"]] == [False, True]


def test_as_many_points_as_parameters_are_too_few(root):
    """Such a fit has no residual to speak of."""
    press(healthy(open_page(ladder="Own grid", widths="16, 24", budgets="64Ki, 128Ki, 256Ki")),
          "Start training")  # fmt: skip
    (made,) = list_ladders(root)
    for run in made.runs:
        write_run(run)
    at = healthy(open_page(stage="Law", run=made.id))
    assert at.info[0].value.startswith("6 points so far")
    at = healthy(open_page(stage="Law", run=made.id, ladder_law="Chinchilla"))
    assert "nan" not in {metric.label: metric.value for metric in at.metric}["Residual"]


def test_a_forecast_is_placed_and_settled(ladder, root):
    at = healthy(open_page(stage="Forecast", run=ladder.id, ladder_law="Chinchilla"))
    assert "will reach" in words(at)
    at = healthy(press(at, "Record the forecast and train"))
    assert at.dataframe[0].value["Result"].tolist() == ["open"]
    (run,) = [run for run in map(Run, (root / "runs").iterdir()) if run.config().width == 64]
    assert run.config().token_budgets == (2**20,)
    write_run(run)
    at = healthy(open_page(stage="Forecast", run=ladder.id))
    decided = [metric.value for metric in at.metric if metric.label == "Settled"]
    assert decided == ["1", "20"]  # one's own, and those that ship
    again = healthy(open_page(stage="Forecast", run=ladder.id, ladder_law="Chinchilla"))
    assert (
        "its outcome may be known" in press(again, "Record the forecast and train").error[0].value
    )


def test_the_forecasts_that_ship_are_shown_before_any_own(root):
    at = healthy(open_page(stage="Forecast"))
    metrics = {metric.label: metric.value for metric in at.metric}
    assert (metrics["Settled"], metrics["Coverage"], metrics["Median error"]) == (
        *("20", "80%", "1.10%"),
    )
    assert at.dataframe[-1].value["Result"].value_counts().to_dict() == {"inside": 16, "outside": 4}


def test_the_points_are_chosen_on_every_page_with_one_press(ladder):
    at = healthy(press(open_page(stage="Law", run=ladder.id), "Use these points on every page"))
    (kept,) = at.session_state["uploads"]
    assert at.session_state["table"] == kept
    assert "every page shows these points now" in at.success[0].value
    assert load_laws()[at.session_state["law"]].label == "Chinchilla"  # that they follow exactly
    table = at.session_state["uploads"][kept].result.table
    assert (at.session_state["budget"], at.session_state["count"]) == ("flop", "1")
    assert parse_quantity(at.session_state["flop"], "flop") == 5e11  # three times 1.51e11
    assert "checkpoints-not-annealed" not in {
        notice.code for notice in table_notices(fit_ladder("chinchilla", table), table)
    }


def test_another_page_opens_with_the_law_and_the_budget_of_the_ladder(ladder):
    at = healthy(press(open_page(stage="Law", run=ladder.id), "Use these points on every page"))
    other = AppTest.from_file(str(shell.PAGES_FOLDER / "explore.py"), default_timeout=120)
    for key in ("uploads", "table", "law", "budget", "count", "flop"):
        other.session_state[key] = at.session_state[key]
    healthy(other.run())
    chosen = {box.key: box.value for box in other.selectbox}
    assert (chosen["table"], chosen["law"]) == (at.session_state["table"], at.session_state["law"])
    assert other.text_input(key="flop").value == "500000000000 FLOP"
    assert other.text_input(key="count").value == "1"


def test_an_own_grid(root):
    at = open_page(ladder="Own grid", widths="8, 16", budgets="64Ki, 1M", seeds="0, 1")
    healthy(at)
    assert "4 runs, 8 points" in words(at)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ({"widths": "100"}, "cannot be split into 4 heads"),
        ({"widths": ""}, "The grid is empty"),
        ({"widths": "many"}, "many"),
        ({"widths": "16.5"}, "16.5 is not a whole number"),
        ({"budgets": "10"}, "the smallest budget must be at least one step"),
        ({"budgets": "1e30"}, "is not a whole number"),
        ({"rate": "70"}, "Learning rate: a number above 0 and at most 10 is needed, got 70.0"),
    ],
)
def test_a_grid_that_does_not_work_is_explained(root, address, text):
    at = open_page(ladder="Own grid", **address)
    said = "\n".join(error.value for error in at.error)
    assert text.replace("\\", "") in said.replace("\\", "")
    assert not [button for button in at.button if button.label == "Start training"]


def test_an_upload_that_is_no_text(root):
    at = healthy_upload(root, b"\xff\xfe" * 600_000)
    assert "The text is not UTF-8" in at.error[0].value.replace("\\", "")


def test_an_upload_that_is_too_small(root):
    at = healthy_upload(root, b"too little")
    (error,) = at.error
    assert "The text is too small" in error.value
    assert "mine.txt has 10 bytes" in error.value.replace("\\", "")


def test_an_upload_becomes_the_corpus(root):
    at = healthy_upload(root, b"the quick brown fox\n" * 60_000)
    healthy(at)
    assert at.selectbox(key="corpus").value.startswith("upload:")
    address = at.query_params["corpus"]
    assert address == at.selectbox(key="corpus").value
    again = healthy(open_page(corpus=address))  # a reload, or another browser
    assert again.selectbox(key="corpus").value == at.selectbox(key="corpus").value


def healthy_upload(root, content: bytes) -> AppTest:
    at = open_page(corpus="Upload a text")
    assert not at.exception
    at.file_uploader[0].upload("mine.txt", content)
    at.run()
    assert not at.exception
    return at


def test_a_budget_beyond_an_epoch_is_warned_of(root):
    at = open_page(ladder="Own grid", budgets="1M, 20M", stage="Train")
    assert "reads the corpus 2" in words(healthy(at)).replace("\\", "")


def test_a_full_disk_is_said(root, monkeypatch):
    at = healthy(open_page())
    monkeypatch.setattr(queue_module, "MIN_FREE_BYTES", 2**62)
    at = press(at, "Start training")
    assert "The disk is nearly full" in at.error[0].value
    assert not list_ladders(root)


def test_a_full_disk_stops_a_sweep_too(root, monkeypatch):
    at = healthy(open_page(stage="Evaluate"))
    monkeypatch.setattr(queue_module, "MIN_FREE_BYTES", 2**62)
    at = press(at, "Tune: sweep 5 learning rates of transformer")
    assert "The disk is nearly full" in at.error[0].value
    assert not at.exception


def test_what_the_headline_says(ladder, root):
    """Stopped runs leave the bar where they came to; queued ones say what they wait for."""
    first, *others = ladder.runs
    for run in others:
        run.write_state("stopped")
        run.records_path.unlink()
    at = healthy(open_page(run=ladder.id))
    assert progress_text(at) == "Quick: 4 of 16 points, stopped"
    assert at.get("progress")[0].proto.value < 20
    first.write_state("running", process=ProcessId.current())
    waiting = Run.create(root, replace(first.config(), seed=9))
    at = healthy(open_page(run=waiting.id))
    assert progress_text(at).endswith("0 of 4 points, waiting for other runs (1)")


def test_without_torch_the_page_explains(root, monkeypatch):
    monkeypatch.setattr(train_state, "is_torch_installed", lambda: False)
    at = healthy(open_page())
    assert 'pip install "isoflop[train]"' in at.info[0].value
    assert not at.button


def test_the_server_never_imports_torch(root, tmp_path):
    """Draw every stage around a started ladder in a fresh process."""
    script = f"""
import sys
from streamlit.testing.v1 import AppTest
for stage in {train_page.STAGES!r}:
    at = AppTest.from_file({str(shell.PAGES_FOLDER / "train.py")!r}, default_timeout=60)
    at.query_params["stage"] = stage
    at.run()
    assert not at.exception
for module in ("torch", "safetensors.torch", "isoflop.training.engine"):
    assert module not in sys.modules, module
"""
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr


def test_the_time_limit_reaches_the_runs(root):
    press(healthy(open_page(minutes="2.5", memory="1.5", batch="8")), "Start training")
    config: RunConfig = RunQueue(root) and list_ladders(root)[0].runs[0].config()
    assert config.time_limit_s == 150
    assert config.memory_limit_bytes == 1.5 * 2**30
    assert config.batch_size == 8


# --- Whose they are, and what the server allows ---------------------------------------------------

CHANGES = {"Start training", "Stop", "Resume", "Delete them", "Export", "Score on tasks", "Write"}


def labels_that_work(at: AppTest) -> set[str]:
    return {entry.label for entry in at.button if not entry.disabled}


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("ISOFLOP_TRAINING", "off", "Training is off on this server."),
        ("ISOFLOP_READ_ONLY", "1", "This server is read-only"),
    ],
)
def test_a_switch_takes_training_away_and_says_so(ladder, monkeypatch, setting, value, said):
    monkeypatch.setenv(setting, value)
    at = healthy(open_page(run=ladder.id))
    assert said in words(at).replace("\\", "")
    assert not {"Start training", "Resume"} & labels_that_work(at)
    assert progress_text(at) == "Quick: 16 of 16 points"  # what is there can be seen


def test_a_viewer_sees_runs_that_are_shared_and_changes_nothing(ladder, monkeypatch):
    monkeypatch.setattr(visitor, "actor", lambda: Actor(id="browser:looker", name="Looker"))
    for stage in ("Train", "Evaluate", "Generate", "Deploy", "Forecast"):
        at = healthy(open_page(run=ladder.id, stage=stage))
        assert not CHANGES & labels_that_work(at), stage
    assert "you are a viewer here" in words(at)


def test_another_persons_runs_are_not_there(ladder, monkeypatch):
    for run in ladder.runs:
        write_sharing(run.sharing_path, Sharing(owner="browser:anna", owner_name="Anna"))
    at = open_page(run=ladder.id)
    assert "There is no run" in at.error[0].value
    assert "Earlier runs" not in [entry.value for entry in at.header]


def test_own_texts_are_off_with_uploads(root, monkeypatch):
    monkeypatch.setenv("ISOFLOP_UPLOADS", "off")
    at = healthy(open_page())
    assert "Own texts are off on this server" in words(at)
