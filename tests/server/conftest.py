"""A client of the API on this machine, whose jobs run on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from isoflop import work
from isoflop.server import shelf
from isoflop.server.mount import routes

Client = Callable[..., TestClient]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where tables and jobs of a test lie, in every replica."""
    monkeypatch.setenv(shelf.SETTING, str(tmp_path / "api"))
    return tmp_path / "api"


@pytest.fixture(scope="session")
def app() -> Starlette:
    return Starlette(routes=routes())


@pytest.fixture
def client(app: Starlette) -> TestClient:
    """Return a client on the server's own machine."""
    return TestClient(app, base_url="http://localhost:8501", client=("127.0.0.1", 50000))


@pytest.fixture
def elsewhere(app: Starlette) -> TestClient:
    """Return a client on another machine."""
    return TestClient(app, base_url="http://10.0.0.7:8501", client=("10.0.0.9", 50000))


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[work.Job[Any]]]:
    """Let jobs wait until a test ends them, and return them."""
    jobs: list[work.Job[Any]] = []

    def submit(function: Callable[..., Any], /, *, owner: str, **given: object) -> work.Job[Any]:
        jobs.append(work.Job(function, (), given, owner))
        return jobs[-1]

    monkeypatch.setattr(work, "submit", submit)
    yield jobs
    for job in jobs:
        job.cancel()
