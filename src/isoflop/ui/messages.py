"""What people read when something went wrong, or when a result needs a caution."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from isoflop.errors import IsoflopError
from isoflop.language import gettext as _
from isoflop.language import translated
from isoflop.notices import Notice, Severity, by_severity

logger = logging.getLogger("isoflop.ui")

_FAILURE, _LATER = "failure of a callback", "to be said"
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^=])")
_MARKDOWN_OF_OPTIONS = re.compile(r"([\\`*\[\]$:<~])")
_ICONS: dict[Severity, str] = {
    "serious": ":red[:material/error:]",
    "warning": ":orange[:material/warning:]",
    "info": ":gray[:material/info:]",
}


class Unfinished(Exception):
    """What a block needs is still being made, or waits for a click; its place already says so."""


def plain(text: str) -> str:
    """Return a text, in the language of the page, so that Markdown shows it as it stands."""
    return _MARKDOWN.sub(r"\\\1", translated(text)).replace("\n", "  \n")


def plain_option(text: str) -> str:
    """Return an option's text so that Markdown shows it as it stands.

    No more is escaped than would be drawn otherwise.
    """
    return _MARKDOWN_OF_OPTIONS.sub(r"\\\1", translated(text))


def show(error: IsoflopError) -> None:
    """Show an expected failure: what went wrong, where, and what to do about it."""
    st.error(_in_full(error), icon=":material/error:")


def refusal(error: IsoflopError) -> None:
    """Show why something is not done until a person says more; nothing failed."""
    st.warning(_in_full(error), icon=":material/front_hand:")


def _in_full(error: IsoflopError) -> str:
    parts = [f"**{plain(error.summary)}**"]
    if error.detail:
        parts.append(_detail(error.detail))
    if error.hint:
        parts.append(f":material/arrow_forward: {plain(error.hint)}")
    return "\n\n".join(parts)


def not_here(refused: IsoflopError) -> None:
    """Say, in place of a control, why it is missing."""
    st.caption(f":material/lock: {plain(refused.summary)} {plain(refused.hint)}")


def switched_off(what: str, setting: str) -> None:
    """Say, in place of a control, which setting of the server has taken it away."""
    st.caption(
        _(":material/lock: {what} are off on this server ({setting}).", what=what, setting=setting)
    )


def show_briefly(error: IsoflopError) -> None:
    """Show an expected failure beside the input that caused it, where there is little room."""
    st.markdown(f":red[{plain(error.summary)}]")
    if error.detail:
        st.markdown(_detail(error.detail))
    if error.hint:
        st.caption(plain(error.hint))


def _detail(text: str) -> str:
    """Return a detail as Markdown; where its lines are aligned, as with a caret, they stay so."""
    text = translated(text)
    if any(line.startswith(" ") or line == "^" for line in text.splitlines()):
        return "```text\n" + text.replace("```", "\u2032\u2032\u2032") + "\n```"
    return plain(text)


def show_unexpected(error: BaseException) -> str:
    """Log a failure that nobody foresaw, show its reference, and return that.

    The traceback goes to the log under the reference; the person sees the reference alone.
    """
    reference = uuid.uuid4().hex[:8]
    logger.error("unexpected failure, reference %s", reference, exc_info=error)
    st.error(
        _(
            "**Something failed that should not have.** Reference `{reference}`.\n"
            "\n"
            "Your inputs are kept. Change one and try again; if it stays, report "
            "the reference: the server's log holds the details under it.",
            reference=reference,
        ),
        icon=":material/error:",
    )
    return reference


class Instead(Exception):
    """What stands in place of the rest of a block, drawn by the boundary around it.

    Parameters
    ----------
    draw : callable
    """

    def __init__(self, draw: Callable[[], None]) -> None:
        super().__init__()
        self.draw = draw


@contextmanager
def boundary() -> Iterator[None]:
    """Turn every error that leaves the block into a message; what follows the block still runs."""
    try:
        try:
            yield
        except Instead as instead:
            instead.draw()
    except Unfinished:
        return
    except IsoflopError as error:
        show(error)
    except Exception as error:
        show_unexpected(error)


@contextmanager
def in_callback() -> Iterator[None]:
    """Keep what goes wrong in a button's callback, for the page to show when it runs again."""
    forget_callback_failure()
    try:
        yield
    except IsoflopError as failure:
        st.session_state[_FAILURE] = failure


def forget_callback_failure() -> None:
    """Let what the last click failed with no longer be shown."""
    st.session_state[_FAILURE] = None


def callback_failure() -> IsoflopError | None:
    """Return why the last click failed, if it did."""
    failure: IsoflopError | None = st.session_state.get(_FAILURE)
    return failure


def show_callback_failure() -> None:
    """Show why the last click failed, until another one works."""
    failure = callback_failure()
    if failure is not None:
        show(failure)


def show_callback_failure_of_part() -> None:
    """Show it where a part of the page runs alone, and the page's own place for it does not."""
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run:
        show_callback_failure()


def say_later(text: str) -> None:
    """Have the next page that is drawn say something."""
    st.session_state[_LATER] = (*st.session_state.get(_LATER, ()), text)


def show_what_was_left() -> None:
    """Say what `say_later` was given."""
    for text in st.session_state.pop(_LATER, ()):
        st.warning(plain(text), icon=":material/warning:")


def notices(found: Sequence[Notice]) -> None:
    """List soft findings, the most serious first, each with what to do about it."""
    if found:
        st.markdown("\n\n".join(map(_notice, by_severity(found))))


def _notice(found: Notice) -> str:
    remedy = f" :gray[{plain(found.remedy)}]" if found.remedy else ""
    return f"{_ICONS[found.severity]} {plain(found.text)}{remedy}"


def assumption(text: str) -> None:
    """Say what was taken for granted because nothing said otherwise."""
    st.markdown(f":gray[:material/info:] {plain(text)}")
