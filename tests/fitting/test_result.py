"""A fit describes itself, predicts from what a person writes, and comes back from its file."""

from __future__ import annotations

import contextlib
import html
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoflop import document
from isoflop.errors import (
    DocumentError,
    FitError,
    IsoflopError,
    NoticeError,
    TableError,
    UnitError,
)
from isoflop.fitting import Band, Fit, FitOptions, fit
from isoflop.fitting.bands import FORMAT as BAND_FORMAT
from isoflop.fitting.intervals import parameter_interval
from isoflop.fitting.published import evaluate_published
from isoflop.fitting.result import FORMAT
from isoflop.laws import load_laws, load_published_fits
from isoflop.notices import Notice
from isoflop.tables import LossTable, load_dataset

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "fit.schema.json"


@pytest.fixture(scope="module")
def table() -> LossTable:
    return load_dataset("pile-cerebras-pythia")


@pytest.fixture(scope="module")
def fitted(table: LossTable) -> Fit:
    options = FitOptions(n_bootstrap=50, bootstrap="smooth", seed=3)
    return fit(load_laws()["kaplan_joint"], table, options)


@pytest.fixture(scope="module")
def published(table: LossTable) -> Fit:
    return evaluate_published(load_published_fits()["hoffmann"], table)


# --- What it says of itself


def test_a_summary_names_law_rows_parameters_and_proof(fitted: Fit) -> None:
    text = fitted.summary()
    assert text.startswith(f"Kaplan L(N, D): loss = {fitted.law.formula}\n15 rows of Cerebras")
    for name in fitted.law.param_names:
        assert f"\n{name}" in text
    assert "From 50 resamples (Bayesian bootstrap)." in text
    assert f"{fitted.certificate.n_starts} starts reached it" in text
    assert all(f"[{notice.code}]" in text for notice in fitted.notices)
    assert "[" not in fitted.summary(notices=False)


def test_published_parameters_say_that_nothing_was_searched_for(published: Fit) -> None:
    assert "nothing was searched for" in published.summary()
    assert published.params()["std_error"].isna().all()
    assert "paper" in published.uncertainty


def test_a_fit_in_a_notebook_escapes_everything(fitted: Fit) -> None:
    evil = '<script>alert("x")</script>'
    law = replace(fitted.law, label=evil)
    notice = Notice(code="x", severity="info", text=evil, remedy=evil)
    shown = replace(fitted, law=law, table_id=evil, notices=(notice,))._repr_html_()
    assert "<script" not in shown
    assert shown.count(html.escape(evil)) >= 3
    assert "std_error" in shown


def test_a_fit_has_a_short_name(fitted: Fit) -> None:
    assert repr(fitted) == "<Fit Kaplan L(N, D): 15 rows of pile-cerebras-pythia>"
    assert repr(fitted.band(N=1e9, D=1e10)) == "<Band: 90% confidence, 1 point>"


def test_intervals_of_parameters_come_from_the_draws(fitted: Fit) -> None:
    assert fitted.draws is not None
    rows = fitted.params()
    assert list(rows.index) == list(fitted.law.param_names)
    assert list(rows.columns) == ["value", "std_error", "lower", "upper", "unit", "help"]
    np.testing.assert_allclose(rows["std_error"], np.std(fitted.draws, axis=0, ddof=1))
    for level in (0.9, 0.5):
        found = fitted.params(level)[["lower", "upper"]].to_numpy().T
        _, *expected = parameter_interval(fitted, level)
        np.testing.assert_array_equal(found, expected)
        assert (found[0] < fitted.theta).all()
        assert (fitted.theta < found[1]).all()
    with pytest.raises(FitError, match="between 0 and 1, not 90"):
        fitted.params(90)


def test_intervals_of_parameters_without_draws(table: LossTable) -> None:
    options = FitOptions(objective="least_squares_log")
    found = fit(load_laws()["kaplan_joint"], table, options)
    rows = found.params()
    assert (rows["std_error"] > 0).all()
    assert (rows["lower"] < rows["value"]).all()
    assert "covariance" in found.uncertainty


# --- What it predicts


def test_every_way_to_say_where_gives_the_same(fitted: Fit) -> None:
    expected = fitted.law.loss(fitted.theta, {"N": [7e10, 7e9], "D": [1.4e12, 1.4e12]})
    frame = pd.DataFrame({"params": [7e10, 7e9], "tokens": 1.4e12, "family": "any"})
    for found in (
        fitted.predict(N=["70B", "7B"], D="1.4T"),
        fitted.predict(N=[7e10, 7e9], D=1.4e12),
        fitted.predict({"N": np.array([7e10, 7e9]), "D": "1.4T tokens"}),
        fitted.predict(params=["70B", 7e9], tokens=1.4e12),
        fitted.predict(frame),
        fitted.predict(frame.rename(columns={"params": "N", "tokens": "D"})),
        fitted.predict(frame[["params"]], D="1.4T"),
    ):
        np.testing.assert_array_equal(found, expected)
    band = fitted.band(frame, level=0.8, kind="prediction")
    assert band == fitted.band(N=["70B", "7B"], D="1.4T", level=0.8, kind="prediction")
    np.testing.assert_array_equal(band.centre, expected)
    np.testing.assert_array_equal(band.inputs["N"], [7e10, 7e9])


def test_integers_do_not_overflow(fitted: Fit) -> None:
    sizes = np.array([70_000_000_000], dtype=np.int64)
    expected = fitted.predict(N=7e10, D=1.4e12)
    np.testing.assert_array_equal(fitted.predict(N=sizes, D=1_400_000_000_000), expected)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda f: f.predict(N=1e9), "takes a value of N and D.*\nGiven: N.*\nGive N=..., D=..."),
        (lambda f: f.predict(), "Given: nothing"),
        (lambda f: f.predict(N=1e9, D=1e9, C=1e20), "Given: N, D, C"),
        (lambda f: f.predict(N=1e9, params=1e9, D=1e9), "N and params are the same input"),
        (lambda f: f.predict({"N": 1e9, "D": 1e9}, N=1e9), "N is given twice"),
        (lambda f: f.predict(N=[1e9, 2e9], D=[1e9] * 3), "different numbers.*\nN: 2, D: 3"),
        (lambda f: f.predict(N=[[1e9]], D=1e9), "N is an array of 2 dimensions"),
        (lambda f: f.predict(N="many", D=1e9), '"many" is not a number'),
        (lambda f: f.predict(N="1 day", D=1e9), "not a number of parameters"),
        (lambda f: f.predict(N=None, D=1e9), "None is no value of N"),
        (lambda f: f.band(N=1e9, D=1e9, level=2), "must lie between 0 and 1, not 2"),
    ],
)
def test_what_cannot_be_read_is_said(fitted: Fit, ask: Callable[[Fit], object], words: str) -> None:
    with pytest.raises((TableError, UnitError, FitError), match=words):
        ask(fitted)


def test_a_band_as_a_frame_says_where_each_point_is(fitted: Fit) -> None:
    frame = fitted.band(N=["1B", "70B"], D="20B").to_frame()
    assert list(frame.columns) == ["N", "D", "lower", "centre", "upper", "is_extrapolation"]
    assert frame["is_extrapolation"].tolist() == [False, True]


# --- The gate


def test_notices_stop_a_pipeline(fitted: Fit) -> None:
    notices = tuple(
        Notice(code=f"a-{kind}", severity=kind, text=f"It is {kind}.", remedy="Mend it.")
        for kind in ("info", "warning", "serious")
    )
    noticed = replace(fitted, notices=notices)
    with pytest.raises(NoticeError, match="has 1 notice of severity serious or worse") as error:
        noticed.raise_for_notices()
    assert error.value.detail == "serious: It is serious. [a-serious]"
    assert error.value.hint == "Mend it."
    with pytest.raises(NoticeError, match="has 2 notices"):
        noticed.raise_for_notices("warning")
    replace(fitted, notices=notices[:2]).raise_for_notices()
    with pytest.raises(ValueError, match="not 'bad'"):
        noticed.raise_for_notices("bad")


# --- Its file


def test_a_saved_fit_is_the_same_without_its_rows(fitted: Fit, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    fitted.save(path)
    again = Fit.load(path)
    assert again == fitted
    assert again.key == fitted.key
    assert again.table is None
    assert again.options == fitted.options
    where = {"N": "70B", "D": "1.4T"}
    for kind in ("confidence", "prediction"):
        assert again.band(where, kind=kind) == fitted.band(where, kind=kind)
    assert again.summary() == fitted.summary()
    assert document.format_of(path) == FORMAT == "isoflop-fit-1"


def test_numbers_that_json_lacks_are_kept(published: Fit) -> None:
    text = published.to_json()
    json.loads(text, parse_constant=pytest.fail)
    assert json.loads(text)["certificate"]["condition_number"] == "NaN"
    again = Fit.from_json(text)
    assert again == published
    assert again.law.params == published.law.params


def test_a_fit_as_json_holds_all_that_identifies_and_judges_it(fitted: Fit) -> None:
    found = json.loads(fitted.to_json(derived={"published": {"key": "x"}}))
    assert found["values"] == dict(fitted.values)
    assert found["law"]["formula"] == fitted.law.formula
    assert [item["column"] for item in found["law"]["inputs"]] == ["params", "tokens"]
    assert found["table_fingerprint"] == fitted.table_fingerprint
    assert found["options"]["n_bootstrap"] == 50
    assert found["certificate"]["n_starts"] == fitted.certificate.n_starts
    assert {notice["code"] for notice in found["notices"]} == {n.code for n in fitted.notices}
    assert found["covariance"] is None
    assert found["covariance_reason"] == fitted.covariance_reason
    assert found["derived"]["published"] == {"key": "x"}
    assert [row["parameter"] for row in found["derived"]["parameters"]] == [*fitted.values]


def test_the_schema_in_the_docs_is_that_of_the_code_and_of_the_files(
    fitted: Fit, published: Fit
) -> None:
    schema = document.schema(Fit, FORMAT)
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema, (
        "write docs/fit.schema.json again, by isoflop.document.schema"
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    for one in (fitted, published):
        jsonschema.validate(json.loads(one.to_json()), schema)
    assert all(
        "description" in item for item in schema["$defs"]["Certificate"]["properties"].values()
    )


def test_a_band_comes_back(fitted: Fit) -> None:
    band = fitted.band(N=["1B", "70B"], D="20B", level=0.8)
    again = Band.from_json(band.to_json())
    assert again == band
    assert again.is_extrapolation.dtype == bool
    damaged = json.loads(band.to_json()) | {"upper": [1.0]}
    with pytest.raises(DocumentError, match=r"upper: \(1,\)"):
        Band.from_json(json.dumps(damaged))
    with pytest.raises(DocumentError, match=f"of the format {BAND_FORMAT}"):
        Band.from_json(fitted.to_json())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("format"), "It names no format"),
        (lambda d: d.update(format="isoflop-plan-1"), "Its format is 'isoflop-plan-1'"),
        (lambda d: d.update(format="isoflop-fit-2"), "newer version of Isoflop .isoflop-fit-2."),
        (lambda d: d.update(format=7), "Its format is '7'"),
        (lambda d: d.pop("values"), "required field missing @ result.values"),
        (lambda d: d.update(colour="red"), "extra fields found .colour."),
        (lambda d: d.update(n_rows=15.5), "a whole number is expected, not 15.5 @ result.n_rows"),
        (lambda d: d.update(n_rows=True), "a whole number is expected, not True"),
        (lambda d: d.update(residual_std="large"), "a number is expected, not 'large'"),
        (lambda d: d.update(residuals=[[1], 2]), "result.residuals"),
        (lambda d: d.update(draws=[[1, 2]]), r"draws: .1, 2., with 4 parameters"),
        (lambda d: d.update(n_rows=14), "they must be of 14 rows"),
        (lambda d: d["values"].pop("Nc"), "values: they must be of Nc, Dc, alpha_N, alpha_D"),
        (lambda d: d["law"].update(formula="__import__('os')"), "law.formula: "),
        (lambda d: d["law"].update(formula="a + N"), "names are not its inputs and parameters"),
        (lambda d: d["options"].update(objective="best"), "result.options.objective"),
        (lambda d: d["law"].update(params=3), "result.law"),
        (lambda d: d.update(input_ranges={"Q": [1, 2]}), "an input that the law does not have"),
    ],
)
def test_what_is_no_saved_fit_is_refused_by_name(
    fitted: Fit, change: Callable[[dict[str, object]], object], words: str
) -> None:
    content = json.loads(fitted.to_json())
    change(content)
    with pytest.raises(DocumentError, match=words):
        Fit.from_json(json.dumps(content))


@pytest.mark.parametrize("text", ["", "[1]", "nope", "{", '{"format": ' + "[" * 100_000, "\ud800"])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match="This is not a saved result"):
        Fit.from_json(text)


def test_files_that_cannot_be_read_or_written_are_named(fitted: Fit, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"absent.json cannot be read.\nNo such file"):
        Fit.load(tmp_path / "absent.json")
    with pytest.raises(DocumentError, match="cannot be written to"):
        fitted.save(tmp_path)
    assert document.format_of(tmp_path) == ""


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["NaN", "Infinity", "N", "Nc", "log", "serious"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "N", "Nc", "key"]) | st.text(max_size=3), inner)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_damage_to_a_file_ends_in_a_traceback(fitted: Fit, data: st.DataObject) -> None:
    content = json.loads(replace(fitted, draws=None).to_json())
    for _ in range(data.draw(st.integers(1, 3))):
        place = content
        while True:
            name = data.draw(st.sampled_from(sorted(place, key=str)))
            inner = place[name]
            if isinstance(inner, list) and inner and isinstance(inner[0], dict):
                inner = inner[0]
            if not (isinstance(inner, dict) and inner and data.draw(st.booleans())):
                break
            place = inner
        if data.draw(st.booleans()):
            place[name] = data.draw(JSON)
        else:
            del place[name]
        if not content:
            break
    with contextlib.suppress(IsoflopError):
        again = Fit.from_json(json.dumps(content))
        again.predict(N=1e9, D=1e10)
        again.summary()
