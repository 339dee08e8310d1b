"""The errors that the app and the documentation name are those that the benchmark measures."""

import csv

import numpy as np
import pytest
from benchmarks.planning import __main__ as measuring
from benchmarks.planning import failures, serving

from isoflop.data import data_root
from isoflop.errors import CatalogError
from isoflop.planning.measured_errors import load_measured_errors, measured_error

AGAIN = "run python -m benchmarks.planning --write"


def test_the_documentation_holds_what_was_measured():
    page = measuring.DOCS.read_text(encoding="utf-8")
    shown = page.split(measuring.START)[1].split(measuring.END)[0]
    assert shown == measuring.markdown(load_measured_errors()), AGAIN


def test_what_was_written_of_steps_is_what_was_fitted():
    with (data_root() / "step_time" / "errors.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "all"]
    for row in rows:
        found = measured_error("a training step", measuring.KEPT_BACK[row["kept_back"]])
        fitted = (float(row["median_error"]), float(row["p90_error"]))
        assert (found.median, found.p90) == fitted, AGAIN


def test_what_was_written_of_failures_and_serving_is_measured_again():
    written = {(found.what, found.kept_back): found for found in load_measured_errors()}
    rows = serving.load_rows()
    full = np.abs(np.expm1(serving.log_errors([row for row in rows if row.is_full_load])))
    assert np.median(full) == pytest.approx(
        written["full load", "nothing, as shipped"].median, abs=1e-4
    )
    for found in measuring.failure_errors():
        # The date apart; 1e-4 is the rounding of the file.
        assert found.median == pytest.approx(written[found.what, found.kept_back].median, abs=1e-4)


def test_a_row_is_predicted_without_those_like_it():
    rows = [row for row in serving.load_rows() if not row.is_full_load]
    shipped = serving.log_errors(rows)
    held_out = serving.held_out_log_errors(rows, lambda row: row.group)
    assert np.median(np.abs(held_out)) > 0
    assert not np.allclose(shipped, held_out)
    assert np.isnan(serving.held_out_log_errors(rows, lambda _: "all")).all()


def test_goodput_without_failures_of_its_own_is_one_formula():
    points = failures.formula_errors()
    assert np.abs(points).max() < 0.012  # three standard errors of the coarsest simulation


def test_an_error_that_was_not_measured_is_not_known():
    with pytest.raises(CatalogError, match="No error of luck"):
        measured_error("luck", "nothing")
