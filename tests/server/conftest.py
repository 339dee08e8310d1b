"""A client of the API on this machine, whose jobs run on the spot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from isoflop import work
from isoflop.server.mount import routes

Client = Callable[..., TestClient]


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
def held(monkeypatch: pytest.MonkeyPatch) -> list[work.Job[str]]:
    """Let jobs wait until a test ends them, and return them."""
    jobs: list[work.Job[str]] = []

    def submit(function: Callable[..., str], /, *, owner: str, **given: object) -> work.Job[str]:
        jobs.append(work.Job(function, (), given, owner))
        return jobs[-1]

    monkeypatch.setattr(work, "submit", submit)
    return jobs
