"""Every format a team keeps its losses in gives the same table."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.tables.workbooks import xlsx

from isoflop.errors import TableError
from isoflop.tables import READERS, build_table, guess_mapping, read_raw, read_table
from isoflop.tables.trackers import mlflow, wandb

FRAME = pd.DataFrame(
    {
        "family": ["gpt", "gpt", "rnn"],
        "n_params": [10**9, 2 * 10**9, 4 * 10**9],
        "tokens": [2e10, 4e10, 8e10],
        "val_loss": [2.5, 2.3, 2.2],
    }
)


def parquet() -> bytes:
    buffer = io.BytesIO()
    FRAME.to_parquet(buffer)
    return buffer.getvalue()


CONTENTS = {
    "runs.csv": FRAME.to_csv(index=False).encode(),
    "runs.tsv": FRAME.to_csv(index=False, sep="\t").encode(),
    "runs.json": FRAME.to_json(orient="records").encode(),
    "runs.jsonl": FRAME.to_json(orient="records", lines=True).encode(),
    "split.json": FRAME.to_json(orient="split", index=False).encode(),
    "runs.parquet": parquet(),
    "runs.xlsx": xlsx({"Runs": [list(FRAME.columns), *FRAME.to_numpy().tolist()]}),
}
CONTENTS |= {f"{name}.gz": gzip.compress(content) for name, content in CONTENTS.items()}


@pytest.mark.parametrize("name", CONTENTS)
def test_every_format_gives_the_same_rows(name: str) -> None:
    result = read_table(CONTENTS[name], name=name)
    expected = read_table(FRAME, name="runs").table
    assert result.table.fingerprint == expected.fingerprint
    assert result.problems == ()


@pytest.mark.parametrize("name", CONTENTS)
def test_the_content_tells_the_format_not_the_name(name: str) -> None:
    assert len(read_table(CONTENTS[name], name="misnamed.txt").table.frame) == 3


@pytest.mark.parametrize(
    "name", [name for name in CONTENTS if not name.endswith((".gz", "sv", ".jsonl"))]
)
def test_a_cut_file_is_a_clear_error(name: str) -> None:
    for cut in (0.3, 0.7, 0.95):
        content = CONTENTS[name]
        with pytest.raises(TableError) as caught:
            read_table(content[: int(cut * len(content))], name=name)
        assert name in caught.value.summary or "loss column" in caught.value.summary


def test_a_format_without_its_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TableError) as caught:
        read_table(CONTENTS["runs.xlsx"], name="runs.xlsx")
    assert caught.value.hint == "Install it: pip install 'isoflop[readers]'"
    assert [reader.format for reader in READERS if reader.is_available] == [
        "JSON",
        "text log",
        "CSV",
    ]
    assert all(r.how_to_install for r in READERS if not r.is_available)


# --- Spreadsheets ---


def test_the_sheet_with_known_headers_is_read_from_its_header_row_on() -> None:
    content = xlsx(
        {
            "Notes": [["Ask Ada"], ["about these"]],
            "Runs": [["Scaling study"], [None], ["N (B)", "D", "loss"], [1.0, 2e10, 2.5]],
        }
    )
    raw = read_raw(content, "study.xlsx")
    assert raw.notes == ("Sheet 'Runs' was read.", "Other sheets, not read: 'Notes'.")
    assert build_table(raw, guess_mapping(raw)).table.values("params").tolist() == [1e9]


def test_a_workbook_without_a_table() -> None:
    with pytest.raises(TableError, match="no sheet with a header and rows"):
        read_raw(xlsx({"Empty": []}), "empty.xlsx")


def test_a_workbook_that_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_UPLOAD_MB", "1")
    buffer = io.BytesIO(xlsx({"Runs": [["N", "D", "loss"], [1e9, 2e10, 2.5]]}))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros", bytes(5_000_000))
    assert len(buffer.getvalue()) < 20_000
    with pytest.raises(TableError, match="too large once decompressed"):
        read_raw(buffer.getvalue(), "bomb.xlsx")


def test_other_zip_archives_are_named() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("runs.csv", "N,D,loss\n1e9,2e10,2.5\n")
    with pytest.raises(TableError, match=r"archive\.zip is a zip archive"):
        read_raw(buffer.getvalue(), "archive.zip")


# --- Parquet ---


def test_a_parquet_file_that_decodes_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_UPLOAD_MB", "1")
    buffer = io.BytesIO()
    pd.DataFrame({"N": np.ones(5_000_000), "loss": np.ones(5_000_000)}).to_parquet(buffer)
    assert len(buffer.getvalue()) < 100_000
    with pytest.raises(TableError, match="too large: 5,000,000 rows of 2 columns"):
        read_raw(buffer.getvalue(), "bomb.parquet")


def test_a_text_that_parquet_holds_once_and_repeats_too_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_UPLOAD_MB", "1")
    buffer = io.BytesIO()
    pd.DataFrame({"family": ["x" * 10_000] * 1000, "loss": np.ones(1000)}).to_parquet(buffer)
    assert len(buffer.getvalue()) < 20_000
    with pytest.raises(TableError, match="too large once decoded"):
        read_raw(buffer.getvalue(), "bomb.parquet")


def test_records_and_dates_in_parquet_are_read_and_lists_are_named() -> None:
    buffer = io.BytesIO()
    frame = FRAME.assign(
        layers=[[1, 2], [3], []],
        started=pd.to_datetime(["2026-01-01"] * 3),
        ok=[True, False, True],
        config=[{"seed": i, "data": {"name": f"c{i}"}} for i in range(3)],
    )
    frame.to_parquet(buffer)
    result = read_table(buffer.getvalue(), name="runs.parquet")
    table = result.table
    assert result.raw.notes == ("Columns of lists, not read: layers.",)
    assert table.frame["started"].iloc[0].startswith("2026-01-01")
    assert table.values("ok").tolist() == [1.0, 0.0, 1.0]
    assert table.values("seed").tolist() == [0.0, 1.0, 2.0]
    assert table.frame["run_id"].tolist() == ["c0", "c1", "c2"]  # config/data/name


# --- TensorBoard ---


def write_events(folder: Path, *, scalars: dict[str, list[tuple[int, float]]]) -> Path:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for tag, points in scalars.items():
        for step, value in points:
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
            writer.add_event(Event(step=step, wall_time=1000.0 + step, summary=summary))
    writer.close()
    (path,) = folder.glob("events.out.tfevents*")
    return path


@pytest.fixture
def logdir(tmp_path: Path) -> Path:
    for name, loss in (("small", 2.5), ("large", 2.25)):
        curve = [(step, loss + 1 / (1 + step)) for step in (0, 10, 20)]
        tokens = [(step, 1e6 * step + 1e6) for step in (0, 10, 20)]
        write_events(tmp_path / name, scalars={"val/loss": curve, "tokens": tokens})
    return tmp_path


def test_an_event_file_is_one_learning_curve(logdir: Path) -> None:
    (path,) = (logdir / "small").glob("*")
    result = read_table(path.read_bytes(), name=f"small-{path.name}")
    frame = result.table.frame
    assert frame["run_id"].unique().tolist() == ["small"]
    assert frame["step"].tolist() == [0, 10, 20]
    assert frame["tokens"].tolist() == [1e6, 1.1e7, 2.1e7]
    assert frame["wall_time_s"].tolist() == [0, 10, 20]
    np.testing.assert_allclose(frame["loss"], [3.5, 2.5 + 1 / 11, 2.5 + 1 / 21], rtol=1e-6)


def test_a_folder_of_event_files_is_a_table_of_runs(logdir: Path) -> None:
    frame = read_table(logdir).table.frame
    assert frame.groupby("run_id").size().to_dict() == {"large": 3, "small": 3}


def test_a_log_that_evaluates_rarely_loses_nothing(tmp_path: Path) -> None:
    path = write_events(
        tmp_path,
        scalars={
            "loss": [(0, 3.0), (100, 2.5)],
            "lr": [(step, 1e-3) for step in range(0, 101, 10)],
            "tokens": [(0, 1e6), (90, 1.9e6), (110, 2.1e6)],
        },
    )
    result = read_table(path)
    assert result.problems == ()
    assert result.table.included()["step"].tolist() == [0, 100]
    assert result.table.values("tokens").tolist() == [1e6, 2e6]  # interpolated along step
    assert "interpolated along step" in result.table.provenance.derived_columns["tokens"]
    assert [n.text for n in result.notices if n.code == "rows-without-loss"] == [
        "10 of 12 logged steps have no loss and are left out."
    ]


def test_an_event_file_without_scalars(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="holds no scalars"):
        read_table(write_events(tmp_path, scalars={}))


def test_a_cut_event_file_gives_what_came_before_the_cut(logdir: Path) -> None:
    (path,) = (logdir / "small").glob("*")
    content = path.read_bytes()
    frame = read_table(content[: len(content) - 30], name=path.name).table.frame
    assert 0 < len(frame) <= 3


# --- Weights & Biases ---

CHART = (
    '"Step","small - val/loss","small - val/loss__MIN","small - val/loss__MAX",'
    '"large - val/loss","large - val/loss__MIN","large - val/loss__MAX"\n'
    '"0","3.5","3.5","3.5","","",""\n"10","2.6","2.6","2.6","2.4","2.4","2.4"\n'
)


def test_an_exported_chart_is_one_row_a_step_of_each_run() -> None:
    result = read_table(CHART.encode(), name="wandb_export.csv")
    frame = result.table.frame
    assert frame[["run_id", "step", "loss"]].to_numpy().tolist() == [
        ["small", 0.0, 3.5],
        ["small", 10.0, 2.6],
        ["large", 10.0, 2.4],
    ]
    assert "2 runs" in result.raw.notes[-1]


def test_an_exported_runs_table() -> None:
    text = (
        '"Name","State","_step","n_params","tokens","val/loss","train/loss"\n'
        '"small","finished","100","1000000000","2e10","2.5","2.4"\n'
        '"large","crashed","100","2000000000","4e10","","2.2"\n'
    )
    result = read_table(text.encode(), name="wandb_export.csv")
    assert result.table.frame["run_id"].tolist() == ["small", "large"]
    assert result.table.values("loss").tolist() == [2.5]


class FakeRun(SimpleNamespace):
    def scan_history(self, keys: list[str]) -> Iterator[dict[str, object]]:
        for entry in self.history:
            yield {key: entry[key] for key in keys}


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for the client: what it documents of runs, configurations and histories."""
    runs = [
        FakeRun(
            name=f"run {size}",
            state="finished",
            config={"model": {"n_params": size * 10**9}, "_wandb": {"x": 1}},
            summary={"val/loss": 2.5 / size, "_step": 10, "table": ["not a scalar"]},
            history=[{"_step": s, "val/loss": 3 / size, "tokens": 1e9 * s} for s in (5, 10)],
        )
        for size in (1, 2)
    ]
    client = SimpleNamespace(Api=lambda: SimpleNamespace(runs=lambda path, filters: runs))
    monkeypatch.setattr(wandb, "require", lambda *names: client)


@pytest.mark.usefixtures("project")
def test_runs_of_a_project() -> None:
    raw = wandb.read_wandb("team/scaling")
    assert raw.headers == ("run_id", "State", "model/n_params", "val/loss", "_step")
    table = build_table(raw, guess_mapping(raw)).table
    assert table.values("params").tolist() == [1e9, 2e9]
    assert table.values("loss").tolist() == [2.5, 1.25]


@pytest.mark.usefixtures("project")
def test_curves_of_a_project() -> None:
    raw = wandb.read_wandb("team/scaling", curves=["val/loss", "tokens"])
    frame = build_table(raw, guess_mapping(raw)).table.frame
    assert frame["step"].tolist() == [5, 10, 5, 10]
    assert frame["tokens"].tolist() == [5e9, 1e10, 5e9, 1e10]


def test_a_project_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ValueError("api_key not configured")

    monkeypatch.setattr(wandb, "require", lambda *names: SimpleNamespace(Api=refuse))
    with pytest.raises(TableError) as caught:
        wandb.read_wandb("team/scaling")
    assert caught.value.detail == "api_key not configured"
    assert "WANDB_API_KEY" in caught.value.hint


# --- MLflow ---


class Page(list[SimpleNamespace]):
    token = None


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for the client: experiments, runs and metric histories as it documents them."""
    runs = [
        SimpleNamespace(
            info=SimpleNamespace(run_id=f"id{size}", run_name=f"run {size}", status="FINISHED"),
            data=SimpleNamespace(
                params={"n_params": str(size * 10**9)}, metrics={"val_loss": 2.5 / size}
            ),
        )
        for size in (1, 2)
    ]
    client = SimpleNamespace(
        search_experiments=lambda: [SimpleNamespace(name="ladder", experiment_id="1")],
        search_runs=lambda ids, max_results, page_token: Page(runs),
        get_metric_history=lambda run_id, name: [
            SimpleNamespace(step=step, value=3.0 - 0.1 * step) for step in (1, 2)
        ],
    )
    module = SimpleNamespace(MlflowClient=lambda tracking_uri: client)
    monkeypatch.setattr(mlflow, "require", lambda *names: module)


@pytest.mark.usefixtures("store")
def test_runs_and_curves_of_a_store() -> None:
    raw = mlflow.read_mlflow("sqlite:///mlflow.db")
    assert raw.frame.to_numpy().tolist() == [
        ["run 1", "FINISHED", 1000000000, 2.5],
        ["run 2", "FINISHED", 2000000000, 1.25],
    ]
    raw = mlflow.read_mlflow("sqlite:///mlflow.db", experiments=["ladder"], curves=True)
    assert raw.frame["step"].tolist() == [1, 2, 1, 2]
    assert raw.frame["val_loss"].tolist() == [2.9, 2.8, 2.9, 2.8]
    assert raw.frame["n_params"].tolist() == [1e9, 1e9, 2e9, 2e9]
    told = mlflow.read_mlflow("sqlite:///mlflow.db", curves=None)
    assert told.frame.equals(raw.frame)


@pytest.mark.usefixtures("store")
def test_an_unknown_experiment_names_the_known() -> None:
    with pytest.raises(TableError) as caught:
        mlflow.read_mlflow("x", experiments=["leader"])
    assert caught.value.detail == "Experiments: ladder."


@pytest.mark.parametrize(
    ("read", "package"), [(mlflow.read_mlflow, "mlflow"), (wandb.read_wandb, "wandb")]
)
def test_a_missing_client_says_how_to_install_it(
    read: object, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TableError, match=f"needs the package {package}") as caught:
        read("somewhere")  # type: ignore[operator]  # both take one address
    assert caught.value.hint == f"Install it: pip install 'isoflop[{package}]'"
