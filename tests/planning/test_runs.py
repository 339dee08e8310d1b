import csv

import pytest

from isoflop.data import read_toml
from isoflop.errors import CatalogError
from isoflop.planning.runs import (
    RUNS_FILE,
    agreement,
    check_runs,
    hours_over_published,
)
from isoflop.planning.runs import _run as parse_run
from isoflop.planning.whole_runs import fit_whole_runs, load_whole_runs

KEYS = sorted(read_toml(RUNS_FILE))
MINIMAL = {
    "label": "Mine",
    "params": 1e9,
    "tokens": 2e10,
    "accelerator": "h100-sxm",
    "reason": "made up",
    "source": "mine",
    "retrieved": "2026-11",
}


@pytest.mark.parametrize("key", KEYS)
def test_every_run_is_plausible(key: str) -> None:
    check = next(check for check in check_runs() if check.run.key == key)
    run = check.run
    assert 1e7 < run.params_active <= run.params < 1e13
    assert 0.3 < run.tokens / run.params_active < 10_000
    assert run.reason.endswith(".")
    if run.published_mfu is not None:
        assert 0.1 < run.published_mfu[0] <= run.published_mfu[1] < 0.6
    if check.implied_mfu is not None:
        assert 0.1 < check.implied_mfu < 0.6
    if check.flop_ratio is not None:
        assert 0.5 < check.flop_ratio < 1.2
    if check.attention_ratio is not None:
        assert check.attention_ratio > check.flop_ratio


def test_the_sums_equal_those_worked_out_independently(shared) -> None:
    with (shared / "facts" / "runs.tsv").open(encoding="utf-8") as file:
        rows = {row["model"]: row for row in csv.DictReader(file, delimiter="\t")}
    checks = {check.run.label: check for check in check_runs()}
    assert checks.keys() == rows.keys()
    for label, row in rows.items():
        check = checks[label]
        # Four digits are given; sizes are rounded to six.
        assert check.flop_6nd == pytest.approx(float(row["calc_6ND"]), rel=6e-4)
        if row["calc_with_attention"]:
            assert check.flop_with_attention == pytest.approx(
                float(row["calc_with_attention"]), rel=6e-4
            )
        if row["implied_mfu_6ND"]:
            assert check.implied_mfu == pytest.approx(float(row["implied_mfu_6ND"]), abs=1.1e-3)


def test_every_published_count_is_met_or_lies_above_by_a_stated_reason() -> None:
    checks = [check for check in check_runs() if check.agrees is not None]
    assert sum(bool(check.agrees) for check in checks) >= 15
    for check in checks:
        # Nothing that we leave out makes us count more than 10% too much.
        assert check.closest_ratio < 1.1
        assert check.agrees or check.closest_ratio > 0.7


def test_hours_are_planned_without_bias_and_the_interval_holds_what_it_says() -> None:
    """Each run by what those of other sources made of tuned steps."""
    found = agreement(check_runs())
    error = found.hours_error
    assert (found.n_timed, error.n_runs) == (39, 39)
    assert found.n_near >= 37
    assert 0.9 < error.median_ratio < 1.1
    assert error.median < 0.22
    assert error.p90 < 0.61
    assert 0.7 < found.n_inside / found.n_timed < 0.9


def test_the_share_that_whole_runs_make_is_the_one_that_ships() -> None:
    """``python -m benchmarks.step_time --write`` was run after the last change."""
    fitted, shipped = fit_whole_runs(*hours_over_published()), load_whole_runs()
    assert fitted.share == pytest.approx(shipped.share, abs=1e-3)
    assert (fitted.n_runs, fitted.n_sources) == (shipped.n_runs, shipped.n_sources)
    assert (fitted.lower, fitted.upper) == pytest.approx((shipped.lower, shipped.upper), abs=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hours": 3}, "unknown: hours"),
        ({"unverified": ["colour"]}, "unverified: colour"),
        ({"other_hardware": "CS-2"}, "an accelerator or other hardware, not both"),
        ({"attention": {"layers": 3}}, "missing: context, width"),
        ({"model": "no such model"}, "no such model"),
        ({"accelerator": "h900"}, "no accelerator 'h900'"),
    ],
)
def test_a_malformed_run_is_refused(change: dict, message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        parse_run("mine", MINIMAL | change)


def test_the_figures_that_the_documentation_states() -> None:
    found = agreement(check_runs())
    assert (found.n_runs, found.n_counted, found.n_agreeing) == (52, 37, 15)
    assert (found.n_timed, found.n_near, found.n_inside) == (39, 39, 35)
    error = found.hours_error
    assert (round(error.median, 2), round(error.p90, 2)) == (0.2, 0.61)
