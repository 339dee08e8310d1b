"""The proxy in front of the replicas: a person stays with one, unless it is gone for good."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from benchmarks.load.replicas import CADDYFILE, free_port

COOKIE = "isoflop_replica"
PATIENCE_S = 3.0


class Replica:
    """A server that answers with its number, and can be ended and started again."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.start()

    def start(self) -> None:
        port = self.port

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(str(port).encode())

            def log_message(self, *_: object) -> None:
                """Write nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def replicas() -> Iterator[dict[str, Replica]]:
    made = [Replica(free_port()) for _ in range(2)]
    yield {str(one.port): one for one in made}
    for one in made:
        one.end()


@pytest.fixture
def url(replicas: dict[str, Replica], tmp_path: Path) -> Iterator[str]:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("Caddy is not installed")
    site = f"http://127.0.0.1:{free_port()}"
    environment = {
        **os.environ,
        "SITE": site,
        "COOKIE_SECRET": "of this test",
        "UPSTREAMS": "to " + " ".join(f"127.0.0.1:{port}" for port in replicas),
        "RESTARTS_WITHIN": f"{PATIENCE_S:g}s",
        "XDG_CONFIG_HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
    }
    command = [caddy, "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment) as proxy:
        for _ in range(200):
            try:
                requests.get(site, timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        yield site
        proxy.terminate()


def _person(url: str) -> tuple[requests.Session, str]:
    """Return somebody new, and the replica that they were given."""
    person = requests.Session()
    return person, person.get(url, timeout=10).text


def test_a_person_stays_with_a_replica_that_is_started_again(
    url: str, replicas: dict[str, Replica]
) -> None:
    person, port = _person(url)
    assert {person.get(url, timeout=10).text for _ in range(5)} == {port}
    replicas[port].end()
    back = threading.Timer(PATIENCE_S / 3, replicas[port].start)
    back.start()
    assert person.get(url, timeout=10).text == port  # the request itself waits
    back.join()


def test_the_people_of_a_replica_that_stays_away_are_given_another(
    url: str, replicas: dict[str, Replica]
) -> None:
    person, port = _person(url)
    replicas[port].end()
    refused = person.get(url, timeout=10)
    assert refused.status_code == 502
    assert COOKIE not in person.cookies
    (other,) = set(replicas) - {port}
    assert person.get(url, timeout=10).text == other
    replicas[port].start()
    assert {person.get(url, timeout=10).text for _ in range(5)} == {other}
