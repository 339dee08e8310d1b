"""A session of the app without a browser: Streamlit's own websocket, as a browser speaks it.

What a browser would be sent is counted: messages, bytes, elements.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

TIMEOUT_S = 120.0


@dataclass(slots=True, kw_only=True)
class Sent:
    """What one run of a script sent.

    Parameters
    ----------
    messages, n_bytes : int
    elements : Counter
        How many of each kind, by Streamlit's name for it.
    wall_s : float
        From the request to the end of the script.
    """

    messages: int = 0
    n_bytes: int = 0
    elements: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Widget:
    """A widget that the app has drawn: its id, kind, message, and the fragment it belongs to."""

    id: str
    kind: str
    element: Any
    fragment: str


class Session:
    """One person's session on a page.

    >>> async with Session(port) as session:
    ...     await session.open("plan")
    ...     sent = await session.slide("_time.slider")

    Parameters
    ----------
    port : int
        Of the server, on this machine.
    """

    def __init__(self, port: int) -> None:
        self.widgets: dict[str, Widget] = {}
        self.failures: list[str] = []
        self._address = f"ws://127.0.0.1:{port}/_stcore/stream"
        self._values: dict[str, tuple[str, Any]] = {}
        self._script = self._query = ""
        self._sent = Sent()
        self._done = asyncio.Event()

    async def __aenter__(self) -> Session:
        self._socket = await websockets.connect(
            self._address, subprotocols=["streamlit", "x"], max_size=None, proxy=None
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reader.cancel()
        await self._socket.close()

    async def open(self, page: str = "", query: str = "") -> Sent:
        """Open a page, with what stands behind the question mark of its address."""
        self._query = query
        self.widgets.clear()
        self._values.clear()
        return await self._run(page=page)

    async def slide(self, key: str) -> Sent:
        """Move a slider one step to the right, or to its start from its end.

        Parameters
        ----------
        key : str
            Last part of its id.
        """
        widget = self.find("slider", key)
        options = list(widget.element.options)
        at = self._values.get(widget.id, ("", [options[int(widget.element.default[0])]]))[1][0]
        self._values[widget.id] = (
            "string_array_value",
            [options[(options.index(at) + 1) % len(options)]],
        )
        return await self._run(fragment=widget.fragment)

    async def click(self, key: str) -> Sent:
        """Click a button."""
        widget = self.find("button", key)
        self._values[widget.id] = ("trigger_value", True)
        sent = await self._run(fragment=widget.fragment)
        del self._values[widget.id]
        return sent

    def find(self, kind: str, key: str) -> Widget:
        """Return a widget by its kind and the last part of its id.

        Raises
        ------
        LookupError
            If the page has none.
        """
        for widget in self.widgets.values():
            if widget.kind == kind and widget.id.endswith(key):
                return widget
        raise LookupError(f"no {kind} {key}: {sorted(self.widgets)}")

    async def _run(self, *, fragment: str = "", page: str | None = None) -> Sent:
        self._sent = Sent()
        self._done.clear()
        begin = time.perf_counter()
        await self._socket.send(self._request(fragment, page).SerializeToString())
        await asyncio.wait_for(self._done.wait(), TIMEOUT_S)
        return replace(self._sent, wall_s=time.perf_counter() - begin)

    def _request(self, fragment: str, page: str | None) -> BackMsg:
        message = BackMsg()
        run = message.rerun_script
        run.query_string = self._query
        run.fragment_id = fragment
        if page is None:
            run.page_script_hash = self._script
        else:
            run.page_name = page
        for widget, (kind, value) in self._values.items():
            state = run.widget_states.widgets.add()
            state.id = widget
            if kind.endswith("array_value"):
                getattr(state, kind).data.extend(value)
            else:
                setattr(state, kind, value)
        return message

    async def _read(self) -> None:
        async for packed in self._socket:
            message = ForwardMsg()
            message.ParseFromString(packed)
            self._sent.messages += 1
            self._sent.n_bytes += len(packed)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._script = message.new_session.page_script_hash
            elif kind == "page_info_changed":
                self._query = message.page_info_changed.query_string
            elif kind == "delta":
                self._take(message.delta)
            elif kind == "script_finished":
                self._done.set()

    def _take(self, delta: Any) -> None:
        if delta.WhichOneof("type") != "new_element":
            self._sent.elements["container"] += 1
            return
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind)
        self._sent.elements[kind] += 1
        if kind == "exception":
            self.failures.append(f"{element.type}: {element.message}")
        name = getattr(element, "id", "")
        if isinstance(name, str) and name:
            self.widgets[name] = Widget(
                id=name, kind=kind, element=element, fragment=delta.fragment_id
            )
