"""Notices that name rows: the same on every page, and the rows left out and put back by a click."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import healthy, open_shipped

SERIOUS = "doubts.serious.outliers-move-optimum"
BUDGET = {"accelerator": "cpu-laptop-8-core", "count": "1", "time": "30 days", "bootstrap": "0"}


def said(at: AppTest) -> str:
    return "\n".join(entry.value for entry in at.markdown).replace("\\", "")


@pytest.mark.parametrize("page", ["explore", "fit", "plan"])
def test_rows_of_a_notice_are_left_out_and_put_back_by_a_click(page: str) -> None:
    at = healthy(open_shipped(page, **BUDGET))
    headline = next(entry.value for entry in at.markdown).replace("\\", "")
    assert "moves the compute-optimal size" in said(at)
    assert "Left out, as a notice named" not in said(at)
    at.button(key=SERIOUS).click().run()
    assert "**Left out, as a notice named them: row 8.** With them → without them: loss" in (
        said(healthy(at))
    )
    (left_out,) = json.loads(at.query_params["prep"])["out"]
    assert left_out == ["rows", "8", "named in a notice: outliers-move-optimum"]
    assert next(entry.value for entry in at.markdown).replace("\\", "") != headline or page == "fit"
    at.button(key="doubts.undo").click().run()
    assert "Left out, as a notice named" not in said(healthy(at))
    assert "prep" not in at.query_params


def test_a_link_shows_what_was_left_out_for_a_notice() -> None:
    out = {"out": [["rows", "8", "named in a notice: outliers-move-optimum"]]}
    at = healthy(open_shipped("explore", prep=json.dumps(out), **BUDGET))
    assert "**Left out, as a notice named them: row 8.**" in said(at)


def test_nothing_is_left_out_of_a_published_fit() -> None:
    at = healthy(open_shipped("explore", law="published-hoffmann", **BUDGET))
    assert not [entry for entry in at.button if str(entry.key).startswith("doubts.")]
