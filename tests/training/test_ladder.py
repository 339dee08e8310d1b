import pytest

from isoflop.errors import TrainingError
from isoflop.fitting.isoflop.budgets import checkpoints
from isoflop.training.ladder import (
    LadderGrid,
    ladder_rows,
    read_ladder,
    work_off,
)
from isoflop.training.queue import RunQueue
from isoflop.training.records import RecordWriter


def test_a_grid_is_every_combination(tiny):
    grid = LadderGrid(
        families=("lstm", "rnn"), widths=(8, 16), token_budgets=(4096, 2048), seeds=(0, 1),
        depths={"rnn": 2}, base=tiny(clip_norm=0.5),
    )  # fmt: skip
    configs = grid.configs()
    assert len(configs) == 8
    assert {config.token_budgets for config in configs} == {(2048, 4096)}
    assert {(config.family, config.depth) for config in configs} == {("lstm", 1), ("rnn", 2)}
    assert all(config.clip_norm == 0.5 for config in configs)


def test_an_empty_grid_is_refused():
    with pytest.raises(TrainingError, match="The grid is empty"):
        LadderGrid(families=(), widths=(8,), token_budgets=(4096,)).configs()


@pytest.mark.slow
def test_a_ladder_becomes_a_table_and_is_not_trained_twice(root, tiny):
    queue = RunQueue(root)
    grid = LadderGrid(families=("lstm",), widths=(8, 16), token_budgets=(2048, 4096), base=tiny())
    runs = work_off(queue, grid.configs(), n_workers=1, poll_s=0.05)
    assert work_off(queue, grid.configs(), n_workers=1, poll_s=0.05) == runs
    table = read_ladder(runs).table
    assert table.loss_unit == "nats/byte"
    assert table.param_convention == "total"
    assert len(table.frame) == 4
    assert sorted(table.values("tokens")) == [2048, 2048, 4096, 4096]
    rows = ladder_rows(runs)
    assert table.values("compute_flop").tolist() == [row["compute_flop"] for row in rows]
    assert table.values("width").tolist() == [row["width"] for row in rows]
    assert set(table.frame["run_id"]) == {run.id for run in runs}


def test_a_record_becomes_a_row_whatever_its_numbers_look_like(root, tiny):
    """Few tokens and a single run were a question to the reader of files."""
    [run] = RunQueue(root).submit([tiny()])
    with RecordWriter(run.records_path) as records:
        model = {"kind": "model", "params": 100, "params_nonembedding": 50}
        records.write(model | {"training_flop_per_token": 500.0})
        for index in range(2):
            records.write(
                {"kind": "point", "segment": 2 * index + 1, "step": 8 * (index + 1),
                 "budget": index, "tokens": 2048 * (index + 1), "compute_flop": 1e6 * (index + 1),
                 "nats_per_byte": 2.5 - index / 3, "accuracy": 0.25, "cpu_s": 1.0}
            )  # fmt: skip
    table = read_ladder([run]).table
    assert table.values("tokens").tolist() == [2048, 4096]
    assert table.values("loss").tolist() == [2.5, 2.166667]
    assert table.values("is_annealed").tolist() == [1, 1]
    assert table.frame["run_id"].tolist() == [run.id, run.id]
    assert (table.loss_unit, table.param_convention) == ("nats/byte", "total")
    assert not checkpoints(table).has_learning_curves


def test_no_point_yet_is_no_table(root, tiny):
    runs = RunQueue(root).submit([tiny()])
    with pytest.raises(TrainingError, match="No budget of these runs is finished yet"):
        read_ladder(runs)


@pytest.mark.slow
def test_a_run_that_fails_is_named(root, tiny):
    config = tiny(corpus="upload:0123456789abcdef")
    with pytest.raises(TrainingError, match="1 of 1 runs did not finish") as caught:
        work_off(RunQueue(root), [config], n_workers=1, poll_s=0.05)
    assert "There is no corpus" in caught.value.detail
