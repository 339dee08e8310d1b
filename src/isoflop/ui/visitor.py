"""Who is looking at a page."""

from __future__ import annotations

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from isoflop import people, settings
from isoflop.errors import IsoflopError
from isoflop.people import Actor

_KNOWN = "visitor"


def actor() -> Actor:
    """Return the person whose browser shows this page.

    Raises
    ------
    SettingError
        If the settings do not say whom to believe.
    """
    if is_login_configured():
        return people.by_login(dict(st.user)) if st.user.is_logged_in else people.VISITOR
    if settings.text("ISOFLOP_IDENTITY") == "local":
        return people.LOCAL
    context = get_script_run_ctx()
    client = context and runtime.exists() and runtime.get_instance().get_client(context.session_id)
    if not client:  # the connection was lost while the page runs
        known: Actor = st.session_state.get(_KNOWN, people.VISITOR)
        return known
    # Of this connection, and anew at every run: whoever takes a session up is asked who they are.
    peer = client.client_context.remote_ip if client.client_context else None
    found = people.of_request(st.context.headers, st.context.cookies, peer, secret=cookie_secret())
    st.session_state[_KNOWN] = found
    return found


def turns() -> str:
    """Return whose turn a heavy job of the page takes: the person's; empty for nobody known."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return ""
    found = actor()
    return "" if found.id == people.VISITOR.id else found.id


def refusal(what: str) -> IsoflopError | None:
    """Return why whoever looks at the page may not do something; None if they may.

    Parameters
    ----------
    what : str
        Such as "save a scenario".
    """
    try:
        actor().require_writing(what)
    except IsoflopError as refused:
        return refused
    return None


def is_login_configured() -> bool:
    """Say whether people sign in by Streamlit's own login."""
    from streamlit.auth_util import get_secrets_auth_section

    return bool(get_secrets_auth_section().to_dict())


def cookie_secret() -> str:
    """Return the secret that cookies are signed by: the server's own if it is set."""
    is_set = config.is_manually_set("server.cookieSecret")
    return str(config.get_option("server.cookieSecret")) if is_set else people.cookie_secret()


class PersonCookie:
    """Give every browser the cookie by which its person is known at the next visit.

    Parameters
    ----------
    app : ASGIApp
        What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; a page that is sent sets the cookie, or renews it."""
        is_page_asked = scope["type"] == "http" and scope["method"] == "GET"
        if not is_page_asked or settings.text("ISOFLOP_IDENTITY") != "cookie":
            await self._app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                if _is_page(message["status"], answer, Headers(scope=scope)):
                    answer.append("set-cookie", _cookie(Headers(scope=scope), scope["scheme"]))
                    answer["cache-control"] = "private, no-cache"
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _is_page(status: int, answer: Headers, asked: Headers) -> bool:
    """Say whether an answer is a page, or says that the browser has the page already."""
    is_html = answer.get("content-type", "").startswith("text/html")
    return is_html or (status == 304 and "text/html" in asked.get("accept", ""))


def _cookie(asked: Headers, scheme: str) -> str:
    """Return the cookie that an answer sets: the browser's own, or one of a new person."""
    secret = cookie_secret()
    held = cookie_parser(asked.get("cookie", ""))
    is_known = people.by_cookie(held, secret) is not None
    name = people.cookie_name(secret)
    value = held[name] if is_known else people.new_cookie(secret)
    is_secure = "https" in (scheme, asked.get("x-forwarded-proto", ""))
    path = f"/{str(config.get_option('server.baseUrlPath')).strip('/')}"
    return (
        f"{name}={value}; Max-Age={people.COOKIE_MAX_AGE_S}; Path={path}; HttpOnly; SameSite=Lax"
        + ("; Secure" if is_secure else "")
    )
