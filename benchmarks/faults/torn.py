"""Downloads and uploads that break off: what arrived in part is never taken for the whole."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import struct
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

import requests
from streamlit.proto.BackMsg_pb2 import BackMsg

from benchmarks.faults.person import Person
from benchmarks.faults.tally import Tally
from benchmarks.load.replicas import serve
from benchmarks.loop import complete
from isoflop.errors import CatalogError
from isoflop.tables.catalog import Dataset, list_datasets
from isoflop.tables.fetch import cached_path, fetch

N_TORN, N_TORN_SHORT = 100, 10
N_UPLOADS, N_UPLOADS_SHORT = 60, 4
CONTENT = b"params,tokens,loss\n" + b"".join(
    b"%d,%d,%.4f\n" % (n, d, 1.7 + 400 / n**0.34 + 410 / d**0.28)
    for n in range(10**7, 10**9, 10**7)
    for d in range(10**9, 10**10, 10**9)
)
TIMEOUT_S = 0.3
"""Of a download here; the app waits longer."""
BINARY = b"Content-Type: application/octet-stream\r\n"
RESET = struct.pack("ii", 1, 0)
"""A linger of zero seconds: closing sends a reset."""


def make(is_short: bool, seed: int) -> Iterator[Tally]:
    """Tear downloads, then uploads to a real server."""
    rng = random.Random(seed)
    yield _downloads(N_TORN_SHORT if is_short else N_TORN, rng)
    yield _uploads(N_UPLOADS_SHORT if is_short else N_UPLOADS, rng)


# --- Downloads


def _answer(handler: BaseHTTPRequestHandler, fault: str, rng: random.Random) -> None:
    """Send the file with a fault."""
    if fault == "refused":
        handler.send_error(503)
        return
    place = rng.randrange(len(CONTENT))
    content, claimed = CONTENT, len(CONTENT)
    if fault in ("cut", "reset", "stalled"):
        content = CONTENT[:place]
    elif fault == "short":
        content = CONTENT[:place]
        claimed = len(content)
    elif fault == "changed":
        content = CONTENT[:place] + bytes([CONTENT[place] ^ 1]) + CONTENT[place + 1 :]
    handler.send_response(200)
    if fault != "unsized":
        handler.send_header("Content-Length", str(claimed))
    handler.end_headers()
    handler.wfile.write(CONTENT[:place] if fault == "unsized" else content)
    handler.wfile.flush()
    if fault == "stalled":
        time.sleep(3 * TIMEOUT_S)
    if fault == "reset":
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    handler.close_connection = True


FAULTS = ("cut", "reset", "short", "changed", "refused", "stalled", "unsized")


@contextmanager
def source(rng: random.Random) -> Iterator[tuple[str, list[str]]]:
    """Serve the file; give its address, and the list of faults of which each answer takes one."""
    faults: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _answer(self, faults.pop() if faults else "whole", rng)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/runs.csv", faults
    finally:
        server.shutdown()
        server.server_close()


def _downloads(n_torn: int, rng: random.Random) -> Tally:
    tally = Tally(
        "downloads cut, reset, stalled, shortened or changed",
        "a clear error; nothing of it is kept; the whole file comes the next time",
    )
    with tempfile.TemporaryDirectory() as cache, source(rng) as (url, faults):
        whole = hashlib.sha256(CONTENT).hexdigest()
        dataset = replace(list_datasets()[0], url=url, sha256=whole, file="runs.csv")
        with mock.patch.dict(os.environ, {"XDG_CACHE_HOME": cache}):
            os.environ.pop("ISOFLOP_DATA_MIRROR", None)
            for _ in range(n_torn):
                tally.n += 1
                faults.append(rng.choice(FAULTS))
                tear(lambda: fetch(dataset, timeout_s=TIMEOUT_S), dataset, tally)
                path = fetch(dataset, timeout_s=60)
                tally.require(path.read_bytes() == CONTENT, "the whole file is not what was sent")
                path.unlink()
    return tally


def tear(download: Callable[[], object], dataset: Dataset, tally: Tally) -> None:
    """Download with a fault, and check that nothing of it is kept."""
    try:
        download()
        tally.violations.append("a torn download was taken")
    except CatalogError:
        tally.counts["refused clearly"] += 1
    except Exception as error:
        tally.violations.append(f"{type(error).__name__}: {error}")
    folder = cached_path(dataset).parent
    left = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    tally.require(not left, f"left in the cache: {left}")
    for path in folder.iterdir() if left else ():
        path.unlink()


# --- Uploads


def _uploads(n_uploads: int, rng: random.Random) -> Tally:
    tally = Tally(
        "uploads that break off, to the API and to the page",
        "no part is kept or shown; the server answers on, with no traceback in its log; the whole "
        "file is taken the next time",
    )
    with serve(1) as servers:
        for _ in range(n_uploads):
            tally.n += 1
            tally.counts["to the API"] += 1
            _break_off(servers.url, "POST", "/api/tables?name=runs.csv", BINARY, CONTENT, rng)
            there = requests.get(f"{servers.url}/api/tables", timeout=60)
            tally.require(there.status_code == 200, f"the API answers {there.status_code}")
            tally.require(there.json() == [], f"a part is kept: {there.text[:100]}")
        complete(_to_the_page(servers.url, tally, max(1, n_uploads // 10), rng))
        binary = {"Content-Type": "application/octet-stream"}
        sent = requests.post(f"{servers.url}/api/tables", data=CONTENT, headers=binary, timeout=60)
        tally.require(sent.status_code == 201, f"the whole file is answered {sent.status_code}")
        tally.require("Traceback" not in servers.logged(), "a traceback in the server's log")
    return tally


async def _to_the_page(url: str, tally: Tally, n_uploads: int, rng: random.Random) -> None:
    visitor = Person(url)
    await visitor.open()
    for number in range(n_uploads):
        tally.n += 1
        tally.counts["to the page"] += 1
        address = await _upload_address(visitor, f"torn-{number}.csv")
        boundary = b"--torn\r\nContent-Disposition: form-data; name=file; filename=t.csv\r\n\r\n"
        cookies = "; ".join(f"{one.name}={one.value}" for one in visitor._http.cookies)
        more = b"Content-Type: multipart/form-data; boundary=torn\r\nCookie: %s\r\n" % (
            cookies.encode()
        )
        _break_off(url, "PUT", address, more, boundary + CONTENT, rng)
    await visitor.upload("whole.csv", CONTENT)
    texts = " ".join(str(widget.element) for widget in visitor.widgets.values())
    tally.require("whole" in texts and "torn" not in texts, "the page shows a part, or not all")
    tally.violations += visitor.errors
    await visitor.close()


async def _upload_address(visitor: Person, name: str) -> str:
    asked = BackMsg()
    asked.file_urls_request.request_id = name
    asked.file_urls_request.file_names.append(name)
    asked.file_urls_request.session_id = visitor._session
    await visitor._socket.send(asked.SerializeToString())
    answer = await visitor._answers.get()
    return str(urllib.parse.urlparse(answer.file_urls[0].upload_url).path)


def _break_off(
    url: str, method: str, path: str, more: bytes, body: bytes, rng: random.Random
) -> None:
    """Send a part of a request, and end the connection in one way or the other."""
    host = urllib.parse.urlparse(url).netloc
    name, port = host.split(":")
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n".encode()
    with socket.create_connection((name, int(port)), timeout=60) as connection:
        connection.sendall(head + more + b"\r\n" + body[: rng.randrange(len(body))])
        if rng.random() < 0.5:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        time.sleep(rng.uniform(0, 0.02))
