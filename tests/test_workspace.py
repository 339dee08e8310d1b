"""Workspaces: nothing is lost on the way, and nothing that is given is believed unchecked."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import zipfile
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isoflop import workspace as module
from isoflop.errors import DocumentError, TableError
from isoflop.tables import read_table
from isoflop.tables.load import ReadResult
from isoflop.tables.raw import RawTable
from isoflop.workspace import (
    Workspace,
    from_body,
    from_zip,
    pack_cells,
    pack_table,
    to_body,
    to_zip,
    unpack_cells,
    unpack_table,
)

CSV = """model,N (B),D,loss,größe,note
a,1.5,3e9,2.5,"1.234,5",first
b,0.07,1.1e9,3.1000000000000005,2,
c,oops,2e9,2.9,3,"x, y"
d,0.4,8e9,2.7,,=1+1
"""


@pytest.fixture
def result() -> ReadResult:
    return read_table(CSV.encode(), name="mine.csv")


@pytest.fixture
def made(result: ReadResult) -> tuple[Workspace, dict[str, bytes]]:
    saved, content = pack_table("upload-1", "mine.csv", result)
    workspace = Workspace(
        page="fit",
        views={"fit": {"table": ("upload-1",), "families": ("a", "b")}, "plan": {}},
        note="größer ≤ Ω",
        tables=(saved,),
        preparations={"upload-1": '{"seeds": "mean"}'},
        scenarios={"s": {"plan": {"x": [1, None, 2.5]}}},
        accelerators={"own-x": {"label": "X"}},
        runs=("ladder-1",),
    )
    return workspace, {saved.sha256: content}


def test_a_workspace_comes_back_as_it_was(made: tuple[Workspace, dict[str, bytes]]) -> None:
    workspace, files = made
    assert from_body(json.loads(json.dumps(to_body(workspace)))) == workspace
    content = to_zip("größer", workspace, files)
    assert from_zip(content) == ("größer", workspace, files)
    assert to_zip("größer", workspace, files) == content  # equal workspaces are equal files


def test_an_uploaded_table_is_the_same_table_again(result: ReadResult) -> None:
    saved, content = pack_table("upload-1", "mine.csv", result)
    again = unpack_table(saved, content)
    assert again.table.fingerprint == result.table.fingerprint == saved.fingerprint
    assert again.table.frame.equals(result.table.frame)
    assert again.problems == result.problems
    assert again.mapping == result.mapping
    assert again.raw.headers == result.raw.headers


CELL = st.one_of(
    st.none(), st.booleans(), st.text(max_size=5), st.floats(allow_nan=False), st.integers(-9, 9)
)


@given(st.lists(st.tuples(CELL, st.floats(), st.text(max_size=4)), min_size=1, max_size=6))
@example([(math.inf, -math.inf, "Infinity"), ("Infinity", math.nan, "")])
def test_cells_are_kept_to_the_last_bit(rows: list[tuple[Any, float, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["mixed", "numbers", "text"], index=range(2, 2 + len(rows)))
    frame["mixed"] = frame["mixed"].astype(object)
    frame["numbers"] = frame["numbers"].astype(float)
    again = unpack_cells(pack_cells(RawTable(name="x", format="CSV", frame=frame))).frame
    assert again.index.tolist() == frame.index.tolist()
    assert again.dtypes.tolist() == frame.dtypes.tolist()
    for name in frame:
        for before, after in zip(frame[name].tolist(), again[name].tolist(), strict=True):
            if pd.isna(before):
                assert pd.isna(after)
            else:
                assert (type(after), repr(after)) == (type(before), repr(before))


def test_a_table_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CELLS", 10)
    with pytest.raises(TableError, match=r"mine\.csv is too large for a workspace") as caught:
        pack_cells(read_table(CSV.encode(), name="mine.csv").raw)
    assert "24 cells; up to 10" in caught.value.detail


def zip_of(members: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


def test_a_zip_bomb_is_refused_before_it_is_unpacked(
    made: tuple[Workspace, dict[str, bytes]],
) -> None:
    bomb = b"0" * (module.MAX_PACKED_BYTES + 1)
    with pytest.raises(DocumentError) as caught:
        from_zip(zip_of({"workspace.json": bomb}))
    assert caught.value.detail == "Unpacked, it is larger than 50 MB."
    workspace, _ = made
    inner = gzip.compress(b"0" * 10_000_000, mtime=0)
    sha256 = hashlib.sha256(inner).hexdigest()
    table = replace(workspace.tables[0], sha256=sha256)
    content = json.dumps(to_body(replace(workspace, tables=(table,)))).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MAX_UNPACKED_BYTES", 1_000_000)
        with pytest.raises(DocumentError, match="not a workspace") as caught:
            from_zip(zip_of({"workspace.json": content, f"tables/{sha256}.json.gz": inner}))
    assert "unpacked, it is larger than 1 MB" in caught.value.detail


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "It has no workspace.json."),
        ({"../workspace.json": b"{}"}, "what does not belong there: '../workspace.json'"),
        ({"workspace.json": b"{}", "evil.pkl": b""}, "what does not belong there: 'evil.pkl'"),
        ({"workspace.json": b"{}", "tables/../x.json.gz": b""}, "what does not belong there"),
        ({"workspace.json": b"[1]"}, "It is not a JSON object."),
        ({"workspace.json": b"{"}, "It is not JSON"),
        ({"workspace.json": b"[" * 100_000}, "It is not JSON"),
        ({"workspace.json": b'{"format": "isoflop-workspace-2"}'}, "Isoflop "),
        ({"workspace.json": b'{"format": "isoflop-fit-1"}'}, "Its format is 'isoflop-fit-1'."),
        ({"workspace.json": b'{"format": "isoflop-workspace-1"}'}, "page"),
    ],
)
def test_a_zip_with_bad_members_is_refused(members: dict[str, bytes], said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        from_zip(zip_of(members))
    assert said in caught.value.detail


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"PK\x03\x04" + b"\0" * 40])
def test_what_is_no_zip_is_refused(content: bytes) -> None:
    with pytest.raises(DocumentError, match="not a workspace that can be opened"):
        from_zip(content)


def test_a_zip_that_was_cut_or_changed_is_refused(
    made: tuple[Workspace, dict[str, bytes]],
) -> None:
    workspace, files = made
    content = to_zip("x", workspace, files)
    for damaged in (content[:-30], content[: len(content) // 2], content[:200] + content[220:]):
        with pytest.raises(DocumentError):
            from_zip(damaged)
    (sha256,) = files
    body = json.dumps(to_body(workspace)).encode()
    other = gzip.compress(b"{}", mtime=0)
    with pytest.raises(DocumentError) as caught:
        from_zip(zip_of({"workspace.json": body, f"tables/{sha256}.json.gz": other}))
    assert "is damaged" in caught.value.detail
    with pytest.raises(DocumentError) as caught:
        from_zip(zip_of({"workspace.json": body}))
    assert "Its tables are not those that it names." in caught.value.detail


@pytest.mark.parametrize(
    "change",
    [
        {"columns": [{"header": "a", "dtype": "category", "cells": [1]}], "index": [1]},
        {"columns": [{"header": "a", "dtype": "float64", "cells": ["1"]}], "index": [1]},
        {"columns": [{"header": "a", "dtype": "object", "cells": [{"x": 1}]}], "index": [1]},
        {"columns": [{"header": "a", "dtype": "int64", "cells": [1.5]}], "index": [1]},
        {"columns": [{"header": "a", "dtype": "int64", "cells": [1, 2]}], "index": [1]},
        {"columns": [{"header": "a", "dtype": "int64", "cells": [1]}] * 2, "index": [1]},
        {"columns": 3, "index": [1]},
        {"index": "x"},
        {"decimal": 3},
        {"format": "isoflop-cells-9"},
        {"other": 1},
    ],
)
def test_cells_that_are_malformed_are_refused(result: ReadResult, change: dict[str, Any]) -> None:
    good = json.loads(gzip.decompress(pack_cells(result.raw)))
    with pytest.raises(DocumentError):
        unpack_cells(gzip.compress(json.dumps(good | change).encode()))


def test_what_is_too_long_is_refused(made: tuple[Workspace, dict[str, bytes]]) -> None:
    workspace, _ = made
    with pytest.raises(DocumentError, match="The note is longer than"):
        to_body(replace(workspace, note="x" * 10_001))
    with pytest.raises(DocumentError, match="too long to be saved"):
        to_body(replace(workspace, views={"fit": {"prep": ("x" * 20_001,)}}))
