"""The scripts of ours that a browser loads."""

from __future__ import annotations

from importlib.metadata import version

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient
from streamlit.web.server.starlette.starlette_gzip_middleware import SelectiveGZipMiddleware

from isoflop.server.packed import Packed
from isoflop.ui import scripts


@pytest.fixture
def client() -> TestClient:
    """Return a client of the scripts behind what stands before them in the app."""
    before = [Middleware(Packed), Middleware(SelectiveGZipMiddleware)]
    return TestClient(Starlette(routes=list(scripts.routes()), middleware=before))


def address(name: str) -> str:
    return f"/scripts/{scripts._edition()}/{name}"


@pytest.mark.parametrize("name", ["chart.js", "frame.js", "plotly.min.js"])
def test_scripts_are_sent_packed_to_whoever_can_read_that(client: TestClient, name: str) -> None:
    plain = client.get(address(name), headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = client.get(address(name), headers={"Accept-Encoding": "gzip, br"})
    assert packed.status_code == 200
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["content-type"].startswith("text/javascript")
    assert "immutable" in packed.headers["cache-control"]
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2


def test_a_script_is_packed_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    first = client.get(address("chart.js"))
    monkeypatch.setattr(scripts, "ASSETS", scripts.ASSETS / "gone")
    assert client.get(address("chart.js")).content == first.content


def test_an_older_page_gets_the_script_and_keeps_none_by_its_address(client: TestClient) -> None:
    answer = client.get("/scripts/older/chart.js")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


def test_no_other_file_is_sent(client: TestClient) -> None:
    assert client.get(address("style.css")).status_code == 404
    assert client.get(address("..%2Fchart.py")).status_code == 404


def test_the_address_changes_with_the_version_of_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    now = scripts._edition.__wrapped__()
    assert scripts._edition.__wrapped__() == now
    monkeypatch.setattr(scripts, "version", lambda name: f"{version(name)}.1")
    assert scripts._edition.__wrapped__() != now


@pytest.mark.parametrize(
    ("base", "path"),
    [("", "/scripts/{edition}/{name}"), ("/lab/", "/lab/scripts/{edition}/{name}")],
)
def test_the_scripts_are_where_the_app_is(
    monkeypatch: pytest.MonkeyPatch, base: str, path: str
) -> None:
    monkeypatch.setattr(scripts.settings, "get_option", lambda name: base)
    assert [route.path for route in scripts.routes()] == [path]
