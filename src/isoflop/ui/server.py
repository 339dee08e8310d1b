"""What the server does besides pages: its HTTP routes, and getting warm."""

from __future__ import annotations

import gc
import logging
import math
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from platformdirs import user_cache_path
from starlette.middleware import Middleware
from streamlit import config

from isoflop import work
from isoflop.server.front import Front
from isoflop.server.mount import routes
from isoflop.server.packed import Packed
from isoflop.ui import chart, frame, messages, scripts
from isoflop.ui.visitor import PersonCookie

MAIN_SCRIPT = Path(__file__).with_name("main.py")

logger = logging.getLogger("isoflop.server")


WARM_AFTER_S = 0.1
"""Importing holds up the server: it first answers that it is healthy."""


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Get warm beside the start, so that the server answers first and the first visit is quick."""
    timer = threading.Timer(WARM_AFTER_S, warm)
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()


def warm() -> None:
    """Import what the front page needs, and make its first fits and figures."""
    # Streamlit remarks on every cached call outside a visit; this one is meant to be outside.
    logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context").setLevel("ERROR")
    try:
        from isoflop.fitting.shelf import open_shelf
        from isoflop.ui.explore import page as explore

        open_shelf(user_cache_path("isoflop") / "found")
        raise_upload_limit()
        explore.warm()
        # What is there now stays: a full collection over it takes 0.1 s, in which nobody's slider
        # moves.
        gc.collect()
        gc.freeze()
        work.prepare()  # last: the first visit asks for no job, and shares few cores with this
    except Exception:
        logger.exception("the warm-up failed; the first visit will be slower, or show why")


def raise_upload_limit() -> None:
    """Let the server take what the tables' own setting allows, so that one setting is the limit.

    Raises
    ------
    TableError
        If the setting is not a size.
    """
    from isoflop.tables import max_upload_bytes

    allowed_mib = math.ceil(max_upload_bytes() / 2**20)
    config.set_option("server.maxUploadSize", max(allowed_mib, 1))


def on_script_error(error: Exception) -> bool:
    """Show a reference instead of a traceback for what no page caught."""
    messages.show_unexpected(error)
    return True


OPTIONS: Mapping[str, Any] = {
    "routes": [*routes(), *scripts.routes(), *frame.routes()],
    "middleware": [
        Middleware(Packed),
        Middleware(Front, modules=[scripts.module(name) for name in (chart.SCRIPT, frame.SCRIPT)]),
        Middleware(PersonCookie),
    ],
    "lifespan": lifespan,
    "on_script_error": on_script_error,
}
"""Of the `streamlit.App` that an entry script makes, which Streamlit looks for in its source."""
