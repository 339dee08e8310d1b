"""The Fit page: every section, rows left out and taken back, laws and tables of every kind."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from tests.pages import helpers
from tests.pages.helpers import figures, healthy, metrics, text, trace_names

from isoflop.laws import load_laws
from isoflop.tables import load_dataset
from isoflop.ui.fit import exclusions as fit_exclusions
from isoflop.ui.fit.page import SECTIONS

open_page = partial(helpers.open_shipped, "fit", bootstrap="200")
CHINCHILLA = {"table": "chinchilla", "law": "chinchilla", "budget": "flop", "flop": "5.76e23"}


def words(at: AppTest) -> str:
    return text([*at.markdown, *at.caption])


def button(at: AppTest, label: str) -> Any:
    (found,) = [entry for entry in at.button if entry.label.startswith(label)]
    return found


# --- Each section ---------------------------------------------------------------------------------


def test_first_visit_is_finished() -> None:
    at = healthy(helpers.open_page("fit"))
    assert set(metrics(at)) >= {"Rows fitted", "Starts at this optimum", "Residual"}
    assert len(figures(at)) == 1


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_draws(section: str) -> None:
    at = healthy(open_page(section=section))
    n_charts = dict.fromkeys(SECTIONS, 1) | {"parameters": 2, "residuals": 5, "influence": 4}
    n_charts["next-runs"] = 3
    assert len(figures(at)) == n_charts[section]
    for figure in figures(at):
        assert len(figure["alt"]) > 30


def test_the_picture_holds_the_surface_the_starts_and_the_optimum(mirror: Path) -> None:
    (figure,) = figures(healthy(open_page(**CHINCHILLA)))
    assert figure["data"][0]["type"] == "contour"
    assert {"16 starts", "Reported optimum", "From start to end"} <= set(trace_names(figure))
    assert "Other minima" not in trace_names(figure)


def test_a_law_with_several_minima_shows_them(mirror: Path) -> None:
    at = healthy(open_page(table="datablations", bootstrap="0", **{"fit.over": "alpha, beta"}))
    assert "Other minima" in trace_names(figures(at)[0])
    assert "1 other minimum was found, the lowest" in words(at)


def test_intervals_of_all_methods_stand_side_by_side(mirror: Path) -> None:
    at = healthy(open_page(section="Parameters", **CHINCHILLA))
    table = at.dataframe[0].value
    assert list(table["Parameter"]) == ["E", "A", "B", "alpha", "beta"]
    for method in ("Profile likelihood", "Bootstrap", "Covariance"):
        assert all(" to " in cell for cell in table[method])


def test_without_resamples_the_page_says_what_is_missing() -> None:
    at = healthy(open_page(section="Parameters", bootstrap="0"))
    assert "There are no bootstrap draws" in words(at)
    at = healthy(open_page(section="Next runs", bootstrap="0"))
    assert "choose a number of bootstrap resamples" in at.info[0].value


def test_both_bands_are_drawn_apart_and_the_whole_curves_is_a_choice(mirror: Path) -> None:
    at = healthy(open_page(section="Bands", **CHINCHILLA))
    (figure,) = figures(at)
    assert trace_names(figure)[:2] == ["One new run (prediction)", "Mean of such runs (confidence)"]
    each = figure["data"][1]["y"]
    whole_at = healthy(open_page(section="Bands", **CHINCHILLA, **{"fit.band": "whole"}))
    (whole,) = figures(whole_at)
    assert "whole curve" in trace_names(whole)[1]
    assert whole["data"][1]["y"] != each
    table = at.dataframe[0].value
    assert list(table["Method"]) == ["Bayesian bootstrap", "Residual covariance"]
    assert all(" to " in cell for cell in [*table["Mean of such runs"], *table["One new run"]])


def test_bands_are_drawn_off_the_curve_and_their_absence_is_explained(mirror: Path) -> None:
    relative = healthy(open_page(section="Bands", **CHINCHILLA, **{"fit.band_as": "off"}))
    assert "(%)" in figures(relative)[0]["layout"]["yaxis"]["title"]["text"]
    none = open_page(section="Bands", **CHINCHILLA, bootstrap="0", **{"fit.band": "whole"})
    assert "needs bootstrap draws" in words(healthy(none))


def test_rows_of_one_run_are_resampled_together_unless_told_otherwise(mirror: Path) -> None:
    at = healthy(open_page(section="Bands", table="gemstones"))
    assert at.dataframe[0].value["Method"][0] == "Cluster bootstrap"
    rows = healthy(open_page(section="Bands", table="gemstones", resample="rows"))
    assert rows.dataframe[0].value["Method"][0] == "Row bootstrap"
    wild = healthy(
        open_page(
            table="gemstones", resample="wild", objective="least_squares_log", section="Bands"
        )
    )
    assert wild.dataframe[0].value["Method"][0] == "Wild cluster bootstrap"


def test_rows_far_off_are_drawn_at_the_edge_or_to_scale(mirror: Path) -> None:
    edge = figures(healthy(open_page(section="Residuals", **CHINCHILLA)))[0]
    assert any("further out" in name for name in trace_names(edge))
    scale = figures(healthy(open_page(section="Residuals", **CHINCHILLA, **{"fit.far": "scale"})))[
        0
    ]
    assert not any("further out" in name for name in trace_names(scale))


# --- Single rows ----------------------------------------------------------------------------------


def test_the_five_rows_left_out_give_both_fits_side_by_side(mirror: Path) -> None:
    at = healthy(open_page(section="Influence", **CHINCHILLA))
    assert "The 5 rows of highest loss move the compute-optimal size" in words(at)
    button(at, "Leave out the 5 highest").click().run()
    healthy(at)
    assert "Left out: rows 1, 2, 3, 4, 5." in words(at)
    table = at.dataframe[0].value
    (size,) = table[table["Quantity"] == "N*"].to_dict("records")
    assert size["All 245 rows"].startswith("119B")
    assert size["Without 5"].startswith("73.2B")
    assert len(figures(at)) == 5
    assert at.query_params["drop"] == "1,2,3,4,5"


def test_leaving_out_can_be_undone(mirror: Path) -> None:
    at = healthy(open_page(section="Influence", drop="7", **CHINCHILLA))
    assert "Left out: row 7." in words(at)
    button(at, "Leave out the 5 highest").click().run()
    assert "Left out: rows 1, 2, 3, 4, 5, 7." in words(at)
    button(at, "Undo").click().run()
    assert "Left out: row 7." in words(at)
    button(at, "Put all back").click().run()
    assert "Nothing is left out yet." in words(at)
    assert "drop" not in at.query_params
    button(at, "Undo").click().run()
    assert "Left out: row 7." in words(at)


def test_junk_in_the_address_leaves_nothing_out() -> None:
    at = healthy(open_page(section="Influence", drop="x,-1,999,<b>,1e3"))
    assert "Nothing is left out yet." in words(at)


def test_another_table_starts_with_all_its_rows(mirror: Path) -> None:
    at = healthy(open_page(section="Influence", drop="1,2"))
    assert "Left out: rows 1, 2." in words(at)
    at.selectbox(key="table").select("chinchilla").run()
    healthy(at)
    assert "Nothing is left out yet." in words(at)


def test_leaving_out_too_many_rows_is_explained() -> None:
    at = open_page(section="Influence", drop=",".join(map(str, range(1, 15))))
    assert not at.exception
    assert "parameters, but the table has 1 usable" in at.error[0].value.replace("\\", "")


def test_a_click_leaves_out_and_takes_back() -> None:
    excluded = fit_exclusions.Exclusions(table_key="x")
    excluded = excluded.changed([3, 1]).changed([3, 1, 1])
    assert (excluded.rows, excluded.history) == ((1, 3), ((),))
    assert excluded.undone().rows == ()
    assert excluded.undone().undone() == excluded.undone()


def test_influence_is_shown_on_every_quantity() -> None:
    at = healthy(open_page(section="Influence", law="chinchilla"))
    (chosen,) = [entry for entry in at.selectbox if entry.label == "Quantity"]
    assert len(chosen.options) == 7
    before = figures(at)[1]["data"][0]["x"]
    chosen.select("alpha").run()
    assert figures(healthy(at))[1]["data"][0]["x"] != before


def test_runs_can_be_left_out_whole(mirror: Path) -> None:
    at = healthy(open_page(section="Influence", table="gemstones", law="chinchilla"))
    (unit,) = [e for e in at.get("button_group") if e.label == "Left out"]
    unit.set_value("runs").run()
    bars = figures(healthy(at))[1]["data"][0]
    assert any("rows)" in name for name in bars["y"])


# --- The next runs --------------------------------------------------------------------------------


def test_next_runs_keep_to_the_budget() -> None:
    at = healthy(
        open_page(
            section="Next runs",
            table="simulated",
            law="chinchilla",
            budget="flop",
            flop="1e24",
            **{"fit.spend": "1e23", "fit.runs": "3"},
        )
    )
    assert "3 runs of" in words(at)
    table = at.dataframe[0].value
    assert table["Runs"].sum() == 3
    shares = table["Share of the budget"].str.rstrip("%").astype(float)
    assert shares.sum() <= 101
    assert {"Loss now", "Loss with the runs", "Compute-optimal size now"} <= set(metrics(at))


# --- Laws and tables of every kind ----------------------------------------------------------------


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("law", ["power_floor", "logarithmic", "chinchilla_tied", "kaplan_d"])
def test_laws_of_every_kind(law: str, section: str) -> None:
    at = open_page(section=section, law=law)
    assert not at.exception
    has_optimum = "params" in {item.column for item in load_laws()[law].inputs}
    if section == "next-runs" and not has_optimum:
        assert "no compute-optimal model size" in at.error[0].value.replace("\\", "")
    else:
        healthy(at)
    assert ("Compute-optimal size N*" in metrics(at)) is has_optimum


def test_a_typed_law_and_another_objective() -> None:
    for section in ("Optimum", "Parameters", "Influence"):
        healthy(
            open_page(
                section=section,
                law="typed",
                formula="E + A/N**a + B/D**a",
                objective="least_squares",
            )
        )
    at = healthy(open_page(section="Parameters", objective="asymmetric_mae"))
    assert "No likelihood is available" in words(at)
    healthy(open_page(section="Influence", objective="asymmetric_mae"))


def test_a_published_fit_is_not_diagnosed() -> None:
    at = open_page(law="published-besiroglu")
    assert not at.exception
    assert "nothing to diagnose" in at.error[0].value


def test_a_budget_that_cannot_be_is_explained() -> None:
    at = open_page(mfu="99%")
    assert not at.exception
    assert "more than" in at.error[0].value


def test_bars_are_those_of_fits_without_the_row(mirror: Path) -> None:
    at = healthy(open_page(section="Influence", **CHINCHILLA))
    bars = figures(at)[1]["data"][0]
    assert bars["y"][0] == "row 1"
    table = load_dataset("chinchilla")
    assert np.argmax(table.values("loss")) == 0


def test_runs_that_would_decide_between_the_laws_are_proposed() -> None:
    at = healthy(open_page(section="Next runs", fit__aim="agreement", bootstrap="200"))
    assert "would decide most" in text(at.markdown)
    assert "Disagreement left" in at.dataframe[0].value
