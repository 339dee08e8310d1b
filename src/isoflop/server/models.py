"""Routes of trained models: ``POST /api/generate`` and ``POST /api/loss``."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from isoflop.errors import TrainingError
from isoflop.people import LOCAL, VISITOR, Actor
from isoflop.server.callers import caller
from isoflop.server.problems import Refused
from isoflop.server.route import ModelRoute, answers
from isoflop.training import service
from isoflop.training.runs import default_root, find_run

Find = Callable[[dict[str, Any]], tuple[Path, int | None]]
"""Takes from a body the fields that name a model, and returns its folder and budget."""

_models = service.ModelService()
_SAID = {
    "generate": "Return text that a trained model writes after a prompt.",
    "loss": "Return the loss of a trained model on a text.",
}


def router(find: Find | None = None) -> APIRouter:
    """Return the routes.

    Parameters
    ----------
    find : callable, optional
        Where the model of a request is; by default the run and budget that its body names.
    """
    made = APIRouter(route_class=ModelRoute, tags=["Trained models"])

    def add(kind: str) -> None:
        async def answer(request: Request) -> Response:
            body = _object(await request.body())
            folder, budget = find(body) if find else _run_of(body, _asker(request))
            asked = service.checked(kind, body)
            return JSONResponse(await run_in_threadpool(_models.answer, folder, budget, asked))

        made.add_api_route(
            f"/{kind}",
            answer,
            methods=["POST"],
            name=kind,
            summary=_SAID[kind],
            responses=answers({"type": "object"}),
            openapi_extra={"requestBody": _described(kind, names_run=find is None)},
        )

    add("generate")
    add("loss")
    return made


def _object(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise Refused(HTTPStatus.BAD_REQUEST, "The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "The body is not a JSON object.")
    return body


def _asker(request: Request) -> Actor:
    """Return who asks a model; a visitor, who sees what is shared, where nobody can be told."""
    try:
        return caller(request)
    except Refused:  # from another machine, and no token is set
        return VISITOR


def _run_of(body: dict[str, Any], actor: Actor) -> tuple[Path, int | None]:
    """Return the model that a body names, of a run that the person may see.

    A program of this machine, which has the folder of runs, may ask all of them.
    """
    run, budget = body.pop("run", None), body.pop("budget", None)
    if not isinstance(run, str):
        raise TrainingError("The request does not work.", detail="run must be the id of a run.")
    if budget is not None and (not isinstance(budget, int) or isinstance(budget, bool)):
        raise TrainingError(
            "The request does not work.",
            detail="budget must be the index of a budget, or left out for the checkpoint.",
        )
    asks = None if actor.id == LOCAL.id else actor
    return find_run(run, root=default_root(), actor=asks).folder, budget


def _described(kind: str, *, names_run: bool) -> dict[str, Any]:
    named = {
        "run": {"type": "string", "description": "Id of a run of the Train page."},
        "budget": {
            "type": ["integer", "null"],
            "description": "Index of a budget of the run; the checkpoint by default.",
        },
    }
    fields = service.described(kind)
    schema = {
        "type": "object",
        "properties": {**(named if names_run else {}), **fields},
        "required": [*(["run"] if names_run else []), *(["text"] if kind == "loss" else [])],
        "additionalProperties": False,
    }
    return {"required": True, "content": {"application/json": {"schema": schema}}}
