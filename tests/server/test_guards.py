"""Who is let in, and what is refused: every refusal is a problem document."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Message

from isoflop import work
from isoflop.server import route, shelf, uploads
from isoflop.server.app import routes_of_models
from isoflop.server.problems import Refused, answer_of
from isoflop.server.shelf import Shelf
from isoflop.server.uploads import Uploads

TABLE = {"table": "pile-cerebras-pythia"}
FILE = {"Content-Type": "application/octet-stream"}


def problem(answer: Response | Any, status: int, summary: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["summary"].startswith(summary), found
    assert found["type"] == f"urn:isoflop:problem:{found['code']}"
    return found


def test_an_unknown_address_is_no_page_and_a_wrong_method_is_refused(client: TestClient) -> None:
    for path in ("nothing", "fit/", "docs/x", "jobs/a/b", "a%0Ab"):
        problem(client.get(f"/api/{path}"), 404, "There is no such address")
    answer = client.get("/api/fit")
    problem(answer, 405, "This address is not asked in this way.")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("sent", "status", "summary"),
    [
        ({"content": "{", "headers": {"Content-Type": "application/json"}}, 400, "The body is"),
        (
            {"content": "[" * 100_000, "headers": {"Content-Type": "application/json"}},
            400,
            "The body is not valid JSON.",
        ),
        ({"content": "{}", "headers": {"Content-Type": "text/plain"}}, 415, "Send JSON"),
        ({"content": "{}"}, 415, "Send JSON"),
        ({"data": {"table": "x"}}, 415, "Send JSON"),
        ({"json": []}, 422, "The request is not made as described."),
        ({"json": {}}, 422, "The request is not made as described."),
        ({"json": {**TABLE, "colour": 1}}, 422, "The request is not made as described."),
        ({"json": {"table": "nothing"}}, 422, "There is no data set called"),
        ({"json": {"table": "../../etc/passwd"}}, 422, "There is no data set called"),
        ({"json": {"table": "mlflow:/tmp#x"}}, 422, "There is no data set called"),
        ({"json": {"table": {"text": ""}}}, 422, "The file table is empty."),
        ({"json": {"table": {"text": "a", "name": "b"}}}, 422, "The request is not"),
        ({"json": {**TABLE, "law": "nothing"}}, 422, "There is no law called"),
        ({"json": {**TABLE, "law": "E + open(1)"}}, 422, ""),
        ({"json": {**TABLE, "options": {"seed": -1}}}, 422, "1 of the options cannot be used."),
        ({"json": {**TABLE, "options": 3}}, 422, "The request is not made as described."),
    ],
)
def test_a_body_that_does_not_work_is_refused(
    client: TestClient, sent: dict[str, Any], status: int, summary: str
) -> None:
    problem(client.post("/api/fit", **sent), status, summary)


def test_everything_wrong_with_a_body_is_said_at_once(client: TestClient) -> None:
    body = {"table": {"name": "x", "columns": 3}, "options": [], "colour": 1}
    said = problem(client.post("/api/fit", json=body), 422, "The request is not")["detail"]
    assert "table.columns: Input should be a valid dictionary" in said
    assert "options: is not an object of options" in said
    assert "colour: Extra inputs are not permitted" in said


def test_large_and_slow_bodies_are_given_up(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = {"content": b" " * 8_000_001, "headers": {"Content-Type": "application/json"}}
    problem(client.post("/api/fit", **sent), 413, "The body is larger than 8,000,000 bytes.")
    monkeypatch.setenv("ISOFLOP_MAX_UPLOAD_MB", "0.001")
    answer = client.post("/api/tables", content=b"1" * 1001, headers=FILE)
    problem(answer, 413, "The body is larger than 1,000 bytes.")
    problem(client.post("/api/tables", content=b"", headers=FILE), 400, "The file is empty.")
    monkeypatch.setattr(route, "BODY_S", 0.01)
    scope = {"type": "http", "method": "POST", "headers": []}
    with pytest.raises(Refused, match="The body did not arrive") as slow:
        asyncio.run(route.with_body(Request(scope, never), 10))
    assert slow.value.status == 408
    monkeypatch.setattr(uploads, "PART_S", 0.01)
    with pytest.raises(Refused, match="The body stopped coming") as slow:
        asyncio.run(Uploads().receive("anyone", "a", Request(scope, never).stream()))
    assert slow.value.status == 408


async def never() -> Message:
    await asyncio.sleep(60)
    raise AssertionError


def test_without_a_token_only_this_machine_is_answered(
    client: TestClient, elsewhere: TestClient, app: Starlette
) -> None:
    without = "Without a token the API answers this machine alone."
    assert client.post("/api/read", json=TABLE).status_code == 200
    problem(elsewhere.post("/api/read", json=TABLE), 403, without)
    for header in ("X-Forwarded-For", "Forwarded", "Via"):
        answer = client.post("/api/read", json=TABLE, headers={header: "10.0.0.9"})
        problem(answer, 403, without)
    rebound = TestClient(app, base_url="http://evil.example:8501", client=("127.0.0.1", 1))
    problem(rebound.post("/api/read", json=TABLE), 403, without)
    assert elsewhere.get("/api/laws").status_code == 200


def test_a_token_is_needed_once_one_is_set(
    client: TestClient, elsewhere: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_API_TOKEN", "first-token, second-token")
    answer = problem(client.post("/api/read", json=TABLE), 401, "The API asks for a token.")
    assert "Authorization: Bearer" in answer["hint"]
    for given in ("Bearer", "Bearer first", "Basic first-token", "Bearer first-token,", "é"):
        sent = {"Authorization": given.encode()}
        assert client.post("/api/read", json=TABLE, headers=sent).status_code == 401
    for token in ("first-token", "second-token"):
        headers = {"Authorization": f"Bearer {token}"}
        assert elsewhere.post("/api/read", json=TABLE, headers=headers).status_code == 200
    refused = client.post("/api/generate", json={})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"


def test_whom_a_trusted_proxy_names_needs_no_token(
    elsewhere: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_IDENTITY", "header")
    monkeypatch.setenv("ISOFLOP_TRUSTED_PROXIES", "10.0.0.9")
    monkeypatch.setenv("ISOFLOP_EDITORS", "ada")
    ada, bob = {"X-Forwarded-User": "ada"}, {"X-Forwarded-User": "bob"}
    assert elsewhere.post("/api/read", json=TABLE, headers=bob).status_code == 200
    problem(elsewhere.post("/api/read", json=TABLE), 403, "Without a token")
    sent = elsewhere.post("/api/tables", content=b"a", headers=FILE | ada)
    assert sent.status_code == 201
    refused = elsewhere.post("/api/tables", content=b"a", headers=FILE | bob)
    problem(refused, 403, "You cannot send a table: you are a viewer here.")
    mine = f"/api/tables/{sent.json()['id']}"
    problem(elsewhere.delete(mine, headers=bob), 404, "There is no such uploaded table.")
    assert elsewhere.get("/api/tables", headers=bob).json() == []


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "null"},
        {"Origin": "http://[bad"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_browser_on_another_site_can_cause_nothing(
    client: TestClient, header: dict[str, str]
) -> None:
    refused = "The API answers no other site's pages."
    problem(client.post("/api/read", json=TABLE, headers=header), 403, refused)
    problem(client.post("/api/generate", json={}, headers=header), 403, refused)
    problem(client.post("/api/tables", content=b"a", headers=FILE | header), 403, refused)
    problem(client.get("/api/jobs", headers=header), 403, refused)
    asked = client.options("/api/read", headers={"Access-Control-Request-Method": "POST"} | header)
    problem(asked, 405, "")
    assert not any(name.startswith("access-control") for name in asked.headers)


def test_an_exported_model_s_server_refuses_as_the_app_does() -> None:
    alone = TestClient(routes_of_models(lambda _: (Path(), None)))
    problem(alone.post("/_stcore/health"), 405, "This address is not asked in this way.")
    problem(alone.get("/api/loss"), 405, "This address is not asked in this way.")
    problem(alone.get("/api/fit"), 404, "There is no such address")


def test_forms_that_a_browser_sends_unasked_are_no_uploads(client: TestClient) -> None:
    for kind in ("text/plain", "multipart/form-data; boundary=x", ""):
        answer = client.post("/api/tables", content=b"a", headers={"Content-Type": kind})
        problem(answer, 415, "Send the file with the content type application/octet-stream.")


def test_the_switches_are_respected(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_READ_ONLY", "1")
    answer = client.post("/api/tables", content=b"a", headers=FILE)
    problem(answer, 403, "This server is read-only: you cannot send a table.")
    assert client.post("/api/read", json=TABLE).status_code == 200
    problem(client.post("/api/generate", json={}), 403, "Models do not answer here")
    monkeypatch.delenv("ISOFLOP_READ_ONLY")
    monkeypatch.setenv("ISOFLOP_UPLOADS", "off")
    problem(client.post("/api/tables", content=b"a", headers=FILE), 403, "Uploads are off")
    problem(client.post("/api/read", json={"table": {"text": "a"}}), 403, "Uploads are off")
    monkeypatch.setenv("ISOFLOP_API", "off")
    problem(client.post("/api/read", json=TABLE), 403, "The API is off here")
    assert client.get("/api/health").json()["status"] == "ok"
    monkeypatch.setenv("ISOFLOP_API", "perhaps")
    problem(client.post("/api/read", json=TABLE), 500, "The setting ISOFLOP_API is 'perhaps'")


def test_uploads_can_be_off(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOFLOP_UPLOADS", "off")
    problem(client.post("/api/tables", content=b"a", headers=FILE), 403, "Uploads are off")


def test_an_unforeseen_failure_gives_a_reference_and_is_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(work, "submit", fail)
    with caplog.at_level(logging.ERROR):
        answer = client.post("/api/read", json=TABLE)
    found = problem(answer, 500, "Something failed that should not have.")
    assert found["reference"] in caplog.text
    assert "a secret of the server" in caplog.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_uploads_have_room_for_all_and_go_after_a_while(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOFLOP_MAX_UPLOAD_MB", "0.001")

    def send(digit: int) -> Any:
        return client.post("/api/tables", content=b"%d" % digit * 1000, headers=FILE)

    ids = [send(digit).json()["id"] for digit in range(4)]
    refused = client.post("/api/tables", content=b"1", headers=FILE)
    problem(refused, 503, "There is no room")
    assert int(refused.headers["retry-after"]) > 0
    assert client.delete(f"/api/tables/{ids[0]}").status_code == 204
    assert client.post("/api/tables", content=b"1", headers=FILE).status_code == 201
    monkeypatch.setattr("isoflop.server.shelf.KEPT_S", -1.0)
    problem(client.delete(f"/api/tables/{ids[1]}"), 404, "There is no such uploaded table.")
    assert client.get("/api/tables").json() == []
    send(5)
    assert len(list(Uploads()._shelf.all())) == 1  # the others' files are gone as well


def test_the_same_file_is_the_same_upload(client: TestClient, folder: Path) -> None:
    first, again, other = (
        client.post(f"/api/tables?name={name}", content=b"a", headers=FILE).json()
        for name in ("one.csv", "one.csv", "two.csv")
    )
    assert first == again
    assert first["id"] != other["id"]
    assert client.get("/api/tables").json() == [first, other]
    assert {oct(path.stat().st_mode)[-3:] for path in folder.glob("*/*/*")} == {"700"}


def test_a_file_that_stops_coming_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "STEP_BYTES", 1)

    async def parts() -> AsyncIterator[bytes]:
        yield b"some"
        assert len(list(Uploads()._shelf.all())) == 1
        raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        asyncio.run(Uploads().receive("anyone", "a", parts()))
    assert list(Uploads()._shelf.all()) == []


def test_what_a_process_left_unfinished_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Shelf("tables", "uploaded table")
    alive, dead = files.begin("anyone"), files.begin("anyone")
    dead.release()
    files.forget_old()
    assert len(list(files.all())) == 2  # it may have begun just now
    monkeypatch.setattr(shelf, "ABANDONED_S", -1.0)
    files.forget_old()
    assert list(files.all()) == [alive.folder]
    alive.release()


@pytest.mark.parametrize("id", ["..", "%2e%2e%2fjobs", "a%2fb", "a%00", "x" * 65, "-"])
def test_an_id_leads_nowhere_else(client: TestClient, id: str) -> None:
    client.post("/api/tables", content=b"a", headers=FILE)
    assert client.delete(f"/api/tables/{id}").status_code in (404, 405)
    assert client.post("/api/read", json={"table": {"upload": id}}).status_code == 404
    assert len(client.get("/api/tables").json()) == 1


def test_an_answer_may_hold_equals_signs() -> None:
    flag = "--unit 'a = b=1e9' --column 'x y=out'"
    assert answer_of(flag) == {"units": {"a = b": "1e9"}, "columns": {"x y": "out"}}


def test_documentation_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/api/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert "src=" not in page.text
    assert "://" not in page.text
    assert "n_bootstrap" in page.text
    assert client.get("/api", follow_redirects=False).headers["location"] == "/api/docs"
