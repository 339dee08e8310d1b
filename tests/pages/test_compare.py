"""The Compare page: every question answered on first sight, refusals with their reason, links."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from tests.pages import helpers
from tests.pages.helpers import figures, healthy, text

from isoflop.fitting import FitOptions, fit
from isoflop.fitting.backtest import load_backtest
from isoflop.fitting.compare import compare_laws, functional_forms, subset
from isoflop.fitting.isoflop import compare_approaches
from isoflop.laws import load_laws
from isoflop.plot import theme as look
from isoflop.tables import load_dataset
from isoflop.ui import server, shell

open_page = partial(helpers.open_shipped, "compare")
WHY = "compare.why.tokenizer"


def texts(at: AppTest) -> str:
    return text(at.markdown)


def columns(at: AppTest, index: int = 0) -> dict[str, list[Any]]:
    return at.dataframe[index].value.to_dict(orient="list")


# --- Laws


def test_first_visit_ranks_functional_forms_on_rows_of_one_tokenizer() -> None:
    at = healthy(open_page())
    table = load_dataset("pile-cerebras-pythia")
    pythia = subset(table, (table.frame["family"] == "Pythia").to_numpy())
    expected = compare_laws(pythia, functional_forms("compute_flop"), FitOptions(n_bootstrap=300))
    for sentence in expected.sentences():
        assert sentence in texts(at)
    assert columns(at)["Law"] == [place.score.law.label for place in expected.ranking.places]
    curves, errors = figures(at)
    assert [trace["name"] for trace in errors["data"]] == ["Held-out scale", "Left-out rows"]
    assert {"Linear", "Power law with floor"} <= {trace["name"] for trace in curves["data"]}
    assert curves["layout"]["annotations"][0]["text"].strip() == "held out"


def test_all_families_as_one_is_said_to_mix_tokenizers() -> None:
    at = healthy(open_page(compare__rows="all families as one"))
    assert "The tokenizer differs or is not known to agree" in texts(at)
    assert "the 9 rows up to 2.2e21 FLOP" in texts(at)


def test_laws_of_size_and_data_are_compared_by_what_they_predict(mirror: Path) -> None:
    at = healthy(open_page(table="chinchilla", compare__laws="laws"))
    table = columns(at)
    assert {"Chinchilla", "Kaplan L(N, D)", "Chinchilla with interaction"} <= set(table["Law"])
    assert "the 226 rows up to 1.3e21 FLOP" in texts(at)
    offsets, _ = figures(at)
    assert "hollow: outside its 90% interval" in offsets["layout"]["annotations"][0]["text"]


def test_how_much_is_held_out_can_be_chosen() -> None:
    one = texts(healthy(open_page(compare__held="1")))
    half = texts(healthy(open_page(compare__held="0.5")))
    assert "the 4 rows up to" in one
    assert "the 6 rows up to" in half


# --- Families


def test_families_of_other_tokenizers_are_refused_until_told_why() -> None:
    at = open_page(compare="Families")
    (refusal,) = healthy(at).warning
    assert "Cerebras" in refusal.value
    assert "cannot be compared as they stand" in refusal.value
    assert not figures(at)
    at.text_input(key=WHY).set_value("both vocabularies hold about 50,000 entries").run()
    healthy(at)
    assert "because: both vocabularies hold about 50,000 entries." in texts(at)
    assert "Pythia needs" in texts(at)
    assert "The families do not share the exponent a" in texts(at)
    assert "scaled by different recipes" in texts(at)
    assert len(figures(at)) == 2


def test_a_link_carries_the_reason() -> None:
    at = healthy(open_page(compare="Families", **{WHY: "a test"}))
    assert "because: a test." in texts(at)


def test_the_families_chosen_are_those_compared() -> None:
    """The chips said LSTM and transformer, the comparison the table's first two."""
    at = healthy(open_page(compare="Families", table="isoflop-ladder",
                           families=["lstm", "transformer"]))  # fmt: skip
    assert at.selectbox(key="compare.one").options == ["lstm", "transformer"]
    assert "For what lstm reaches with" in texts(at)
    assert "transformer needs" in texts(at)


def test_one_family_chosen_is_compared_with_any_other() -> None:
    at = healthy(open_page(compare="Families", table="isoflop-ladder", families="rnn"))
    assert at.selectbox(key="compare.one").value == "rnn"
    assert at.selectbox(key="compare.other").options == [
        *("dense", "lstm", "rnn_attention", "transformer")
    ]


def test_a_law_of_size_and_data_is_read_at_the_best_size(mirror: Path) -> None:
    at = open_page(
        compare="Families",
        table="chinchilla",
        compare__table="gemstones",
        compare__law="chinchilla",
        **{WHY: "only to see the machinery"},
    )
    healthy(at)
    assert "needs" in texts(at)
    assert columns(at)["Parameter"] == list(load_laws()["chinchilla"].param_names)


def test_a_table_of_one_family_is_compared_with_another_table(mirror: Path) -> None:
    at = open_page(compare="Families", table="gemstones")
    assert "this table" not in at.selectbox(key="compare.table").options
    assert "Gemstones and" in at.warning[0].value
    assert "cannot be compared as they stand" in at.warning[0].value


def test_families_without_compute_are_compared_by_what_they_share(mirror: Path) -> None:
    at = healthy(open_page(compare="Families", table="routed-experts", compare__one="Dense"))
    assert "For what Dense reaches with" in texts(at)
    assert "times the active parameters" not in texts(at)  # the interval stands between
    assert "the active parameters" in texts(at)
    drawn, _ = figures(at)
    assert drawn["layout"]["xaxis"]["title"]["text"] == "Active parameters of Dense (parameters)"
    by_size = texts(healthy(open_page(compare="Families", table="routed-experts",
                                      compare__scale="Model size")))  # fmt: skip
    assert "the parameters" in by_size


# --- Published fits


def test_published_fits_lie_over_the_rows_with_their_convention(mirror: Path) -> None:
    at = healthy(open_page(compare="Published fits", table="chinchilla"))
    table = columns(at)
    row = table["Published fit"].index("Hoffmann et al. 2022 (Chinchilla), unrounded")
    assert table["Median shift"][row] == pytest.approx(0.0014, abs=5e-4)
    assert table["N counts"][row] == "total"
    assert "N 44M to 16B" in table["Valid range"][row]
    kaplan = table["Published fit"].index("Kaplan et al. 2020, L(N)")
    assert table["Counted differently here"][kaplan] == "N"
    notes = columns(at, 1)["Note"]
    assert "N counts non-embedding parameters; the table's: total." in notes[kaplan]
    assert "Hoffmann et al. 2022 (Chinchilla), unrounded has the closest shape" in texts(at)
    drawn, offsets = figures(at)
    hoffmann = [t for t in drawn["data"] if t["name"].startswith("Hoffmann")]
    assert [t["line"]["dash"] for t in hoffmann] == ["dot", "solid"]  # beyond its range, within it
    assert {t["name"] for t in offsets["data"]} >= {hoffmann[0]["name"]}
    by_size = healthy(
        open_page(
            compare="Published fits", table="chinchilla", **{"compare.published.x": "Model size"}
        )
    )
    assert len(figures(by_size)) == 1


# --- Approaches


def test_three_approaches_stand_side_by_side(mirror: Path) -> None:
    at = healthy(open_page(compare="Compute-optimal size", table="chinchilla"))
    table = load_dataset("chinchilla")
    fitted = fit(load_laws()["chinchilla"], table, FitOptions(n_bootstrap=1000))
    expected = compare_approaches(table, fitted)
    assert expected.verdict() in texts(at)
    exponents = columns(at)["a (N as C to the a)"]
    for shown, approach in zip(exponents, expected.approaches, strict=True):
        assert approach.params_line is not None
        assert shown.startswith(f"{approach.params_line.exponent:.3f} (")
    assert columns(at)["Bias of a"][1].startswith("-0.0114 (N")
    assert len(figures(at)) == 3


def test_a_refused_approach_says_why() -> None:
    at = healthy(open_page(compare="Compute-optimal size"))
    assert columns(at)["a (N as C to the a)"][1] == "refused"
    said = " ".join(entry.value.replace("\\", "") for entry in at.info)
    assert "No two runs of different size share a compute budget" in said


def test_every_refused_budget_is_drawn_and_says_why(mirror: Path) -> None:
    at = healthy(open_page(compare="Compute-optimal size", table="gemstones"))
    reasons = columns(at, 1)["Reason"]
    assert len(reasons) == 12
    assert all(reasons)
    sizes, profiles, envelope = figures(at)
    assert [trace["name"] for trace in profiles["data"]] == ["Refused"]
    (law,) = [
        t for t in sizes["data"] if t["name"] == "Parametric fit" and t.get("showlegend", True)
    ]
    assert law["line"]["color"] == look.colour(2)
    assert "Corners used" in {trace["name"] for trace in envelope["data"]}


def test_approaches_are_about_fresh_data(mirror: Path) -> None:
    at = healthy(open_page(compare="Compute-optimal size", table="datablations"))
    assert "163 rows that saw their data more than 4 times are left out" in texts(at)


@pytest.mark.parametrize("section", ["Published fits", "Compute-optimal size"])
def test_tokenizers_are_not_mixed_unless_asked_for(section: str) -> None:
    at = healthy(open_page(compare=section))
    assert at.segmented_control(key="compare.rows").value == "Pythia"
    assert "The tokenizer differs" not in texts(at)
    mixed = healthy(open_page(compare=section, compare__rows="all families as one"))
    assert "The tokenizer differs or is not known to agree" in texts(mixed)


def test_approaches_need_size_and_data(mirror: Path) -> None:
    at = healthy(open_page(compare="Compute-optimal size", table="revisiting-language"))
    (said,) = at.info
    assert "need model size, tokens, compute and loss" in said.value
    assert "no model size and no compute" in said.value


@pytest.mark.parametrize("section", ["Laws", "Families", "Published fits", "Compute-optimal size"])
def test_a_table_of_accuracies_is_sent_on(section: str, mirror: Path) -> None:
    at = healthy(open_page(compare=section, table="observational"))
    (said,) = at.info
    assert "holds no losses" in said.value


# --- Downstream


def test_runs_with_measured_losses_are_predicted_through_the_loss(mirror: Path) -> None:
    at = healthy(open_page(compare="Downstream"))
    assert (
        "On the 5 runs of the largest decade, held out, predictions were 0.4 points off"
        in texts(at)
    )
    assert "compute alone would have been 4.6 off" in texts(at)
    assert len(figures(at)) == 3
    assert len(columns(at)["Predicted through the loss"]) == 5


def test_families_have_offsets_without_losses(mirror: Path) -> None:
    at = healthy(
        open_page(compare="Downstream", compare__runs="observational", compare__metric="HellaSwag")
    )
    assert "One sigmoid for 23 families" in texts(at)
    assert "No loss was measured for these 97 models" in texts(at)
    assert "Pythia" in columns(at)["Family"]
    _, proof = figures(at)
    held = [trace for trace in proof["data"] if trace["name"].startswith("predicted, ")]
    assert sum(len(trace["text"]) for trace in held) == 13


# --- Backtest


def test_the_backtest_report_is_shown_as_it_ships() -> None:
    at = healthy(open_page(compare="Backtest"))
    report = load_backtest()
    (heatmap,) = figures(at)
    _, trace = heatmap["data"]
    assert set(trace["x"]) == {row.dataset for row in report.rows}
    assert report.made in at.caption[0].value.replace("\\", "")
    first = report.rows[0].dataset
    assert len(columns(at)["Law"]) == sum(row.dataset == first for row in report.rows)


def test_the_backtest_shows_coverage_too_and_says_what_matters() -> None:
    at = healthy(open_page(compare="Backtest", compare__measure="Coverage"))
    (heatmap,) = figures(at)
    row = next(r for r in load_backtest().rows if r.law == "linear" and r.dataset == "chinchilla")
    _, trace = heatmap["data"]
    at_linear = trace["y"].index("Linear"), trace["x"].index("chinchilla")
    assert trace["text"][at_linear[0]][at_linear[1]] == f"{row.coverage:.0%}"
    assert "the middle law is off" in texts(at)


# --- The page in the app


@pytest.mark.parametrize("start", ["compare", server.MAIN_SCRIPT], ids=["alone", "in the app"])
def test_it_opens_alone_and_in_the_app(start: str | Path) -> None:
    at = helpers.open_page(start)
    if start == server.MAIN_SCRIPT:
        at.switch_page(str(shell.PAGES_FOLDER / "compare.py")).run()
    healthy(at)


def test_a_table_that_cannot_be_had_leaves_the_page_up() -> None:
    at = open_page(table="upload-0123456789ab")
    assert not at.exception
    assert at.error


# --- Own tables


def uploaded(section: str, table: pd.DataFrame) -> AppTest:
    """Open a section and upload a table there."""
    at = open_page(compare=section, bootstrap="200")
    content = table.to_csv(index=False).encode()
    return healthy(at.file_uploader[0].upload("own.csv", content).run())


def own_rows(count: int) -> pd.DataFrame:
    """Make up runs that follow a Chinchilla law, in two families, with an accuracy."""
    random = np.random.default_rng(0)
    params = 10 ** random.uniform(7, 10, count)
    tokens = params * 10 ** random.uniform(0.5, 2, count)
    loss = 1.8 + 480 / params**0.35 + 2100 / tokens**0.37
    loss *= np.exp(0.01 * random.standard_normal(count))
    return pd.DataFrame(
        {
            "family": np.where(np.arange(count) % 2, "Ours", "Theirs <b>"),
            "params": params,
            "tokens": tokens,
            "loss": loss,
            "hellaswag": 0.25 + 0.6 / (1 + np.exp(4 * (loss - 2.6))),
        }
    )


def test_an_own_table_is_compared_in_every_section(mirror: Path) -> None:
    rows = own_rows(40)
    assert "comes closest" in texts(uploaded("Laws", rows))
    families = uploaded("Families", rows)
    families.selectbox(key="compare.table").select("same").run()
    families.selectbox(key="compare.one").select("Ours").run()
    assert "For what Ours reaches with" in texts(healthy(families))
    assert "Theirs <b> needs" in texts(families)
    assert "has the closest shape" in texts(uploaded("Published fits", rows))
    assert "by the parametric fit" in texts(uploaded("Compute-optimal size", rows))
    accuracy = uploaded("Downstream", rows)
    assert accuracy.selectbox(key="compare.runs.own").value == "here"
    assert "hellaswag" in texts(accuracy)


@pytest.mark.parametrize("section", ["Laws", "Families", "Published fits", "Compute-optimal size"])
def test_a_table_of_one_row_is_no_failure(section: str) -> None:
    said = texts(uploaded(section, own_rows(1)))
    assert said.count("can be judged on rows that it has not seen") == (section == "Laws")
