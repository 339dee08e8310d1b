"""The API gives the numbers of the package and of the command line."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import isoflop as iso
from isoflop import rendering, work
from isoflop.cli import main
from isoflop.fitting import Fit
from isoflop.fitting.backtest import Backtest
from isoflop.planning import Plan

TABLE = "pile-cerebras-pythia"
LAW = "kaplan_joint"
RUN = {"N": "20B", "D": "400B"}
AT = ["--at", "N=20B", "D=400B"]
CSV = "n_params,tokens,loss\n" + "".join(
    f"{n:g},{d:g},{1.7 + 400 / n**0.34 + 410 / d**0.28:.6f}\n"
    for n in (1e8, 1e9, 1e10)
    for d in (2e9, 2e10, 2e11)
)


def asked(client: TestClient, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*arguments, "--json", "-"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_fit_is_that_of_package_and_command_line(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"objective": "least_squares_log", "n_bootstrap": "20", "params": {"alpha_N": 0.1}}
    found = asked(client, "fit", table=TABLE, law=LAW, options=options)
    fit = iso.fit(TABLE, LAW, **options)
    assert found == json.loads(fit.to_json())
    assert Fit.from_json(json.dumps(found)) == fit
    flags = ["--objective", "least_squares_log", "--bootstrap", "20", "--param", "alpha_N=0.1"]
    assert found == printed(capsys, "fit", TABLE, "--law", LAW, *flags)


@pytest.mark.slow
def test_the_law_that_suits_is_taken_by_default(client: TestClient) -> None:
    assert asked(client, "fit", table=TABLE)["key"] == iso.fit(TABLE).key


def test_predictions_are_those_of_package_and_command_line(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    interval = {"level": "80%", "kind": "prediction"}
    body = {"table": TABLE, "law": LAW, "options": {"n_bootstrap": 20}}
    found = asked(client, "predict", **body, at=[RUN], interval=interval)
    band = iso.fit(TABLE, LAW, n_bootstrap=20).band(**RUN, level=0.8, kind="prediction")
    assert found["prediction"] == band.centre.tolist()
    assert found["band"]["lower"] == band.lower.tolist()
    flags = [*AT, "--bootstrap", "20", "--level", "80%", "--kind", "prediction"]
    assert found == printed(capsys, "predict", TABLE, "--law", LAW, *flags)


def test_a_saved_fit_answers_without_its_table(client: TestClient) -> None:
    fit = asked(client, "fit", table=TABLE, law="chinchilla")
    runs = [RUN, {"N": 7e9, "D": "1T"}]
    by_fit = asked(client, "predict", fit=fit, at=runs)
    assert by_fit == asked(client, "predict", table=TABLE, law="chinchilla", at=runs)
    best = asked(client, "optimum", fit=fit, compute_flop=["1e24 FLOP", 1e22], level=0.8)
    again = iso.optimum(iso.fit(TABLE, "chinchilla"), [1e24, 1e22], level=0.8)
    assert best == json.loads(again.to_json())


@pytest.mark.slow
def test_extrapolations_are_those_of_package_and_command_line(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(client, "extrapolate", table=TABLE, at=[RUN])
    assert found == printed(capsys, "predict", TABLE, *AT)
    one = asked(client, "extrapolate", table=TABLE, at=[RUN], law=LAW)
    assert one == json.loads(iso.extrapolate(TABLE, law=LAW, **RUN).to_json())


@pytest.mark.slow
def test_a_plan_is_that_of_package_and_command_line(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"budget": {"usd": "250k"}, "plan": {"site": {"pue": 1.2}}}
    found = asked(client, "plan", table=TABLE, accelerator="h100-sxm", **given)
    flags = ["--accelerator", "h100-sxm", "--usd", "250k", "--pue", "1.2"]
    assert found == printed(capsys, "plan", TABLE, *flags)
    saved = json.loads(iso.fit(TABLE, "chinchilla").to_json())
    by_fit = asked(client, "plan", fit=saved, accelerator="h100-sxm", **given)
    plan = iso.plan(iso.fit(TABLE, "chinchilla"), "h100-sxm", usd="250k", site={"pue": 1.2})
    assert Plan.from_json(json.dumps(by_fit)).loss == plan.loss


def test_a_comparison_is_that_of_the_package(client: TestClient) -> None:
    laws = ["chinchilla", LAW]
    found = asked(client, "compare", table=TABLE, laws=laws, decades=0.5)
    assert found == json.loads(iso.compare(TABLE, laws, decades=0.5).to_json())


def test_comparisons_are_those_of_package_and_command_line(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    found = asked(client, "compare", table=TABLE, laws=["chinchilla", LAW], decades=0.5)
    flags = ["--law", "chinchilla", "--law", LAW, "--decades", "0.5"]
    assert found == printed(capsys, "compare", TABLE, *flags)
    found = asked(client, "compare_published", table=TABLE)
    assert found == json.loads(iso.compare_published(TABLE).to_json())
    assert found == printed(capsys, "compare-published", TABLE)


@pytest.mark.slow
def test_a_comparison_of_families_is_that_of_package_and_command_line(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    why = {"tokenizer": "a rough answer is enough"}
    families = ["Cerebras-GPT", "Pythia"]  # in the order of the rows, as on the command line
    found = asked(client, "compare_families", table=TABLE, families=families, reasons=why)
    same = iso.compare_families(TABLE, families=("Cerebras-GPT", "Pythia"), reasons=why)
    assert found == json.loads(same.to_json())
    flags = [word for name in families for word in ("--family", name)]
    flags += ["--reason", f"tokenizer={why['tokenizer']}"]
    assert found == printed(capsys, "compare-families", TABLE, *flags)


@pytest.mark.slow
def test_a_backtest_is_that_of_the_package(client: TestClient) -> None:
    given = {"laws": ["power"], "objectives": ["huber_log"]}
    found = asked(client, "backtest", tables=[TABLE], **given)
    again = iso.backtest([TABLE], **given)  # type: ignore[arg-type]  # of literals
    assert Backtest.from_json(json.dumps(found)).rows == again.rows


def test_a_simulated_table_is_one_that_other_requests_take(client: TestClient) -> None:
    values = {"E": 1.7, "A": 400, "B": 410, "alpha": 0.34, "beta": 0.28}
    options = {"design": "grid", "noise": 0, "n_rows": 16, "seed": 3}
    found = asked(client, "simulate", law="chinchilla", values=values, options=options)
    made = iso.simulate("chinchilla", values, **options)
    assert found["fingerprint"] == made.fingerprint
    fitted = asked(client, "fit", table=found["table"], law="chinchilla")
    assert fitted["values"]["E"] == pytest.approx(1.7, rel=1e-6)  # there is no noise


def test_a_model_is_counted_by_its_name_or_its_configuration(client: TestClient) -> None:
    found = asked(client, "model", name="Llama-3-8B")
    assert found["derived"]["n_params"] == 8_030_261_248
    config = {
        "model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "vocab_size": 100,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128,
    }  # fmt: skip
    small = asked(client, "model", name="small", config=config)
    assert small["architecture"]["name"] == "small"
    assert small["architecture"]["n_layers"] == 2
    missing = client.post("/api/model", json={"name": "/etc/passwd"})
    assert missing.json()["summary"] == "There is no model '/etc/passwd'."


@pytest.mark.slow
def test_a_report_is_the_page_of_the_package(client: TestClient) -> None:
    fit = iso.fit(TABLE, LAW)
    body = {"table": TABLE, "law": LAW, "budget": {"usd": "250k"}, "accelerator": "h100-sxm"}
    answer = client.post("/api/report", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    name = 'attachment; filename="isoflop-report.html"'
    assert answer.headers["content-disposition"] == name
    made = iso.planned(fit, "h100-sxm", usd="250k")
    expected = iso.report(fit, made, outlook=made.outlook("one"))
    assert without_ids(answer.text) == without_ids(expected)
    alone = client.post("/api/report", json={"fit": json.loads(fit.to_json())})
    assert "The fit was saved without its rows" in alone.text


def without_ids(page: str) -> str:
    """Leave out by what names Plotly's figures find their places in a page."""
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", page)


@pytest.mark.slow
@pytest.mark.browser
def test_a_report_comes_as_pdf(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a process whose memory is limited to less than a browser maps."""
    monkeypatch.setenv("ISOFLOP_EXECUTOR", "processes")
    body = {"table": TABLE, "law": LAW, "format": "pdf"}
    try:
        answer = client.post("/api/report", json=body, headers={"Prefer": "wait=60"})
    finally:
        work.shutdown()
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")


def test_pdf_without_a_browser_says_what_to_install(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering, "missing", lambda: "Install Chromium.")
    answer = client.post("/api/report", json={"table": TABLE, "law": LAW, "format": "pdf"})
    assert (answer.status_code, answer.json()["hint"]) == (422, "Install Chromium.")


REACHED_BY = {"load": "read", "evaluate": "fit", "outlook": "plan", "planned": "plan"}
"""Routes that have another name than the function: a published fit, and parts of a plan."""
LEFT_OUT = {
    "law": "a law goes into a request by its name or formula, and what is wrong with it is said",
    "save_figure": "a report holds the figures, and whoever has numbers draws with them",
}


def test_every_function_of_the_package_is_a_route_or_left_out_for_a_reason(
    client: TestClient,
) -> None:
    paths = set(client.get("/api/openapi.json").json()["paths"])
    functions = {name for name in iso.__all__ if inspect.isfunction(getattr(iso, name))}
    assert {"fit", "simulate", "report", *REACHED_BY, *LEFT_OUT} <= functions
    lacking = {n for n in functions - set(LEFT_OUT) if f"/{REACHED_BY.get(n, n)}" not in paths}
    assert not lacking, f"add to isoflop.server.bodies, or say why not: {', '.join(lacking)}"
    assert not [name for name in LEFT_OUT if f"/{name}" in paths]


def test_an_uploaded_table_is_read_as_a_file_is(client: TestClient, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(CSV)
    sent = client.post(
        "/api/tables?name=runs.csv",
        content=CSV,
        headers={"Content-Type": "application/octet-stream"},
    )
    assert sent.status_code == 201
    upload = sent.json()
    assert (upload["name"], upload["n_bytes"]) == ("runs.csv", len(CSV))
    read = asked(client, "read", table={"upload": upload["id"]})
    assert read["fingerprint"] == iso.load(path).fingerprint
    assert (read["id"], read["n_rows"], read["n_included"]) == ("runs", 9, 9)
    by_text = asked(client, "read", table={"text": CSV, "exclude": ["tokens < 1e10"]})
    assert by_text["n_included"] == 6
    again = asked(client, "read", table={"text": CSV, "mapping": read["mapping"]})
    assert again["fingerprint"] == read["fingerprint"]
    assert client.get("/api/tables").json() == [upload]
    assert client.delete(f"/api/tables/{upload['id']}").status_code == 204
    assert client.post("/api/read", json={"table": {"upload": upload["id"]}}).status_code == 404


def test_several_files_make_one_table(client: TestClient) -> None:
    ids = []
    for name in ("a/runs.csv", "b/runs.csv"):
        sent = client.post(
            f"/api/tables?name={name}", content=CSV, headers={"Content-Type": "text/csv"}
        )
        ids.append(sent.json()["id"])
    assert asked(client, "read", table={"upload": ids})["n_rows"] == 18


def test_a_question_about_a_table_is_answered_by_one_of_its_choices(client: TestClient) -> None:
    table: dict[str, Any] = {"text": "N,D,loss\n0.1,2,3.4\n1,20,2.6\n10,200,2.2\n"}
    answer = client.post("/api/read", json={"table": table})
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["code"] == "table-question"
    assert problem["title"].startswith("What a column means is not certain")
    while problem.get("choices"):
        for part, said in problem["choices"][0]["answer"].items():
            table.setdefault(part, {}).update(said)
        answer = client.post("/api/read", json={"table": table})
        problem = answer.json()
    assert answer.status_code == 200
    assert problem["n_included"] == 3


def test_a_formula_is_a_law(client: TestClient) -> None:
    law = {"law": "E + A/N**alpha + B/D**beta", "params": ["E", "A", "alpha", "B", "beta"]}
    found = asked(client, "fit", table={"text": CSV}, law=law)
    assert found["values"]["E"] == pytest.approx(1.7, rel=1e-3)  # the data hold six digits
    other = {"law": "E + A/x**alpha", "inputs": {"x": "tokens"}}
    assert client.post("/api/fit", json={"table": {"text": CSV}, "law": other}).status_code == 422


@pytest.mark.parametrize("name", ["laws", "datasets", "accelerators", "published"])
def test_what_ships_is_listed(client: TestClient, name: str) -> None:
    listed = client.get(f"/api/{name}").json()
    known = getattr(iso, name)()
    assert [entry[known.index.name] for entry in listed] == list(known.index)
