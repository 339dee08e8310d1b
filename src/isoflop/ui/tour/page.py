"""One stop of the tour at a time: its figure, three sentences, its paper, and the way on."""

from __future__ import annotations

import streamlit as st

from isoflop.language import all_translated, translated
from isoflop.language import gettext as _
from isoflop.reference import Stop, load_stops
from isoflop.ui import inputs, messages, shell, views
from isoflop.ui.tour import lessons, pages

STOP = "stop"
"""Of the address."""
LAST = "app"
"""The stop after the lessons: the app's own pages."""


def show() -> None:
    """Draw the choice of a stop, the stop, and the way to the one before and after it."""
    stops = load_stops()
    names = {key: stop.name for key, stop in stops.items()} | {LAST: _("Your turn")}
    chosen = inputs.choice(
        _("Stop"),
        names,
        key=STOP,
        default=next(iter(names)),
        help=_("Eight lessons of a minute each, then the app's own pages."),
        style="row",
        is_label_shown=False,
    )
    keys = list(names)
    place = keys.index(chosen)
    if chosen == LAST:
        pages.show()
    else:
        show_stop(stops[chosen], place + 1)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        _step(_("Previous"), ":material/arrow_back:", keys[place - 1] if place else "")
        after = keys[place + 1] if place + 1 < len(keys) else ""
        _step(_("Next"), ":material/arrow_forward:", after, is_main=True)


def _step(label: str, icon: str, to: str, *, is_main: bool = False) -> None:
    st.button(
        label,
        icon=icon,
        type="primary" if is_main else "secondary",
        key=f"tour.{'next' if is_main else 'previous'}",
        disabled=not to,
        on_click=_go,
        args=(to,),
    )


def _go(key: str) -> None:
    st.session_state[STOP] = key


def show_stop(stop: Stop, number: int) -> None:
    """Draw a lesson: moving one of its sliders draws that again, and nothing else."""
    st.header(f"{number}. {translated(stop.title)}", anchor=False)
    _lesson(stop)
    source = stop.source
    st.caption(
        f":material/article: {messages.plain(source.short)}, "
        f"[{messages.plain(source.title)}]({source.link}), {messages.plain(source.place)}"
    )


@st.fragment
def _lesson(stop: Stop) -> None:
    with messages.boundary():
        figure, text = st.columns([3, 2], gap="large")
        with figure:
            facts = all_translated(lessons.DRAW[stop.key]())
        with text:
            for sentence in stop.sentences(facts):
                st.markdown(messages.plain(sentence))
            st.link_button(
                _("The same with real runs: {page}", page=shell.info(stop.page).title),
                shell.link(stop.page, {}),
                icon=":material/arrow_forward:",
            )
    views.note()
