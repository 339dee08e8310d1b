"""The Explore page: what it shows at first, and what every control does to it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages import helpers
from tests.pages.helpers import SHIPPED, figures, healthy, metrics, press, text, trace_names

from isoflop.errors import WorkError
from isoflop.fitting import FitOptions, fit
from isoflop.fitting.extrapolation import pool
from isoflop.laws import load_laws
from isoflop.planning import Budget, find_accelerator, plan
from isoflop.planning.outlook import outlook
from isoflop.tables import load_dataset, of_families
from isoflop.ui import resolve, server
from isoflop.ui.jobs import KeptByJob
from isoflop.units import DAY_S, format_number
from isoflop.work import Job

open_page = partial(helpers.open_shipped, "explore")
STARTS = {"alone": "explore", "in the app": server.MAIN_SCRIPT}
CHINCHILLA = {"E", "A", "B", "alpha", "beta"}


def metric(at: AppTest, label: str) -> str:
    return metrics(at)[label]


# --- The first visit ------------------------------------------------------------------------------


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_first_visit_is_finished(start: Path) -> None:
    at = healthy(helpers.open_page(start))
    assert not at.warning
    assert set(metrics(at)) == {
        "Predicted loss", "Model size N", "Training data D", "Tokens per parameter", "Wall time",
        "Accelerator-hours", "Cost", "Extrapolation",
    }  # fmt: skip
    curve, contours, beyond, residuals = figures(at)
    assert {"Pythia", "You are here", "90% band", "extrapolation"} <= set(trace_names(curve))
    assert "Cerebras-GPT" not in trace_names(curve)  # which has another tokenizer
    assert trace_names(contours)[:4] == ["Loss (nats/token)", *["Levels"] * 3]
    assert "Each law alone" in trace_names(beyond)
    assert "By **the average of" in at.markdown[0].value
    assert {"Same budget", "You are here"} <= set(trace_names(contours))
    assert "Pythia" in trace_names(residuals)
    assert "size and data do not vary independently" in text(at.caption)


def test_the_front_page_opens_with_the_table_that_can_bear_most(mirror: Path) -> None:
    at = healthy(helpers.open_page("explore"))
    assert at.selectbox(key="table").value == "chinchilla"
    assert at.selectbox(key="law").value == "interaction"
    assert "on **Chinchilla, 245 digitised runs**" in at.markdown[0].value
    assert metric(at, "Extrapolation").endswith("decades")
    assert "×/÷" in at.markdown[0].value


def test_every_chart_has_a_name_for_those_who_do_not_see_it() -> None:
    at = open_page()
    for figure in figures(at):
        assert len(figure["alt"]) > 40


def test_answer_is_the_engines() -> None:
    at = healthy(open_page(law="chinchilla", table="simulated", bootstrap="200"))
    table = at.session_state["selection"]
    from isoflop.tables import simulated_table

    options = FitOptions(n_bootstrap=200, bootstrap="smooth")
    result = fit(load_laws()["chinchilla"], simulated_table(), options)
    budget = Budget(
        wall_time_s=30 * DAY_S,
        accelerators=512,
        price_usd_per_hour=find_accelerator("h100-sxm").price_usd_per_hour,
    )
    expected = plan(result, budget, find_accelerator("h100-sxm"))
    assert table.budget == budget
    seen = outlook(simulated_table(), expected)
    assert seen.ahead is not None
    assert metric(at, "Predicted loss") == f"{seen.ahead.centre[0]:.3f}"
    assert metric(at, "Model size N") == format_number(expected.params)
    assert metric(at, "Training data D") == format_number(expected.tokens)
    words = at.markdown[0].value
    assert f"{format_number(expected.params)} parameters" in words
    assert f"{seen.ahead.lower[0]:.3f} to {seen.ahead.upper[0]:.3f}" in words
    assert words.startswith(f"By **{seen.ahead.by}** on **Simulated runs")


def test_one_law_alone_can_be_asked() -> None:
    at = healthy(open_page(by="one"))
    assert "By **one law alone " in at.markdown[0].value


# --- Controls -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "changed"),
    [
        ({"law": "chinchilla"}, "Model size N"),
        ({"families": "Pythia", "law": "power_floor"}, "Predicted loss"),
        ({"objective": "least_squares_log"}, "Predicted loss"),
        ({"delta": "0.1"}, "Predicted loss"),
        ({"objective": "asymmetric_mae", "asymmetry": "3"}, "Predicted loss"),
        ({"accelerator": "v100-sxm2-32gb"}, "Training data D"),
        ({"count": "1024"}, "Accelerator-hours"),
        ({"time": "500 GPU-days"}, "Wall time"),
        ({"mfu": "20%"}, "Training data D"),
        ({"budget": "flop", "flop": "2e21"}, "Cost"),
        ({"budget": "flop", "flop": "500 GPU-days"}, "Cost"),
        ({"budget": "money", "money": "$2M"}, "Cost"),
        ({"budget": "money", "money": "$2M", "price": "$1.50/h"}, "Cost"),
        ({"size": "chosen", "params": "7B"}, "Model size N"),
        ({"table": "simulated"}, "Predicted loss"),
        ({"table": "simulated", "noise": "0.05"}, "Predicted loss"),
        ({"law": "published-hoffmann"}, "Predicted loss"),
        ({"law": "typed", "formula": "E + A/N**a + B/D**a"}, "Predicted loss"),
    ],
    ids=str,
)
def test_a_control_in_the_address_changes_the_answer(address: dict[str, str], changed: str) -> None:
    default = metrics(healthy(open_page(bootstrap="0")))
    at = healthy(open_page(bootstrap="0", **address))
    assert not at.warning, [warning.value for warning in at.warning]
    assert metrics(at)[changed] != default[changed]


@pytest.mark.parametrize("axis", ["compute_flop", "params", "tokens"])
def test_loss_is_drawn_against_each_axis(axis: str) -> None:
    titles = {"compute_flop": "Training compute C (FLOP)", "params": "Model size N (parameters)",
              "tokens": "Training data D (tokens)"}  # fmt: skip
    figure = figures(healthy(open_page(axis=axis)))[0]
    assert figure["layout"]["xaxis"]["title"]["text"] == titles[axis]
    assert figure["layout"]["xaxis"]["type"] == figure["layout"]["yaxis"]["type"] == "log"
    assert ("Same budget, other sizes" in trace_names(figure)) is (axis != "compute_flop")


def test_slider_writes_the_typed_value_and_the_address() -> None:
    at = healthy(open_page())
    at.select_slider(key="_count.slider").set_value(2048.0).run()
    assert at.text_input(key="count").value == "2048"
    assert at.query_params["count"] == "2048"
    assert metric(at, "Accelerator-hours") == "1.47M"


def test_typed_value_moves_the_slider_to_a_stop_of_its_own() -> None:
    at = healthy(open_page())
    at.text_input(key="count").set_value("1,000").run()
    assert at.select_slider(key="_count.slider").value == 1000.0


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("time", "banana", "is not a number"),
        ("time", "-3 days", "is not above zero"),
        ("time", "5 GB", "an amount of memory"),
        ("count", "1.5", "is not a whole number"),
        ("count", "1e12", "is more than"),
        ("mfu", "140%", "is more than"),
        ("mfu", "0", "is not above zero"),
    ],
)
def test_unreadable_value_is_explained_and_the_last_good_one_kept(
    key: str, text: str, message: str
) -> None:
    at = healthy(open_page())
    if key == "mfu":
        at.toggle(key="own.mfu").set_value(True).run()
    before = metrics(at)
    at.text_input(key=key).set_value(text).run()
    assert not at.exception
    (caption,) = [entry.value for entry in at.caption if ":red[" in entry.value]
    assert message in caption.replace("\\", "")
    assert metrics(at) == before


def test_the_utilisation_is_predicted_unless_it_is_ones_own() -> None:
    at = healthy(open_page())
    assert not at.toggle(key="own.mfu").value
    predicted = metric(at, "Training data D")
    at.toggle(key="own.mfu").set_value(True).run()
    assert at.select_slider(key="_mfu.slider").value == pytest.approx(0.4)
    assert metric(healthy(at), "Training data D") != predicted


def test_choosing_a_table_takes_the_law_that_suits_it(mirror: Path) -> None:
    at = healthy(open_page())
    at.selectbox(key="table").select("chinchilla").run()
    assert at.selectbox(key="law").value == "interaction"  # of lowest AICc
    assert len(figures(healthy(at))[0]["data"]) > 3


# --- The address ----------------------------------------------------------------------------------


def test_link_reproduces_the_view() -> None:
    first = healthy(helpers.open_shipped(server.MAIN_SCRIPT))
    first.selectbox(key="law").select("chinchilla_tied").run()
    first.select_slider(key="_count.slider").set_value(128.0).run()
    first.text_input(key="time").set_value("12 h").run()
    first.segmented_control(key="axis").set_value("params").run()
    first.selectbox(key="accelerator").select("a100-sxm-80gb").run()
    # What a browser writes to its address bar: an option as a person reads it (tests/browser).
    address = {
        "law": "Chinchilla, one exponent", "count": "128", "time": "12 h", "axis": "Model size",
        "accelerator": "NVIDIA A100 SXM 80 GB",
    }  # fmt: skip
    second = healthy(helpers.open_page(server.MAIN_SCRIPT, **helpers.SHIPPED | address))
    assert metrics(second) == metrics(first)
    assert figures(second)[0]["data"] == figures(first)[0]["data"]


def test_link_that_names_the_unknown_says_so() -> None:
    at = helpers.open_page("explore", law="no-such-law", table="atlantis")
    assert not at.exception
    shown = " ".join(warning.value for warning in at.warning).replace("\\", "")
    assert "law = no-such-law" in shown
    assert "table = atlantis" in shown
    assert metrics(at) == metrics(helpers.open_page("explore"))


def test_junk_in_the_address_is_harmless() -> None:
    at = helpers.open_page(
        "explore", count="'; DROP TABLE", time="<script>", mfu="nan", families="nobody",
        evidence="x", delta="-1", x="y", axis="[](){}",
    )  # fmt: skip
    assert not at.exception
    assert not at.error
    assert metrics(at) == metrics(helpers.open_page("explore"))


def test_link_to_anothers_upload_says_so() -> None:
    at = open_page(table="upload-0123456789ab")
    assert not at.exception
    assert "uploaded in another session" in at.error[0].value


# --- Laws -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("law", [key for key, law in load_laws().items() if law.response == "loss"])
def test_every_law_that_suits_the_table_can_be_explored(law: str) -> None:
    at = open_page(law=law, bootstrap="0")
    assert not at.exception
    table = load_dataset("pile-cerebras-pythia")
    columns = {item.column for item in load_laws()[law].inputs} - {"unique_tokens"}
    if columns <= set(table.frame):
        assert not at.error, at.error[0].value
        assert len(figures(at)) == 4
    else:
        assert at.warning


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("__import__('os').system('x')", "Only a plain function name can be called"),
        ("9**9**9**9", "no finite value"),
        ("E + A/N**", "cannot be read"),
        ("N + D", "no parameters to fit"),
        ("E + A", "uses no column"),
        ("().__class__", "An attribute (a dot) cannot stand in a formula"),
        ("lambda: 1", "A lambda cannot stand in a formula"),
        ("A*N if N else B", "A conditional cannot stand in a formula"),
    ],
)
def test_hostile_and_wrong_formulas_get_a_clear_message(formula: str, message: str) -> None:
    at = open_page(law="typed")
    at.text_input(key="formula").set_value(formula).run()
    assert not at.exception
    (error,) = at.error
    assert message in error.value.replace("\\", "")
    assert "Reference" not in error.value
    assert at.text_input(key="formula").value == formula


DOUBTFUL = {"law": "typed", "formula": "E + A/D**alpha + b/n**beta", "bootstrap": "0"}


def test_a_name_that_reads_like_a_column_is_asked_about_and_its_column_taken() -> None:
    at = open_page(**DOUBTFUL)
    (error,) = at.error
    assert "What n stands for is not certain" in error.value
    assert "**n** reads like params" in text(at.markdown)
    healthy(press(at, "Use the column params"))
    assert at.text_input(key="formula").value == "E + A/D**alpha + b/params**beta"
    assert "Fitted parameters: E, A, alpha, b, beta. D stands for tokens." in text(at.caption)
    assert "parameter" not in at.query_params


def test_a_name_said_to_be_a_parameter_is_fitted_and_stays_in_the_address() -> None:
    at = healthy(press(open_page(**DOUBTFUL), "It is a parameter"))
    assert "Fitted parameters: E, A, alpha, b, n, beta. D stands for tokens." in text(at.caption)
    assert at.query_params["parameter"] == "n"
    again = healthy(open_page(**DOUBTFUL, parameter="n"))
    assert metrics(again) == metrics(at)


def test_typed_formula_is_previewed_and_fitted() -> None:
    at = healthy(
        open_page(law="typed", formula="E + A/N**alpha + B/D**beta", evidence="Parameters")
    )
    assert r"\frac{A}{N^{\alpha}}" in at.latex[0].value
    assert set(at.dataframe[0].value["Parameter"]) == CHINCHILLA


def test_published_fit_is_held_against_the_rows() -> None:
    at = healthy(open_page(law="published-besiroglu", evidence="Certificate"))
    names = trace_names(figures(at)[0])
    assert any(name.startswith("Published law") for name in names)
    assert "90% band" not in names
    assert any("No band" in caption.value for caption in at.caption)
    assert any("was fitted to" in text.value for text in at.markdown)


# --- Budgets that cannot be -----------------------------------------------------------------------


def test_utilisation_above_the_ceiling_is_refused_and_the_curve_stays() -> None:
    at = open_page(mfu="99%")
    assert not at.exception
    assert "more than" in at.error[0].value
    assert "Predicted loss" not in metrics(at)
    assert "Pythia" in trace_names(figures(at)[0])
    assert "You are here" not in trace_names(figures(at)[0])


def test_budget_below_one_step_is_refused() -> None:
    at = open_page(accelerator="cpu-laptop-8-core", count="1", time="1e-6 s")
    assert not at.exception
    assert "below a single" in at.error[0].value


# --- Evidence -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tab", ["Residuals", "Parameters", "Certificate", "Equation", "Data", "Code"]
)
def test_each_tab_of_evidence_opens(tab: str) -> None:
    at = healthy(open_page(evidence=tab))
    shown = {
        "Residuals": len(figures(at)) == 4,
        "Parameters": bool(at.dataframe) and "Standard error" in at.dataframe[0].value,
        "Certificate": "Starts at this optimum" in metrics(at),
        "Equation": len(at.latex) == 2,
        "Data": len(at.dataframe) == 1 and len(at.dataframe[0].value) == 15,
        "Code": bool(at.code),
    }
    assert shown[tab]
    assert sum(shown.values()) == 1


def test_past_predictions_are_shown_with_what_came() -> None:
    at = healthy(open_page(evidence="Past predictions"))
    assert "decades held out" in text(at.markdown)
    assert "decades held out" in trace_names(figures(at)[-1])[0]


def test_notices_are_shown_with_their_remedy() -> None:
    at = healthy(open_page())
    text = " ".join(entry.value for entry in at.markdown)
    assert "15 rows are few for 4 parameters" in text
    assert "Trust the interval" in text


def test_rows_that_decide_the_size_are_named(mirror: Path) -> None:
    at = healthy(
        open_page(
            table="chinchilla", law="chinchilla", budget="flop", flop="5.76e23", bootstrap="0"
        )
    )
    text = " ".join(entry.value for entry in at.markdown).replace("\\", "")
    assert "The 5 rows of highest loss move the compute-optimal size" in text
    assert metric(at, "Model size N") == "119B"


@pytest.fixture
def weighing(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Job[Any]:
    """Leave fitting all laws to a job, and return that."""
    job: Job[Any] = Job(pool, (), {}, "")
    monkeypatch.setattr("isoflop.work.submit", lambda *_, **__: job)
    monkeypatch.setattr(resolve, "SUGGESTED_S", 0.0)
    weighed = KeptByJob(pool, f"All laws for {request.node.name}", effort=lambda _: 0.0)
    monkeypatch.setattr(resolve, "weighed", weighed)
    return job


def test_while_all_laws_are_fitted_the_page_says_so_where_the_answer_will_stand(
    weighing: Job[Any],
) -> None:
    """A phone does not show the sidebar."""
    at = open_page(bootstrap="0")
    (bar,) = at.main.get("progress")
    assert "All laws" in bar.proto.text
    assert not at.sidebar.get("progress")
    assert not at.metric
    table = of_families(load_dataset(SHIPPED["table"]), tuple(SHIPPED["families"]))
    weighing.set_result(pool(table))
    assert metrics(healthy(at.run()))
    assert not at.main.get("progress")


def test_laws_that_had_no_room_can_be_fitted_again(weighing: Job[Any]) -> None:
    weighing.set_exception(WorkError("The job ended by itself.", hint="Try again."))
    at = open_page(bootstrap="0")
    assert "ended by itself" in text(at.main.error)
    assert "Try again" in [entry.label for entry in at.main.button]
    assert not at.metric
