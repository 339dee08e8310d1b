"""By which names the server may be asked, what its answers tell browsers, what is compressed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import socket
from pathlib import Path

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit.web.server.starlette.starlette_gzip_middleware import SelectiveGZipMiddleware

from isoflop.server import hosts
from isoflop.server.front import ALONE, Front
from isoflop.server.mount import routes
from isoflop.server.packed import Packed

INDEX = next(Path(streamlit.__file__).parent.glob("static/index.html")).read_text(encoding="utf-8")
SCRIPT = "let a = 1;" * 500
calls: list[str] = []


async def page(_request: Request) -> Response:
    return HTMLResponse(INDEX, headers={"etag": '"a"', "cache-control": "no-cache"})


async def static(request: Request) -> Response:
    calls.append(request.url.path)
    if request.path_params["name"] == "unknown.js":
        return HTMLResponse(INDEX, headers={"cache-control": "no-cache"})
    content = SCRIPT if request.path_params["name"] != "short.js" else "1"
    return PlainTextResponse(
        content, media_type="text/javascript", headers={"cache-control": "public, immutable"}
    )


async def stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(socket.headers["host"])
    await socket.close()


@pytest.fixture
def front() -> TestClient:
    calls.clear()
    app = Starlette(
        routes=[
            *routes(),
            Route("/static/js/{name}", static),
            Route("/media/{name}", page),
            WebSocketRoute("/_stcore/stream", stream),
            Route("/_stcore/health", page),
            Route("/{name:path}", page),
        ],
        middleware=[Middleware(Packed), Middleware(Front), Middleware(SelectiveGZipMiddleware)],
    )
    return TestClient(app, base_url="http://localhost:8501", client=("127.0.0.1", 50000))


OWN = ["localhost:8501", "127.0.0.1", "[::1]:8501", "10.1.2.3:80", socket.gethostname()]
STRANGE = ["evil.example", "evil.example:8501", "localhost.evil.example", "a@localhost", "", "a:b"]


@pytest.mark.parametrize("host", OWN)
def test_addresses_and_own_names_are_known(front: TestClient, host: str) -> None:
    assert front.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", STRANGE)
def test_another_name_gets_neither_page_nor_api_nor_connection(
    front: TestClient, host: str
) -> None:
    sent = {"Host": host, "Accept": "text/html"}
    answer = front.get("/fit", headers=sent)
    assert answer.status_code == 403
    assert "which is not one of its names" in answer.text
    assert "ISOFLOP_HOSTS=" in answer.text
    assert answer.headers["content-security-policy"] == ALONE
    problem = front.get("/api/laws", headers={"Host": host})
    assert problem.json()["code"] == "forbidden"
    assert "ISOFLOP_HOSTS=" in problem.json()["hint"]
    with (
        pytest.raises(WebSocketDisconnect),
        front.websocket_connect("/_stcore/stream", headers={"Host": host}),
    ):
        pass
    assert front.get("/_stcore/health", headers={"Host": host}).status_code == 200
    assert front.get("/api/health", headers={"Host": host}).status_code == 200


def test_a_refusal_repeats_nothing_as_it_stands(front: TestClient) -> None:
    answer = front.get("/", headers={"Host": "<script>", "Accept": "text/html"})
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("setting", "host", "is_known"),
    [
        ("isoflop.example.org", "isoflop.example.org:8501", True),
        ("isoflop.example.org", "ISOFLOP.example.org.", True),
        ("a.example, b.example", "b.example", True),
        ("*.example.org", "isoflop.example.org", True),
        ("*.example.org", "example.org", False),
        ("*.example.org", "evilexample.org", False),
        ("https://isoflop.example.org:8443", "isoflop.example.org", True),
        ("http://:80", "isoflop.example.org", False),
        ("*", "isoflop.example.org", True),
    ],
)
def test_names_come_from_one_setting(
    setting: str, host: str, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_HOSTS", setting)
    assert hosts.is_known(host) is is_known


def connected(front: TestClient, **headers: str) -> str:
    with front.websocket_connect("/_stcore/stream", headers=headers) as live:
        return live.receive_text()


def test_a_live_connection_is_of_the_server_s_own_pages(
    front: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert connected(front, Host="localhost:8501") == "localhost:8501"
    assert connected(front, Host="localhost:8501", Origin="http://localhost:8501")
    for origin in ("http://evil.example", "http://localhost:9999", "null", "http://10.0.0.1"):
        with pytest.raises(WebSocketDisconnect):
            connected(front, Host="localhost:8501", Origin=origin)
    with pytest.raises(WebSocketDisconnect):  # the name of a site that leads here
        connected(front, Host="evil.example", Origin="http://evil.example")
    # A proxy that changes the name: refused until the name is set, then Streamlit sees that name.
    changed = {"Host": "127.0.0.1:8501", "Origin": "https://isoflop.example.org"}
    with pytest.raises(WebSocketDisconnect):
        connected(front, **changed)
    monkeypatch.setenv("ISOFLOP_HOSTS", "isoflop.example.org")
    assert connected(front, **changed) == "isoflop.example.org"


def test_a_page_says_what_may_run_in_it(front: TestClient) -> None:
    for path in ("/", "/fit", "/static/js/unknown.js"):
        answer = front.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        scripts = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
        assert len(scripts) == 2
        for script in scripts:
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy
        assert 'data-host="localhost:8501"' in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "etag" not in answer.headers
        assert ("content-encoding" in answer.headers) is not path.startswith("/static/")
    answer = front.get("/")
    plain = front.get("/", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text == answer.text


def test_what_is_no_page_runs_nothing(front: TestClient) -> None:
    for path in ("/media/report.html", "/api/docs", "/api/laws", "/api/nothing"):
        answer = front.get(path)
        assert answer.headers["content-security-policy"] == ALONE
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"


def test_scripts_are_compressed_once(front: TestClient) -> None:
    first, second = front.get("/static/js/a.js"), front.get("/static/js/a.js")
    assert first.text == second.text == SCRIPT
    assert first.headers == second.headers
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["vary"] == "accept-encoding"
    assert int(first.headers["content-length"]) == len(gzip.compress(SCRIPT.encode(), 6, mtime=0))
    assert first.headers["x-content-type-options"] == "nosniff"
    assert calls == ["/static/js/a.js"]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/static/js/a.js", {"Accept-Encoding": "identity"}),
        ("/static/js/a.js", {"Range": "bytes=0-3"}),
        ("/static/js/a.js", {"If-None-Match": '"a"'}),
        ("/static/js/short.js", {}),
    ],
)
def test_all_else_is_sent_as_it_is(front: TestClient, path: str, headers: dict[str, str]) -> None:
    for _ in range(2):
        assert "content-encoding" not in front.get(path, headers=headers).headers
    assert calls == [path, path]
