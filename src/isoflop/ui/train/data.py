"""The first stages of the Train page: the text, and the models before training."""

from __future__ import annotations

import streamlit as st

from isoflop import plot
from isoflop.accounting import count_small_flop, count_small_parameters
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.language import ngettext as n_
from isoflop.plot import APP
from isoflop.training.config import FAMILY_DEFAULTS, RunConfig, small_model
from isoflop.training.equations import load_equations
from isoflop.training.estimates import nominal_vocab_size
from isoflop.training.token_counts import count_tokens
from isoflop.ui import messages, panels
from isoflop.ui.caching import kept
from isoflop.ui.train import state as train_state
from isoflop.ui.train.controls import Setup
from isoflop.units import format_number

SAMPLE_BYTES = 1200


_count_tokens = kept(count_tokens, max_entries=8, spinner=lazy_gettext("Counting tokens"))


def show_corpus(asked: Setup) -> None:
    """Show the text, its cleaning, its tokens and its split.

    Raises
    ------
    TrainingError
        If the text is not on this machine.
    """
    corpus = train_state.corpus(asked.base.corpus)
    tokenizer = train_state.tokenizer(asked.base.tokenizer, corpus)
    sizes = _count_tokens(corpus, tokenizer)
    with st.grid(4, min_column_width=150):
        st.metric(_("Text"), f"{len(corpus.text) / 1e6:.2f} MB", help=messages.plain(corpus.source))
        st.metric(
            _("Removed by cleaning"),
            f"{1 - len(corpus.text) / max(1, corpus.n_raw_bytes):.2%}",
            help=_("Control characters, blank space at line ends, empty lines in a row."),
        )
        st.metric(_("Vocabulary"), f"{len(tokenizer.token_bytes):,}", help=_("Distinct tokens."))
        st.metric(
            _("Training tokens"),
            format_number(sizes.train_tokens),
            help=_(
                "{validation_tokens} more are held out.",
                validation_tokens=format_number(sizes.validation_tokens),
            ),
        )
    st.caption(
        _(
            "{label}, {n_documents}, SHA-256 {fingerprint}. Held out: the last "
            "sixteenth of each eighth of the text. {bytes_per_token:.2f} bytes "
            "per token.",
            label=messages.plain(corpus.label),
            n_documents=_documents(corpus.n_documents),
            fingerprint=corpus.fingerprint[:12],
            bytes_per_token=sizes.bytes_per_token,
        )
    )
    left, right = st.columns([1, 1], gap="medium")
    with left:
        st.markdown(_("**A sample**"))
        start = corpus.text.find(b"\n", len(corpus.text) // 3) + 1
        sample = corpus.text[start : start + SAMPLE_BYTES].decode("utf-8", "ignore")
        st.code(sample, language="python" if corpus.key == "stdlib" else None, height=300)
    with right:
        st.markdown(_("**How often each token occurs**"))
        panels.drawn(plot.token_frequencies(sizes, theme=APP), key="chart.tokens")


def _documents(count: int) -> str:
    return n_("{n:,} document", "{n:,} documents", count)


def show_models(asked: Setup) -> None:
    """Show the models of the grid: parameters and FLOP by component, and the recipe."""
    vocab_size = nominal_vocab_size(asked.base.tokenizer)
    unique = {(config.family, config.width, config.depth): config for config in asked.configs}
    configs = list(unique.values())
    names = {
        config: f"{config.family.replace('_', ' ')} {config.width} x {config.depth}"
        for config in configs
    }
    shapes = {config: small_model(config, vocab_size=vocab_size) for config in configs}
    params = {config: count_small_parameters(shapes[config]) for config in configs}
    flop = {config: count_small_flop(shapes[config]) for config in configs}
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown(_("**Parameters by component**"))
        figure = plot.components({names[c]: params[c] for c in configs}, theme=APP)
        panels.drawn(figure, key="chart.params")
    with right:
        st.markdown(_("**Training FLOP per token by component**"))
        figure = plot.components({names[c]: flop[c] for c in configs}, theme=APP)
        panels.drawn(figure, key="chart.flop")
    panels.listed(
        {
            _("Model"): list(names.values()),
            _("Parameters"): [params[config].total for config in configs],
            _("Without embedding"): [params[config].nonembedding for config in configs],
            _("Heads"): [
                shapes[config].n_heads if _has_heads(config) else None for config in configs
            ],
            _("FLOP per token"): [flop[config].training_flop for config in configs],
            _("Learning rate"): [f"{config.peak_learning_rate:.2g}" for config in configs],
            _("Rate of matrices"): [
                f"{config.peak_learning_rate * 32 / config.width:.2g}" for config in configs
            ],
        },
        column_config={
            name: st.column_config.NumberColumn(format="localized")
            for name in (_("Parameters"), _("Without embedding"), _("FLOP per token"))
        },
        hide_index=True,
        placeholder="",
        alt=_("Models of the grid with parameters, FLOP and learning rates"),
    )
    families = dict.fromkeys(config.family for config in configs)
    st.markdown(_("**What they compute**"))
    for tab, family in zip(
        st.tabs([FAMILY_DEFAULTS[family].label for family in families]), families, strict=True
    ):
        with tab:
            st.caption(messages.plain(FAMILY_DEFAULTS[family].help))
            show_equations(family, "head", "scores")


def show_equations(*keys: str) -> None:
    """Typeset the steps of models and of what is done with them, each with a sentence."""
    for equations in (load_equations()[key] for key in keys):
        for step in equations.steps:
            left, right = st.columns([3, 2], gap="medium", vertical_alignment="center")
            left.latex(step.tex)
            right.caption(messages.plain(step.text))
        st.caption(messages.plain(f"{equations.label}: {equations.source}."))


def _has_heads(config: RunConfig) -> bool:
    return config.family == "transformer"
