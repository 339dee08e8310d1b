"""The frame around every page: registry, navigation, title, and the error boundary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st
from streamlit.navigation.page import Page

from isoflop.data import app_root
from isoflop.errors import SettingError
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext, translated
from isoflop.ui import address, frame, jobs, language, messages, views, visitor

ASSETS = Path(__file__).parent / "assets"
PAGES_FOLDER = app_root() / "pages"
SIDEBAR_WIDTH_PX = 330
_SHOWN_PAGE = "page shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageInfo:
    """One page of the app.

    Parameters
    ----------
    key : str
        Name of the file in ``pages/`` and of the page in the address.
    title : str
        In the navigation and the browser's tab.
    help : str
        What the page answers, in one or two sentences.
    """

    key: str
    title: str
    help: str


PAGES: tuple[PageInfo, ...] = (
    PageInfo(
        key=frame.FRONT,
        title=lazy_gettext("Explore"),
        help=lazy_gettext(
            "Fit a scaling law to a loss table and read off what a budget would reach."
        ),
    ),
    PageInfo(
        key="data",
        title=lazy_gettext("Data"),
        help=lazy_gettext(
            "Bring a loss table, see how it was understood, and choose the rows to fit."
        ),
    ),
    PageInfo(
        key="fit",
        title=lazy_gettext("Fit"),
        help=lazy_gettext(
            "How far to trust the fit: optimum, intervals, residuals, influence, next runs."
        ),
    ),
    PageInfo(
        key="compare",
        title=lazy_gettext("Compare"),
        help=lazy_gettext(
            "Laws on one table, families under one law, published fits, "
            "downstream metrics, backtests."
        ),
    ),
    PageInfo(
        key="plan",
        title=lazy_gettext("Plan"),
        help=lazy_gettext(
            "From hardware, time, storage and money to the run that should be trained."
        ),
    ),
    PageInfo(
        key="reality",
        title=lazy_gettext("Reality check"),
        help=lazy_gettext("What published runs took, and what a plan would have predicted."),
    ),
    PageInfo(
        key="train",
        title=lazy_gettext("Train"),
        help=lazy_gettext(
            "Run small language models live and see a scaling law appear from this machine."
        ),
    ),
    PageInfo(
        key="workspaces",
        title=lazy_gettext("Workspaces"),
        help=lazy_gettext(
            "Save what you work on, come back to it, share it, take it to another installation."
        ),
    ),
    PageInfo(
        key="tour",
        title=lazy_gettext("Tour"),
        help=lazy_gettext(
            "What a scaling law is and how far to believe one, in eight short lessons."
        ),
    ),
    PageInfo(
        key="resources",
        title=lazy_gettext("Resources"),
        help=lazy_gettext(
            "What each term means, and the papers, books and courses behind each part."
        ),
    ),
)
"""Every page, in the order of the navigation; the first is the front page."""


def navigate() -> None:
    """Draw the navigation and run the page that the address names.

    Pages have no icon: the browser would fetch a page's icon from a font server for its tab.
    """
    try:
        language.open_page()
        if visitor.is_login_configured() and not st.user.is_logged_in:
            _ask_to_log_in()
            return
        visitor.actor()
    except SettingError as error:  # whoever runs the server is still to say whom to believe
        messages.show(error)
        return
    st.logo(ASSETS / "logo.svg", size="large", icon_image=ASSETS / "icon.svg")
    pages = page_objects()
    shown = st.navigation(list(pages.values()), position="top")
    if views.WORKSPACE in st.query_params:
        from isoflop.ui.workspaces import session

        if not session.open_asked(pages):
            return
    shown.run()


def page_objects() -> dict[str, Page]:
    """Return Streamlit's pages by key."""
    return {
        one.key: st.Page(
            PAGES_FOLDER / f"{one.key}.py",
            title=translated(one.title),
            url_path=one.key,
            help=translated(one.help),
            default=one.key == frame.FRONT,
        )
        for one in PAGES
    }


def _ask_to_log_in() -> None:
    """Draw what a person sees who has not signed in where that is asked for."""
    st.title(_("Isoflop"))
    st.markdown(_("Neural scaling laws, fitted and certified. Sign in to continue."))
    st.button(_("Sign in"), type="primary", icon=":material/login:", on_click=st.login)


def _about() -> str:
    """Say in Markdown what this is, where help is, and who asks."""
    who = visitor.actor()
    return _(
        "**Isoflop {version}** fits neural scaling laws and says how far to "
        "believe them.\n"
        "\n"
        "New here? Take the [tour](tour). For programs there is an "
        "[API](api/docs).\n"
        "\n"
        "You are {name}, here `{id}`.",
        version=version("isoflop"),
        name=messages.plain(who.name),
        id=who.id,
    )


def info(key: str) -> PageInfo:
    """Return the page of a key."""
    (found,) = (one for one in PAGES if one.key == key)
    return found


def link(key: str, view: Mapping[str, str]) -> str:
    """Return the address of a page with what is chosen there, relative to any other page's."""
    path = "./" if key == frame.FRONT else key
    view = {**view, **language.in_the_address()}
    return f"{path}?{urlencode(view)}" if view else path


@contextmanager
def page(key: str) -> Iterator[PageInfo]:
    """Open a page: set its title and layout, and turn errors inside into messages.

    Parameters
    ----------
    key : str
        Of a page in `PAGES`.
    """
    language.open_page()  # a page may be run without the navigation
    opened = info(key)
    st.set_page_config(
        page_title=_("{title} · Isoflop", title=opened.title),
        page_icon=ASSETS / "icon.svg",
        layout="wide",
        initial_sidebar_state=SIDEBAR_WIDTH_PX,
        menu_items={"About": _about()},
    )
    st.html(ASSETS / "style.css")
    jobs.open_page()
    if st.session_state.get(_SHOWN_PAGE) != key:
        messages.forget_callback_failure()
    st.session_state[_SHOWN_PAGE] = key
    views.open_page(key)
    frame.show(key, _("{title}: {help}", title=opened.title, help=opened.help))
    messages.show_callback_failure()
    messages.show_what_was_left()
    with messages.boundary():
        yield opened
    frame.offer(key)
    views.note()
    address.settled()
    jobs.leave_unwanted()
