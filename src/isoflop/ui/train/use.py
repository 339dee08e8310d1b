"""The stages Generate and Deploy: text from a trained model, what it attends to, and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from isoflop import plot
from isoflop.errors import TrainingError
from isoflop.language import gettext as _
from isoflop.language import lazy_gettext
from isoflop.plot import APP
from isoflop.training.attention import HAS_ATTENTION
from isoflop.training.attention import MAX_TOKENS as SHOWN_TOKENS
from isoflop.training.config import ReportedConfig
from isoflop.training.following import Seen
from isoflop.training.jobs import (
    MAX_SAMPLES,
    Job,
    read_attention,
    start_attention,
    start_export,
    start_generation,
)
from isoflop.training.ladders import Ladder
from isoflop.training.records import Record
from isoflop.training.runs import default_root
from isoflop.ui import inputs, messages, panels
from isoflop.ui.train import state as train_state
from isoflop.ui.train.data import show_equations
from isoflop.units import format_number
from isoflop.units.said import format_quantity

POLL_S = 0.4
NOT_YOURS = lazy_gettext(
    ":material/lock: These runs are shared for viewing: only their owner can run the models."
)
_GENERATION, _EXPORT, _ATTENTION = "train.generation", "train.export.job", "train.attention"
Source = tuple[Seen, int | None]


def show_generation(ladder: Ladder) -> None:
    """Draw the prompt and its settings, and the text as it is written."""
    sources = _sources(train_state.look_at(ladder.runs))
    if not sources:
        st.caption(_("No weights yet: they come with the first budget or checkpoint."))
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        chosen = _pick(sources, key="generate.from")
        prompt = inputs.text(
            _("Prompt"), key="prompt", read=str, default="def ", is_long=True,
            help=_("What the model continues."),
        )  # fmt: skip
        temperature = inputs.number(
            _("Temperature"), 0.0, 2.0, 0.8, key="temperature", step=0.05, is_slider=True,
            help=_("0 always takes the most likely token; higher values are more random."),
        )  # fmt: skip
        top_k = inputs.number(
            _("Top k"), 0, 4096, 0, key="top_k",
            help=_("Sample from this many most likely tokens only; 0 for all."),
        )  # fmt: skip
        length = inputs.number(
            _("Tokens"), 50, 2000, 400, key="length", step=50, is_slider=True,
            help=_("How long each text is."),
        )  # fmt: skip
        seed = inputs.number(
            _("Seed"),
            0,
            2**31 - 1,
            0,
            key="generate.seed",
            help=_("The same seed gives the same text."),
        )
        n_samples = inputs.number(
            _("Samples"), 1, MAX_SAMPLES, 1, key="samples",
            help=_("How many texts are written from the same prompt, each with the next "
"seed."),
        )  # fmt: skip
        with st.expander(_("What the temperature does"), key="train.temperature"):
            show_equations("sampling")
        may_ask = train_state.may_change([chosen[0].run])
        if not may_ask:
            st.caption(NOT_YOURS)
        if st.button(
            _("Write"),
            type="primary",
            icon=":material/edit:",
            key="train.write",
            disabled=not may_ask,
        ):
            train_state.queue().require_change([chosen[0].run], _("let this model write"))
            _end(_GENERATION)
            st.session_state[_GENERATION] = (
                start_generation(
                    chosen[0].run,
                    budget=chosen[1],
                    prompt=prompt,
                    n_tokens=int(length),
                    temperature=temperature,
                    top_k=int(top_k),
                    seed=int(seed),
                    n_samples=int(n_samples),
                ),
                prompt,
            )
    with right:
        if _GENERATION in st.session_state:
            job, asked = st.session_state[_GENERATION]
            is_done = _is_done(_records(job))
            st.fragment(_text, run_every=None if is_done else POLL_S)(job, asked, is_done)
        else:
            st.caption(_("The text appears here, token by token."))
    st.markdown(_("**Attention: what each token draws on**"))
    _attention(sources)


def _attention(sources: Sequence[Source]) -> None:
    """Ask for a text, and draw the attention of a model over it."""
    able = [source for source in sources if source[0].config.family in HAS_ATTENTION]
    if not able:
        st.caption(
            _("The models here have no attention: train a transformer, or the RNN with attention.")
        )
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        chosen = _pick(able, key="attention.from")
        text = inputs.text(
            _("Text"), key="attention", read=str, default=_("def add(a, b):"),
            help=_("Its first {shown_tokens} tokens are shown.", shown_tokens=SHOWN_TOKENS),
        )  # fmt: skip
        may_ask = train_state.may_change([chosen[0].run])
        if st.button(
            _("Show"), icon=":material/grid_on:", key="train.attend", disabled=not may_ask
        ):
            train_state.queue().require_change([chosen[0].run], _("let this model work"))
            _end(_ATTENTION)
            job = start_attention(chosen[0].run, budget=chosen[1], text=text)
            st.session_state[_ATTENTION] = job
    with right:
        if _ATTENTION in st.session_state:
            job = st.session_state[_ATTENTION]
            is_done = _is_done(_records(job))
            st.fragment(_attended, run_every=None if is_done else POLL_S)(job, is_done)


def _attended(job: Job, was_done: bool) -> None:
    with messages.boundary():
        records = _records(job)
        if not _is_done(records):
            st.caption(_("Loading the model"))
            return
        if not was_done:
            st.rerun()
        if records[-1]["kind"] == "error":
            _show_error(records[-1])
            return
        weights = read_attention(records[-1])
        chosen = {"layer": 0, "head": 0}
        columns = st.columns(2)
        for column, name, count in zip(
            columns, chosen, (weights.n_layers, weights.n_heads), strict=True
        ):
            if count > 1:
                options = list(range(1, count + 1))
                picked = column.segmented_control(
                    name.capitalize(),
                    options,
                    default=1,
                    key=f"attention.{name}",
                    required=True,
                    help=_("Whose attention is drawn: one {name} at a time.", name=name),
                )
                chosen[name] = int(picked or 1) - 1
        panels.drawn(plot.attention(weights, **chosen, theme=APP), key="chart.attention")
        st.caption(
            _(
                "Each row is one token and sums to one: how much it draws on itself "
                "and on those before it."
            )
        )


def _text(job: Job, prompt: str, was_done: bool) -> None:
    with messages.boundary():
        records = _records(job)
        tokens = [record for record in records if record["kind"] == "token"]
        samples = max((record["sample"] for record in tokens), default=0) + 1
        with st.container(height=340, key="train.text"):
            for sample in range(samples):
                pieces = [r["piece"].encode("latin-1") for r in tokens if r["sample"] == sample]
                written = prompt + b"".join(pieces).decode("utf-8", "replace")
                st.code(written, language=None, wrap_lines=True)
        if not tokens and not _is_done(records):
            st.caption(_("Loading the model"))
        if records and records[-1]["kind"] == "error":
            _show_error(records[-1])
        if tokens:
            _candidates(tokens, is_done=_is_done(records))
        if not was_done and _is_done(records):
            st.rerun()


def _candidates(tokens: Sequence[Record], *, is_done: bool) -> None:
    """Draw what the model thought the next token may be: the latest, then any of the text."""
    place = len(tokens)
    if is_done and place > 1:
        place = st.slider(
            _("Distribution of token"),
            1,
            len(tokens),
            len(tokens),
            key=f"train.place.{len(tokens)}",
            help=_("Which token of the text the bars are for."),
        )
    record = tokens[place - 1]
    candidates = [(piece.encode("latin-1"), share) for piece, share in record["candidates"]]
    figure = plot.next_token(candidates, drawn=record["piece"].encode("latin-1"), theme=APP)
    panels.drawn(figure, key="chart.candidates")
    st.caption(
        _(
            "How likely each next token was, after temperature and top k. "
            "Orange: the one that was drawn. ␣ is a space, ↵ a line's end."
        )
    )


def show_deployment(ladder: Ladder) -> None:
    """Draw the export of a model and the proof that it loads back to the same loss."""
    sources = [s for s in _sources(train_state.look_at(ladder.runs)) if s[1] is not None]
    if not sources:
        st.caption(_("No budget is reached yet: only finished weights are exported."))
        return
    chosen = _pick(sources, key="export.from")
    st.caption(
        _(
            "safetensors with its configuration and tokenizer, and TorchScript "
            "for programs without Python. Each file is loaded back and must give "
            "the same loss on a sample of held-out text."
        )
    )
    if st.button(
        _("Export"),
        type="primary",
        icon=":material/deployed_code:",
        key="train.export",
        disabled=not train_state.may_change([chosen[0].run]),
    ):
        train_state.queue().require_change([chosen[0].run], _("export this model"))
        _end(_EXPORT)
        job = start_export(chosen[0].run, budget=chosen[1], root=default_root())
        st.session_state[_EXPORT] = job
    if _EXPORT in st.session_state:
        job = st.session_state[_EXPORT]
        is_done = _is_done(_records(job))
        st.fragment(_exported, run_every=None if is_done else POLL_S)(job, is_done)


def _exported(job: Job, was_done: bool) -> None:
    with messages.boundary():
        records = _records(job)
        if not _is_done(records):
            st.progress(0.5, text=_("Exporting, and scoring what was written"))
            return
        if not was_done:
            st.rerun()  # polling on would take the download away under the click
        end = records[-1]
        if end["kind"] == "error":
            _show_error(end)
            return
        panels.listed(
            {
                _("File"): [_("the model itself"), *end["loaded_back"]],
                _("Nats per byte"): [end["loss_nats_per_byte"], *end["loaded_back"].values()],
            },
            column_config={_("Nats per byte"): st.column_config.NumberColumn(format="%.8f")},
            hide_index=True,
            alt=_("Loss of the model and of each exported file, loaded back"),
        )
        archive = Path(end["archive"])
        st.download_button(
            _("Download ({st_size})", st_size=format_quantity(archive.stat().st_size, "bytes")),
            archive.read_bytes,
            file_name=archive.name,
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
            key="train.download",
        )


def _sources(seen: Sequence[Seen]) -> list[Source]:
    """List the weights there are: finished budgets, the largest first, and checkpoints."""
    finished: list[Source] = [
        (one, point["budget"])
        for one in seen
        for point in one.history.of_kind("point")
        if not isinstance(one.config, ReportedConfig)  # whose weights are elsewhere
    ]
    finished.sort(key=lambda source: source[0].config.token_budgets[source[1] or 0], reverse=True)
    stopped: list[Source] = [(one, None) for one in seen if one.run.checkpoint_path.is_file()]
    return finished + stopped


def _pick(sources: Sequence[Source], *, key: str) -> Source:
    def label(index: int) -> str:
        one, budget = sources[index]
        if budget is None:
            return _("{label}, checkpoint", label=one.config.label)
        tokens = format_number(one.config.token_budgets[budget])
        points = one.history.of_kind("point")
        loss = next(point["nats_per_byte"] for point in points if point["budget"] == budget)
        return _(
            "{label}, {tokens} tokens, loss {loss:.3f}",
            label=one.config.label,
            tokens=tokens,
            loss=loss,
        )

    def quality(index: int) -> float:
        one, budget = sources[index]
        losses = [p["nats_per_byte"] for p in one.history.of_kind("point") if p["budget"] == budget]
        return losses[0] if losses else float("inf")

    names = [f"{one.run.id}.{'checkpoint' if b is None else b}" for one, b in sources]
    chosen = inputs.choice(
        _("Model"),
        {name: label(index) for index, name in enumerate(names)},
        key=key,
        default=names[min(range(len(sources)), key=quality)],
        help=_("The weights that work: of a budget reached, or of the last checkpoint."),
    )
    return sources[names.index(chosen)]


def _records(job: Job) -> list[Record]:
    return job.records()[0]


def _is_done(records: Sequence[Record]) -> bool:
    return bool(records) and records[-1]["kind"] in ("end", "error")


def _end(key: str) -> None:
    """End the job that a new one replaces."""
    held = st.session_state.get(key)
    if held is not None:
        (held[0] if isinstance(held, tuple) else held).cancel()


def _show_error(record: Record) -> None:
    messages.show(
        TrainingError(
            record["summary"], detail=record.get("detail", ""), hint=record.get("hint", "")
        )
    )
