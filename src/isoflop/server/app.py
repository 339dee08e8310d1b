"""The application below ``/api``: a route a function."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Query
from fastapi.openapi.utils import get_openapi
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Match

from isoflop import __version__, api
from isoflop.document import records
from isoflop.once import once
from isoflop.server import bodies, calls, models
from isoflop.server.callers import caller
from isoflop.server.calls import Made
from isoflop.server.docs import page
from isoflop.server.jobs import Jobs, answer_of, ended
from isoflop.server.models import Find
from isoflop.server.mount import PREFIX, health
from isoflop.server.route import (
    OpenRoute,
    OwnRoute,
    UploadRoute,
    WorkRoute,
    answers,
    of_http,
)
from isoflop.server.uploads import Uploads

PATIENCE_S = 10.0
"""What is not done by then is answered by a job's address, unless the request says otherwise."""
MAX_PATIENCE_S = 60.0

_DESCRIPTION = """Fit scaling laws, predict and plan, by the functions and options of the package.

What computes waits its turn; what takes longer than the request waits for (10 s; `Prefer: wait=30`
or `Prefer: respond-async`) is answered by 202 with a job to ask again. Failures are problem
documents (RFC 9457)."""

Prefer = Annotated[
    str | None,
    Header(description="How long to wait for the result: wait=SECONDS, or respond-async."),
]

opened = APIRouter(route_class=OpenRoute, tags=["What ships"])
own = APIRouter(route_class=OwnRoute)
takes = APIRouter(route_class=UploadRoute, tags=["Uploaded tables"])
works = APIRouter(route_class=WorkRoute, tags=["Results"])

_RESULT: dict[int | str, Any] = {
    **answers({"type": "object"}),
    202: {"model": bodies.JobStatus, "description": "Still under way"},
}
_OF_REPORT = {
    "text/html": {"schema": {"type": "string"}},
    "application/pdf": {"schema": {"type": "string", "format": "binary"}},
}
_REPORT = {**_RESULT, 200: {"description": "Result", "content": _OF_REPORT}}
_OF_JOB = {
    **_RESULT,
    200: {"description": "Result", "content": {**_RESULT[200]["content"], **_OF_REPORT}},
}
_LIST = answers({"type": "array", "items": {"type": "object"}})
_NOTHING: dict[int | str, Any] = {
    204: {"description": "Done"},
    **{status: said for status, said in _LIST.items() if status != 200},
}


def application() -> FastAPI:
    """Return the application of all routes."""
    made = _empty("Isoflop")
    _include(made, works, takes, own, opened, models.router())
    made.state.jobs, made.state.uploads = Jobs(), Uploads()
    return made


HEALTH_OF_APP = "/_stcore/health"
"""What the image's health check asks, whichever of the two a container runs."""


def routes_of_models(find: Find) -> FastAPI:
    """Return an application of trained models alone, below ``/api``.

    Parameters
    ----------
    find : callable
        Where the model of a request is.
    """
    inner = _empty("Isoflop: an exported model")
    _include(inner, models.router(find))
    outer = _empty("Isoflop")
    outer.mount(PREFIX, inner)
    outer.add_route(HEALTH_OF_APP, health)
    return outer


def _empty(title: str) -> FastAPI:
    """Return an application without routes, FastAPI's page with its foreign scripts included."""
    made = FastAPI(
        title=title,
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )

    def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        methods = _methods(request)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and methods:
            error.headers = {"Allow": ", ".join(sorted(methods))}  # the router names one route's
        return of_http(error)

    made.add_exception_handler(HTTPException, answer)
    return made


def _include(app: FastAPI, *routers: APIRouter) -> None:
    for router in routers:
        app.include_router(router)
    app.state.all_routes = [one for router in routers for one in router.routes]


def _methods(request: Request) -> set[str]:
    """Return the methods by which an address may be asked."""
    found: set[str] = set()
    for one in getattr(request.app.state, "all_routes", ()):
        if one.matches(request.scope)[0] != Match.NONE:
            found |= one.methods
    return found


# --- What ships, and how to ask ----------------------------------------------------------------


opened.get("/health", responses=answers({"type": "object"}))(health)


@opened.get("/openapi.json", responses=answers({"type": "object"}))
async def description(request: Request) -> Response:
    """Describe the API by OpenAPI."""
    return JSONResponse(_description(request.app))


@opened.get("/docs", response_class=HTMLResponse)
async def documentation(request: Request) -> HTMLResponse:
    """Show the description as a page."""
    return HTMLResponse(page(_description(request.app)))


@once
def _description(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        description=app.description,
        routes=app.routes,
        servers=[{"url": PREFIX}],
    )
    found["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    found["security"] = [{}, {"token": []}]  # where the server's owner has set one
    return found


def _listed(frame: Any) -> Response:
    return JSONResponse(records(frame.reset_index()))


@opened.get("/laws", responses=_LIST)
def laws() -> Response:
    """List the laws that can be fitted."""
    return _listed(api.laws())


@opened.get("/datasets", responses=_LIST)
def datasets() -> Response:
    """List the loss tables that can be had by name."""
    return _listed(api.datasets())


@opened.get("/accelerators", responses=_LIST)
def accelerators() -> Response:
    """List the accelerators to plan a run on."""
    return _listed(api.accelerators())


@opened.get("/published", responses=_LIST)
def published() -> Response:
    """List published fits."""
    return _listed(api.published())


# --- Uploaded tables -----------------------------------------------------------------------------

_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@takes.post(
    "/tables",
    status_code=201,
    responses={**{k: v for k, v in _LIST.items() if k != 200}, 201: {"model": bodies.UploadStatus}},
    openapi_extra=_FILE,
)
async def send_table(
    request: Request,
    name: Annotated[str, Query(description="Of the file.", max_length=200)] = "table",
) -> Response:
    """Send a file as it is, to be named in other requests by the id that comes back."""
    actor = caller(request)
    actor.require_writing("send a table")
    bodies.require_uploads()
    uploads: Uploads = request.app.state.uploads
    try:
        upload = await uploads.receive(actor.id, _harmless(name), request.stream())
    except ClientDisconnect:
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    return JSONResponse(asdict(upload), HTTPStatus.CREATED)


@own.get("/tables", responses=_LIST, tags=["Uploaded tables"])
async def list_tables(request: Request) -> Response:
    """List the files that are held for the caller."""
    uploads: Uploads = request.app.state.uploads
    held = await run_in_threadpool(uploads.of, caller(request).id)
    return JSONResponse([asdict(upload) for upload in held])


@own.delete("/tables/{id}", status_code=204, responses=_NOTHING, tags=["Uploaded tables"])
async def delete_table(request: Request, id: str) -> Response:
    """Forget a file."""
    uploads: Uploads = request.app.state.uploads
    await run_in_threadpool(uploads.drop, caller(request).id, id)
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _harmless(name: str) -> str:
    """Return a file's name with its folders, none of which leads upwards."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part.strip("./")]
    return "/".join(parts) or "table"


# --- Results -------------------------------------------------------------------------------------


def _files(request: Request) -> bodies.Files:
    """Return where a request finds the files that it names: among its caller's own."""
    uploads: Uploads = request.app.state.uploads
    return partial(uploads.content, caller(request).id)


def _add(name: str, body_class: type[bodies.Request]) -> None:
    """Add the route of a function."""
    function = getattr(calls, name)

    async def answer(request: Request, body: bodies.Request, prefer: Prefer = None) -> Response:
        given = await run_in_threadpool(body.arguments, _files(request))
        return await _run(request, prefer, function, **given)

    answer.__annotations__["body"] = body_class
    works.add_api_route(
        f"/{name}",
        answer,
        methods=["POST"],
        name=name,
        description=(function.__doc__ or "").strip(),
        responses=_REPORT if name == "report" else _RESULT,
        response_class=Response if name == "report" else JSONResponse,
    )


for _name, _body in bodies.FUNCTIONS.items():
    _add(_name, _body)


async def _run(
    request: Request, prefer: str | None, function: Callable[..., Made], **given: Any
) -> Response:
    """Let a function run in its caller's turn, and answer by its result or by its job."""
    jobs: Jobs = request.app.state.jobs
    until_s = time.monotonic() + _patience_s(prefer)
    asked = await run_in_threadpool(
        jobs.start, caller(request).id, function.__name__, function, **given
    )
    while not await ended(asked, min(1.0, until_s - time.monotonic())):
        if time.monotonic() >= until_s:
            return _under_way(await run_in_threadpool(jobs.place, asked))
        if await request.is_disconnected():
            asked.job.cancel()
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody is there to read it
    return answer_of(asked.job)


def _patience_s(prefer: str | None) -> float:
    """Return how long a request waits for its result (RFC 7240)."""
    if re.search(r"\brespond-async\b", prefer or ""):
        return 0.0
    wait = re.search(r"\bwait=(\d{1,4})\b", prefer or "")
    return min(float(wait[1]), MAX_PATIENCE_S) if wait else PATIENCE_S


def _under_way(said: dict[str, Any]) -> Response:
    headers = {"Location": f"{PREFIX}/jobs/{said['id']}", "Retry-After": "1"}
    return JSONResponse(said, HTTPStatus.ACCEPTED, headers)


# --- Jobs ----------------------------------------------------------------------------------------


@own.get("/jobs", responses=_LIST, tags=["Jobs"])
async def list_jobs(request: Request) -> Response:
    """List the caller's jobs."""
    jobs: Jobs = request.app.state.jobs
    return JSONResponse(await run_in_threadpool(jobs.of, caller(request).id))


@own.get("/jobs/{id}", responses=answers({"$ref": "#/components/schemas/JobStatus"}), tags=["Jobs"])
async def job(request: Request, id: str) -> Response:
    """Say how far a job is."""
    jobs: Jobs = request.app.state.jobs
    return JSONResponse(await run_in_threadpool(jobs.state, caller(request).id, id))


@own.get("/jobs/{id}/result", responses=_OF_JOB, tags=["Jobs"])
async def result(request: Request, id: str) -> Response:
    """Return what came of a job; 202 while it is under way."""
    jobs: Jobs = request.app.state.jobs
    owner = caller(request).id
    found = await run_in_threadpool(jobs.answer, owner, id)
    return found or _under_way(await run_in_threadpool(jobs.state, owner, id))


@own.delete("/jobs/{id}", status_code=204, responses=_NOTHING, tags=["Jobs"])
async def delete_job(request: Request, id: str) -> Response:
    """End a job and forget it."""
    jobs: Jobs = request.app.state.jobs
    await run_in_threadpool(jobs.drop, caller(request).id, id)
    return Response(status_code=HTTPStatus.NO_CONTENT)
