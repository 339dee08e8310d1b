"""One person's session with a Streamlit server, over its real websocket, without a browser.

It sends and understands what Streamlit's own front end does, as far as a page of sliders, buttons
and uploads needs: reruns of the page or of a fragment, fragments that run every second, uploads,
cookies of a proxy, and coming back after the connection was lost.
"""

from __future__ import annotations

import asyncio
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

import requests
import websockets
from google.protobuf.message import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileUploaderState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from isoflop import people
from isoflop.people import Actor

TIMEOUT_S = 120.0
RECONNECT_AFTER_S = 0.5
CONTENT_TYPE = "text/csv"


@dataclass(slots=True)
class Widget:
    """An input of the page: what the server said of it, and the fragment that it belongs to."""

    kind: str
    element: Any
    fragment: str


@dataclass(slots=True)
class Move:
    """What one rerun took: seconds to the end of its script, messages, bytes, parts redrawn."""

    wall_s: float
    n_messages: int
    n_bytes: int
    n_parts: int


@dataclass(slots=True)
class Visitor:
    """One session.

    Parameters
    ----------
    url : str
        Of the server or proxy, such as ``http://127.0.0.1:8501``.
    query : str
        Of the address.
    page : str
        Which page, by its name in the address; the front page unless given.
    """

    url: str
    query: str = ""
    page: str = ""
    widgets: dict[str, Widget] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    n_reconnects: int = 0
    n_messages: int = 0
    n_bytes: int = 0
    n_parts: int = 0
    _values: dict[str, tuple[str, Any]] = field(default_factory=dict)
    _timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _http: requests.Session = field(default_factory=requests.Session)
    _script: str = ""
    _session: str = ""
    _socket: Any = None
    _reader: asyncio.Task[None] | None = None
    _finished: asyncio.Event = field(default_factory=asyncio.Event)
    _answers: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    _is_leaving: bool = False
    _is_timed: bool = False
    _come_back: asyncio.Task[None] | None = None

    async def open(self) -> Move:
        """Visit the page and wait until it has been drawn."""
        for path in ("", "_stcore/health"):  # each sets its cookie
            answer = await asyncio.to_thread(self._http.get, f"{self.url}/{path}", timeout=60)
            answer.raise_for_status()
        await self._connect()
        return await self.rerun()

    def known_as(self, secret: str) -> Actor | None:
        """Return whom a server with a secret takes this visitor for; None for nobody."""
        return people.by_cookie(dict(self._http.cookies), secret)

    async def close(self) -> None:
        """Leave, as closing the tab does."""
        self._is_leaving = True
        self._stop_timers()
        if self._reader is not None:
            self._reader.cancel()
        if self._socket is not None:
            await self._socket.close()
        self._http.close()

    def find(self, kind: str, key: str) -> str:
        """Return the id of the widget of a kind and key, or of a label; empty if there is none."""
        for name, widget in self.widgets.items():
            label = getattr(widget.element, "label", "")
            if widget.kind == kind and (name.endswith(f"-{key}") or label == key):
                return name
        return ""

    def is_waiting(self) -> bool:
        """Say whether the page waits for a job: some fragment of it runs by itself."""
        return bool(self._timers)

    def settle(self, widget: str, field_name: str, value: Any) -> None:
        """Set a widget's value, to be sent with the next rerun.

        Raises
        ------
        LookupError
            If the page has no such widget.
        """
        if widget not in self.widgets:
            raise LookupError(f"the page has no widget for a {field_name}")
        self._values[widget] = (field_name, value)

    async def rerun(self, fragment: str = "") -> Move:
        """Have the page, or one of its fragments, run; wait for its end."""
        self._finished.clear()
        before, begin = (self.n_messages, self.n_bytes, self.n_parts), time.perf_counter()
        await self._send(fragment)
        for name in [n for n, (kind, _) in self._values.items() if kind == "trigger_value"]:
            del self._values[name]
        try:
            await asyncio.wait_for(self._finished.wait(), TIMEOUT_S)
        except TimeoutError:
            self.errors.append("no end of the script in time")
        wall_s = time.perf_counter() - begin
        after = (self.n_messages, self.n_bytes, self.n_parts)
        return Move(wall_s, *(now - then for now, then in zip(after, before, strict=True)))

    async def upload(self, name: str, content: bytes, key: str = "upload.file") -> Move:
        """Upload a file into a field, and rerun the page with it."""
        widget = self.find("file_uploader", key)
        asked = BackMsg()
        asked.file_urls_request.request_id = name
        asked.file_urls_request.file_names.append(name)
        asked.file_urls_request.session_id = self._session
        await self._socket.send(asked.SerializeToString())
        urls = (await asyncio.wait_for(self._answers.get(), TIMEOUT_S)).file_urls[0]
        await asyncio.to_thread(self._put, urls, name, content)
        state = FileUploaderState()
        state.uploaded_file_info.add(
            file_id=urls.file_id, name=name, size=len(content), file_urls=urls
        )
        self.settle(widget, "file_uploader_state_value", state)
        return await self.rerun()

    def _put(self, urls: Any, name: str, content: bytes) -> None:
        path = urllib.parse.urlparse(urls.upload_url).path
        token = self._http.cookies.get("_streamlit_xsrf", "")
        answer = self._http.put(
            f"{self.url}{path}",
            files={"file": (name, content, CONTENT_TYPE)},
            headers={"X-Xsrftoken": token},
            timeout=TIMEOUT_S,
        )
        if answer.status_code >= 400:
            self.errors.append(f"upload refused: {answer.status_code}")

    async def _connect(self) -> None:
        cookies = "; ".join(f"{one.name}={one.value}" for one in self._http.cookies)
        self._socket = await websockets.connect(
            f"{self.url.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=[websockets.Subprotocol("streamlit")],
            additional_headers={"Cookie": cookies} if cookies else None,
            origin=websockets.Origin(self.url),  # the server compares it with its address
            max_size=None,
            open_timeout=TIMEOUT_S,
            ping_interval=None,
            proxy=None,
        )
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for packed in self._socket:
                self.n_messages += 1
                self.n_bytes += len(packed)
                message = ForwardMsg()
                message.ParseFromString(packed)
                self._take(message)
        except websockets.ConnectionClosed:
            pass
        if not self._is_leaving:
            self._come_back = asyncio.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        """Connect again, as the front end does: one reload, with the address as it is."""
        self._stop_timers()
        self.n_reconnects += 1
        end = time.perf_counter() + TIMEOUT_S
        while time.perf_counter() < end:
            await asyncio.sleep(RECONNECT_AFTER_S)
            try:
                # The proxy may have another replica for us now: its cookie says which.
                await asyncio.to_thread(self._http.get, f"{self.url}/_stcore/health", timeout=10)
                await self._connect()
            except (OSError, requests.RequestException, websockets.WebSocketException):
                continue
            await self._send("")
            return
        self.errors.append("could not reconnect")

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        self.n_parts += kind == "delta"
        if kind == "new_session":
            self._take_start(message)
        elif kind == "navigation":
            self._script = message.navigation.page_script_hash
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._take_element(message.delta.new_element, message.delta.fragment_id)
        elif kind == "script_finished" and not self._is_timed:
            if message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:  # it begins anew
                self._finished.set()
        elif kind == "file_urls_response":
            self._answers.put_nowait(message.file_urls_response)
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            for name in message.stop_auto_rerun.fragment_ids:
                self._stop_timer(name)

    def _take_start(self, message: ForwardMsg) -> None:
        """Take that a script begins: of the page, of a fragment, or of one that runs by itself."""
        new = message.new_session
        self._session = new.initialize.session_id or self._session
        self._script = new.page_script_hash
        fragments = set(message.metadata.run.fragment_ids)
        self._is_timed = bool(fragments) and fragments <= set(self._timers)
        if not fragments:
            self._stop_timers()
            self.texts.clear()

    def _take_element(self, element: Any, fragment: str) -> None:
        kind = element.WhichOneof("type")
        inner = getattr(element, kind)
        if kind == "exception":
            self.errors.append(f"{inner.type}: {inner.message[:200]}")
        elif kind == "alert":
            self.texts.append(inner.body)
            if "should not have" in inner.body:
                self.errors.append(inner.body[:200])
        name = getattr(inner, "id", "")
        if isinstance(name, str) and name:
            self.widgets[name] = Widget(kind, inner, fragment)

    # --- Fragments that run by themselves

    def _start_timer(self, fragment: str, interval_s: float) -> None:
        self._stop_timer(fragment)

        async def poll() -> None:
            while True:
                await asyncio.sleep(interval_s)
                await self._send(fragment, is_timed=True)

        self._timers[fragment] = asyncio.create_task(poll())

    def _stop_timer(self, fragment: str) -> None:
        if fragment in self._timers:
            self._timers.pop(fragment).cancel()

    def _stop_timers(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    async def _send(self, fragment: str, *, is_timed: bool = False) -> None:
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string = self.query
        asked.page_script_hash = self._script
        asked.page_name = "" if self._script else self.page
        asked.fragment_id = fragment
        asked.is_auto_rerun = is_timed
        for name, (kind, value) in self._values.items():
            state = asked.widget_states.widgets.add(id=name)
            held = getattr(state, kind)
            if isinstance(held, Message) and isinstance(value, list):
                held.data.extend(value)
            elif isinstance(held, Message):
                held.CopyFrom(value)
            else:
                setattr(state, kind, value)
        try:
            await self._socket.send(message.SerializeToString())
        except websockets.ConnectionClosed:
            return  # the reader comes back by itself
