"""From bytes to a table: what uploads without questions, and what is refused in plain words."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from isoflop.errors import TableError
from isoflop.tables import (
    ColumnMapping,
    ColumnRole,
    ReadResult,
    build_table,
    guess_mapping,
    read_raw,
    read_table,
)


def csv(text: str, name: str = "runs.csv") -> ReadResult:
    return read_table(text.encode(), name=name)


def refused(content: bytes, name: str = "runs.csv") -> TableError:
    with pytest.raises(TableError) as caught:
        read_table(content, name=name)
    assert caught.value.summary
    assert caught.value.hint or caught.value.detail
    return caught.value


# --- Formats, encodings, delimiters ---


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters(mark: str) -> None:
    text = mark.join(["N", "D", "loss"]) + "\n" + mark.join(["1e9", "2e10", "2.5"]) + "\n"
    assert csv(text).table.values("loss").tolist() == [2.5]


def test_decimal_comma() -> None:
    result = csv("N;D;loss\n1e9;2e10;2,5\n2e9;2e10;2,25\n")
    assert result.table.values("loss").tolist() == [2.5, 2.25]
    assert "The decimal mark is a comma." in result.raw.notes


def test_thousands_groups_are_not_decimal_commas() -> None:
    result = csv('N;D;loss\n1,300,000,000;"26,000,000,000";2.5\n2,600,000,000;1e10;2.25\n')
    assert result.table.values("params").tolist() == [1.3e9, 2.6e9]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_encodings(encoding: str) -> None:
    text = "Größe (N),params,tokens,loss,family\n1,1e9,2e10,2.5,Café\n2,2e9,4e10,2.3,Café\n"
    table = read_table(text.encode(encoding), name="runs.csv").table
    assert table.values("loss").tolist() == [2.5, 2.3]
    assert table.frame["family"].tolist() == ["Café", "Café"]


def test_comments_and_a_declared_separator_before_the_header() -> None:
    assert csv("# exported\n\nsep=;\nN;D;loss\n1e9;2e10;2.5\n").table.values("loss").tolist() == [
        2.5
    ]


def test_windows_and_old_mac_line_ends() -> None:
    for end in ("\r\n", "\r"):
        table = csv(end.join(["N,D,loss", "1e9,2e10,2.5", "2e9,2e10,2.4", ""])).table
        assert table.values("loss").tolist() == [2.5, 2.4]


def test_gzip(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv.gz"
    path.write_bytes(gzip.compress(b"N,D,loss\n1e9,2e10,2.5\n"))
    result = read_table(path)
    assert result.table.id == "runs"
    assert result.table.values("loss").tolist() == [2.5]


def test_json_lines_with_a_cut_last_line() -> None:
    lines = [json.dumps({"params": 1e9, "tokens": 2e10, "loss": 2.5, "cfg": {"lr": 1e-3}})] * 3
    result = read_table(("\n".join(lines) + '\n{"params": 1e').encode(), name="runs.jsonl")
    assert len(result.table.frame) == 3
    assert [str(problem) for problem in result.problems] == [
        'row 4: "{"params": 1e" is not a JSON object'
    ]
    assert result.table.values("learning_rate").tolist() == [1e-3] * 3


@pytest.mark.parametrize(
    "document",
    [
        [{"N": 1e9, "D": 2e10, "loss": 2.5}, {"N": 2e9, "D": 2e10, "loss": 2.4}],
        {"N": [1e9, 2e9], "D": [2e10, 2e10], "loss": [2.5, 2.4]},
        {"columns": ["N", "D", "loss"], "data": [[1e9, 2e10, 2.5], [2e9, 2e10, 2.4]]},
        {"runs": [{"N": 1e9, "D": 2e10, "loss": 2.5}, {"N": 2e9, "D": 2e10, "loss": 2.4}]},
        {"a": {"N": 1e9, "D": 2e10, "loss": 2.5}, "b": {"N": 2e9, "D": 2e10, "loss": 2.4}},
    ],
)
def test_json_shapes(document: object) -> None:
    table = read_table(json.dumps(document).encode(), name="runs.json").table
    assert table.values("params").tolist() == [1e9, 2e9]
    assert table.values("loss").tolist() == [2.5, 2.4]


def test_a_path_a_file_bytes_and_a_frame_give_one_fingerprint(tmp_path: Path) -> None:
    content = b"N,D,loss\n1e9,2e10,2.5\n2e9,2e10,2.4\n"
    path = tmp_path / "runs.csv"
    path.write_bytes(content)
    frame = pd.read_csv(io.BytesIO(content))
    sources = [path, str(path), content, io.BytesIO(content), frame]
    prints = {read_table(source, name="runs.csv").table.fingerprint for source in sources}
    assert len(prints) == 1


def test_an_unnamed_header_line_of_numbers_is_not_eaten() -> None:
    error = refused(b"1e9,2e10,2.5\n2e9,2e10,2.4\n")
    assert error.summary == "The file has no loss column."
    assert "column 1, column 2, column 3" in error.detail


# --- Bad rows: all at once, good rows stay ---


def test_every_bad_cell_is_listed_at_once_and_good_rows_stay() -> None:
    result = csv(
        "N,D,loss\n"
        "1e9,2e10,2.5\n"
        "abc,2e10,2.4\n"
        "2e9,,2.3\n"
        "3e9,2e10,nan\n"
        "0,2e10,2.2\n"
        "4e9,-5,2.2\n"
        "5e9,2e10,inf\n"
        "6e9,2e10,0\n"
        "7e99,2e10,2.0\n"
        "8e9,3e10,1.9\n"
    )
    assert [str(problem) for problem in result.problems] == [
        'row 2, N: "abc" is not a number',
        "row 3, D: the cell is missing or NaN",
        "row 4, loss: the cell is missing or NaN",
        'row 5, N: "0" must be above 0',
        'row 6, D: "-5.0" must be above 0',
        'row 7, loss: "inf" is infinite',
        'row 8, loss: "0.0" must be above 0',
        'row 9, N: "7e99" is above 1e16 params; is its unit right?',
    ]
    table = result.table
    assert table.values("params").tolist() == [1e9, 8e9]
    assert len(table.frame) == 10  # nothing is lost
    assert table.frame.loc[2, "exclusion_reason"] == "N: is not a number"
    assert any(notice.code == "rows-unusable" for notice in result.notices)


def test_too_many_fields_are_listed_and_the_rest_stays() -> None:
    result = csv("N,D,loss\n1e9,2e10,2.5\n1,300,000,2e10,2.4\n2e9,2e10,2.3\n")
    assert [str(problem) for problem in result.problems] == [
        'row 2: "1,300,000,2e10,2.4" has 5 fields where the header has 3'
    ]
    assert result.table.frame.index.tolist() == [1, 3]
    assert result.table.values("loss").tolist() == [2.5, 2.3]


def test_trailing_delimiters_are_harmless() -> None:
    assert csv("N,D,loss\n1e9,2e10,2.5,\n2e9,2e10,2.3,\n").table.values("loss").tolist() == [
        2.5,
        2.3,
    ]


def test_a_bad_cell_of_a_minor_column_does_not_cost_the_row() -> None:
    result = csv("N,D,loss,width\n1e9,2e10,2.5,1024\n2e9,2e10,2.4,wide\n3e9,2e10,2.3,2048\n")
    assert [str(problem) for problem in result.problems] == ['row 2, width: "wide" is not a number']
    assert not result.problems[0].excludes_row
    assert len(result.table.included()) == 3


def test_identifiers_keep_their_zeros_however_large_the_file() -> None:
    rows = [f"{i:03d},1e9,2e10,2.5" for i in range(100, 9000)]
    text = "run,N,D,loss\n007,1e9,2e10,2.5\n" + "\n".join(rows) + "\nx1,1e9,2e10,2.5\n"
    assert csv(text).table.frame["run_id"].iloc[0] == "007"


# --- Refused, in plain words ---


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"# only a comment\n"])
def test_empty_file(content: bytes) -> None:
    assert refused(content).summary == "The file runs.csv is empty."


def test_header_without_rows() -> None:
    assert refused(b"N,D,loss\n").summary == "The file runs.csv has a header but no usable rows."


def test_wrong_delimiter() -> None:
    error = refused(b"N:D:loss\n1e9:2e10:2.5\n")
    assert error.summary == "The file runs.csv has one column only, named 'N:D:loss'."
    assert "a comma, a tab, a semicolon and a bar" in error.detail


def test_no_loss_column() -> None:
    error = refused(b"N,D,accuracy_x\n1e9,2e10,0.5\n")
    assert error.summary == "The file has no loss column."
    assert "N, D, accuracy_x" in error.detail


def test_nothing_that_loss_could_depend_on() -> None:
    assert refused(b"loss,note\n2.5,a\n2.4,b\n").summary == (
        "The file has a loss but nothing that it could depend on."
    )


def test_text_in_every_numeric_cell() -> None:
    error = refused(b"N,D,loss\nbig,2e10,low\nsmall,2e10,high\n")
    assert error.summary in {"No row of runs.csv is usable.", "The file has no loss column."}


def test_no_usable_row_lists_the_problems() -> None:
    error = refused(b"N,D,loss\n1e9,2e10,-1\n2e9,2e10,0\n")
    assert error.summary == "No row of runs.csv is usable."
    assert 'row 1, loss: "-1" must be above 0' in error.detail


def test_duplicate_headers() -> None:
    error = refused(b"N,D,loss,loss\n1e9,2e10,2.5,2.6\n")
    assert error.summary == "The file has more than one column named loss: which is meant?"
    assert "loss (2)" in error.detail
    assert "choose by hand which one" in error.hint


def test_choosing_one_of_two_columns_of_a_name_answers_which_is_meant() -> None:
    raw = read_raw(b"N,D,loss,loss\n1e9,2e10,2.5,2.6\n", "runs.csv")
    mapping = guess_mapping(raw)
    (question,) = mapping.questions
    assert [choice.header for choice in question.choices] == ["loss", "loss (2)"]
    for choice, loss in zip(question.choices, (2.5, 2.6), strict=True):
        chosen = mapping.answered(choice)
        assert build_table(raw, chosen).table.values("loss").tolist() == [loss]


def test_two_columns_of_a_name_that_hold_the_same_need_no_choice() -> None:
    assert csv("N,D,loss,loss\n1e9,2e10,2.5,2.5\n").table.values("loss").tolist() == [2.5]


def test_a_header_that_is_a_column_name_does_not_take_that_column() -> None:
    table = csv("step,loss,eval_loss,n\n1,4.0,4.1,1e6\n2,3.0,3.1,1e6\n").table
    assert table.values("loss").tolist() == [4.1, 3.1]
    assert table.values("loss (file)").tolist() == [4.0, 3.0]


def test_two_columns_mapped_to_one_are_refused() -> None:
    raw = read_raw(b"N,D,loss,x\n1e9,2e10,2.5,2.6\n", "runs.csv")
    roles = guess_mapping(raw).roles
    both = ColumnMapping(roles=(*roles[:3], ColumnRole(header="x", column="loss")))
    with pytest.raises(TableError, match="Two columns of the file are mapped to loss"):
        build_table(raw, both)


def test_duplicates_of_unused_headers_are_harmless() -> None:
    table = csv("N,D,loss,lr2,lr2\n1e9,2e10,2.5,1,2\n").table
    assert table.values("lr2").tolist() == [1.0]
    assert table.values("lr2 (2)").tolist() == [2.0]


def test_one_row_is_a_table_with_a_serious_notice() -> None:
    result = csv("N,D,loss\n1e9,2e10,2.5\n")
    notice = next(notice for notice in result.notices if notice.code == "one-row")
    assert notice.severity == "serious"
    assert notice.text == "The table has one usable row; no law can be fitted to it."


def test_all_rows_of_one_size() -> None:
    result = csv("N,D,loss\n1e9,2e10,2.5\n1e9,4e10,2.4\n1e9,8e10,2.3\n")
    notice = next(notice for notice in result.notices if notice.code == "one-value-params")
    assert "All 3 rows have the same number of parameters (1B params)" in notice.text


def test_unclosed_quotation_mark() -> None:
    error = refused(b'N,D,loss\n1e9,2e10,2.5\n"2e9,2e10,2.4\n3e9,2e10,2.3\n')
    assert error.summary == "The file runs.csv is not well-formed CSV."


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "a PNG image"),
        (b"\x80\x04\x95" + bytes(50), "a Python pickle, which could run code and is never opened"),
        (b"SQLite format 3\x00" + bytes(50), "an SQLite database"),
        (bytes(range(256)) * 4, "binary, not a table"),
    ],
)
def test_binary_files(content: bytes, what: str) -> None:
    assert refused(content).summary == f"The file runs.csv is {what}."


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(201_000_000)  # sparse: takes no space
    with pytest.raises(TableError) as caught:
        read_table(path)
    assert caught.value.summary == "The file huge.csv is too large."
    assert caught.value.detail == "It is 201 MB; the limit is 200 MB."
    assert "ISOFLOP_MAX_UPLOAD_MB" in caught.value.hint


def test_the_limit_is_one_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_UPLOAD_MB", "0.001")
    assert "too large" in refused(b"N,D,loss\n" + b"1e9,2e10,2.5\n" * 100).summary
    monkeypatch.setenv("ISOFLOP_MAX_UPLOAD_MB", "much")
    assert "ISOFLOP_MAX_UPLOAD_MB is 'much'" in refused(b"N,D,loss\n1,1,1\n").summary


def test_a_decompression_bomb_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_UPLOAD_MB", "1")
    bomb = gzip.compress(bytes(20_000_000))
    assert len(bomb) < 100_000
    assert refused(bomb, "bomb.csv.gz").summary == (
        "The file bomb.csv.gz is too large once decompressed."
    )


def test_damaged_gzip() -> None:
    content = gzip.compress(b"N,D,loss\n1e9,2e10,2.5\n" * 100)[:-20]
    assert (
        refused(content, "runs.csv.gz").summary == "The file runs.csv.gz is a damaged gzip archive."
    )


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"absent\.csv cannot be read"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(TableError, match="holds no file that may be a table"):
        read_table(tmp_path)


def test_progress_rises_and_may_cancel() -> None:
    class Cancelled(Exception):
        pass

    seen: list[float] = []
    content = b"N,D,loss\n" + b"1e9,2e10,2.5\n" * 40_000
    read_table(content, name="runs.csv", progress=lambda share, text: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 5

    def cancel(share: float, text: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read_table(content, name="runs.csv", progress=cancel)
