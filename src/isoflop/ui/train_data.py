"""The first stages of the Train page: the text, and the models before training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from isoflop.accounting import count_small_flop, count_small_parameters
from isoflop.figures import train_bars, train_corpus
from isoflop.training.config import FAMILY_DEFAULTS, RunConfig, small_model
from isoflop.training.corpus import Corpus
from isoflop.training.queue import nominal_vocab_size
from isoflop.training.tokenizer import Tokenizer
from isoflop.ui import messages, panels, train_state
from isoflop.ui.train_controls import Setup
from isoflop.units import format_number

SAMPLE_BYTES = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """A corpus in tokens.

    Parameters
    ----------
    train_tokens, validation_tokens : int
    bytes_per_token : float
    counts : ndarray of int, shape (vocab_size,)
        Occurrences in the training text.
    """

    train_tokens: int
    validation_tokens: int
    bytes_per_token: float
    counts: NDArray[np.int64]


@st.cache_resource(max_entries=8, show_spinner="Counting tokens")
def _sizes(name: str, fingerprint: str, _corpus: Corpus, _tokenizer: Tokenizer) -> Sizes:
    train, validation = _corpus.split()
    ids, held_out = _tokenizer.encode(train), _tokenizer.encode(validation)
    return Sizes(
        train_tokens=len(ids),
        validation_tokens=len(held_out),
        bytes_per_token=len(train) / max(1, len(ids)),
        counts=np.bincount(ids, minlength=len(_tokenizer.token_bytes)),
    )


def show_corpus(asked: Setup) -> None:
    """Show the text, its cleaning, its tokens and its split.

    Raises
    ------
    TrainingError
        If the text is not on this machine.
    """
    corpus = train_state.corpus(asked.base.corpus)
    tokenizer = train_state.tokenizer(asked.base.tokenizer, corpus.fingerprint, corpus)
    sizes = _sizes(asked.base.tokenizer, corpus.fingerprint, corpus, tokenizer)
    with st.grid(4, min_column_width=150):
        st.metric("Text", f"{len(corpus.text) / 1e6:.2f} MB", help=messages.plain(corpus.source))
        st.metric(
            "Removed by cleaning",
            f"{1 - len(corpus.text) / max(1, corpus.n_raw_bytes):.2%}",
            help="Control characters, blank space at line ends, empty lines in a row.",
        )
        st.metric("Vocabulary", f"{len(tokenizer.token_bytes):,}", help="Distinct tokens.")
        st.metric(
            "Training tokens",
            format_number(sizes.train_tokens),
            help=f"{format_number(sizes.validation_tokens)} more are held out.",
        )
    st.caption(
        f"{messages.plain(corpus.label)}, {_documents(corpus.n_documents)}, SHA-256 "
        f"{corpus.fingerprint[:12]}. Held out: the last sixteenth of each eighth of the text. "
        f"{sizes.bytes_per_token:.2f} bytes per token."
    )
    left, right = st.columns([1, 1], gap="medium")
    with left:
        st.markdown("**A sample**")
        start = corpus.text.find(b"\n", len(corpus.text) // 3) + 1
        sample = corpus.text[start : start + SAMPLE_BYTES].decode("utf-8", "ignore")
        st.code(sample, language="python" if corpus.key == "stdlib" else None, height=300)
    with right:
        st.markdown("**How often each token occurs**")
        labels = [train_state.readable(piece) for piece in tokenizer.token_bytes]
        figure = train_corpus.figure(sizes.counts, labels)
        alt = f"Share of the text against the rank of each of {len(labels)} tokens."
        panels.chart(figure, alt=alt, key="chart.tokens")


def _documents(count: int) -> str:
    return "1 document" if count == 1 else f"{count:,} documents"


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
        st.markdown("**Parameters by component**")
        sizes = {names[config]: params[config].by_component for config in configs}
        figure = train_bars.components(sizes, x_title="Parameters")
        panels.chart(figure, alt=_alt("Parameters", configs), key="chart.params")
    with right:
        st.markdown("**Training FLOP per token by component**")
        parts = {
            names[config]: {
                name: 3 * value for name, value in flop[config].forward_by_component_flop.items()
            }
            for config in configs
        }
        figure = train_bars.components(parts, x_title="FLOP per trained token")
        panels.chart(figure, alt=_alt("FLOP per token", configs), key="chart.flop")
    st.dataframe(
        {
            "Model": list(names.values()),
            "Parameters": [params[config].total for config in configs],
            "Without embedding": [params[config].nonembedding for config in configs],
            "Heads": [shapes[config].n_heads if _has_heads(config) else None for config in configs],
            "FLOP per token": [flop[config].training_flop for config in configs],
            "Learning rate": [f"{config.peak_learning_rate:.2g}" for config in configs],
            "Rate of matrices": [
                f"{config.peak_learning_rate * 32 / config.width:.2g}" for config in configs
            ],
        },
        column_config={
            name: st.column_config.NumberColumn(format="localized")
            for name in ("Parameters", "Without embedding", "FLOP per token")
        },
        hide_index=True,
        placeholder="",
        alt="Models of the grid with parameters, FLOP and learning rates",
    )
    for family in dict.fromkeys(config.family for config in configs):
        defaults = FAMILY_DEFAULTS[family]
        st.caption(f"{messages.plain(defaults.label)}: {messages.plain(defaults.help)}")


def _has_heads(config: RunConfig) -> bool:
    return config.family == "transformer"


def _alt(what: str, configs: list[RunConfig]) -> str:
    return f"{what} of {len(configs)} models, stacked by component."
