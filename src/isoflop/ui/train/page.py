"""The Train page as a whole: its setup beside its stages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from isoflop import plot
from isoflop.errors import IsoflopError
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.plot import APP
from isoflop.tables import dataset_for_role
from isoflop.training.ladders import Ladder
from isoflop.ui import inputs, messages, panels, resolve
from isoflop.ui.train import controls as train_controls
from isoflop.ui.train import data as train_data
from isoflop.ui.train import forecast as train_forecast
from isoflop.ui.train import law as train_law
from isoflop.ui.train import live as train_live
from isoflop.ui.train import state as train_state
from isoflop.ui.train import use as train_use
from isoflop.ui.train.controls import Setup

STAGES = {
    "corpus": lazy_gettext("Corpus"),
    "model": lazy_gettext("Model"),
    "train": lazy_gettext("Train"),
    "evaluate": lazy_gettext("Evaluate"),
    "generate": lazy_gettext("Generate"),
    "deploy": lazy_gettext("Deploy"),
    "law": lazy_gettext("Law"),
    "forecast": lazy_gettext("Forecast"),
}


AFTER_TRAINING = {
    "generate": lazy_gettext(
        "A model that was trained here goes on with your prompt, token by token."
    ),
    "deploy": lazy_gettext(
        "A model that was trained here is exported and loaded back, to the same loss."
    ),
    "law": lazy_gettext(
        "A law is fitted to the losses of runs that were trained here, while they come."
    ),
}
"""What a stage does that has nothing to show before the first run."""


def show() -> None:
    """Draw the page; without torch, say what to do instead."""
    if not train_state.is_torch_installed():
        _without_torch()
        return
    with st.sidebar:
        asked = _setup()
    ladder = _ladder()
    name, tab = inputs.tabs(STAGES, key=train_state.STAGE, default=train_state.FIRST)
    with tab, messages.boundary():
        _stages(asked, ladder)[name]()


def _without_torch() -> None:
    st.info(
        _(
            "**Training needs PyTorch, which is not installed here.**\n"
            "\n"
            'Install it with `pip install "isoflop[train]"` and restart the '
            "server. Every other page works without it; the shipped ladder of "
            "own runs is in the list of loss tables."
        ),
        icon=":material/info:",
    )


def _setup() -> Setup | None:
    """Draw the sidebar; what does not work is said there, and the rest of the page goes on."""
    asked = None
    try:
        asked = train_controls.setup()
        train_controls.start(asked)
    except IsoflopError as error:
        messages.show(error)
    train_controls.past_ladders()
    return asked


def _ladder() -> Ladder | None:
    try:
        ladder = train_state.shown_ladder()
        if ladder is not None:
            train_state.keep_working(ladder.runs)
        return ladder
    except IsoflopError as error:
        messages.show(error)
        return None


def _stages(asked: Setup | None, ladder: Ladder | None) -> dict[str, Callable[[], None]]:
    def with_setup(draw: Callable[[Setup], None]) -> Callable[[], None]:
        def drawn() -> None:
            if asked is None:
                st.caption(_("The settings on the left are not valid yet."))
            else:
                draw(asked)

        return drawn

    def with_ladder(
        draw: Callable[[Ladder], None], before: Callable[[], None]
    ) -> Callable[[], None]:
        return before if ladder is None else partial(draw, ladder)

    return {
        "corpus": with_setup(train_data.show_corpus),
        "model": with_setup(train_data.show_models),
        "train": with_ladder(train_live.show_training, _invite),
        "evaluate": with_setup(lambda setup: train_live.show_evaluation(ladder, setup)),
        "generate": with_ladder(train_use.show_generation, partial(_train_first, "generate")),
        "deploy": with_ladder(train_use.show_deployment, partial(_train_first, "deploy")),
        "law": with_ladder(train_law.show_law, partial(_train_first, "law")),
        "forecast": lambda: train_forecast.show_forecasts(ladder),
    }


def _train_first(stage: str) -> None:
    """Say what a stage will do, and lead to where that begins."""
    with st.container(border=True, width=560, key="empty"):
        st.markdown(_("**Train first.** {after_training}", after_training=AFTER_TRAINING[stage]))
        st.button(
            _("Go to Train"),
            icon=":material/arrow_back:",
            key="train.first",
            on_click=inputs.open_tab,
            args=(train_state.STAGE, train_state.FIRST),
        )


def _invite() -> None:
    """Say what happens here before the first run."""
    st.markdown(
        _(
            "**Train a ladder of small language models on this machine and watch "
            "a scaling law appear.** Choose a ladder on the left and start it: "
            "losses arrive within seconds, the law is fitted to the points as "
            "they come, and then you can forecast a larger run: its loss is "
            "predicted with a band before it is trained."
        )
    )
    st.caption(
        _(
            "Nothing leaves this machine. Training runs beside the server at low "
            "priority and goes on when you close the page."
        )
    )
    _example()


def _example() -> None:
    """Show the ladder that ships, as what to expect."""
    example = dataset_for_role("small-runs")
    table = resolve.rows_of(resolve.catalog_table(example.id).table, (example.law_family,))
    fitted = train_law.fit_law(example.law, table)
    st.markdown(_("**What to expect: the ladder of transformers that ships**"))
    panels.drawn(plot.ladder(table, fit=fitted, theme=APP), key="chart.example")
    st.caption(
        _(
            "{n_rows} points, one size with three seeds; the law leaves a "
            "residual of {residual_std:.2%}. All five families are in the list "
            "of loss tables.",
            n_rows=fitted.n_rows,
            residual_std=fitted.residual_std,
        )
    )
