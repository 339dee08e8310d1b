"""What every route does before its function is called, and with what the function raises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, ClassVar

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from isoflop.server import callers, problems
from isoflop.server.problems import Refused
from isoflop.server.uploads import too_large
from isoflop.training import service

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

BODY_S = 60.0
"""From a request's head to the end of its body, where that is JSON."""
JSON = "application/json"


def answers(schema: dict[str, Any], *, status: int = HTTPStatus.OK) -> dict[int | str, Any]:
    """Return the answers of a route for its description."""
    problem = {"content": {problems.MEDIA_TYPE: {"schema": problems.SCHEMA}}}
    return {
        int(status): {"description": "Result", "content": {JSON: {"schema": schema}}},
        "4XX": {"description": "What is wrong with the request", **problem},
        "5XX": {"description": "What is wrong here", **problem},
    }


class OpenRoute(APIRoute):
    """A route that anyone may ask: what ships, and how to ask."""

    max_bytes: ClassVar[int | None] = 0
    """Of a body that is read before the function is called; None leaves it to the function."""

    def guard(self, request: Request) -> None:
        """Refuse a request by its head.

        Raises
        ------
        Refused
        """

    def get_route_handler(self) -> Handler:
        """Return the handler of a request."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                self.guard(request)
                if self.max_bytes is not None:
                    request = await with_body(request, self.max_bytes)
                return await handle(request)
            except Refused as refused:
                return problems.of_refusal(refused)
            except RequestValidationError as error:
                return problems.of_refusal(_invalid(error))
            except HTTPException as error:
                return of_http(error)
            except Exception as error:
                return problems.of_failure(error)

        return handler


class OwnRoute(OpenRoute):
    """A route to what is the caller's own."""

    def guard(self, request: Request) -> None:
        """Refuse a request by its head."""
        callers.require_on()
        callers.require_same_site(request)
        callers.caller(request)


class WorkRoute(OwnRoute):
    """A route that computes, from a JSON body."""

    max_bytes = 8_000_000

    def guard(self, request: Request) -> None:
        """Refuse a request by its head."""
        super().guard(request)
        _require_json(request)


class UploadRoute(OwnRoute):
    """A route that takes a file as it is."""

    max_bytes = None

    def guard(self, request: Request) -> None:
        """Refuse a request by its head."""
        super().guard(request)
        # Others are what a browser sends for any page's form without asking first.
        if _content_type(request) not in ("application/octet-stream", "text/csv", JSON):
            raise Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "Send the file with the content type application/octet-stream.",
                hint="With curl: --data-binary @FILE --header 'Content-Type: "
                "application/octet-stream'.",
            )


class ModelRoute(OpenRoute):
    """A route of trained models, which have a switch of their own."""

    max_bytes = 500_000

    def guard(self, request: Request) -> None:
        """Refuse a request by its head."""
        if not service.is_on():
            raise Refused(
                HTTPStatus.FORBIDDEN,
                f"Models do not answer here: {service.SWITCH} is off, or the app is read-only.",
            )
        callers.require_same_site(request)
        callers.require_token(request)
        _require_json(request)


def of_http(error: HTTPException) -> Response:
    """Return the document of what the router refuses: an unknown address, a wrong method."""
    said = {
        HTTPStatus.NOT_FOUND: ("There is no such address in the API.", "See /api/docs."),
        HTTPStatus.METHOD_NOT_ALLOWED: ("This address is not asked in this way.", "See /api/docs."),
        HTTPStatus.BAD_REQUEST: ("The body is not valid JSON.", ""),
    }
    status = HTTPStatus(error.status_code)
    summary, hint = said.get(status, (str(error.detail), ""))
    return problems.of_refusal(Refused(status, summary, hint=hint, headers=error.headers))


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _require_json(request: Request) -> None:
    """Refuse other bodies: only for JSON does a browser ask first, whatever page sends it."""
    if _content_type(request) != JSON:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send JSON, with the content type {JSON}."
        )


async def with_body(request: Request, max_bytes: int) -> Request:
    """Read a body within its limits and return the request as if it had come at once.

    Raises
    ------
    Refused
        If it is too large or too slow.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                content += part
                if len(content) > max_bytes:
                    raise too_large(max_bytes)
    except TimeoutError:
        raise Refused(
            HTTPStatus.REQUEST_TIMEOUT, f"The body did not arrive within {BODY_S:g} s."
        ) from None
    messages: list[Message] = [{"type": "http.request", "body": bytes(content), "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await request.receive()

    return Request(request.scope, receive)


def _invalid(error: RequestValidationError) -> Refused:
    """Return the refusal of a body that is not made as described, with everything wrong in it."""
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return Refused(HTTPStatus.BAD_REQUEST, "The body is not valid JSON.")
    lines = []
    for one in found:
        where = ".".join(str(part) for part in one["loc"] if part != "body")
        said = str(one["msg"]).removeprefix("Value error, ")
        lines.append(f"{where}: {said}" if where else said)
    return Refused(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The request is not made as described.",
        detail="\n".join(dict.fromkeys(lines)),
        hint="See /api/docs.",
    )
