import csv
import math
from dataclasses import replace

import pytest

from isoflop.errors import TrainingError
from isoflop.store import Store
from isoflop.training.bet_files import evidence_path, read_bets, write_bets
from isoflop.training.bets import Prediction, list_bets, place_bet, score, settle_bets
from isoflop.training.config import FAMILIES
from isoflop.training.queue import RunQueue
from isoflop.training.records import RecordWriter
from isoflop.training.runs import find_run, list_runs

PREDICTION = Prediction(
    loss=2.0, lower=1.9, upper=2.1, level=0.9, law_key="interaction", table_fingerprint="f" * 64,
    n_rows=16, params=1e5, tokens=8192, compute_flop=1e10, extrapolation=4.0,
)  # fmt: skip


@pytest.fixture
def store(tmp_path):
    made = Store(f"sqlite:///{tmp_path / 'bets.sqlite3'}")
    yield made
    made.close()


@pytest.fixture
def queue(tmp_path):
    return RunQueue(tmp_path)


def decide(queue, bet, loss):
    run = find_run(bet.run_id, root=queue.root)
    with RecordWriter(run.records_path) as records:
        records.write({"kind": "point", "segment": 1, "step": 1, "nats_per_byte": loss})


def test_a_bet_is_on_record_before_its_run_exists(store, queue, tiny, monkeypatch):
    seen = []
    submit = queue.submit

    def watch(configs):
        seen.extend(list_bets(store))
        return submit(configs)

    monkeypatch.setattr(queue, "submit", watch)
    bet = place_bet(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    assert [(before.id, before.run_id) for before in seen] == [(bet.id, "")]
    run = find_run(bet.run_id, root=queue.root)
    assert bet.made <= run.state().changed
    assert list_bets(store) == [bet]


def test_outcomes_settle_bets_and_make_the_score(store, queue, tiny):
    bets = [
        place_bet(store, queue, tiny(token_budgets=(8192,), seed=seed), PREDICTION)
        for seed in range(3)
    ]
    assert [bet.is_hit for bet in settle_bets(store, queue)] == [None] * 3
    decide(queue, bets[0], 2.06)
    decide(queue, bets[1], 2.2)
    settled = {bet.id: bet for bet in settle_bets(store, queue)}
    assert settled[bets[0].id].is_hit is True
    assert settled[bets[1].id].is_hit is False
    assert settled[bets[1].id].relative_error == pytest.approx(0.1)
    board = score(list_bets(store))
    assert (board.n_settled, board.n_hits, board.n_open) == (2, 1, 1)
    assert board.hit_rate == 0.5
    assert board.median_absolute_error == pytest.approx(0.065)


def test_an_outcome_is_read_once(store, queue, tiny):
    bet = place_bet(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    decide(queue, bet, 2.0)
    first = settle_bets(store, queue)
    decide(queue, bet, 1.0)
    assert settle_bets(store, queue) == first


def test_no_bets_have_no_score():
    board = score([])
    assert math.isnan(board.hit_rate)
    assert math.isnan(board.median_absolute_error)


def test_a_known_outcome_cannot_be_bet_on(store, queue, tiny):
    config = tiny(token_budgets=(8192,))
    queue.submit([config])
    with pytest.raises(TrainingError, match="its outcome may be known"):
        place_bet(store, queue, config, PREDICTION)
    assert list_bets(store) == []


@pytest.mark.parametrize(
    "changes",
    [{"lower": 2.0}, {"upper": math.inf}, {"upper": math.nan}, {"lower": -1.0}, {"level": 1.0}],
)
def test_what_is_no_band_cannot_be_bet_on(store, queue, tiny, changes):
    with pytest.raises(TrainingError, match="not a band around a loss"):
        place_bet(store, queue, tiny(token_budgets=(8192,)), replace(PREDICTION, **changes))


@pytest.mark.parametrize("budgets", [(4096,), (4096, 8192)])
def test_the_budget_must_be_the_one_predicted(store, queue, tiny, budgets):
    with pytest.raises(TrainingError, match="budget is not the one predicted"):
        place_bet(store, queue, tiny(token_budgets=budgets), PREDICTION)


def test_a_bet_whose_run_cannot_start_is_no_bet(store, queue, tiny, monkeypatch):
    def refuse(configs):
        raise TrainingError("The disk is nearly full.")

    monkeypatch.setattr(queue, "submit", refuse)
    with pytest.raises(TrainingError, match="nearly full"):
        place_bet(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    assert list_bets(store) == []
    assert list_runs(queue.root) == []


def test_a_deleted_run_leaves_its_bet_open(store, queue, tiny):
    bet = place_bet(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    run = find_run(bet.run_id, root=queue.root)
    queue.stop([run])
    queue.delete(run)
    assert settle_bets(store, queue) == [bet]


def test_decided_bets_are_read_back_from_their_file(store, queue, tiny, tmp_path):
    bet = place_bet(store, queue, tiny(token_budgets=(8192,)), PREDICTION)
    decide(queue, bet, 2.06)
    [settled] = settle_bets(store, queue)
    write_bets([settled], tmp_path / "bets.csv")
    [read] = read_bets(tmp_path / "bets.csv")
    assert read == replace(
        settled, id="", run_id="", prediction=replace(PREDICTION, table_fingerprint="")
    )
    assert (tmp_path / "bets.csv").read_text().splitlines()[1].endswith("2.060000,1")


def test_the_bets_that_ship_are_twenty_made_before_their_runs():
    bets = read_bets(evidence_path())
    assert {(bet.label.split()[0], bet.label.split()[-1]) for bet in bets} == {
        (family, f"s{seed}") for family in FAMILIES for seed in (21, 22, 23, 24)
    }
    assert len(bets) == 20
    assert all(bet.made < bet.settled for bet in bets)
    assert all(bet.prediction.lower < bet.prediction.loss < bet.prediction.upper for bet in bets)
    board = score(bets)
    assert (board.n_settled, board.n_hits) == (20, 18)
    assert board.median_absolute_error == pytest.approx(0.0106, abs=5e-5)
    with evidence_path().open(encoding="utf-8") as file:
        said = [row["hit"] == "1" for row in csv.DictReader(file)]
    assert said == [bet.is_hit for bet in bets]
