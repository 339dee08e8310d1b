"""What the address of a page holds: all that a person chose there and the page accepted.

An input takes what the address says when the page is opened, gone back to or reset, and writes
what it accepted, by a key that stays the same whatever the page calls it; what a page starts with
is left out. Streamlit's own binding writes whatever was typed, and options and tabs as they are
called at the time; it drops, without a word, what it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

_RESET = "address.reset"


def is_opened(key: str) -> bool:
    """Say whether an input is to take what the address says, whatever it held."""
    return key not in st.session_state or is_anew()


def is_anew() -> bool:
    """Say whether the address came by the browser's back or forward button, or was reset."""
    context = get_script_run_ctx()
    is_history = context is not None and context.is_history_navigation
    return is_history or bool(st.session_state.get(_RESET))


def write(key: str, values: Sequence[str]) -> None:
    """Let the address hold these values; nothing for what a page starts with."""
    if st.query_params.get_all(key) == list(values):
        return
    if values:
        st.query_params[key] = values
    else:
        del st.query_params[key]


def reset() -> None:
    """Let the page start as it does for everyone: all inputs read an address without anything."""
    st.query_params.clear()
    st.session_state[_RESET] = True


def settled() -> None:
    """Note that the page has run: its inputs hold what the address says."""
    st.session_state.pop(_RESET, None)
