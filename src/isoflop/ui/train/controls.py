"""The sidebar of the Train page: what to train, on which text, within which limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import cast

import streamlit as st

from isoflop import settings
from isoflop.errors import IsoflopError, TrainingError
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.language import translated
from isoflop.options import option
from isoflop.people import LOCAL
from isoflop.training.config import (
    FAMILIES,
    FAMILY_DEFAULTS,
    Family,
    Optimiser,
    Recipe,
    RunConfig,
    epoch_notice,
)
from isoflop.training.corpus import (
    VALIDATION_SHARE,
    is_prose_available,
    may_use_upload,
    store_upload,
)
from isoflop.training.estimates import estimate_wall_s, run_flop
from isoflop.training.ladder import PRESETS, LadderGrid, whole_numbers
from isoflop.training.ladders import damaged_members, list_ladders, start_ladder
from isoflop.training.queue import default_worker_count
from isoflop.training.runs import default_root
from isoflop.training.tokenizer import BPE_VOCAB_SIZES, is_bpe_available
from isoflop.ui import documents, inputs, messages, option_inputs, visitor
from isoflop.ui.train import state as train_state
from isoflop.units import parse_number
from isoflop.units.said import format_quantity

OWN = "own"
UPLOAD = "upload"
SMALLEST_CORPUS_TOKENS = 200_000
"""Budgets below are within an epoch of any text that is accepted, whatever its tokens."""
_UPLOADED = "train.uploaded"
_UPLOAD_FAILURE = "train.upload.failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the sidebar asks for.

    Parameters
    ----------
    title : str
    configs : list of RunConfig
    base : Recipe
    """

    title: str
    configs: list[RunConfig]
    base: Recipe


def setup() -> Setup:
    """Draw every control, the estimate and the start button; return what is asked for.

    Raises
    ------
    TrainingError, UnitError
        If the values do not make a run.
    """
    st.header(_("Ladder"), anchor=False)
    options = {key: preset.label for key, preset in PRESETS.items()} | {OWN: _("Own grid")}
    chosen = inputs.choice(
        _("Runs"),
        options,
        key="ladder",
        default="quick",
        help=_("A ladder is the same recipe at several sizes and budgets."),
    )
    where = st.container()
    st.header(_("Text"), anchor=False)
    corpus, tokenizer = corpus_input(), tokenizer_input()
    with st.expander(_("Limits and recipe"), key="train.limits"):
        base = recipe_inputs(Recipe(corpus=corpus, tokenizer=tokenizer))
    with where:
        if chosen == OWN:
            grid = own_grid()
        else:
            st.caption(translated(PRESETS[chosen].help))
            grid = PRESETS[chosen].grid
    configs = replace(grid, base=base).configs()
    return Setup(title=options[chosen], configs=configs, base=base)


def own_grid() -> LadderGrid:
    """Draw the grid's axes."""
    families: tuple[Family, ...] = inputs.few(
        _("Families"),
        {family: FAMILY_DEFAULTS[family].label for family in FAMILIES},
        key="train_families",
        default=("transformer",),
        help=_("Each is trained at every width and budget."),
    )
    widths = whole_numbers_input(
        _("Widths"), "16, 24, 32, 48", key="widths", help=_("A fit needs at least four.")
    )
    budgets = whole_numbers_input(
        _("Budgets (tokens)"), "64Ki, 128Ki, 256Ki, 512Ki", key="budgets", help=_("Ki means 1024.")
    )
    seeds = whole_numbers_input(_("Seeds"), "0", key="seeds", help=_("Repeats show the noise."))
    rates = numbers_input(
        _("Learning rates to sweep"),
        key="rates",
        help=_("Such as 2e-3, 4e-3; empty for the recipe's."),
    )
    batches = whole_numbers_input(
        _("Batches to sweep"),
        "",
        key="batches",
        help=_("Sequences per step; empty for the recipe's."),
    )
    depth = whole_numbers_input(
        _("Depth"), "", key="depth", help=_("Layers; empty for the family's own.")
    )
    return LadderGrid(
        families=families,
        widths=widths,
        token_budgets=budgets,
        seeds=seeds,
        depths=dict.fromkeys(families, depth[0]) if depth else {},
        learning_rates=rates,
        batch_sizes=batches,
    )


def numbers_input(label: str, *, key: str, help: str) -> tuple[float, ...]:
    """Draw a field for a list of numbers and return them, ascending.

    Raises
    ------
    UnitError
        If one of them is not a number.
    """
    return inputs.text(
        label,
        key=key,
        help=help,
        read=lambda text: tuple(sorted({parse_number(p) for p in text.split(",") if p.strip()})),
    )


def whole_numbers_input(label: str, default: str, *, key: str, help: str) -> tuple[int, ...]:
    """Draw a field for a list of whole numbers and return them, ascending.

    Raises
    ------
    UnitError
        If one of them is not a whole number.
    """
    return inputs.text(
        label, key=key, default=default, help=help, read=lambda text: whole_numbers(text, label)
    )


def recipe_inputs(base: Recipe) -> Recipe:
    """Draw the limits and the recipe's numbers, and return the recipe with them."""
    minutes = inputs.number(
        _("Time limit per run (CPU minutes)"), 0.1, 10_000.0, 60.0, key="minutes",
        help=_("A run that reaches it stops with a checkpoint. Once resumed, it has "
"as much time again."),
    )  # fmt: skip
    memory = inputs.number(
        _("Memory limit per worker (GiB)"), 0.5, 512.0, 4.0, key="memory",
        help=_("Beyond it the run fails instead of the machine."),
    )  # fmt: skip
    rate = inputs.text(
        _("Peak learning rate at width 32"), key="rate",
        read=lambda text: parse_number(text) if text.strip() else None,
        help=_("Empty for the family's own, which was tuned."), placeholder=_("the family's own"),
    )  # fmt: skip
    batch = inputs.number(
        _("Sequences a step"), 1, 1024, 4, key="batch", help=_("Each of 128 tokens.")
    )
    optimiser = option_inputs.choice(Recipe, "optimiser", key="optimiser", style="row")
    dropout = inputs.number(
        _("Dropout"), 0.0, 0.9, 0.0, key="dropout", step=0.05, is_slider=True,
        help=option(Recipe, "dropout").help,
    )  # fmt: skip
    entry = option(Recipe, "embedding_width")
    embedding = whole_numbers_input(entry.label, "", key="embedding", help=entry.help)
    tied = option_inputs.switch(Recipe, "is_tied", key="tied")
    return replace(
        base,
        optimiser=cast("Optimiser", optimiser),
        dropout=dropout,
        embedding_width=embedding[0] if embedding else None,
        is_tied=tied,
        time_limit_s=60.0 * minutes,
        memory_limit_bytes=int(memory * 2**30),
        learning_rate=rate,
        batch_size=int(batch),
    )


def corpus_input() -> str:
    """Draw the choice of a text, with uploads, and return its key."""
    options = {"stdlib": _("Python's standard library"), "prose": _("Prose: King James Bible")}
    options |= _uploaded()
    if settings.takes_uploads():
        options[UPLOAD] = _("Upload a text")
    chosen = inputs.choice(
        _("Corpus"),
        options,
        key="corpus",
        default="stdlib",
        help=_("The text that the models are trained on."),
    )
    if not settings.takes_uploads():
        messages.switched_off(_("Own texts"), "ISOFLOP_UPLOADS")
    if chosen == "prose" and not is_prose_available():
        raise TrainingError(
            _("The prose corpus is not installed."),
            hint=_('Install it with: pip install "isoflop[text]"'),
        )
    if chosen == UPLOAD:
        st.file_uploader(
            _("Text (UTF-8, at least 1 MB)"), key="train.upload", on_change=_take_upload,
            help=_("Plain text; it is cleaned and kept on this machine for the workers."),
        )  # fmt: skip
        failure: IsoflopError | None = st.session_state.get(_UPLOAD_FAILURE)
        raise failure or TrainingError(
            _("No text is uploaded yet."), hint=_("Upload one, or take another corpus.")
        )
    return chosen


def _uploaded() -> dict[str, str]:
    """Return keys and labels of the session's texts, and of a person's that the address names.

    The key, which the address holds, ends in the start of the text's hash: a reload, or another
    browser, finds the file by it.
    """
    found: dict[str, str] = dict(st.session_state.get(_UPLOADED, {}))
    asked = st.query_params.get("corpus", "")
    digits = re.fullmatch(r"upload:([0-9a-f]{8,})", asked)
    if digits:
        for path in (default_root() / "uploads").glob(f"{digits[1]}*.txt"):
            if not may_use_upload(path, visitor.actor()):
                continue
            found.setdefault(
                f"upload:{path.stem}", _("An uploaded text ({stem})", stem=path.stem[:8])
            )
    return found


def _take_upload() -> None:
    file = st.session_state["train.upload"]
    st.session_state[_UPLOAD_FAILURE] = None
    if file is None or not settings.takes_uploads():
        return
    actor = visitor.actor()
    try:
        actor.require_writing(_("upload a text"))
        train_state.queue().require_room(file.size)
        corpus = store_upload(
            file.getvalue(),
            name=file.name,
            uploads=default_root() / "uploads",
            actor=None if actor.id == LOCAL.id else actor,
        )
    except IsoflopError as failure:
        st.session_state[_UPLOAD_FAILURE] = failure
        return
    kept = st.session_state.setdefault(_UPLOADED, {})
    kept[corpus.key] = f"{file.name} ({corpus.fingerprint[:8]})"
    st.session_state["corpus"] = corpus.key


def tokenizer_input() -> str:
    """Draw the choice of a tokenizer and return its name."""
    options = {"bytes": _("Bytes")}
    if is_bpe_available():
        options |= {
            f"bpe-{size}": _("BPE, {size:,} entries", size=size) for size in BPE_VOCAB_SIZES
        }
    chosen = inputs.choice(
        _("Tokens"),
        options,
        key="tokenizer",
        default="bytes",
        help=_("Bytes fit more cleanly at this size. Losses are in nats per byte either way."),
    )
    if not is_bpe_available():
        st.caption(_('BPE needs one more package: pip install "isoflop[text]"'))
    return chosen


def start(asked: Setup) -> None:
    """Draw the estimate and the button that starts the runs; warn of repeated data."""
    largest = max(asked.configs, key=lambda config: config.token_budgets[-1])
    if largest.token_budgets[-1] > SMALLEST_CORPUS_TOKENS:
        corpus = train_state.corpus(asked.base.corpus)
        n_tokens = round(len(corpus.text) * (1 - VALIDATION_SHARE) / _bytes_per_token(asked.base))
        notice = epoch_notice(largest, n_train_tokens=n_tokens)
        messages.notices([notice] if notice else [])
    seconds = estimate_wall_s(asked.configs, n_workers=default_worker_count())
    flop = sum(map(run_flop, asked.configs))
    n_rows = sum(len(config.token_budgets) for config in asked.configs)
    st.caption(
        _(
            "{runs}, {points}, {flop}, about {seconds} with {workers}.",
            runs=n_("{n:,} run", "{n:,} runs", len(asked.configs)),
            points=n_("{n:,} point", "{n:,} points", n_rows),
            flop=format_quantity(flop, "flop"),
            seconds=format_quantity(seconds, "seconds", 2),
            workers=n_("{n:,} worker", "{n:,} workers", default_worker_count()),
        )
    )
    refused = train_state.refusal()
    if refused is not None:
        messages.not_here(refused)
        return
    train_state.make_ready()
    st.button(
        _("Start training"),
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        key="train.start",
        on_click=_start,
        args=(asked,),
    )


def _bytes_per_token(base: Recipe) -> float:
    """Guess how much text a token covers; exact for bytes."""
    return 1.0 if base.tokenizer == "bytes" else 3.0


def _start(asked: Setup) -> None:
    if launch(asked.configs, title=asked.title):
        inputs.open_tab(train_state.STAGE, train_state.FIRST)


def launch(configs: list[RunConfig], *, title: str) -> bool:
    """Start a ladder and show it; return whether it started."""
    with messages.in_callback():
        ladder = start_ladder(train_state.queue(), configs, title=title)
        st.query_params[train_state.RUN] = ladder.id
    return messages.callback_failure() is None


def past_ladders() -> None:
    """Draw links to the runs of before."""
    actor = documents.person()
    for damage in damaged_members(default_root(), actor):
        st.caption(
            _(":orange[:material/warning:] Left out, {damage}", damage=messages.plain(damage))
        )
    ladders = list_ladders(default_root(), actor)
    if not ladders:
        return
    st.header(_("Earlier runs"), anchor=False)
    shown = st.query_params.get(train_state.RUN)
    for ladder in ladders[:8]:
        when = ladder.created[:16].replace("T", " ")
        st.button(
            f"{ladder.title}, {when}",
            key=f"train.open.{ladder.id}",
            type="tertiary",
            icon=":material/visibility:" if ladder.id == shown else ":material/history:",
            on_click=_open,
            args=(ladder.id,),
        )


def _open(ladder_id: str) -> None:
    st.query_params[train_state.RUN] = ladder_id
    if inputs.opened_tab(train_state.STAGE) in ("corpus", "model"):  # of the setup, not of runs
        inputs.open_tab(train_state.STAGE, train_state.FIRST)
