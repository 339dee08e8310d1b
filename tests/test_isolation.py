"""Two people on a real server, by websocket sessions: each thing of one, tried by the other."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from benchmarks.load.visitor import Visitor
from tests.pages.helpers import SHIPPED

from isoflop import people
from isoflop.people import Actor, Visibility
from isoflop.planning import find_accelerator
from isoflop.planning.hardware import describe_accelerator
from isoflop.planning.saved import ACCELERATOR, SCENARIO
from isoflop.store import Store
from isoflop.training.config import RunConfig
from isoflop.training.forecasts import KIND as FORECAST
from isoflop.training.forecasts import Forecast, Prediction
from isoflop.training.ladders import find_ladder, keep_ladder, share_ladder
from isoflop.training.queue import RunQueue
from isoflop.workspace import KIND as WORKSPACE
from isoflop.workspace import Workspace, to_body

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SECRET = "a secret of this test, for both sides"
CHOSEN = urlencode(SHIPPED, doseq=True)
MARK = "quetzal"
"""In every name that Anna gives; nobody else says it."""


@dataclass(slots=True)
class Person(Visitor):
    """A visitor who remembers all that the server sent."""

    sent: list[str] = field(default_factory=list)

    def _take_element(self, element: Any, fragment: str) -> None:
        self.sent.append(str(element))
        super(Person, self)._take_element(element, fragment)

    @property
    def actor(self) -> Actor:
        """Who the server takes this person for."""
        found = self.known_as(SECRET)
        assert found is not None
        return found

    async def look(self, page: str, query: str = "") -> str:
        """Visit a page in the same session, and return all that it sends."""
        self.page, self.query, self._script = page, query, ""
        self.widgets.clear()
        self._values.clear()
        self.sent.clear()
        await self.rerun()
        return "".join(self.sent)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and where it keeps things."""

    url: str
    store: Store
    runs: Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@contextmanager
def serving(home: Path, **own: str) -> Iterator[Server]:
    """Run a server with some settings of its own."""
    database = f"sqlite:///{home / 'store.sqlite3'}"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "ISOFLOP_DATABASE_URL": database,
        "ISOFLOP_RUNS_FOLDER": str(home / "runs"),
        "ISOFLOP_IDENTITY": "cookie",
        people.SECRET_VARIABLE: SECRET,
        **own,
    }
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    with (home / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [*command, "--server.port", str(port)],
            cwd=ROOT,
            env={**os.environ, **settings},
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    opened = Store(database)
    try:
        deadline_s = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{url}/_stcore/health", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline_s, "the server does not answer"
                time.sleep(0.1)
        yield Server(url, opened, home / "runs")
    finally:
        opened.close()
        process.terminate()
        process.wait(timeout=30)
    assert "Traceback" not in (home / "log.txt").read_text(encoding="utf-8")


def meet(server: Server, play: Callable[[Person, Person], Awaitable[None]]) -> None:
    """Let two people do something, each with a browser of their own."""

    async def both() -> None:
        anna, ben = Person(server.url, CHOSEN), Person(server.url, CHOSEN)
        try:
            await anna.open()
            await ben.open()
            assert anna.actor.id != ben.actor.id
            await play(anna, ben)
            assert not anna.errors + ben.errors
        finally:
            await anna.close()
            await ben.close()

    asyncio.run(both())


FORECAST_OF_ANNA = Forecast(
    id="f1", run_id="", made="2026-01-01T00:00:00.000+00:00", label=f"{MARK}-forecast",
    prediction=Prediction(
        loss=2.0, lower=1.9, upper=2.1, level=0.9, law_key="interaction", table_fingerprint="f",
        n_rows=16, params=1e5, tokens=8192, compute_flop=1e10, extrapolation=4.0,
    ),
)  # fmt: skip


def seed(server: Server, anna: Actor, *, team: str = "") -> tuple[dict[str, str], str]:
    """Save one thing of each kind for Anna; return the documents' ids by kind, and the ladder's.

    The documents are her team's, if one is named.
    """
    mine = server.store.of(anna)
    entry = describe_accelerator(find_accelerator("h100-sxm")) | {"label": f"{MARK}-chip"}
    workspace = Workspace(page="plan", views={"plan": {"count": ("64",)}}, note=f"{MARK}-note")
    bodies: dict[str, tuple[str, dict[str, Any]]] = {
        # One that cannot be read any more: its name is as private as all else.
        SCENARIO: (f"{MARK}-scenario", {"scenario": 3}),
        ACCELERATOR: (f"own-{MARK}-chip", entry),
        WORKSPACE: (f"{MARK}-workspace", to_body(workspace)),
        FORECAST: ("f1", asdict(FORECAST_OF_ANNA)),
    }
    ids = {kind: mine.put(kind, key, body, owner=team).id for kind, (key, body) in bodies.items()}
    config = RunConfig(family="lstm", width=8, depth=1, token_budgets=(2048,), device="cpu")
    queue = RunQueue(server.runs, anna)
    runs = queue.submit([config])
    queue.stop(runs)
    return ids, keep_ladder(server.runs, runs, title=f"{MARK}-ladder").id


LOOKS = {
    SCENARIO: ("plan", f"{CHOSEN}&plan.tab=Save and compare"),
    ACCELERATOR: ("plan", CHOSEN),
    FORECAST: ("train", "stage=Forecast"),
    WORKSPACE: ("workspaces", ""),
    "run": ("train", ""),
}
"""Pages that list each kind of thing."""


def share_all(
    server: Server, anna: Actor, ids: dict[str, str], ladder: str, visibility: Visibility
) -> None:
    for document_id in ids.values():
        server.store.of(anna).share(document_id, visibility)
    found = find_ladder(ladder, root=server.runs, actor=anna)
    share_ladder(RunQueue(server.runs, anna), found, visibility)


def test_nothing_of_one_person_reaches_another_before_it_is_shared(server: Server) -> None:
    async def play(anna: Person, ben: Person) -> None:
        ids, ladder = seed(server, anna.actor)
        for kind, (page, query) in LOOKS.items():
            assert MARK in await anna.look(page, query), f"Anna does not see her {kind}"
            assert MARK not in await ben.look(page, query), f"Ben sees Anna's {kind}"
        # By their links, too.
        link = f"w={ids[WORKSPACE]}"
        assert "There is no such document" in await ben.look("", link)
        assert "There is no run" in await ben.look("train", f"run={ladder}")
        assert MARK not in "".join(ben.sent)
        share_all(server, anna.actor, ids, ladder, "link")
        for kind, (page, query) in LOOKS.items():
            assert MARK not in await ben.look(page, query), f"a link lists Anna's {kind}"
        assert "There is no run" not in await ben.look("train", f"run={ladder}")
        share_all(server, anna.actor, ids, ladder, "everyone")
        for kind, (page, query) in LOOKS.items():
            assert MARK in await ben.look(page, query), f"Ben does not see Anna's shared {kind}"
        share_all(server, anna.actor, ids, ladder, "private")

    meet(server, play)


def test_what_is_shared_to_look_at_has_no_control_that_changes_it(server: Server) -> None:
    async def play(anna: Person, ben: Person) -> None:
        ids, ladder = seed(server, anna.actor)
        share_all(server, anna.actor, ids, ladder, "everyone")
        before = snapshot(server, anna.actor)
        for page, query in ("workspaces", ""), ("train", f"run={ladder}"), LOOKS[SCENARIO]:
            await ben.look(page, query)
            await press_all(ben)
        assert snapshot(server, anna.actor) == before
        share_all(server, anna.actor, ids, ladder, "private")

    meet(server, play)


CHANGES = ("stop", "resume", "delete", "rename", "restore", "share", "save", "score", "write")


async def press_all(person: Person) -> None:
    """Press every button that would change something, disabled ones too."""
    for name, widget in list(person.widgets.items()):
        if widget.kind == "button" and any(word in name for word in CHANGES):
            person.settle(name, "trigger_value", True)
            await person.rerun(widget.fragment)


def snapshot(server: Server, anna: Actor) -> dict[str, Any]:
    mine = server.store.of(anna)
    owns = mine.person().owns
    documents = {
        document.id: (document.key, document.version, document.visibility, document.body)
        for kind in (SCENARIO, ACCELERATOR, WORKSPACE, FORECAST)
        for document in mine.find(kind)
        if document.owner in owns
    }
    files = {
        str(path): path.read_bytes()
        for path in server.runs.rglob("*")
        if path.is_file() and path.suffix in (".json", "") and "usage" not in path.parts
    }
    return {"documents": documents, "files": json.dumps({k: v.hex() for k, v in files.items()})}


def test_a_team_is_its_members_alone_and_its_viewers_change_nothing(server: Server) -> None:
    async def play(anna: Person, ben: Person) -> None:
        teams = server.store.teams_of(anna.actor)
        team = teams.found("Vision").team
        _, ladder = seed(server, anna.actor, team=team)
        found = find_ladder(ladder, root=server.runs, actor=anna.actor)
        queue = RunQueue(server.runs, server.store.of(anna.actor).person())
        share_ladder(queue, found, "team", "editor", team)
        for kind, (page, query) in LOOKS.items():
            assert MARK in await anna.look(page, query), f"Anna does not see her team's {kind}"
            assert MARK not in await ben.look(page, query), f"Ben sees the {kind} of Anna's team"
        invited = teams.invite(team, "viewer")
        assert "invites you to the team" in await ben.look("workspaces", f"join={invited.code}")
        assert server.store.teams_of(ben.actor).mine() == ()
        ben.settle(ben.find("button", "teams.join"), "trigger_value", True)
        await ben.rerun()
        before = snapshot(server, anna.actor)
        for kind, (page, query) in LOOKS.items():
            assert MARK in await ben.look(page, query), f"Ben does not see the team's {kind}"
            await press_all(ben)
        await ben.look("train", f"run={ladder}")
        await press_all(ben)
        assert snapshot(server, anna.actor) == before
        teams.remove(team, ben.actor.id)
        for kind in (SCENARIO, WORKSPACE):
            assert MARK not in await ben.look(*LOOKS[kind]), f"Ben still sees the team's {kind}"
        deadline_s = time.monotonic() + 60  # a page asks for one's teams every few seconds
        while MARK in await ben.look(*LOOKS[FORECAST]):
            assert time.monotonic() < deadline_s, "Ben still sees the team's forecast and runs"
        teams.delete(team)

    meet(server, play)


def test_whoever_may_only_look_reads_why_and_writes_by_no_path(tmp_path: Path) -> None:
    """Of a server whose editors are listed: Anna is one of them, whoever else comes is not."""
    anna = Actor(id="browser:anna", name="Anna", roles=frozenset({"viewer", "editor"}))
    token = "a token of this test"
    with serving(tmp_path, ISOFLOP_EDITORS="browser:anna", ISOFLOP_API_TOKEN=token) as server:
        ids, ladder = seed(server, anna)
        for document_id in ids.values():
            server.store.of(anna).share(document_id, "everyone", "editor")
        found = find_ladder(ladder, root=server.runs, actor=anna)
        share_ladder(RunQueue(server.runs, anna), found, "everyone", "editor")
        team = server.store.teams_of(anna).found("Vision").team
        code = server.store.teams_of(anna).invite(team, "editor").code
        before, kept = snapshot(server, anna), rows(tmp_path)

        async def play(ben: Person, _: Person) -> None:
            for page, query in (
                *LOOKS.values(),
                ("", CHOSEN),
                ("data", CHOSEN),
                ("train", f"run={ladder}"),
                ("workspaces", f"join={code}"),
            ):
                said = await ben.look(page, query)
                if page in ("plan", "train", "workspaces"):
                    assert "you are a viewer here" in said.replace("\\", ""), f"{page}?{query}"
                await press_all(ben)
            await ben.look("", CHOSEN)
            await ben.upload(
                "mine.csv", b"params,tokens,loss\n1e8,1e9,3.1\n2e8,2e9,2.9\n4e8,4e9,2.7"
            )
            right = ben.find("button", "understood.right")
            ben.settle(right, "trigger_value", True)
            await ben.rerun(ben.widgets[right].fragment)

        meet(server, play)
        asked = urllib.request.Request(
            f"{server.url}/api/tables?name=a.csv",
            data=b"params,tokens,loss\n1,2,3",
            headers={"Authorization": f"Bearer {token}", "Content-Type": "text/csv"},
            method="POST",
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(asked, timeout=30)
        assert refused.value.code == 403
        assert "you are a viewer here" in refused.value.read().decode()
        assert snapshot(server, anna) == before
        assert rows(tmp_path) == kept


def rows(home: Path) -> list[str]:
    """Return all that a server's database holds."""
    with closing(sqlite3.connect(home / "store.sqlite3")) as connection:
        return list(connection.iterdump())


def test_a_workspace_comes_back_with_its_upload_by_its_link(server: Server) -> None:
    async def play(anna: Person, ben: Person) -> None:
        rows = [f"{n},{d},{1.7 + 400 / n**0.34 + 410 / d**0.28:.6f}"
                for n in (5e7, 1e8, 3e8, 1e9) for d in (1e9, 3e9, 1e10)]  # fmt: skip
        content = "\n".join(["params,tokens,loss", *rows]).encode()
        await anna.look("", CHOSEN)
        await anna.upload("mine.csv", content)
        workspace = await anna.look("workspaces")
        assert "Views of Explore; mine" in workspace
        anna.settle(anna.find("text_input", "Name"), "string_value", f"{MARK}-view")
        anna.settle(anna.find("button", "Save"), "trigger_value", True)
        await anna.rerun()
        (saved,) = [
            document
            for document in server.store.of(anna.actor).find(WORKSPACE)
            if document.key == f"{MARK}-view"
        ]
        (table,) = saved.body["tables"]
        assert saved.body["views"]["explore"]["table"] == [table["id"]]
        await ben.look("", f"w={saved.id}")
        assert table["id"] not in ben.query
        server.store.of(anna.actor).share(saved.id, "link")
        await ben.look("", f"w={saved.id}")
        assert f"table={table['id']}" in ben.query
        await ben.rerun()  # of the page that the link leads to
        assert "mine.csv (uploaded)" in "".join(ben.sent)

    meet(server, play)
