"""In front of everything: by which name the server is asked, and what browsers may do with it.

A page is told the name by which the server was asked. Where the browser knows it by another, the
proxy between them has changed it, no live connection will come about, and the page says so.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Sequence
from html import escape
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isoflop.once import once
from isoflop.server import hosts, problems
from isoflop.server.mount import PREFIX
from isoflop.server.problems import Refused

PROBES = (f"{PREFIX}/health", "/_stcore/health")
"""Answered under any name: a load balancer asks by whatever it likes."""

SHARED_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "x-frame-options": "SAMEORIGIN",
}
NO_PAGES = (f"{PREFIX}/", "/media/", "/_stcore/", "/component/")
ALONE = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
"""Of downloads and of what the API answers: nothing in them is to run in the app's name."""

_PAGE = (
    "default-src 'self'",
    # Plotly makes functions of texts for charts of many points; without, it draws none of them.
    # Streamlit starts the chart of ours from a blob, which only a script of the page can make.
    "script-src 'self' 'unsafe-eval' blob: {scripts}",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
)
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)

_SAY = """
(() => {
  const asked = document.currentScript.previousElementSibling.dataset;
  const names = asked.names.split(" ").filter(Boolean);
  const isNamed = names.some((n) =>
    n.startsWith("*.") ? location.hostname.endsWith(n.slice(1)) : location.hostname === n);
  if (location.host === asked.host || isNamed) return;
  const say = (tag, text) => {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  };
  document.addEventListener("DOMContentLoaded", () => {
    const box = document.createElement("div");
    box.id = "isoflop-unreachable";
    box.style = "max-width: 44rem; margin: 4rem auto; padding: 0 1rem; font: 16px/1.5 sans-serif";
    box.append(
      say("h1", "The proxy in front of Isoflop changes its name"),
      say("p", `You are at ${location.host}, but the server was asked as ${asked.host}. `
        + "It cannot tell that your page is its own, so it accepts no live connection from it."),
      say("p", "Whoever runs this server can do one of two things:"),
      say("p", "Let the proxy pass the name on. In nginx: proxy_set_header Host $http_host;"),
      say("p", `Or start Isoflop with ISOFLOP_HOSTS=${location.hostname}`),
    );
    document.body.replaceChildren(box);
  });
})();
"""


class Front:
    """Lets in what asks by a name of this server, and sends the headers that browsers heed.

    Parameters
    ----------
    app : ASGIApp
        What answers.
    modules : sequence of str
        Addresses of scripts that a page is to load at once, relative to it: what they take is done
        while the page's own scripts wait for the server.
    """

    def __init__(self, app: ASGIApp, modules: Sequence[str] = ()) -> None:
        self._app = app
        self._head = "".join(
            f'<script type="module" async src="{escape(module)}"></script>' for module in modules
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host"), headers.get("origin")
        if not hosts.is_known(host) or (
            origin is not None and not hosts.is_own_origin(origin, host)
        ):
            await send({"type": "websocket.close", "code": 1008})
            return
        if origin is not None:
            # A name that is set counts where a proxy has changed it, too.
            place = origin.partition("://")[2].encode("latin-1")
            rest = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope = {**scope, "headers": [(b"host", place), *rest]}
        await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host")
        if scope["path"] not in PROBES and not hosts.is_known(host):
            refusal = _stranger(host or "", is_page="text/html" in headers.get("accept", ""))
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, _Sender(scope, host or "", self._head, send))


class _Sender:
    """Sends an answer with its headers; a page of the app, with what it is to know."""

    def __init__(self, scope: Scope, host: str, head: str, send: Send) -> None:
        self._scope, self._host, self._head, self._send = scope, host, head, send
        self._may_be_page = scope["method"] == "GET" and not scope["path"].startswith(NO_PAGES)
        self._start: Message | None = None
        self._page = b""

    async def __call__(self, message: Message) -> None:
        """Pass a message on; one of a page waits until the page is whole."""
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(SHARED_HEADERS)
            if self._is_page(message, headers):
                self._start = message
                return
            if self._scope["path"].startswith((f"{PREFIX}/", "/media/")):
                headers.setdefault("content-security-policy", ALONE)
                if self._scope["path"].startswith(f"{PREFIX}/"):
                    headers.setdefault("cache-control", "no-store")
        elif self._start is not None and message["type"] == "http.response.body":
            self._page += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_page(self._start, self._page)
            return
        await self._send(message)

    def _is_page(self, message: Message, headers: MutableHeaders) -> bool:
        is_html = headers.get("content-type", "").startswith("text/html")
        return self._may_be_page and is_html and message["status"] == 200

    async def _send_page(self, start: Message, page: bytes) -> None:
        headers = MutableHeaders(scope=start)
        if headers.get("content-encoding") == "gzip":
            page = gzip.decompress(page)
            del headers["content-encoding"]
        text = _told(page.decode(), self._host, " ".join(hosts.named()), self._head)
        content = text.encode()
        if "gzip" in Headers(scope=self._scope).get("accept-encoding", ""):
            content = gzip.compress(content, mtime=0)
            headers["content-encoding"] = "gzip"
        headers["content-security-policy"] = _policy(text)
        headers["content-length"] = str(len(content))
        for name in ("etag", "last-modified", "accept-ranges"):  # it depends on who asks, and how
            del headers[name]
        await self._send(start)
        await self._send({"type": "http.response.body", "body": content})


def _told(page: str, host: str, names: str, head: str) -> str:
    """Return a page with the name by which it was asked, the script that compares it, and more."""
    known = f'<meta name="isoflop" data-host="{escape(host)}" data-names="{escape(names)}" />'
    return page.replace("<head>", f"<head>\n    {known}<script>{_SAY}</script>{head}", 1)


@once(max_entries=64)
def _policy(page: str) -> str:
    """Return the content security policy of a page, with the hashes of its inline scripts."""
    digests = (hashlib.sha256(text.encode()).digest() for text in _INLINE.findall(page))
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return "; ".join(_PAGE).format(scripts=scripts)


def _stranger(host: str, *, is_page: bool) -> Response:
    """Return the refusal of a request by a name that is none of this server's."""
    name = host.rpartition(":")[0] if ":" in host else host
    summary = f"This server was asked as {host[:200] or 'nothing'}, which is not one of its names."
    hint = (
        f"If people are to reach it so, let whoever runs it set {hosts.SETTING}="
        f"{name[:200] or 'NAME'}, or let the proxy in front pass the Host header on unchanged."
    )
    why = "A foreign site could let its own name lead here and so pass for this server."
    if is_page:
        return HTMLResponse(
            "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Isoflop</title>"
            "</head><body style='max-width: 44rem; margin: 4rem auto; font: 16px/1.5 sans-serif'>"
            f"<h1>{escape(summary)}</h1><p>{escape(hint)}</p><p>{escape(why)}</p></body></html>",
            HTTPStatus.FORBIDDEN,
            {"content-security-policy": ALONE, **SHARED_HEADERS},
        )
    return problems.of_refusal(Refused(HTTPStatus.FORBIDDEN, summary, detail=why, hint=hint))
