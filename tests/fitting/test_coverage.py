from dataclasses import replace

import numpy as np
import pytest
from tests.fitting.helpers import chinchilla_table

from isoflop import data
from isoflop.errors import CatalogError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.coverage import (
    SIZE_TARGETS,
    TARGETS,
    Coverage,
    coverage_like,
    describe_coverage,
    load_coverage,
)
from isoflop.laws import load_laws


def test_the_shipped_measurements_are_plausible():
    rows = load_coverage()
    assert {row.target for row in rows} <= {*TARGETS, *SIZE_TARGETS}
    of_loss = [row for row in rows if row.target in TARGETS]
    assert all(row.n_tables >= 1000 for row in of_loss)
    assert all(0.3 < row.coverage <= 1 and 0 < row.relative_width < 1 for row in of_loss)
    assert all(row.n_tables >= 150 for row in rows)


def test_a_fit_finds_its_like():
    law = load_laws()["chinchilla"]
    smooth = FitOptions(n_bootstrap=100, bootstrap="smooth")
    found = coverage_like(fit(law, chinchilla_table(noise=0.01), smooth))
    assert [row.target for row in found][: len(TARGETS)] == list(TARGETS)
    kind = ("30 rows, 1% noise", "huber_log", "Bayesian bootstrap")
    assert {(row.setting, row.objective, row.band) for row in found} == {kind}
    least_absolute = FitOptions(objective="asymmetric_mae", n_bootstrap=100)
    assert coverage_like(fit(law, chinchilla_table(noise=0.01), least_absolute)) == ()


def test_rows_that_share_runs_are_held_against_such_tables():
    """Else bands that take rows for independent would be said to be calibrated, or not to be."""
    law, table = load_laws()["chinchilla"], chinchilla_table(20, 6, noise=0.01)
    shared = table.with_frame(table.frame.assign(run_id=np.repeat(np.arange(20), 6)))
    for kind, one, other in (
        ("smooth", "100 rows, 5% outliers", "20 runs of 6 rows"),
        ("clusters", None, "20 runs of 6 rows"),
    ):
        options = FitOptions(n_bootstrap=50, bootstrap=kind)
        for rows, expected in ((table, one), (shared, other)):
            found = coverage_like(fit(law, rows, options))
            assert {row.setting for row in found} == ({expected} if expected else set())


def test_the_default_bands_are_calibrated_or_a_little_wide():
    """In each of the six settings, read anywhere: 88 to 92%, but for 30 and 60 rows up to 95%."""
    default = {"20 runs of 6 rows": "cluster bootstrap"}
    rows = [
        row
        for row in load_coverage()
        if row.objective == "huber_log"
        and row.target in TARGETS
        and row.band == default.get(row.setting, "Bayesian bootstrap")
    ]
    assert len(rows) == 6 * len(TARGETS)
    wide = {row.setting for row in rows if not row.is_calibrated}
    assert wide <= {"30 rows, 1% noise", "60 rows, 3% noise"}
    assert all(0.88 <= row.coverage <= 0.95 for row in rows)


def test_a_spoiled_file_is_a_clear_error(tmp_path, monkeypatch):
    (tmp_path / "coverage.csv").write_text("a,b\n1,2\n")
    monkeypatch.setattr("isoflop.fitting.coverage.data_root", lambda: tmp_path)
    load_coverage.cache_clear()
    with pytest.raises(CatalogError, match=r"The data file coverage\.csv cannot be read"):
        load_coverage()
    load_coverage.cache_clear()
    assert data.data_root().is_dir()


def measured(*shares: float, new: float | None = 0.9) -> tuple[Coverage, ...]:
    return tuple(
        Coverage(
            setting="15 rows, 1% noise",
            n_rows=15,
            n_runs=15,
            objective="huber_log",
            band="row bootstrap",
            target=target,
            n_tables=1000,
            n_without_band=0,
            coverage=share,
            relative_width=0.01,
            prediction_coverage=new,
        )
        for target, share in zip(TARGETS, shares, strict=True)
    )


def test_the_sentence_names_setting_shares_and_shortfall() -> None:
    said = describe_coverage(measured(0.9, 0.85, 0.95))
    assert "15 rows, 1% noise (1,000 tables" in said
    assert "90% inside the data" in said
    assert "Off nominal: too narrow by 5 points at ten times" in said
    assert "too wide by 5 points at a thousand times." in said
    assert "prediction band held a new run's loss in 90% to 90%" in said


def test_a_calibrated_band_is_said_to_be() -> None:
    said = describe_coverage(measured(0.9, 0.89, 0.915, new=None))
    assert "as it should be" in said
    assert "prediction" not in said


def test_every_shipped_measurement_has_a_describe_coverage() -> None:
    rows = load_coverage()
    for kind in {(row.setting, row.objective, row.band) for row in rows}:
        same = tuple(row for row in rows if (row.setting, row.objective, row.band) == kind)
        assert {row.target for row in same} >= {*TARGETS} or {row.target for row in same} == {
            *SIZE_TARGETS
        }
        assert kind[0] in describe_coverage(same)


def test_an_unmeasured_band_says_so() -> None:
    assert "was not measured by simulation" in describe_coverage(())


def test_the_interval_of_a_size_is_told_with_the_bands_and_alone() -> None:
    loss = measured(0.9, 0.9, 0.9)
    sizes = tuple(
        replace(row, target=target, coverage=share)
        for row, target, share in zip(loss, SIZE_TARGETS, (0.88, 0.91), strict=False)
    )
    assert describe_coverage((*loss, *sizes)).endswith(
        "The interval of the compute-optimal size held it in 88% at ten times the largest run's "
        "compute or so, 91% at a thousand times."
    )
    assert "held the true loss" not in describe_coverage(sizes)
