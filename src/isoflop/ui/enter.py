"""The Enter key in a field that is read while it is typed, where it has nothing left to send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from isoflop.once import once


@once(max_entries=1)
def _listener() -> Any:
    """Return the component: it draws nothing, and listens while it is on the page."""
    return st.components.v2.component(
        "isoflop.enter",
        js="""export default ({ data, setTriggerValue }) => {
  const heard = event => {
    const field = event.target.closest?.(`.st-key-${data} input`)
    if (field && event.key === "Enter" && !event.isComposing) {
      setTriggerValue("entered", field.value)
    }
  }
  document.addEventListener("keydown", heard)
  return () => document.removeEventListener("keydown", heard)
}
""",
        isolate_styles=False,
    )


def applies(field: str, apply: Callable[[], None]) -> None:
    """Have Enter in a text field apply what is typed there by then.

    Parameters
    ----------
    field : str
        Key of the field.
    apply : callable
        Called before the page runs again, when the field holds the text.
    """
    key = f"{field}-enter"

    def entered() -> None:
        text = st.session_state[key].get("entered")
        if text is not None:
            st.session_state[field] = text
            apply()

    _listener()(key=key, data=field, on_entered_change=entered)
