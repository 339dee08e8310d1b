import csv
import math
from dataclasses import replace

import pytest

from isoflop.errors import TrainingError
from isoflop.people import LOCAL
from isoflop.store import Store
from isoflop.training.config import FAMILIES
from isoflop.training.forecasts import (
    Prediction,
    evidence_path,
    list_forecasts,
    read_forecasts,
    register_forecast,
    score,
    settle_forecasts,
    write_forecasts,
)
from isoflop.training.queue import RunQueue
from isoflop.training.records import RecordWriter
from isoflop.training.runs import find_run, list_runs

PREDICTION = Prediction(
    loss=2.0, lower=1.9, upper=2.1, level=0.9, law_key="interaction", table_fingerprint="f" * 64,
    n_rows=16, params=1e5, tokens=8192, compute_flop=1e10, extrapolation=4.0,
)  # fmt: skip


@pytest.fixture
def store(tmp_path):
    made = Store(f"sqlite:///{tmp_path / 'forecasts.sqlite3'}")
    yield made.of(LOCAL)
    made.close()


@pytest.fixture
def queue(tmp_path):
    return RunQueue(tmp_path)


def decide(queue, forecast, loss):
    run = find_run(forecast.run_id, root=queue.root)
    with RecordWriter(run.records_path) as records:
        point = {"kind": "point", "segment": 1, "step": 1, "budget": 0, "nats_per_byte": loss}
        records.write(point | {"tokens": 2048, "compute_flop": 1e9, "cpu_s": 1.0})


def test_a_forecast_is_on_record_before_its_run_exists(store, queue, tiny, monkeypatch):
    seen = []
    submit = queue.submit

    def watch(configs):
        seen.extend(list_forecasts(store))
        return submit(configs)

    monkeypatch.setattr(queue, "submit", watch)
    forecast = register_forecast(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    assert [(before.id, before.run_id) for before in seen] == [(forecast.id, "")]
    run = find_run(forecast.run_id, root=queue.root)
    assert forecast.made <= run.state().changed
    assert list_forecasts(store) == [forecast]


def test_outcomes_settle_forecasts_and_make_the_score(store, queue, tiny):
    forecasts = [
        register_forecast(store, queue, tiny(token_budgets=(8192,), seed=seed), PREDICTION)
        for seed in range(3)
    ]
    assert [forecast.is_inside for forecast in settle_forecasts(store, queue)] == [None] * 3
    decide(queue, forecasts[0], 2.06)
    decide(queue, forecasts[1], 2.2)
    settled = {forecast.id: forecast for forecast in settle_forecasts(store, queue)}
    assert settled[forecasts[0].id].is_inside is True
    assert settled[forecasts[1].id].is_inside is False
    assert settled[forecasts[1].id].relative_error == pytest.approx(0.1)
    board = score(list_forecasts(store))
    assert (board.n_settled, board.n_inside, board.n_open) == (2, 1, 1)
    assert board.coverage == 0.5
    assert board.median_absolute_error == pytest.approx(0.065)


def test_an_outcome_is_read_once(store, queue, tiny):
    forecast = register_forecast(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    decide(queue, forecast, 2.0)
    first = settle_forecasts(store, queue)
    decide(queue, forecast, 1.0)
    assert settle_forecasts(store, queue) == first


def test_no_forecasts_have_no_score():
    board = score([])
    assert math.isnan(board.coverage)
    assert math.isnan(board.median_absolute_error)


def test_a_known_outcome_cannot_be_forecast_on(store, queue, tiny):
    config = tiny(token_budgets=(8192,))
    queue.submit([config])
    with pytest.raises(TrainingError, match="its outcome may be known"):
        register_forecast(store, queue, config, PREDICTION)
    assert list_forecasts(store) == []


@pytest.mark.parametrize(
    "changes",
    [{"lower": 2.0}, {"upper": math.inf}, {"upper": math.nan}, {"lower": -1.0}, {"level": 1.0}],
)
def test_what_is_no_band_cannot_be_forecast_on(store, queue, tiny, changes):
    with pytest.raises(TrainingError, match="not a band around a loss"):
        register_forecast(store, queue, tiny(token_budgets=(8192,)), replace(PREDICTION, **changes))


@pytest.mark.parametrize("budgets", [(4096,), (4096, 8192)])
def test_the_budget_must_be_the_one_predicted(store, queue, tiny, budgets):
    with pytest.raises(TrainingError, match="budget is not the one predicted"):
        register_forecast(store, queue, tiny(token_budgets=budgets), PREDICTION)


def test_a_forecast_whose_run_cannot_start_is_no_forecast(store, queue, tiny, monkeypatch):
    def refuse(configs):
        raise TrainingError("The disk is nearly full.")

    monkeypatch.setattr(queue, "submit", refuse)
    with pytest.raises(TrainingError, match="nearly full"):
        register_forecast(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    assert list_forecasts(store) == []
    assert list_runs(queue.root) == []


def test_a_deleted_run_leaves_its_forecast_open(store, queue, tiny):
    forecast = register_forecast(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    run = find_run(forecast.run_id, root=queue.root)
    queue.stop([run])
    queue.delete(run)
    assert settle_forecasts(store, queue) == [forecast]


def test_decided_forecasts_are_read_back_from_their_file(store, queue, tiny, tmp_path):
    forecast = register_forecast(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    decide(queue, forecast, 2.06)
    [settled] = settle_forecasts(store, queue)
    write_forecasts([settled], tmp_path / "forecasts.csv")
    [read] = read_forecasts(tmp_path / "forecasts.csv")
    assert read == replace(
        settled, id="", run_id="", prediction=replace(PREDICTION, table_fingerprint="")
    )
    assert (tmp_path / "forecasts.csv").read_text().splitlines()[1].endswith("2.060000,1")


def test_the_forecasts_that_ship_are_twenty_made_before_their_runs():
    forecasts = read_forecasts(evidence_path())
    assert {(forecast.label.split()[0], forecast.label.split()[-1]) for forecast in forecasts} == {
        (family, f"s{seed}") for family in FAMILIES for seed in (31, 32, 33, 34)
    }
    assert len(forecasts) == 20
    assert all(forecast.made < forecast.settled for forecast in forecasts)
    assert all(
        forecast.prediction.lower < forecast.prediction.loss < forecast.prediction.upper
        for forecast in forecasts
    )
    board = score(forecasts)
    assert (board.n_settled, board.n_inside) == (20, 16)
    assert board.median_absolute_error == pytest.approx(0.0110, abs=5e-5)
    with evidence_path().open(encoding="utf-8") as file:
        said = [row["inside"] == "1" for row in csv.DictReader(file)]
    assert said == [forecast.is_inside for forecast in forecasts]
