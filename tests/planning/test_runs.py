import csv

import pytest

from isoflop.data import read_toml
from isoflop.errors import CatalogError
from isoflop.planning.runs import (
    RUNS_FILE,
    Agreement,
    agreement,
    check_run,
    check_runs,
    load_runs,
)
from isoflop.planning.runs import _run as parse_run

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
    check = check_run(load_runs()[key])
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


def test_the_default_utilisation_plans_the_hours_of_most_runs_within_a_factor_of_two() -> None:
    ratios = [check.hours_ratio for check in check_runs() if check.hours_ratio is not None]
    assert len(ratios) > 30
    within = [ratio for ratio in ratios if 0.5 < ratio < 2]
    assert len(within) / len(ratios) > 0.8


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
    assert agreement(check_runs()) == Agreement(
        n_runs=52, n_counted=37, n_agreeing=15, n_timed=39, n_near=37
    )
