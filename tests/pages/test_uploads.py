"""Tables that a person brings: what is taken, what is refused, and what is said about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import figures, metrics, open_page, press, text, upload

from isoflop.people import LOCAL, Actor
from isoflop.ui import documents, visitor

GOOD = "N,D,val_loss,model\n" + "".join(
    f"{n}M,{d}B,{1.7 + 400 / (n * 1e6) ** 0.34 + 410 / (d * 1e9) ** 0.28:.5f},{family}\n"
    for n, d, family in [
        (70, 2, "a"), (160, 3, "a"), (410, 8, "a"), (1000, 20, "a"), (1400, 30, "b"),
        (2800, 60, "b"), (6900, 140, "b"), (70, 20, "b"), (410, 80, "b"), (1000, 200, "b"),
    ]
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_store() -> None:
    """Open the store anew, in this test's own folder."""
    documents.store.clear()


@pytest.fixture
def explore() -> AppTest:
    return open_page("explore")


def rows_shown(at: AppTest) -> int:
    marked = (trace for trace in figures(at)[1]["data"] if trace.get("mode") == "markers")
    return sum(len(trace["customdata"]) for trace in marked if "customdata" in trace)


def test_obvious_headers_need_no_questions(explore: AppTest) -> None:
    at = upload(explore, "my runs.csv", GOOD.encode())
    assert not at.error
    assert at.selectbox(key="table").value.startswith("upload-")
    assert at.selectbox(key="law").value == "chinchilla"
    assert rows_shown(at) == 10
    assert "compute_flop is derived" in text(at.markdown)


def test_upload_stays_when_another_table_is_looked_at(explore: AppTest) -> None:
    at = upload(explore, "runs.csv", GOOD.encode())
    name = at.selectbox(key="table").value
    at.selectbox(key="table").select("pile-cerebras-pythia").run()
    assert rows_shown(at) == 8
    at.selectbox(key="table").select(name).run()
    assert rows_shown(at) == 10


def test_bad_rows_are_listed_all_at_once_and_good_ones_stay(explore: AppTest) -> None:
    lines = GOOD.splitlines()
    lines[2] = "160M,3B,NaN,a"
    lines[4] = "zero,20B,2.9,a"
    lines[7] = "-6.9B,140B,2.2,b"
    at = upload(explore, "runs.csv", "\n".join(lines).encode())
    assert not at.error
    assert rows_shown(at) == 7
    listed = at.dataframe[0].value
    assert listed["Row"].tolist() == [2, 4, 7]
    assert listed["Column"].tolist() == ["val_loss", "N", "N"]
    assert all(listed["Reason"].str.len() > 5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("header.csv", b"N,D,loss\n", "no usable rows"),
        ("prose.csv", b"To whom it may concern:\nthere is no table here.\n", ""),
        ("noloss.csv", b"N,D\n1e9,2e10\n", "no loss column"),
        ("text.csv", b"N,D,loss\nbig,much,low\n", "loss holds no numbers"),
        ("nan.csv", b"N,D,loss\n1e9,2e10,nan\n", "usable"),
        ("inf.csv", b"N,D,loss\n1e9,2e10,inf\n", "usable"),
        ("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, ""),
        ("pickle.csv", b"\x80\x04\x95cos\nsystem\n(S'x'\ntR.", ""),
        ("broken.csv.gz", b"\x1f\x8b\x08\x00broken", ""),
    ],
)
def test_what_is_no_table_is_refused_and_no_other_tables_answer_is_shown(
    explore: AppTest, name: str, content: bytes, message: str
) -> None:
    at = upload(explore, name, content)
    (error,) = at.error
    assert message in text(at.error)
    assert "Reference" not in error.value
    assert at.selectbox(key="table").value == "pile-cerebras-pythia"
    assert not figures(at)
    assert not metrics(at)
    press(at, "Discard this file")
    assert len(figures(at)) == 4
    assert not at.error


@pytest.mark.parametrize("page", ["fit", "compare", "plan", "data"])
def test_no_page_shows_another_tables_answer(page: str) -> None:
    at = upload(open_page(page), "noloss.csv", b"N,D\n1e9,2e10\n")
    assert "no loss column" in text(at.error)
    assert not figures(at)
    assert not metrics(at)
    at.selectbox(key="table").select("simulated").run()
    assert not at.error


def test_the_columns_of_a_file_are_named_where_it_is_refused(explore: AppTest) -> None:
    at = upload(explore, "noloss.csv", b"N,D,y\n1e9,2e10,3\n")
    assert not at.dataframe
    press(at, "Name the columns")
    assert at.dataframe[0].value["header"].tolist() == ["N", "D", "y"]


def test_a_question_is_asked_with_its_answers_in_the_place_of_the_answer(explore: AppTest) -> None:
    at = upload(explore, "runs.csv", GOOD.replace("M,", ",").encode())
    assert not at.error
    assert not figures(at)
    assert "In which unit is N?" in text(at.markdown)
    press(at, "millions")
    assert at.selectbox(key="table").value.startswith("upload-")
    assert rows_shown(at) == 10


# --- What was understood ---


def test_two_lines_say_what_was_understood_until_it_is_right(explore: AppTest) -> None:
    at = upload(explore, "runs.csv", (GOOD + "9B,1T,oops,b\n").encode())
    said = text(at.markdown)
    assert "N is N. D is D. C is derived: 6 * params * tokens. The loss is val_loss" in said
    assert "10 of 11 rows are used. Left out: 1 (val_loss: is not a number)." in said
    press(at, "Confirm")
    assert "10 of 11 rows are used" not in text(at.markdown)
    again = upload(open_page("explore"), "later.csv", GOOD.encode() + b"9B,1T,oops,b\n")
    assert "Read as you confirmed on" in text(again.caption)
    press(again, "Forget")
    assert "Read as you confirmed on" not in text(again.caption)
    third = upload(open_page("explore"), "third.csv", GOOD.encode() + b"9B,1T,oops,b\n")
    assert "Read as you confirmed on" not in text(third.caption)
    press(again, "Undo")
    assert "Read as you confirmed on" in text(again.caption)


def test_what_another_person_confirmed_is_read_under_their_name(
    explore: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    press(upload(explore, "runs.csv", GOOD.encode()), "Confirm")
    own = upload(open_page("explore"), "later.csv", GOOD.encode())
    shared = next(box for box in own.selectbox if box.label == "Shared with")
    assert shared.options == ["Only me", "Everyone here can view"]
    shared.set_value((LOCAL.id, "everyone", "viewer", "")).run()
    monkeypatch.setattr(visitor, "actor", lambda: Actor(id="browser:looker", name="Looker"))
    theirs = upload(open_page("explore"), "theirs.csv", GOOD.encode())
    assert "Read as this machine confirmed on" in text(theirs.caption)
    assert not [box for box in theirs.selectbox if box.label == "Shared with"]
    press(theirs, "Guess instead")
    assert "Read as this machine" not in text(theirs.caption)
    assert len(documents.mine().find("column-mapping")) == 1


def test_what_was_confirmed_is_checked_against_each_file(explore: AppTest) -> None:
    at = upload(explore, "runs.csv", GOOD.replace("M,", ",").encode())
    press(at, "millions")
    in_ones = GOOD.replace("M,", "000000,")
    again = upload(open_page("explore"), "later.csv", in_ones.encode())
    assert "more than anything ever trained" in text(again.markdown)
    assert not figures(again)


def test_change_opens_the_columns_with_rivals_and_reasons(explore: AppTest) -> None:
    content = GOOD.replace("val_loss", "val_loss,train_loss").replace(",a\n", ",9,a\n")
    at = upload(explore, "runs.csv", content.replace(",b\n", ",9,b\n").encode())
    press(at, "Change")
    shown = at.dataframe[0].value.set_index("header")
    assert shown.loc["val_loss", "rivals"] == "train_loss"
    assert "goes before train_loss" in shown.loc["val_loss", "why"]


def test_upload_closes_its_menu(explore: AppTest) -> None:
    explore.session_state["upload.menu"] = True
    at = upload(explore, "runs.csv", GOOD.encode())
    assert at.session_state["upload.menu"] is False


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"N,D,loss\n1e9,2e10,2.5\n", "parameters, but the table has 1 usable"),
        (b"N,D,loss\n" + b"".join(b"1e9,%de10,2.%d\n" % (i, 9 - i) for i in range(1, 9)), "same"),
    ],
    ids=["one row", "one N"],
)
def test_table_that_cannot_be_fitted_says_why(
    explore: AppTest, content: bytes, message: str
) -> None:
    at = upload(explore, "runs.csv", content)
    assert message in text(at.error) + text(at.markdown)


def test_text_of_a_table_is_inert(explore: AppTest) -> None:
    hostile = GOOD.replace(",a\n", ",<img src=x onerror=alert(1)> [x](javascript:1) $a$\n")
    at = upload(explore, "<b>runs</b>.csv", hostile.encode())
    assert not at.error
    figure = json.dumps(figures(at)[0]["data"])
    assert "<img" not in figure
    assert "&lt;img" in figure


def test_upload_over_the_limit_is_refused(
    explore: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_UPLOAD_MB", "0.001")
    at = upload(explore, "big.csv", GOOD.encode() * 10)
    assert "MB" in text(at.error)


def test_download_that_fails_leaves_the_app_going(
    explore: AppTest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ISOFLOP_DATA_MIRROR", str(tmp_path))
    explore.selectbox(key="table").select("gemstones").run()
    assert not explore.exception
    assert "mirror has no file" in text(explore.error)
    assert explore.text_input(key="count").value == "512"
    explore.selectbox(key="table").select("pile-cerebras-pythia").run()
    assert not explore.error
    assert rows_shown(explore) == 8  # of one family
