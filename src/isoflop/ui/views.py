"""What is chosen on each page, as its address says it: what a workspace keeps and a link brings."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from isoflop.workspace import View

WORKSPACE, PAGE = "w", "v"
"""Of a short link: the workspace, and the page to open it with."""
_VIEWS, _PAGE = "views", "views.page"


def open_page(key: str) -> None:
    """Note which page begins to run."""
    st.session_state[_PAGE] = key


def note() -> None:
    """Note what the address of the page says now."""
    key = st.session_state.get(_PAGE)
    if key is not None:
        asked = st.query_params
        view = {name: tuple(asked.get_all(name)) for name in asked if name not in (WORKSPACE, PAGE)}
        st.session_state[_VIEWS] = {**noted(), key: view}


def noted() -> Mapping[str, View]:
    """Return the views of the pages seen in this session, the last one last."""
    held: Mapping[str, View] = st.session_state.get(_VIEWS, {})
    return held


def take(views: Mapping[str, View]) -> None:
    """Begin with the views of a workspace."""
    st.session_state[_VIEWS] = dict(views)
