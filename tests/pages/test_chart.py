"""What of a chart goes to the browser."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from tests.pages.helpers import figures

from isoflop.ui import chart

SCRIPT = """
import numpy as np
import plotly.graph_objects as go
import streamlit as st
from isoflop.ui import chart

moved = st.number_input("Moved", value=0)
traces = [
    {"type": "scatter", "name": "rows", "text": ["of a table"] * 200},
    {"type": "scatter", "name": "curve", "y": [float(moved)] * 500},
    {"type": "scatter", "name": "point", "x": [1.0]},
]
layout = {"meta": {"alt": "Rows and a curve."}, "height": 100}
chart.draw(go.Figure(data=traces, layout=layout), key="a chart", config={})
"""


@pytest.fixture(autouse=True)
def kept(whole_charts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "WORTH_KEEPING", 1000)


def sent(at: AppTest) -> list[dict[str, Any]]:
    assert not at.exception
    (figure,) = figures(at)
    return list(figure["data"])


def test_what_has_not_changed_goes_by_its_name() -> None:
    at = AppTest.from_string(SCRIPT).run()
    rows, curve, point = sent(at)
    assert rows["trace"]["name"] == "rows"
    assert curve["trace"]["y"][0] == 0
    assert point["x"] == [1.0]
    at.number_input[0].set_value(1).run()
    now_rows, now_curve, now_point = sent(at)
    assert now_rows == {"kept": rows["kept"]}
    assert now_curve["trace"]["y"][0] == 1
    assert now_curve["kept"] != curve["kept"]
    assert now_point == point
    at.number_input[0].set_value(0).run()  # the browser has kept the last ones alone
    assert sent(at) == [{"kept": rows["kept"]}, curve, point]


def test_what_a_browser_has_lost_is_sent_again() -> None:
    at = AppTest.from_string(SCRIPT).run()
    whole = sent(at)
    assert sent(at.run()) != whole
    at.session_state[chart._KEPT].pop("a chart")
    assert sent(at.run()) == whole


def test_another_session_has_nothing_yet() -> None:
    whole = sent(AppTest.from_string(SCRIPT).run())
    assert sent(AppTest.from_string(SCRIPT).run()) == whole
