"""Whatever is uploaded: a clean table or an error in plain words, and nothing else happens."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import pickle
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq
from tests.tables.workbooks import xlsx

from isoflop.errors import IsoflopError, TableError
from isoflop.export import table_csv
from isoflop.tables import (
    COLUMNS,
    ColumnMapping,
    ColumnRole,
    LossTable,
    build_table,
    guess_mapping,
    mapping_from_json,
    quality_report,
    read_raw,
    read_table,
    sheet_reader,
)
from isoflop.tables.schema import Provenance

FUZZ = settings(deadline=None, suppress_health_check=list(HealthCheck))


def check(table: LossTable) -> None:
    """Assert what every table promises, whatever it was made from."""
    frame = table.frame
    assert len(table.included()) >= 1
    assert frame.columns.is_unique
    assert frame.index.is_unique
    assert len(table.fingerprint) == 64
    included = table.included()
    for name in frame.columns:
        dtype = frame[name].dtype
        is_known = dtype in (np.float64, np.bool_) or isinstance(dtype, pd.StringDtype)
        assert is_known, f"{name} is {dtype}"
        column = COLUMNS.get(str(name))
        if column is None or column.kind != "number":
            continue
        values = included[name].dropna()
        assert np.isfinite(values).all()
        assert column.lower is not None
        assert column.upper is not None
        assert ((values > column.lower) & (values <= max(column.upper, 1e33))).all()
    quality_report(table)
    table_csv(table)


def outcome(content: bytes, name: str) -> LossTable | IsoflopError:
    """Return the table or the error that a file gives; any other failure fails the test."""
    try:
        result = read_table(content, name=name)
    except IsoflopError as refusal:
        error = refusal
    else:
        check(result.table)
        assert all(str(problem) for problem in result.problems)
        return result.table
    assert error.summary
    assert len(str(error)) < 5000
    return error


# --- A corpus of nasty files ---


class Malicious:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("import pathlib; pathlib.Path('/tmp/isoflop-pwned').touch()",))


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def laughing_workbook() -> bytes:
    """Return a workbook whose XML entities expand to gigabytes."""
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(12)
    )
    buffer = io.BytesIO(xlsx({"Runs": [["N", "D", "loss"], [1e9, 2e10, 2.5]]}))
    sheet = f'<!DOCTYPE x [{entities}]><worksheet><sheetData><row><c t="inlineStr"><is><t>&m;'
    content = io.BytesIO()
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(content, "w") as new:
        for item in old.namelist():
            is_sheet = item.endswith("sheet1.xml")
            new.writestr(item, sheet.encode() if is_sheet else old.read(item))
    return content.getvalue()


def far_cell(column: str, row: int) -> bytes:
    """Return a workbook of a kilobyte with one more cell far away, which makes its sheet huge."""
    workbook = io.BytesIO(xlsx({"Runs": [["N", "D", "loss"], [1e9, 2e10, 2.5]]}))
    far = f'<row r="{row}"><c r="{column}{row}"><v>1</v></c></row></sheetData>'.encode()
    content = io.BytesIO()
    with zipfile.ZipFile(workbook) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"</sheetData>", far))
    return content.getvalue()


def repeated_text() -> bytes:
    """Return a Parquet file that holds a long text once, and says it in every row."""
    once = pa.DictionaryArray.from_arrays(np.zeros(20_000, dtype=np.int32), ["x" * 100_000])
    buffer = io.BytesIO()
    table = pa.table({"family": once, "loss": np.ones(20_000)})
    pq.write_table(table, buffer, store_schema=False)  # so that it is read as plain text
    return buffer.getvalue()


ROW = b"N,D,loss\n1e9,2e10,2.5\n"
CORPUS: dict[str, bytes] = {
    **{f"pickle{p}.csv": pickle.dumps(Malicious(), protocol=p) for p in range(6)},
    "code.csv": b"import os\nos.system('touch /tmp/isoflop-pwned')\n",
    "slip.xlsx": zipped(**{"../../../tmp/isoflop-pwned": b"x", "xl/workbook.xml": b"<x/>"}),
    "laughs.xlsx": laughing_workbook(),
    "nul.csv": b"N,D,loss\n1e9,2e10,2.5\x00\n",
    "bom_only.csv": b"\xef\xbb\xbf",
    "bom16_only.csv": b"\xff\xfe",
    "cut_utf16.csv": "N,D,loss\n1e9,2e10,2.5\n".encode("utf-16")[:-1],
    "long_line.csv": b"N,D,loss\n" + b"9" * 3_000_000 + b",1,2\n",
    "many_columns.csv": (b",".join(b"c%d" % i for i in range(20_000)) + b"\n") * 2,
    "wide_short.csv": b",".join(b"c%d" % i for i in range(4000)) + b"\n" + b"1\n" * 200_000,
    "wide_short_mac.csv": b",".join(b"c%d" % i for i in range(4000)) + b"\r" + b"1\r" * 200_000,
    "long_cell.csv": b"N,D,loss,family\n1e9,2e10,2.5," + b"x" * 2_000_000 + b"\n",
    "long_header.csv": b"N,D,loss," + b"params (" * 100_000 + b"\n1e9,2e10,2.5,1\n",
    "slow_number.csv": b"N;D;loss\n1,5a" + b" " * 60_000 + b"!;2e10;2,5\n",
    "sparse.jsonl": b"".join(b'{"k%d":1}\n' % i for i in range(20_000)),
    "sparse.json": b"[" + b",".join(b'{"k%d":1}' % i for i in range(20_000)) + b"]",
    "far.xlsx": far_cell("XFD", 1_000_000),
    "wide_and_long.xlsx": far_cell("BZZ", 200_000),
    "repeated.parquet": repeated_text(),
    "one_quote.csv": b'N,D,loss\n"1e9,2e10,2.5\n' + b"1,2,3\n" * 50,
    "quotes.csv": b'"""N""","D""",loss\n1e9,2e10,2.5\n',
    "html.csv": b"N,D,loss,family\n1e9,2e10,2.5,<script>alert(1)</script>\n",
    "markdown.csv": b"N,D,loss,[click](javascript:alert(1))\n1e9,2e10,2.5,1\n",
    "formula.csv": b"N,D,loss,family\n1e9,2e10,2.5,\"=cmd|' /C calc'!A0\"\n",
    "formula_header.csv": b'N,D,loss,"=HYPERLINK(""http://x"")"\n1e9,2e10,2.5,text\n',
    "reserved.csv": b"N,D,loss,is_excluded,exclusion_reason\n1e9,2e10,2.5,maybe,=1+1\n",
    "controls.csv": b"N,D,loss,family\n1e9,2e10,2.5,a\x1b[31mred\x07\x08\n",
    "arabic.csv": "N,D,loss\n١٢٣٤٥٦٧,2e10,2.5\n".encode(),
    "fullwidth.csv": "N,D,loss\n１２３４５６７,2e10,2.5\n".encode(),
    "underscores.csv": b"N,D,loss\n1_000_000_000,2e10,2.5\n",
    "hexadecimal.csv": b"N,D,loss\n0x3B9ACA00,2e10,2.5\n",
    "infinite.csv": b"N,D,C,loss\n1e400,1e400,1e400,2\n1e9,0,1e400,2\n1e9,2e10,1.2e20,2\n",
    "huge.csv": b"N,D,loss\n1e400,2e10,2.5\n1e9,1e308,2.5\n1e9,2e10,1e-320\n1e9,2e10,2.5\n",
    "long_integer.csv": b"N,D,loss\n" + b"1" * 5000 + b",2e10,2.5\n1e9,2e10,2.4\n",
    "mixed_ends.csv": b"N,D,loss\r1e9,2e10,2.5\r\n2e9,2e10,2.4\n\r",
    "deep.json": b"[" * 200_000,
    "deep_object.json": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "big_number.json": b'[{"N": ' + b"1" * 6000 + b', "D": 1e10, "loss": 2}]',
    "nan.json": b'[{"N": NaN, "D": Infinity, "loss": -Infinity}]',
    "same_keys.json": b'[{"N": 1e9, "N": 2e9, "D": 1e10, "loss": 2}]',
    "proto.json": b'[{"__proto__": 1, "__class__": 2, "N": 1e9, "D": 1e10, "loss": 2}]',
    "lists.json": b'[{"N": [1, 2], "D": {"x": 1}, "loss": null}]',
    "surrogate.json": b'[{"N": 1e9, "D": 1e10, "loss": 2, "family": "\\ud800"}]',
    "scalar.json": b"3",
    "gz_of_gz.csv.gz": gzip.compress(gzip.compress(ROW)),
    "gz_trailing.csv.gz": gzip.compress(ROW) + b"garbage",
    "gz_many.csv.gz": gzip.compress(ROW) + gzip.compress(b"2e9,2e10,2.4\n"),
    "fake.parquet": b"PAR1" + bytes(100) + b"PAR1",
    "fake_events": bytes(12) + b"brain.Event:2" + bytes(100),
    "fake.xls": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
}


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Record every event by which a file could do harm."""
    _seen.clear()
    _watching.append(True)
    yield _seen
    _watching.clear()


_seen: list[str] = []
_watching: list[bool] = []
_HARMFUL = {"pickle.find_class", "os.system", "subprocess.Popen", "os.exec", "socket.connect"}


def _record(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event == "subprocess.Popen" and arguments[1][2] == sheet_reader.__file__:
        return  # the bounded process that reads workbooks
    if event in _HARMFUL:
        _seen.append(event)
    elif event == "open" and any(mark in str(arguments[1] or "") for mark in "wax+"):
        path = str(arguments[0])
        if not path.startswith((tempfile.gettempdir(), "/dev/null")) and not path.isdigit():
            _seen.append(f"write {path}")


sys.addaudithook(_record)


@pytest.mark.parametrize("name", CORPUS)
def test_nasty_files_do_nothing(name: str, watch: list[str]) -> None:
    outcome(CORPUS[name], name)
    assert watch == []
    assert not Path("/tmp/isoflop-pwned").exists()


@pytest.mark.parametrize(
    "name",
    ["wide_short.csv", "wide_short_mac.csv", "sparse.jsonl", "sparse.json", "far.xlsx",
     "wide_and_long.xlsx", "repeated.parquet", "many_columns.csv"],
)  # fmt: skip
def test_few_bytes_never_become_many_cells(name: str) -> None:
    """A small file that would take gigabytes is refused before it takes them."""
    error = outcome(CORPUS[name], name)
    assert isinstance(error, TableError)
    assert "too large" in error.summary or "columns" in error.summary


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("underscores.csv", [1e9]),
        ("same_keys.json", [2e9]),
        ("proto.json", [1e9]),
        ("gz_many.csv.gz", [1e9, 2e9]),
        ("mixed_ends.csv", [1e9, 2e9]),
        ("huge.csv", [1e9, 1e9]),
        ("long_integer.csv", [1e9]),
    ],
)
def test_what_can_be_read_of_nasty_files_is_right(name: str, expected: list[float]) -> None:
    table = outcome(CORPUS[name], name)
    assert isinstance(table, LossTable)
    assert table.values("params").tolist() == expected


def test_a_formula_of_a_spreadsheet_is_defused_on_export() -> None:
    for name in ("formula.csv", "formula_header.csv", "reserved.csv", "controls.csv"):
        table = outcome(CORPUS[name], name)
        assert isinstance(table, LossTable)
        written = pd.read_csv(io.StringIO(table_csv(table)), header=None, dtype=str)
        for cell in written.to_numpy().ravel():
            assert not str(cell).startswith(("=", "+", "@", "\t", "\r")), cell


# --- Fuzz ---


@FUZZ
@given(content=st.binary(max_size=2000), name=st.text(max_size=20))
def test_any_bytes(content: bytes, name: str) -> None:
    outcome(content, name)


PIECES = st.sampled_from(
    [
        *(
            "N",
            "D",
            "C",
            "loss",
            "params (B)",
            "log10_flops",
            "bpb",
            "ppl",
            "family",
            "run",
            "step",
        ),
        *("1e9", "1.3B", "300B tokens", "2.5", "0", "-1", "nan", "inf", "", "abc", "7", "1e400"),
        *(",", "\n", "\t", ";", '"', "'", " ", "#", "\r\n", ",,", "=", "\ufeff", "é", "\x00"),
        *("{", "}", "[", "]", ":", '{"N": 1e9, "D": 1e10, "loss": 2.5}', "(", ")", "%", "$"),
    ]
)


@FUZZ
@given(
    pieces=st.lists(PIECES, max_size=60),
    is_packed=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-16", "cp1252"]),
)
def test_any_text_of_likely_pieces(pieces: list[str], is_packed: bool, encoding: str) -> None:
    content = "".join(pieces).encode(encoding, errors="replace")
    outcome(gzip.compress(content) if is_packed else content, "runs.csv")


@pytest.mark.slow
@FUZZ
@given(
    st.lists(
        st.lists(PIECES.filter(lambda p: p not in "\n\r,"), min_size=1, max_size=5), max_size=8
    )
)
def test_any_grid_of_likely_cells(rows: list[list[str]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["N", "D", "loss", "family", "step"], *rows])
    outcome(buffer.getvalue().encode(), "runs.csv")


CELLS = st.one_of(
    st.floats(), st.integers(), st.text(max_size=8), st.none(), st.booleans(), st.binary(max_size=4)
)


@pytest.mark.slow
@FUZZ
@given(
    headers=st.lists(
        st.one_of(st.sampled_from(["N", "D", "loss", "step", "run"]), st.text(max_size=8)),
        max_size=6,
    ),
    data=st.data(),
)
def test_any_frame(headers: list[str], data: st.DataObject) -> None:
    n_rows = data.draw(st.integers(0, 6))
    cells = [[data.draw(CELLS) for _ in headers] for _ in range(n_rows)]
    frame = pd.DataFrame(cells, columns=headers, dtype=object)
    with contextlib.suppress(IsoflopError):
        check(read_table(frame, name="frame").table)


ROLES = st.builds(
    ColumnRole,
    header=st.sampled_from(["N", "D", "loss", "family", "absent"]),
    column=st.one_of(st.sampled_from(["", *COLUMNS]), st.text(max_size=6)),
    unit=st.one_of(st.sampled_from(["", "B", "1E21", "bits per byte", "h"]), st.text(max_size=6)),
    transform=st.sampled_from(["", "log10", "log2", "ln"]),
)
RAW = read_raw(b"N,D,loss,family\n1e9,2e10,2.5,a\n2e9,x,2.4,b\n,,,\n", "runs.csv")


@pytest.mark.slow
@FUZZ
@given(
    roles=st.lists(ROLES, max_size=5),
    response=st.one_of(st.just("loss"), st.sampled_from(["N", "family", "absent"])),
    size=st.one_of(st.none(), st.floats(0.1, 100)),
)
def test_any_mapping(roles: list[ColumnRole], response: str, size: float | None) -> None:
    mapping = ColumnMapping(roles=tuple(roles), response=response, bytes_per_token=size)
    with contextlib.suppress(IsoflopError):
        check(build_table(RAW, mapping, provenance=Provenance(title="fuzz")).table)
    assert mapping_from_json(mapping.to_json()) == mapping


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(
                ["isoflop_mapping", "roles", "response", "header", "column", "N", "D", "loss"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@FUZZ
@given(JSON)
def test_any_json(document: object) -> None:
    text = json.dumps(document)
    outcome(text.encode(), "runs.json")
    if isinstance(document, dict):
        document = {"isoflop_mapping": 1, "roles": [], **document}
    with contextlib.suppress(TableError):
        mapping_from_json(json.dumps(document))


@pytest.mark.slow
@FUZZ
@given(st.lists(st.sampled_from(list(COLUMNS)), min_size=1, max_size=6, unique=True), st.data())
def test_a_table_read_again_is_the_same(columns: list[str], data: st.DataObject) -> None:
    """What is exported comes back with every value that it had."""
    numbers = [name for name in columns if COLUMNS[name].kind == "number"] or ["params"]
    n_rows = data.draw(st.integers(1, 5))
    frame = pd.DataFrame(
        {
            name: data.draw(st.lists(st.floats(2.0, 900.0), min_size=n_rows, max_size=n_rows))
            for name in {*numbers, "loss"} - {"sparsity", "accuracy"}
        }
    )
    raw = replace(RAW, frame=frame.set_axis(pd.RangeIndex(1, n_rows + 1)), problems=())
    mapping = ColumnMapping(
        roles=tuple(ColumnRole(header=name, column=name) for name in frame.columns)
    )
    with contextlib.suppress(TableError):
        table = build_table(raw, mapping).table
        again = build_table(
            read_raw(table_csv(table).encode(), "again.csv"),
            guess_mapping(read_raw(table_csv(table).encode(), "again.csv")),
        ).table
        for name in frame.columns:
            assert again.frame[name].tolist() == pytest.approx(
                table.frame[name].tolist(), rel=0, abs=0, nan_ok=True
            )
