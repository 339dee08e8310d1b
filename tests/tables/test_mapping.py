"""Mappings: kept, changed by hand, remembered, refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoflop.errors import TableError
from isoflop.tables import (
    COLUMNS,
    build_table,
    guess_mapping,
    headers_key,
    mapping_from_json,
    read_raw,
)
from isoflop.tables.reading.columns import normalise
from isoflop.tables.reading.header import meanings

RAW = read_raw(
    b"size,data,score,train_loss,val_loss\n7,2,0.5,1.9,2.0\n13,2,0.6,1.7,1.8\n", "runs.csv"
)


def test_aliases_name_one_column_first() -> None:
    """No two columns claim the same header with certainty, so a choice is never a coin toss."""
    claims: dict[str, set[str]] = {}
    for column in COLUMNS.values():
        for alias in (column.name, *column.names, *column.weaker):
            claims.setdefault(normalise(alias), set()).add(column.name)
    assert not {alias for alias, names in claims.items() if len(names) > 1}


def test_every_column_is_documented() -> None:
    for column in COLUMNS.values():
        assert column.label
        assert column.help.endswith(".")
        if column.kind == "number":
            assert column.dimension
            assert column.lower is not None
            assert column.upper is not None
            assert column.lower < column.upper


def test_a_change_by_hand_takes_the_column_from_its_holder() -> None:
    mapping = guess_mapping(RAW).with_role("train_loss", column="loss")
    roles = {role.header: role.column for role in mapping.roles}
    assert roles["train_loss"] == "loss"
    assert roles["val_loss"] == "val_loss"


def test_answering_the_question_makes_the_table() -> None:
    mapping = guess_mapping(RAW)
    assert [question.header for question in mapping.questions] == ["size"]
    with pytest.raises(TableError, match="In which unit is size"):
        build_table(RAW, mapping)
    mapping = mapping.with_role("size", unit="B").with_role("data", column="tokens", unit="T")
    table = build_table(RAW, mapping).table
    assert table.values("params").tolist() == [7e9, 13e9]
    assert table.values("tokens").tolist() == [2e12, 2e12]


def test_bits_per_byte_become_nats_per_token_once_bytes_per_token_are_known() -> None:
    raw = read_raw(b"N,D,bpb\n1e9,2e10,0.9\n2e9,2e10,0.8\n", "runs.csv")
    mapping = guess_mapping(raw)
    assert [question.is_blocking for question in mapping.questions] == [False]
    table = build_table(raw, replace(mapping, bytes_per_token=4.0)).table
    assert table.loss_unit == "nats/token"
    assert table.values("loss")[0] == pytest.approx(0.9 * 4 * 0.6931471805599453, rel=1e-15)


def test_json_round_trip() -> None:
    mapping = guess_mapping(RAW).with_role("size", unit="B")
    again = mapping_from_json(mapping.to_json())
    assert again == mapping
    assert json.loads(mapping.to_json())["isoflop_mapping"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"isoflop_mapping": 2, "roles": []}',
        '{"isoflop_mapping": 1, "roles": [], "sudo": true}',
        '{"isoflop_mapping": 1, "roles": [{"header": "a"}]}',
        '{"isoflop_mapping": 1, "roles": [{"header": "a", "column": 3}]}',
        '{"isoflop_mapping": 1, "roles": [], "loss_unit": "furlongs"}',
        '{"isoflop_mapping": 1, "roles": [], "response": 3}',
        '{"isoflop_mapping": 1, "roles": [], "bytes_per_token": -1}',
        '{"isoflop_mapping": 1, "roles": [], "questions": ["?"]}',
        "[" * 100_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(TableError, match="not a column mapping"):
        mapping_from_json(text)


def test_a_mapping_for_another_file_is_refused() -> None:
    other = guess_mapping(read_raw(b"N,D,loss\n1e9,1e10,2\n", "other.csv"))
    with pytest.raises(TableError) as caught:
        build_table(RAW, other)
    assert "names a column 'N', which the file does not have" in caught.value.summary


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(TableError, match="The unit 'furlong' of size is not known"):
        build_table(RAW, guess_mapping(RAW).with_role("size", unit="furlong"))


def test_headers_key_ignores_order() -> None:
    assert headers_key(["a", "b"]) == headers_key(["b", "a"]) != headers_key(["ab"])


@given(st.text(max_size=60))
def test_any_header_is_read_without_an_error(header: str) -> None:
    for reading in meanings(header):
        assert reading.column in COLUMNS
        assert reading.reason
