"""What a server is sent, with faults: bodies to the API, and addresses of pages."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from typing import Any
from unittest import mock
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.testclient import TestClient

from benchmarks.faults import broken
from benchmarks.faults.person import Person
from benchmarks.faults.tally import Tally
from benchmarks.load.replicas import serve
from benchmarks.loop import complete
from isoflop.errors import IsoflopError
from isoflop.server.mount import routes

ROWS = [(n, d, 1.7 + 400 / n**0.34 + 410 / d**0.28) for n in (1e8, 1e9, 9e9) for d in (2e9, 4e11)]
CSV = "params,tokens,loss\n" + "".join(f"{n:g},{d:g},{loss:.6f}\n" for n, d, loss in ROWS)
TABLE = {"text": CSV}
LAW = "E + A/N**alpha"
FIT: dict[str, Any] = {"table": TABLE, "law": LAW, "options": {"n_bootstrap": 0}}
BODIES: dict[str, dict[str, Any]] = {
    "read": {"table": {**TABLE, "columns": {"params": "params"}, "loss_unit": "nats/token"}},
    "fit": FIT,
    "predict": {**FIT, "at": [{"N": "7B"}], "interval": {"level": 0.9}},
    "optimum": {**FIT, "law": "E + A/N**alpha + B/D**beta", "compute_flop": ["1e21"]},
    "plan": {
        **FIT, "law": "E + A/N**alpha + B/D**beta", "accelerator": "h100-sxm",
        "budget": {"accelerators": 64, "wall_time_s": 6e5}, "by": "one",
    },
}  # fmt: skip
UNEXPECTED = 500

VIEWS: dict[str, dict[str, str]] = {
    "": {"table": "simulated", "count": "64", "time": "7 days", "mfu": "0.4", "law": LAW},
    "data": {"table": "simulated"},
    "compare": {"table": "simulated", "compare.tab": "Published fits"},
    "plan": {"table": "simulated", "count": "64", "accelerator": "h100-sxm", "plan.tab": "Memory"},
    "reality": {"run": "gpt-3"},
    "train": {"run": "ladder-1", "stage": "Forecast"},
    "workspaces": {"w": "abc"},
    "tour": {"stop": "2"},
}
"""Pages, with parameters of their addresses."""


class _Unexpected(Exception):
    """The server answered otherwise than it says."""


def bodies(_rng: random.Random) -> Callable[[random.Random], object]:
    """Send bodies to the API."""
    app = Starlette(routes=routes())
    client = TestClient(app, base_url="http://localhost:8501", client=("127.0.0.1", 50000))

    def send(name: str, body: bytes) -> object:
        with mock.patch.dict(os.environ, {"ISOFLOP_EXECUTOR": "inline"}):
            answer = client.post(
                f"/api/{name}", content=body, headers={"Content-Type": "application/json"}
            )
        return read(answer.status_code, answer.headers["content-type"], answer.content)

    def try_one(rng: random.Random) -> object:
        name = rng.choice(sorted(BODIES))
        return send(name, broken.document(rng, json.dumps(BODIES[name]).encode()))

    for name, body in BODIES.items():
        send(name, json.dumps(body).encode())  # without faults each gives a result
    return try_one


def read(status: int, media_type: str, content: bytes) -> object:
    """Return what the API answered.

    Raises
    ------
    IsoflopError
        If it is a problem document.
    _Unexpected
        If it is no JSON, or the server's fault.
    """
    found = json.loads(content)
    if status >= UNEXPECTED or "json" not in media_type:
        raise _Unexpected(f"{status}: {content[:300]!r}")
    if "problem" in media_type:
        raise IsoflopError(found["summary"])
    return found


def links(n: int, seed: int) -> Tally:
    """Open addresses with faults on a real server, in sessions of their own."""
    tally = Tally("fuzzed links", "a page, which may say what it cannot show; no traceback")
    with serve(1, {"ISOFLOP_READY_WORKER": "off", "ISOFLOP_MAX_JOBS": "1"}) as servers:
        for own in range(seed, seed + n):
            tally.n += 1
            page, query = link(random.Random(own))
            errors = complete(_visited(servers.url, page, query))
            tally.counts["pages drawn"] += not errors
            tally.violations += [f"seed {own}, {page}?{query}: {error}" for error in errors]
        tally.require("Traceback" not in servers.logged(), "a traceback in the server's log")
    return tally


def link(rng: random.Random) -> tuple[str, str]:
    """Return a page and parameters of its address, some of them odd."""
    page = rng.choice(sorted(VIEWS))
    view = {**VIEWS[page], **VIEWS[rng.choice(sorted(VIEWS))]}
    for name in rng.sample(sorted(view), min(2, len(view))):
        view[name] = broken.text(rng, view[name], ("é", "\x00", "1e999", "-", " ", "<b>", "%", ";"))
        if rng.random() < 0.3:
            view[name] = str(rng.choice(broken.ODD))
    return page, urlencode(view)


async def _visited(url: str, page: str, query: str) -> list[str]:
    visitor = Person(url, query, page)
    await visitor.open()
    await visitor.close()
    return visitor.errors
