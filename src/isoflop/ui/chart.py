"""A chart of ours, which the browser changes in place.

Streamlit's own chart is drawn anew, twice, whenever anything in it changes, and forgets what a
person zoomed or hid. This one hands the figure to ``assets/chart.js``, which lets Plotly change
what is drawn. The server sends that script, and Plotly's own from its package, once to a browser.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from streamlit import config as settings

from isoflop.language import ENGLISH, current, translated
from isoflop.server.packed import CHARTS, FOR_EVER

if TYPE_CHECKING:
    from isoflop.plot import Figure

SCRIPT = Path(__file__).parent / "assets" / "chart.js"
TITLE_PX = 51
"""As a row of buttons above the chart beside it, and the gap below that: see ``style.css``."""


@lru_cache(maxsize=1)
def _edition() -> str:
    """Return what the scripts are known by, in their address: a browser keeps them for ever."""
    return hashlib.sha256(SCRIPT.read_bytes() + version("plotly").encode()).hexdigest()[:12]


def module() -> str:
    """Return where a browser finds the script that draws charts, from the server's address on."""
    return f"{CHARTS[1:]}{_edition()}/{SCRIPT.name}"


@lru_cache(maxsize=1)
def _chart() -> Any:
    """Return the component: a script of two lines, as each chart carries it, that loads the rest.

    Streamlit's own scripts say under which address the server is reached.
    """
    return st.components.v2.component(
        "isoflop.chart",
        js=f"""const page = document.querySelector("script[src*='static/js/']").src
const chart = import(new URL("../../{module()}", page))
export default async one => (await chart).default(one)
""",
        isolate_styles=False,
    )


def draw(
    figure: Figure,
    *,
    key: str,
    title: str = "",
    config: Mapping[str, Any],
    on_pick: Callable[[], None] | None = None,
) -> tuple[int, ...]:
    """Draw a figure, or change the one that is drawn under its key.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Made by `isoflop.plot`, which says in it what it shows.
    key : str
    title : str
        Stands above it.
    config : mapping
        Of Plotly: the toolbar.
    on_pick : callable, optional
        Called when points were clicked, or taken by a box or a lasso, before the page runs again;
        None for a figure whose points cannot be.

    Returns
    -------
    tuple of int
        The points that are picked, by the row that each holds as its ``customdata``.
    """
    sent = figure.to_dict()
    alt = sent["layout"].pop("meta")["alt"]
    sent |= {"title": title, "alt": alt, "config": config}
    if current() != ENGLISH:
        sent = _said(sent)
    calls = {} if on_pick is None else {"on_picked_change": on_pick}
    _chart()(
        key=key,
        data=orjson.dumps(sent, option=orjson.OPT_SERIALIZE_NUMPY),
        height=int(figure.layout.height) + (TITLE_PX if title else 0),
        **calls,
    )
    return picked(key)


def _said(part: Any) -> Any:
    """Return a figure, or a part of it, with its texts in the language of the page."""
    if isinstance(part, str):
        return translated(part)
    if isinstance(part, Mapping):
        return {name: _said(value) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_said(value) for value in part]
    if isinstance(part, np.ndarray) and part.dtype == object:
        return _said(part.tolist())
    return part


def picked(key: str) -> tuple[int, ...]:
    """Return what is picked in a figure, by its key; a callback asks before the figure is drawn."""
    held = st.session_state.get(key) or {}
    return tuple(sorted({int(row) for row in held.get("picked") or ()}))


# --- What the browser loads ---


def script(request: Request) -> Response:
    """Answer with a script; `isoflop.server.packed` compresses it, once."""
    found = (SCRIPT, Path(str(files("plotly") / "package_data" / "plotly.min.js")))
    path = {path.name: path for path in found}.get(request.path_params["name"])
    if path is None:
        return Response(status_code=404)
    is_ours = request.path_params["edition"] == _edition()  # else of a page that is older
    headers = {"Cache-Control": FOR_EVER if is_ours else "no-cache"}
    return FileResponse(path, headers=headers, media_type="text/javascript")


def routes() -> list[Route]:
    """Return where the browser finds the scripts."""
    base = str(settings.get_option("server.baseUrlPath")).strip("/")
    prefix = f"/{base}" if base else ""
    return [Route(f"{prefix}{CHARTS}{{edition}}/{{name}}", script)]
