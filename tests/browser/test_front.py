"""What a page says where a proxy in front of it changes the server's name."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect


@pytest.fixture
def proxy(app: str) -> Iterator[str]:
    """Pass requests on by the server's own address, as a proxy does that is not told otherwise."""
    behind = urlsplit(app).netloc

    class Pass(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            connection = http.client.HTTPConnection(behind)
            connection.request(
                "GET", self.path, headers={"Accept": self.headers["Accept"] or "*/*"}
            )
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Pass) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


def test_a_page_says_that_a_proxy_changes_its_name(app: str, proxy: str, chromium: Browser) -> None:
    with chromium.new_context() as person:
        page = person.new_page()
        page.goto(proxy)
        expect(page.get_by_role("heading")).to_have_text(
            "The proxy in front of Isoflop changes its name"
        )
        said = page.locator("body").inner_text()
        assert f"You are at {urlsplit(proxy).netloc}" in said
        assert f"asked as {urlsplit(app).netloc}" in said
        assert "proxy_set_header Host $http_host" in said
        assert "ISOFLOP_HOSTS=localhost" in said
