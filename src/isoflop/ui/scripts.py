"""The scripts of ours that a browser loads: each once, by an address that names its content."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from streamlit import config as settings

from isoflop.once import once
from isoflop.server.packed import FOR_EVER, SCRIPTS

ASSETS = Path(__file__).parent / "assets"


def _found() -> dict[str, Path]:
    """Return every script by its name: ours, and Plotly's own from its package."""
    plotly = Path(str(files("plotly") / "package_data" / "plotly.min.js"))
    return {path.name: path for path in (*sorted(ASSETS.glob("*.js")), plotly)}


@once(max_entries=1)
def _edition() -> str:
    """Return what the scripts are known by, in their address: a browser keeps them for ever."""
    content = b"".join(path.read_bytes() for path in sorted(ASSETS.glob("*.js")))
    return hashlib.sha256(content + version("plotly").encode()).hexdigest()[:12]


def module(name: str) -> str:
    """Return where a browser finds a script, from the server's address on."""
    return f"{SCRIPTS[1:]}{_edition()}/{name}"


def loader(name: str) -> str:
    """Return a component's script: two lines, which every run of a page sends, that load the rest.

    Streamlit's own scripts say under which address the server is reached.
    """
    return f"""const page = document.querySelector("script[src*='static/js/']").src
const found = import(new URL("../../{module(name)}", page))
export default async one => (await found).default(one)
"""


def script(request: Request) -> Response:
    """Answer with a script; `isoflop.server.packed` compresses it, once."""
    path = _found().get(request.path_params["name"])
    if path is None:
        return Response(status_code=404)
    is_ours = request.path_params["edition"] == _edition()  # else of a page that is older
    headers = {"Cache-Control": FOR_EVER if is_ours else "no-cache"}
    return FileResponse(path, headers=headers, media_type="text/javascript")


def routes() -> list[Route]:
    """Return where the browser finds the scripts."""
    base = str(settings.get_option("server.baseUrlPath")).strip("/")
    prefix = f"/{base}" if base else ""
    return [Route(f"{prefix}{SCRIPTS}{{edition}}/{{name}}", script)]
