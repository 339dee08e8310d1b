"""HTTP routes of trained models: ``POST /api/generate`` and ``POST /api/loss``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from isoflop.errors import IsoflopError, TrainingError
from isoflop.training import service
from isoflop.training.runs import default_root, find_run

MAX_BODY_BYTES = 500_000
Find = Callable[[dict[str, Any]], tuple[Path, int | None]]
"""Takes from a body the fields that name a model, and returns its folder and budget."""

_models = service.ModelService()


def routes(find: Find | None = None) -> list[Route]:
    """Return the routes.

    Parameters
    ----------
    find : callable, optional
        Where the model of a request is; by default the run and budget that its body names.
    """
    found = find or _run_of

    def route(kind: str) -> Route:
        async def answer(request: Request) -> JSONResponse:
            return await _answer(kind, request, found)

        return Route(f"/api/{kind}", answer, methods=["POST"])

    return [route("generate"), route("loss")]


async def _answer(kind: str, request: Request, find: Find) -> JSONResponse:
    if not service.is_on():
        summary = f"Models do not answer here: {service.SWITCH} is off, or the app is read-only."
        return _problem(403, summary)
    # Only such a body makes a browser ask first, whatever page sends it.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return _problem(415, "Send JSON, with the content type application/json.")
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MAX_BODY_BYTES:
            return _problem(413, f"The body is larger than {MAX_BODY_BYTES:,} bytes.")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return _problem(400, "The body is not valid JSON.")
    if not isinstance(body, dict):
        return _problem(400, "The body is not a JSON object.")
    try:
        folder, budget = find(body)
        asked = service.checked(kind, body)
        return JSONResponse(await run_in_threadpool(_models.answer, folder, budget, asked))
    except IsoflopError as error:
        return _problem(422, error.summary, error.detail, error.hint)


def _run_of(body: dict[str, Any]) -> tuple[Path, int | None]:
    run, budget = body.pop("run", None), body.pop("budget", None)
    if not isinstance(run, str):
        raise TrainingError("The request does not work.", detail="run must be the id of a run.")
    if budget is not None and (not isinstance(budget, int) or isinstance(budget, bool)):
        raise TrainingError(
            "The request does not work.",
            detail="budget must be the index of a budget, or left out for the checkpoint.",
        )
    return find_run(run, root=default_root()).folder, budget


def _problem(status: int, summary: str, detail: str = "", hint: str = "") -> JSONResponse:
    content = {"status": status, "summary": summary, "detail": detail, "hint": hint}
    return JSONResponse(content, status_code=status, media_type="application/problem+json")
