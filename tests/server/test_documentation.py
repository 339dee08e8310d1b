"""The examples of docs/http.md do what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from starlette.testclient import TestClient

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "http.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
JSON = "application/json"
KINDS = {".html": "text/html; charset=utf-8", ".pdf": "application/pdf"}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_does_what_it_says(
    command: str, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = iter(shlex.split(command))
    assert next(words) == "curl"
    headers: dict[str, str] = {}
    content: bytes | None = None
    address, kind = "", JSON
    for word in words:
        if word == "--json":
            headers["Content-Type"], content = JSON, next(words).encode()
        elif word == "--header":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "--data-binary":
            assert next(words) == "@runs.csv"
            content = b"params,tokens,loss\n1e9,2e10,2.58\n"
        elif word == "--output":
            kind = KINDS[Path(next(words)).suffix]
        elif word != "--include":
            address = word
    if "Authorization" in headers:
        monkeypatch.setenv("ISOFLOP_API_TOKEN", "TOKEN")
    method = "GET" if content is None else "POST"
    answer = client.request(method, f"http://{address}", content=content, headers=headers)
    assert answer.is_success, answer.text
    assert answer.headers["content-type"] == kind


def test_every_route_is_named(client: TestClient) -> None:
    paths = client.get("/api/openapi.json").json()["paths"]
    assert len(paths) > 15
    lacking = [path for path in paths if path.replace("{id}", "ID") not in PAGE]
    assert not lacking, f"docs/http.md does not name {', '.join(lacking)}"
