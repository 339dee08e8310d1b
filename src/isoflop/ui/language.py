"""Which language a page is in: what its address says, what its reader chose, or the browser.

A link names the language where it is not the one that its reader's browser asks for anyway, so
that a view goes round in the language it was shown in, and a bare link opens in each reader's own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from isoflop import settings
from isoflop.language import ENGLISH, LANGUAGES, ask, current, nearest, speaking, translated
from isoflop.ui import address

KEY = "lang"
"""Parameter of the address."""
MAX_SESSIONS = 10_000

# What a page says asks for its language hundreds of times, in callbacks and parts of it too:
# a session's state would take as long to look it up as to say it.
_by_session: OrderedDict[str, str] = OrderedDict()


class Spoken(str):
    """A text for what Streamlit keeps from the start, such as a spinner's: said when shown."""

    __slots__ = ("_text",)

    _text: str

    def __new__(cls, text: str) -> Spoken:
        """Keep the text, with its languages."""
        spoken = super().__new__(cls, text)
        spoken._text = text
        return spoken

    def __str__(self) -> str:
        """Say it in the language of who sees it."""
        return translated(self._text)


def _of_session() -> str | None:
    context = get_script_run_ctx(suppress_warning=True)
    return None if context is None else _by_session.get(context.session_id)


ask(_of_session)


def _own() -> str:
    """Return the language of who asks, where nobody has chosen one."""
    asked = settings.text("ISOFLOP_LANGUAGE")
    if asked in LANGUAGES:
        return asked
    return nearest(st.context.locale or "") or ENGLISH


def open_page() -> None:
    """Settle the language before anything of a page is said."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is None:
        return
    held = _by_session.get(context.session_id)
    asked = st.query_params.get(KEY)
    if asked not in LANGUAGES:
        asked = None if address.is_anew() else held
    _hold(context.session_id, asked or _own())
    write()


def write() -> None:
    """Have the address name the language, where the browser does not ask for it anyway."""
    spoken = current()
    address.write(KEY, () if spoken == _own() else (spoken,))


def choose(code: str) -> None:
    """Show pages in a language from now on; for a widget's callback."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is not None and code in LANGUAGES:
        _hold(context.session_id, code)
        write()


def in_the_address() -> dict[str, str]:
    """Return what a link to another page says of the language."""
    return {KEY: st.query_params[KEY]} if KEY in st.query_params else {}


def later(make: Callable[[], str | bytes]) -> Callable[[], str | bytes]:
    """Return a function of the page that says its texts in the page's language wherever it runs.

    A file is made when it is asked for, which is not in the run of any page.
    """
    spoken = current()

    def made() -> str | bytes:
        with speaking(spoken):
            return make()

    return made


def _hold(session: str, code: str) -> None:
    _by_session[session] = code
    _by_session.move_to_end(session)
    while len(_by_session) > MAX_SESSIONS:
        _by_session.popitem(last=False)
