import pytest

from isoflop.training.progress import RunProgress, overall, run_progress, steps_done
from isoflop.training.records import RecordWriter
from isoflop.training.runs import Run, RunState
from isoflop.training.schedule import segments, total_steps

MODEL = {
    "kind": "model", "params": 100, "params_nonembedding": 50, "training_flop_per_token": 1e5,
}  # fmt: skip


def state(status):
    return RunState(status=status, changed="")


def test_steps_are_counted_through_trunk_and_branches(tiny):
    config = tiny()
    places = [
        (index, step)
        for index, segment in enumerate(segments(config))
        for step in range(segment.start + 1, segment.stop + 1)
    ]
    counted = [steps_done(config, *place) for place in places]
    assert counted == list(range(1, total_steps(config) + 1))


def test_a_run_at_a_glance(tmp_path, tiny):
    config = tiny()
    run = Run.create(tmp_path, config)
    assert run_progress(config, run.history()).share == 0.0
    with RecordWriter(run.records_path) as records:
        records.write({"kind": "environment", "matmul_peak_flop_per_s": 1e11})
        records.write(MODEL)
        records.write(
            {
                "kind": "step", "segment": 0, "step": 8, "loss": 3.0, "gradient_norm": 1.5,
                "tokens": 1024, "tokens_per_s": 1e5, "tokens_per_cpu_s": 2e5,
            }
        )  # fmt: skip
    seen = run_progress(config, run.history())
    assert seen.share == pytest.approx(8 / total_steps(config))
    assert seen.flop_per_s == 1e10
    assert seen.peak_share == pytest.approx(0.2)
    assert (seen.loss, seen.gradient_norm, seen.n_points) == (3.0, 1.5, 0)


def test_speed_is_total_work_over_total_time(tmp_path, tiny):
    """A record that took nine times as long does not pass for the speed of the run."""
    run = Run.create(tmp_path, tiny())
    with RecordWriter(run.records_path) as records:
        records.write(MODEL)
        for step, rate in enumerate([9e4, 9e4, 9e4, 1e4]):
            records.write(
                {
                    "kind": "step", "segment": 0, "step": step + 1, "loss": 3.0, "tokens": 128,
                    "gradient_norm": 1.5, "tokens_per_s": rate, "tokens_per_cpu_s": rate,
                }
            )  # fmt: skip
    seen = run_progress(tiny(), run.history())
    assert seen.tokens_per_s == pytest.approx(4 / (3 / 9e4 + 1 / 1e4))
    assert seen.flop_per_s == pytest.approx(1e5 * seen.tokens_per_s)


def part(share, total_flop, *, expected_s, flop_per_s=None):
    return RunProgress(
        share=share, total_flop=total_flop, expected_s=expected_s, flop_per_s=flop_per_s
    )


def test_a_run_that_waits_takes_what_it_was_expected_to_at_the_pace_of_the_others():
    running = part(0.5, 100.0, expected_s=10.0, flop_per_s=5.0)  # 20 s instead of 10: 10 to go
    waiting = part(0.0, 50.0, expected_s=40.0)  # little arithmetic, but slow
    both = overall([(state("running"), running), (state("queued"), waiting)])
    assert both.share == pytest.approx(50 / 150)
    assert both.eta_s == pytest.approx(10 + 2 * 40)


def test_the_time_to_go_is_never_less_than_that_of_the_longest_run():
    long = part(0.0, 100.0, expected_s=100.0, flop_per_s=1.0)
    short = part(0.9, 100.0, expected_s=100.0, flop_per_s=1.0)
    assert overall([(state("running"), long), (state("running"), short)]).eta_s == 100.0


def test_stopped_runs_count_as_far_as_they_came():
    stopped = part(0.5, 100.0, expected_s=20.0, flop_per_s=5.0)
    assert overall([(state("stopped"), stopped)]).share == 0.5
    assert overall([(state("stopped"), stopped)]).eta_s is None
    assert overall([]).share == 0.0
