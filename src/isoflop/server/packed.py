"""Scripts and styles of the pages, compressed once and kept.

Streamlit sends its own as they are, and would compress ours anew for every visit. All are named by
their content and browsers keep them, so that the first visit alone is slow: of the 27 MB there a
page takes a few. Behind a proxy that compresses, nothing asks for them a second time.
"""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

STATIC, SCRIPTS = "/static/", "/scripts/"
"""Below which stand Streamlit's own files, and ours."""
FOR_EVER = "public, max-age=31536000, immutable"
SUFFIXES = (".css", ".js", ".json", ".svg", ".wasm")
LEVEL = 6
FEWEST_BYTES = 1000
MOST_BYTES = 32_000_000
"""Kept at once; three times what there is."""

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class _Packed:
    headers: RawHeaders
    content: bytes


class Packed:
    """Sends static files compressed to browsers that take them so.

    Parameters
    ----------
    app : ASGIApp
        What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held: dict[str, _Packed] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if not _is_packable(scope):
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        if path in self._held:
            await _send(self._held[path], send)
            return
        start: Message | None = None
        content = bytearray()

        async def gather(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                content.extend(message.get("body", b""))

        # Asked for as it is, so that Streamlit compresses nothing of it anew for each visit.
        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self._app({**scope, "headers": plain}, receive, gather)
        assert start is not None  # every answer has a head
        await self._pass_on(path, start, bytes(content), send)

    async def _pass_on(self, path: str, start: Message, content: bytes, send: Send) -> None:
        headers = Headers(scope=start)
        is_final = "immutable" in headers.get("cache-control", "")
        is_plain = start["status"] == 200 and "content-encoding" not in headers
        if not (is_final and is_plain) or len(content) < FEWEST_BYTES:
            await send(start)
            await send({"type": "http.response.body", "body": content})
            return
        packed = await run_in_threadpool(gzip.compress, content, LEVEL, mtime=0)
        changed = MutableHeaders(scope=start)
        changed["content-encoding"] = "gzip"
        changed["content-length"] = str(len(packed))
        changed.add_vary_header("accept-encoding")
        for name in ("accept-ranges", "etag", "last-modified"):  # of the file as it is
            del changed[name]
        made = _Packed(headers=changed.raw, content=packed)
        with self._lock:
            if sum(len(one.content) for one in self._held.values()) + len(packed) <= MOST_BYTES:
                self._held[path] = made
        await _send(made, send)


def _is_packable(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    is_file = STATIC in scope["path"] or SCRIPTS in scope["path"]
    if not is_file or not scope["path"].endswith(SUFFIXES):
        return False
    headers = Headers(scope=scope)
    is_part = "range" in headers or "if-none-match" in headers or "if-modified-since" in headers
    return not is_part and "gzip" in headers.get("accept-encoding", "")


async def _send(packed: _Packed, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": list(packed.headers)})
    await send({"type": "http.response.body", "body": packed.content})
