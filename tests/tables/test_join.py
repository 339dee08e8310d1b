"""Curves and what their runs are: joined where files say it, whichever tracker wrote them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path, PurePosixPath

import pandas as pd
import pytest

from isoflop.errors import TableError
from isoflop.tables import RawTable, read_files, read_raw, read_table
from isoflop.tables.gather import common_paths, is_pattern, run_names
from isoflop.tables.metadata import read_metadata, values_in_name
from isoflop.tables.run_values import with_run_values
from isoflop.tables.source import Content
from isoflop.tables.trackers.wandb import unpack_dictionaries

CASES = Path(__file__).parent / "cases"


def rows(raw: RawTable, *columns: str) -> list[list[object]]:
    return raw.frame[list(columns)].to_numpy(dtype=object).tolist()


# --- TensorBoard, by its own writers ---


@pytest.fixture
def logdir(tmp_path: Path) -> Path:
    """Two runs as ``torch.utils.tensorboard`` writes them, with hyper-parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        writers = pytest.importorskip("torch.utils.tensorboard")
        for name, size in (("small", 1e8), ("large", 2e8)):
            writer = writers.SummaryWriter(str(tmp_path / name))
            for step in (10, 20):
                writer.add_scalar("val/loss", 3.0 - step / 100, step)
            settings = {"n_params": size, "lr": 0.1, "act": "gelu", "tied": True}
            writer.add_hparams(settings, {"hparam/loss": 2.8})
            writer.close()
    return tmp_path


def test_hyper_parameters_of_tensorboard_are_the_run_s(logdir: Path) -> None:
    raw = read_raw(logdir)
    assert rows(raw, "run_id", "step", "n_params", "lr", "act", "tied") == [
        ["large", 10, 2e8, 0.1, "gelu", True],
        ["large", 20, 2e8, 0.1, "gelu", True],
        ["small", 10, 1e8, 0.1, "gelu", True],
        ["small", 20, 1e8, 0.1, "gelu", True],
    ]


def test_hparams_yaml_beside_event_files(logdir: Path) -> None:
    (logdir / "small" / "hparams.yaml").write_text("vocab_size: 512\n")
    frame = read_raw(logdir).frame
    assert set(frame["run_id"][frame["vocab_size"] == 512]) == {"small"}


def test_scalars_that_tensorboard_exported_one_by_one() -> None:
    head = "Wall time,Step,Value\n"
    raw = read_files(
        [
            ("run-a-tag-val_loss.csv", f"{head}1714567890.1,1,3.5\n1714567990.1,2,3.4\n".encode()),
            ("run-a-tag-tokens.csv", f"{head}1714567890.2,1,1e6\n1714567990.2,2,2e6\n".encode()),
        ]
    )
    assert rows(raw, "run_id", "Step", "val_loss", "tokens") == [
        ["a", 1, 3.5, 1e6],
        ["a", 2, 3.4, 2e6],
    ]


# --- Hugging Face ---

SHAPE = {
    "model_type": "gpt2", "vocab_size": 50257, "n_embd": 768, "n_layer": 12, "n_head": 12,
    "n_positions": 1024,
}  # fmt: skip
HISTORY = [
    {"step": 100, "loss": 6.0},
    {"step": 100, "eval_loss": 5.9},
    {"step": 200, "loss": 5.0},
    {"step": 200, "eval_loss": 4.9},
]


def write_checkpoint(folder: Path, n_entries: int, **shape: object) -> Path:
    folder.mkdir(parents=True)
    state = {"global_step": 100, "max_steps": 200, "log_history": HISTORY[:n_entries]}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    (folder / "config.json").write_text(json.dumps({**SHAPE, **shape}))
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {"a": 1}}}')
    (folder / "generation_config.json").write_text('{"eos_token_id": 2}')
    return folder / "trainer_state.json"


def test_parameters_are_counted_from_the_config_beside_a_trainer_s_state(tmp_path: Path) -> None:
    table = read_table(write_checkpoint(tmp_path / "run", 4)).table
    assert table.values("params").tolist() == [124_439_808] * 2  # as published
    assert table.values("loss").tolist() == [5.9, 4.9]


def test_a_state_and_a_config_that_are_uploaded_together(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "run", 4)
    names = ("trainer_state.json", "config.json", "tokenizer.json")
    raw = read_files([(name, path.with_name(name).read_bytes()) for name in names])
    assert rows(raw, "step", "params") == [[100, 124_439_808], [200, 124_439_808]]


def test_the_last_checkpoint_of_each_run_is_read(tmp_path: Path) -> None:
    for run, n_layers in (("small", 12), ("large", 24)):
        for step, n_entries in ((100, 2), (200, 4)):
            write_checkpoint(tmp_path / run / f"checkpoint-{step}", n_entries, n_layer=n_layers)
    raw = read_raw(tmp_path)
    assert rows(raw, "run_id", "step", "params") == [
        ["large", 100, 209_494_272],
        ["large", 200, 209_494_272],
        ["small", 100, 124_439_808],
        ["small", 200, 124_439_808],
    ]
    assert "config.json gives N: 124,439,808 parameters, of a gpt2 model." in raw.notes


def test_a_config_that_cannot_be_counted_says_why(tmp_path: Path) -> None:
    raw = read_raw(write_checkpoint(tmp_path / "run", 4, model_type="unheard-of"))
    assert "params" not in raw.frame
    assert any(note.startswith("config.json was not counted:") for note in raw.notes)


def test_a_trainer_writes_what_is_read(tmp_path: Path) -> None:
    """The state, as the real trainer saves it."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    torch = pytest.importorskip("torch")
    config = transformers.GPT2Config(vocab_size=64, n_embd=16, n_layer=2, n_head=2, n_positions=16)
    model = transformers.GPT2LMHeadModel(config)
    data = [{"input_ids": ids, "labels": ids} for ids in torch.arange(8 * 16).reshape(8, 16) % 64]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=4, logging_steps=2, eval_strategy="steps", eval_steps=2,
        save_steps=4, report_to=[], use_cpu=True, disable_tqdm=True,
        include_num_input_tokens_seen=True,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        transformers.Trainer(model, arguments, train_dataset=data, eval_dataset=data).train()
    raw = read_raw(tmp_path)
    assert raw.frame["step"].tolist() == [2, 4]
    assert raw.frame["params"].tolist() == [model.num_parameters()] * 2
    assert raw.frame["eval_loss"].notna().all()


# --- Lightning ---

METRICS = "epoch,step,train_loss,val_loss\n0,49,4.0,\n0,50,,3.9\n1,99,3.0,\n1,100,,2.9\n"


def write_version(folder: Path, hparams: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "hparams.yaml").write_text(hparams)
    (folder / "metrics.csv").write_text(METRICS)
    return folder / "metrics.csv"


def test_hparams_of_lightning_are_the_run_s(tmp_path: Path) -> None:
    for version, size in enumerate((100, 200)):
        write_version(
            tmp_path / f"version_{version}", f"n_params: {size}000000\nmodel:\n  d_model: {size}\n"
        )
    table = read_table(tmp_path).table
    assert table.frame["run_id"].tolist() == ["version_0"] * 4 + ["version_1"] * 4
    assert table.values("loss").tolist() == [3.9, 2.9, 3.9, 2.9]
    assert table.values("params").tolist() == [1e8, 1e8, 2e8, 2e8]


def test_tags_of_python_in_yaml_make_nothing(tmp_path: Path) -> None:
    text = (
        "n_params: 5\nact: !!python/object/apply:os.system ['exit 3']\nobj: !!python/name:os.x ''\n"
    )
    raw = read_raw(write_version(tmp_path / "v", text))
    assert raw.frame["n_params"].tolist() == [5] * 4
    assert "act" not in raw.frame


def test_a_logger_of_lightning_writes_what_is_read(tmp_path: Path) -> None:
    """Metrics and hyper-parameters, as the real logger saves them."""
    loggers = pytest.importorskip("pytorch_lightning.loggers")
    logger = loggers.CSVLogger(str(tmp_path), name="runs")
    logger.log_hyperparams({"n_params": 10**8, "lr": 0.1})
    for step in (10, 20):
        logger.log_metrics({"val_loss": 3.0 - step / 100, "tokens": step * 1e6}, step=step)
    logger.save()
    table = read_table(tmp_path).table
    assert table.values("params").tolist() == [1e8, 1e8]
    assert table.values("tokens").tolist() == [1e7, 2e7]


# --- Weights & Biases ---

RUNS = (
    '"Name","State","n_params","tokens","val/loss"\n"small","finished","1e8","2e9","3.0"\n'
    '"large","crashed","2e8","4e9","2.9"\n"mid","finished","1.5e8","3e9","2.9"\n'
)


def chart(metric: str, values: dict[str, tuple[float, float]]) -> bytes:
    frame = pd.DataFrame({"Step": [10, 20]})
    for run, pair in values.items():
        for end in ("", "__MIN", "__MAX"):
            frame[f"{run} - {metric}{end}"] = pair
    return frame.to_csv(index=False, quoting=1).encode()


LOSSES = chart("val/loss", {"small": (3.5, 3.0), "large": (3.4, 2.9), "mid": (3.3, 2.8)})
TOKENS = chart("seen", {"small": (1e9, 2e9), "large": (2e9, 4e9), "mid": (1.5e9, 3e9)})


def test_runs_of_wandb_describe_the_curves_of_a_chart() -> None:
    raw = read_files([("runs.csv", RUNS.encode()), ("chart.csv", LOSSES)])
    assert rows(raw, "run_id", "Step", "n_params", "tokens", "val/loss") == [
        ["small", 10, 1e8, 1e9, 3.5],
        ["small", 20, 1e8, 2e9, 3.0],
        ["large", 10, 2e8, 2e9, 3.4],
        ["large", 20, 2e8, 4e9, 2.9],
        ["mid", 10, 1.5e8, 1.5e9, 3.3],
        ["mid", 20, 1.5e8, 3e9, 2.8],
    ]


def test_charts_of_several_metrics_are_put_side_by_side() -> None:
    raw = read_files([("loss.csv", LOSSES), ("seen.csv", TOKENS)])
    assert len(raw.frame) == 6
    found = raw.frame.set_index(["run_id", "Step"]).loc[("large", 20)]
    assert found.tolist() == [2.9, 4e9]


def test_runs_that_crashed_are_left_out_with_a_notice() -> None:
    result = read_table(RUNS.encode(), name="runs.csv")
    assert result.table.included()["run_id"].tolist() == ["small", "mid"]
    assert "Runs that did not finish are left out: 1 row is crashed." in result.raw.notes
    assert [str(problem) for problem in result.problems] == [
        'row 2, State: "crashed" the run did not finish'
    ]
    curves = read_files([("runs.csv", RUNS.encode()), ("chart.csv", LOSSES)])
    assert [problem.row for problem in curves.problems] == [3, 4]


def test_states_of_other_things_leave_nothing_out() -> None:
    text = b"State,N,D,loss\nOhio,1e8,1e9,3.0\nfailed,2e8,1e9,2.9\n"
    assert len(read_table(text, name="runs.csv").table.included()) == 2


def test_dictionaries_of_the_export_snippet_are_unpacked() -> None:
    table = read_table(CASES / "wandb_api_export.csv").table
    assert table.values("params").tolist() == [21e6, 61e6, 110e6]
    assert table.values("tokens").tolist() == [262144000, 524288000, 1048576000]
    assert table.values("loss").tolist() == [3.91, 3.52, 3.2]
    assert table.frame["run_id"].tolist() == ["brave-sun-1", "calm-moon-2", "dry-leaf-3"]


@pytest.mark.parametrize(
    "cell", ["{'a': nan, 'b': 1}", '{"a": null, "b": 1}', "{'a': None, 'b': 1}"]
)
def test_dictionaries_in_python_and_json(cell: str) -> None:
    raw = RawTable(name="x", format="CSV", frame=pd.DataFrame({"config": [cell]}, index=[1]))
    assert unpack_dictionaries(raw).headers in {("b",), ("config",)}


@pytest.mark.parametrize("cell", ["{" * 5000 + "}", "{f(): 1, 'b': 2}", "{1, 2}", "{'name': 'x'}"])
def test_what_is_no_dictionary_stays_text(cell: str) -> None:
    raw = RawTable(name="x", format="CSV", frame=pd.DataFrame({"config": [cell]}, index=[1]))
    assert unpack_dictionaries(raw) is raw


# --- MLflow ---


def test_a_store_that_mlflow_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = mlflow.MlflowClient(tracking_uri=str(tmp_path / "mlruns"))
        experiment = client.create_experiment("ladder")
        for name, size, state in (("a", 10**8, "FINISHED"), ("b", 2 * 10**8, "FAILED")):
            run = client.create_run(experiment, run_name=name).info.run_id
            client.log_param(run, "n_params", size)
            client.log_param(run, "train_tokens", 10 * size)
            for step in (1, 2):
                client.log_metric(run, "val_loss", 3.0 - step / 10, step=step)
            client.set_terminated(run, state)
        raw = read_raw(f"mlflow:{tmp_path / 'mlruns'}#ladder")
    found = raw.frame.sort_values(["run_id", "step"])
    assert found["run_id"].tolist() == ["a", "a", "b", "b"]
    assert found["val_loss"].tolist() == [2.9, 2.8, 2.9, 2.8]
    assert found["n_params"].tolist() == [1e8, 1e8, 2e8, 2e8]
    assert found["train_tokens"].tolist() == [5e8, 1e9, 1e9, 2e9]  # a total grows along its run
    assert found["status"].tolist() == ["FINISHED", "FINISHED", "FAILED", "FAILED"]
    assert len(raw.problems) == 2


# --- Names of files ---


def test_sizes_in_the_names_of_files(tmp_path: Path) -> None:
    for name in ("curve_N70M_D1.4B.csv", "curve_N150M_D3B.csv"):
        (tmp_path / name).write_text("step,loss\n10,4.0\n20,3.0\n")
    table = read_table(str(tmp_path / "*.csv")).table
    assert table.values("params").tolist() == [150e6, 150e6, 70e6, 70e6]
    assert table.values("tokens").tolist() == [1.5e9, 3e9, 0.7e9, 1.4e9]  # a total, along the steps


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("N70M_D1.4B.csv", {"params": 70e6, "tokens": 1.4e9}),
        ("run-n_params=70M-tokens=1.4B-lr=3e-4.json", {"params": 70e6, "tokens": 1.4e9,
                                                       "learning_rate": 3e-4}),
        ("lr0.0002_n210000000_d10000000000.log", {"learning_rate": 2e-4, "params": 2.1e8,
                                                  "tokens": 1e10}),
        ("N70M_seed3.csv", {"params": 70e6, "seed": 3}),
        ("corpusA-d512-1.0.json", {}), ("c4_loss.csv", {}), ("pythia-70m.csv", {}),
        ("results_2024-11-26.csv", {}), ("n8_d12.csv", {}), ("lr0.1.csv", {}),
    ],
)  # fmt: skip
def test_what_a_name_says(name: str, values: dict[str, float]) -> None:
    assert values_in_name(name) == pytest.approx(values)


def test_a_table_says_more_than_its_name() -> None:
    text = b"N,D,loss\n1e8,1e9,3.0\n2e8,1e9,2.9\n"
    assert read_table(text, name="N70M.csv").table.values("params").tolist() == [1e8, 2e8]


# --- Several files ---


def test_a_folder_a_pattern_and_a_list_are_one_table(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text("step,loss,N\n1,3.0,1e8\n2,2.9,1e8\n")
    (tmp_path / "notes.txt").write_text("Ask Ada about these runs.\n")
    paths = sorted(tmp_path.glob("*/metrics.csv"))
    found = [read_raw(tmp_path), read_raw(str(tmp_path / "*" / "metrics.csv")), read_raw(paths)]
    assert [raw.frame["run_id"].tolist() for raw in found] == [["a", "a", "b", "b"]] * 3
    assert any("notes.txt" in note for note in found[0].notes)


def test_a_folder_without_tables(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no file that may be a table"):
        read_raw(tmp_path)
    (tmp_path / "notes.txt").write_text("Ask Ada.\n")
    with pytest.raises(TableError, match="has one column only"):
        read_raw(tmp_path)
    (tmp_path / "more.txt").write_text("Ask Eve.\n")
    with pytest.raises(TableError, match="None of these files holds a table"):
        read_raw(tmp_path)


def test_short_names_of_runs() -> None:
    paths = [PurePosixPath(name) for name in ("x/a/log.csv", "x/b/log.csv", "x/b/log2.csv")]
    assert run_names(paths) == [str(path) for path in paths]
    assert [str(p) for p in common_paths(["/r/x/a/l.csv", "/r/x/b/l.csv"])] == [
        "a/l.csv",
        "b/l.csv",
    ]
    assert is_pattern("runs/*.csv")
    assert not is_pattern("runs.csv")


def test_a_run_s_values_beside_a_frame() -> None:
    frame = pd.DataFrame({"step": [10, 20], "loss": [4.0, 3.0]})
    found, grown = with_run_values(
        frame, {"tokens": 1e9, "max_steps": 40, "val_loss": 2.9, "lr": 1}
    )
    assert grown == ("tokens",)
    assert found["tokens"].tolist() == [2.5e8, 5e8]
    assert found["val_loss of the whole run"].tolist() == [2.9, 2.9]
    single, _ = with_run_values(frame.tail(1), {"tokens": 1e9})
    assert single["tokens"].tolist() == [1e9]


def test_a_configuration_as_wandb_keeps_it() -> None:
    text = b"wandb_version: 1\n_wandb:\n  value: {x: 1}\nlr:\n  desc: null\n  value: 0.1\n"
    values, notes = read_metadata(Content(name="config.yaml", data=text))
    assert values["lr"] == 0.1
    assert notes
    assert read_metadata(Content(name="config.yaml", data=b"- 1\n"))[0] == {}


def test_an_uploaded_folder_of_event_files_is_the_folder(logdir: Path) -> None:
    """What a browser gives: names with folders, and contents."""
    files = [path for path in sorted(logdir.rglob("*")) if path.is_file()]
    named = [(f"runs/{path.relative_to(logdir)}", path.read_bytes()) for path in files]
    raw = read_files(
        [*named, ("runs/model.pt", b"\x80\x02"), ("runs/../../x", b"")], is_strict=False
    )
    assert rows(raw, "run_id", "n_params") == rows(read_raw(logdir), "run_id", "n_params")


def test_histories_in_files_called_after_their_runs() -> None:
    history = b"_step,val/loss,lr\n10,3.5,0.1\n20,3.0,0.05\n"
    raw = read_files([("runs.csv", RUNS.encode()), ("small.csv", history), ("mid.csv", history)])
    assert rows(raw, "run_id", "_step", "n_params", "tokens") == [
        ["small.csv", 10, 1e8, 1e9],
        ["small.csv", 20, 1e8, 2e9],
        ["mid.csv", 10, 1.5e8, 1.5e9],
        ["mid.csv", 20, 1.5e8, 3e9],
    ]


def test_an_offline_run_of_wandb_is_refused_as_one(tmp_path: Path) -> None:
    path = tmp_path / "run-5s7xx8ln.wandb"  # as wandb 0.31 begins it; all else is its own records
    path.write_bytes(bytes.fromhex("3a572642e1be00a9e0d38b4d00010801") + bytes(64))
    with pytest.raises(TableError, match="an offline run of Weights & Biases"):
        read_raw(path)


def test_folders_as_wandb_leaves_them(tmp_path: Path) -> None:
    for name, size, loss in (("run-1", 100, 3.0), ("run-2", 200, 2.9)):
        files = tmp_path / name / "files"
        files.mkdir(parents=True)
        (files / "config.yaml").write_text(
            f"n_params:\n  value: {size}000000\n_wandb:\n  value: {{}}\n"
        )
        (files / "wandb-summary.json").write_text(json.dumps({"_step": 10, "val/loss": loss}))
        (files / "wandb-metadata.json").write_text('{"os": "Linux", "cpu": {"count": 2}}')
        (files / "requirements.txt").write_text("torch==2.0\n")
    raw = read_raw(tmp_path)
    assert rows(raw, "n_params", "val/loss") == [[1e8, 3.0], [2e8, 2.9]]
