"""The page on data says what the words of headers are, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from isoflop.data import read_toml
from isoflop.tables.reading.columns import words

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
KINDS = {"text": "text", "flag": "yes or no", "number": "a number"}


def columns() -> Iterator[str]:
    for column in words().columns.values():
        cells = (
            f"`{column.name}`",
            ", ".join(column.names),
            ", ".join(column.weaker),
            ", ".join(column.doubtful),
            ", ".join(column.takes),
            column.unit or KINDS[column.kind],
        )
        yield f"| {' | '.join(cells)} |"


def groups() -> Iterator[str]:
    for name, group in read_toml("columns.toml")["groups"].items():
        yield f"| {name} | {group['help']} | {', '.join(group['words'])} |"


@pytest.mark.parametrize("table", [columns, groups])
def test_a_table_of_words_is_that_of_the_data_file(table: object) -> None:
    rows = "\n".join(columns() if table is columns else groups())
    assert f"|---|\n{rows}\n\n" in PAGE


def test_the_limits_are_those_of_the_data_file() -> None:
    limits = words().plausible
    assert limits["params"] == (1e3, 2e13)
    assert limits["tokens"] == (1e4, 1e15)
    assert limits["compute_flop"] == (1e6, 1e29)
    assert "outside 1e3 to 2e13, 1e4 to 1e15, 1e6 to 1e29" in PAGE
    assert limits["tokens_per_param"] == (0.1, 1e4)
    assert "outside 0.1 to 1e4" in PAGE
    assert limits["compute_over_6nd"] == (0.2, 5.0)
    assert "outside 0.2 to 5 times" in PAGE
    assert words().nats_per_token_at_most == 13
