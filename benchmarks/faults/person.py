"""A person who saves workspaces on a real server, and remembers what the page said of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.load.visitor import Visitor

WORKSPACES = "workspaces"


@dataclass(slots=True)
class Person(Visitor):
    """A visitor of several pages.

    Parameters
    ----------
    toasts : list of str
        Short messages since the last look or save.
    """

    toasts: list[str] = field(default_factory=list)

    async def look(self, page: str, query: str = "") -> None:
        """Go to a page in the same session."""
        self.page, self.query, self._script = page, query, ""
        self._values.clear()
        self.toasts.clear()
        await self.rerun()

    async def save(self, name: str, note: str) -> bool:
        """Save what is worked on; say whether the page said that it is saved.

        Raises
        ------
        LookupError
            If the page has nothing to save: a session that begins anew has looked at nothing yet.
        """
        self._values.clear()
        self.toasts.clear()
        self.settle(self.find("text_input", "Name"), "string_value", name)
        self.settle(self.find("text_area", "Note"), "string_value", note)
        self.settle(self.find("button", "Save"), "trigger_value", True)
        await self.rerun()
        return any(toast.startswith("Saved") for toast in self.toasts)

    def _take_start(self, message: ForwardMsg) -> None:
        if not message.metadata.run.fragment_ids:
            self.widgets.clear()  # what the page does not draw again is gone
        super(Person, self)._take_start(message)

    def _take_element(self, element: Any, fragment: str) -> None:
        if element.WhichOneof("type") == "toast":
            self.toasts.append(element.toast.body)
        super(Person, self)._take_element(element, fragment)
