"""The chart of ours: what a browser is sent of it, and the scripts it loads."""

from __future__ import annotations

import gzip
from importlib.metadata import version

import pytest
from starlette.requests import Request

from isoflop.ui import chart


def ask(name: str, *, encoding: str = "") -> tuple[int, bytes, dict[str, str]]:
    headers = [(b"accept-encoding", encoding.encode())]
    scope = {"type": "http", "headers": headers, "path_params": {"name": name, "edition": "any"}}
    answer = chart.script(Request(scope))
    return answer.status_code, bytes(answer.body), dict(answer.headers)


@pytest.mark.parametrize("name", ["chart.js", "plotly.min.js"])
def test_scripts_are_sent_packed_to_whoever_can_read_that(name: str) -> None:
    _, plain, headers = ask(name)
    assert "content-encoding" not in headers
    status, packed, headers = ask(name, encoding="gzip, br")
    assert status == 200
    assert headers["content-encoding"] == "gzip"
    assert "immutable" in headers["cache-control"]
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 2


def test_no_other_file_is_sent() -> None:
    assert ask("style.css")[0] == 404
    assert ask("../chart.py")[0] == 404


def test_the_address_changes_with_the_version_of_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = chart._edition.__wrapped__()
    assert chart._edition.__wrapped__() == now
    monkeypatch.setattr(chart, "version", lambda name: f"{version(name)}.1")
    assert chart._edition.__wrapped__() != now


@pytest.mark.parametrize(
    ("base", "path"), [("", "/charts/{edition}/{name}"), ("/lab/", "/lab/charts/{edition}/{name}")]
)
def test_the_scripts_are_where_the_app_is(
    monkeypatch: pytest.MonkeyPatch, base: str, path: str
) -> None:
    monkeypatch.setattr(chart.settings, "get_option", lambda name: base)
    assert [route.path for route in chart.routes()] == [path]
