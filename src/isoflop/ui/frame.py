"""What stands around every page: its heading, its link, its language, and what the browser adds.

A link is copied, and the keyboard and screen readers are led to the answer, where the browser is:
``assets/frame.js``. It is one element, outside every fragment, so that no move draws it again.
"""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from streamlit import config as settings

from isoflop.language import LANGUAGES, current
from isoflop.language import gettext as _
from isoflop.once import once
from isoflop.ui import address, language, scripts

SCRIPT = "frame.js"
KEY = "frame"
FRONT = "explore"
"""Key of the page that stands at the root of the address."""
BUTTONS = """
<button type="button" class="copy">
  <span aria-hidden="true" class="sign">link</span><span class="name"></span>
</button>
<button type="button" class="reset">
  <span aria-hidden="true" class="sign">restart_alt</span><span class="name"></span>
</button>
<span class="languages"></span>
<span role="status" class="said"></span>
<span role="status" class="heard"></span>
"""
OFFER = """
<span class="offer" hidden>
  <a href="tour"></a><button type="button" class="close">&times;</button>
</span>
"""


@once(max_entries=1)
def _buttons() -> Any:
    return st.components.v2.component(
        "isoflop.frame", html=BUTTONS, js=scripts.loader(SCRIPT), isolate_styles=False
    )


def show(page: str, heading: str) -> None:
    """Draw the frame of a page.

    Parameters
    ----------
    page : str
        Key of the page.
    heading : str
        What it is about, for those who find their way by headings.
    """
    st.html(f'<h1 class="unseen">{escape(heading)}</h1>')
    spoken = current()
    others = {code: name for code, name in LANGUAGES.items() if code != spoken}
    _buttons()(
        key=KEY,
        data={
            "page": page,
            "language": spoken,
            "languages": others,
            "copy": [_("Copy link"), _("Copy the link to this view")],
            "reset": [_("Reset"), _("Let this page start as it does for everyone")],
            "copied": _("Link copied"),
            "drawer": _("Pages and settings"),
            "skip": _("Skip to main content"),
        },
        on_reset_change=address.reset,
        on_language_change=_choose,
    )


@once(max_entries=1)
def _offer() -> Any:
    return st.components.v2.component(
        "isoflop.offer", html=OFFER, js=scripts.loader("offer.js"), isolate_styles=False
    )


def offer(page: str) -> None:
    """Offer the tour to who is new, behind everything else that a page holds.

    Parameters
    ----------
    page : str
        Key of the page.
    """
    _offer()(
        key="offer",
        data={
            "page": page,
            "words": _("New here? Take the tour: eight short lessons"),
            "close": _("Do not offer it again"),
            "tour": f"tour?{urlencode(language.in_the_address())}",
        },
    )


def _choose() -> None:
    """Show the page in the language that was clicked."""
    language.choose(str((st.session_state.get(KEY) or {}).get("language", "")))


def routes() -> list[Route]:
    """Return where the front page's own name leads: Streamlit serves it at the root alone."""
    base = str(settings.get_option("server.baseUrlPath")).strip("/")
    return [Route(f"/{base}/{FRONT}".replace("//", "/"), _to_front)]


def _to_front(request: Request) -> Response:
    """Send the browser to the front page, with what the address says of its view."""
    return RedirectResponse("./" + (f"?{request.url.query}" if request.url.query else ""))
