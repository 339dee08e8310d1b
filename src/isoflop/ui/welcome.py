"""The offer of the tour on a first visit: a line that a browser shows until it is put away.

The browser alone remembers that, so that neither a click on it nor a move of a slider asks the
server for anything.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import streamlit as st

from isoflop.language import gettext as _
from isoflop.ui import shell

COMPONENT = "isoflop.welcome"
_HTML = """<p class="isoflop-welcome" hidden><span></span> <a target="_self"></a>
<button type="button">×</button></p>"""
_SCRIPT = """const KEY = "isoflop.welcomed"
const kept = () => { try { return localStorage.getItem(KEY) } catch { return null } }
const keep = () => { try { localStorage.setItem(KEY, "1") } catch { /* for this page alone */ } }
export default ({ data, parentElement }) => {
  const line = parentElement.querySelector(".isoflop-welcome")
  const [text, link, button] = line.children
  text.textContent = data.text
  link.textContent = data.link
  link.href = data.address
  button.title = data.close
  button.setAttribute("aria-label", data.close)
  link.onclick = keep
  button.onclick = () => { keep(); line.hidden = true }
  line.hidden = kept() !== null
}
"""


@lru_cache(maxsize=1)
def _line() -> Any:
    return st.components.v2.component(COMPONENT, html=_HTML, js=_SCRIPT, isolate_styles=False)


def offer_tour() -> None:
    """Draw the line, which a browser that has put it away keeps hidden."""
    _line()(
        key="welcome",
        data={
            "text": _("New to scaling laws?"),
            "link": _("Take the tour: eight lessons of a minute"),
            "address": shell.link("tour", {}),
            "close": _("Do not offer this again"),
        },
        height="content",
    )
