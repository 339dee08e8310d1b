import numpy as np
import pytest
from tests.fitting.helpers import chinchilla_table

from isoflop import data
from isoflop.errors import CatalogError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.coverage import TARGETS, coverage_like, load_coverage
from isoflop.laws import load_laws


def test_the_shipped_measurements_are_plausible():
    rows = load_coverage()
    assert {row.target for row in rows} == set(TARGETS)
    assert all(row.n_tables >= 1000 for row in rows)
    assert all(0.3 < row.coverage <= 1 and 0 < row.relative_width < 1 for row in rows)


def test_a_fit_finds_its_like():
    law = load_laws()["chinchilla"]
    smooth = FitOptions(n_bootstrap=100, bootstrap="smooth")
    found = coverage_like(fit(law, chinchilla_table(noise=0.01), smooth))
    assert [row.target for row in found] == list(TARGETS)
    kind = ("30 rows, 1% noise", "huber_log", "smooth bootstrap of rows")
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
    default = {"20 runs of 6 rows": "bootstrap of whole runs"}
    rows = [
        row
        for row in load_coverage()
        if row.objective == "huber_log"
        and row.band == default.get(row.setting, "smooth bootstrap of rows")
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
