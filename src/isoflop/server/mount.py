"""Where the API stands beside the pages; quick to import, as the API itself comes when asked."""

from __future__ import annotations

import re
import threading
from importlib.metadata import version

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/api"


def routes() -> list[BaseRoute]:
    """Return the routes of the API for the server of the pages."""
    return [
        Route(f"{PREFIX}/health", health),
        Route(PREFIX, lambda _request: RedirectResponse(f"{PREFIX}/docs")),
        _Below(PREFIX, app=_WhenAsked()),
    ]


async def health(_request: Request) -> JSONResponse:
    """Say that the server answers, and which version it is."""
    return JSONResponse({"status": "ok", "version": version("isoflop")})


class _Below(Mount):
    """All that begins with the prefix, line breaks in it too, which a `Mount` would let through."""

    def __init__(self, path: str, app: ASGIApp) -> None:
        super().__init__(path, app)
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)


class _WhenAsked:
    """The application, imported and made by the first request: it needs the whole engine."""

    def __init__(self) -> None:
        self._made: ASGIApp | None = None
        self._lock = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self._made is None:
            await run_in_threadpool(self._make)
        assert self._made is not None  # by now
        await self._made(scope, receive, send)

    def _make(self) -> None:
        with self._lock:
            if self._made is None:
                from isoflop.server.app import application

                self._made = application()
