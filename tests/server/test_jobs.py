"""Long work: its address, its end, whose it is, and how much of it there may be."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from isoflop import work
from isoflop.errors import FitError, WorkError
from isoflop.server import jobs, shelf
from isoflop.server.calls import File, Made

TABLE = {"table": "pile-cerebras-pythia"}
LATER = {"Prefer": "respond-async"}


def started(client: TestClient, **headers: str) -> str:
    answer = client.post("/api/read", json=TABLE, headers=LATER | headers)
    assert answer.status_code == 202
    assert answer.json()["status"] == "running"
    assert answer.headers["location"] == f"/api/jobs/{answer.json()['id']}"
    return answer.headers["location"]


def test_long_work_is_asked_for_again(client: TestClient, held: list[work.Job[str]]) -> None:
    place = started(client)
    held[0].report(0.25, "Fitting")
    said = client.get(place).json()
    assert (said["kind"], said["share_done"], said["doing"]) == ("read", 0.25, "Fitting")
    assert client.get(f"{place}/result").status_code == 202
    held[0].set_result('{"a": 1}')
    assert client.get(place).json()["status"] == "done"
    for _ in range(2):
        assert client.get(f"{place}/result").json() == {"a": 1}
    assert client.delete(place).status_code == 204
    assert client.get(place).status_code == 404


def test_a_result_that_comes_in_time_needs_no_job(
    client: TestClient, held: list[work.Job[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = client.post("/api/read", json=TABLE, headers={"Prefer": "wait=0"})
    assert answer.status_code == 202
    monkeypatch.undo()
    monkeypatch.setenv("ISOFLOP_EXECUTOR", "inline")
    before = client.get("/api/jobs").json()
    assert client.post("/api/read", json=TABLE, headers=LATER).status_code == 200
    assert client.get("/api/jobs").json() == before


def test_a_failure_is_the_job_s_result(client: TestClient, held: list[work.Job[str]]) -> None:
    places = [started(client) for _ in range(3)]
    held[-3].set_exception(FitError("No.", hint="More rows."))
    held[-2].set_exception(WorkError("This work took longer than 600 s."))
    held[-1].set_exception(RuntimeError("a secret"))
    answers = [client.get(f"{place}/result") for place in places]
    assert [answer.status_code for answer in answers] == [422, 503, 500]
    assert answers[0].json()["hint"] == "More rows."
    assert answers[1].headers["retry-after"]
    assert "secret" not in answers[2].text
    assert [client.get(place).json()["status"] for place in places] == ["failed"] * 3
    for place in places:
        client.delete(place)


def test_a_job_that_is_deleted_ends(client: TestClient, held: list[work.Job[str]]) -> None:
    place = started(client)
    assert client.delete(place).status_code == 204
    assert held[-1].cancelled()
    for path in (place, f"{place}/result"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["summary"]) == (404, "There is no such job.")
    assert client.get("/api/jobs").json() == []


def test_a_job_whose_process_stops_is_lost(client: TestClient, held: list[work.Job[str]]) -> None:
    place = started(client)
    held[-1].cancel()  # as the pool does with all of them
    assert client.get(place).json()["status"] == "lost"
    answer = client.get(f"{place}/result")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["summary"] == "The server process that ran this job has ended."
    assert client.delete(place).status_code == 204


def test_nobody_sees_or_ends_another_s_job(
    client: TestClient, held: list[work.Job[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_API_TOKEN", "ada-token,bob-token")
    ada, bob = ({"Authorization": f"Bearer {name}-token"} for name in ("ada", "bob"))
    place = started(client, **ada)
    assert client.get(place, headers=ada).status_code == 200
    for answer in (
        client.get(place, headers=bob),
        client.get(f"{place}/result", headers=bob),
        client.delete(place, headers=bob),
    ):
        assert answer.status_code == 404
    assert client.get("/api/jobs", headers=bob).json() == []
    assert client.get(place).status_code == 401
    assert not held[-1].cancelled()
    assert held[-1].owner != ""
    assert client.delete(place, headers=ada).status_code == 204


def test_one_caller_has_so_many_jobs_at_once(
    client: TestClient, held: list[work.Job[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_API_TOKEN", "one,two")
    one, two = ({"Authorization": f"Bearer {name}"} for name in ("one", "two"))
    places = [started(client, **one) for _ in range(jobs.MAX_AT_ONCE)]
    refused = client.post("/api/read", json=TABLE, headers=LATER | one)
    assert refused.status_code == 429
    assert refused.json()["summary"] == "8 of your jobs are under way already."
    started(client, **two)
    held[0].set_result("{}")
    started(client, **one)
    monkeypatch.setattr(shelf, "KEPT_S", -1.0)
    assert client.get(places[0], headers=one).status_code == 404
    assert client.get(places[1], headers=one).json()["status"] == "running"  # it is still in use


def test_the_oldest_result_makes_room(
    client: TestClient, held: list[work.Job[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MAX_KEPT", 2)
    places = []
    for _ in range(4):
        places.append(started(client))
        held[-1].set_result("{}")
    assert [client.get(place).status_code for place in places] == [404, 404, 200, 200]


def test_a_job_that_nobody_waits_for_is_ended(
    client: TestClient, held: list[work.Job[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(_: Request) -> bool:
        return True

    monkeypatch.setattr(Request, "is_disconnected", gone)
    before = client.get("/api/jobs").json()
    client.post("/api/read", json=TABLE, headers={"Prefer": "wait=3"})
    assert held[-1].cancelled()
    assert client.get("/api/jobs").json() == before


def test_a_full_queue_is_a_service_that_is_not_available(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(*_: object, **__: object) -> None:
        raise WorkError("100 jobs wait already, so no more are taken.")

    monkeypatch.setattr(work, "submit", submit)
    answer = client.post("/api/read", json=TABLE)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


def test_a_result_that_cannot_be_kept_is_a_service_that_is_not_available(
    client: TestClient, held: list[work.Job[str]], folder: Path
) -> None:
    folder.write_text("no folder")
    answer = client.post("/api/read", json=TABLE, headers=LATER)
    assert answer.status_code == 503
    assert answer.json()["summary"] == "What is sent to the API, and what it makes, cannot be kept."
    assert shelf.SETTING in answer.json()["hint"]
    assert held[-1].cancelled()


def test_a_file_is_the_result_of_a_job(client: TestClient, held: list[work.Job[Made]]) -> None:
    place = started(client)
    held[-1].set_result(File(name="a.pdf", media_type="application/pdf", content=b"%PDF"))
    answer = client.get(f"{place}/result")
    assert (answer.content, answer.headers["content-type"]) == (b"%PDF", "application/pdf")
    assert answer.headers["content-disposition"] == 'attachment; filename="a.pdf"'


def test_a_read_only_server_keeps_jobs_for_itself(
    client: TestClient, held: list[work.Job[str]], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_READ_ONLY", "1")
    place = started(client)
    held[-1].set_result("{}")
    assert client.get(f"{place}/result").json() == {}
    assert not folder.exists()


@pytest.mark.slow
def test_a_job_runs_in_a_process_of_its_own(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_EXECUTOR", "processes")
    try:
        answer = client.post("/api/fit", json=TABLE, headers=LATER)
        assert answer.status_code == 202
        place = answer.headers["location"]
        for _ in range(600):
            if client.get(place).json()["status"] == "done":
                break
            time.sleep(0.1)
        assert client.get(f"{place}/result").json()["format"] == "isoflop-fit-1"
        client.delete(place)
        answer = client.post("/api/fit", json={"table": "nothing"})
        assert answer.status_code == 422
    finally:
        work.shutdown()
