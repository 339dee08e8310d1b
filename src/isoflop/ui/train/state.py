"""What the Train page knows between reruns: the queue, the runs shown, their records.

Everything that lasts is on disk, so that a reload, another browser or a restarted server comes
back to the same runs by the address alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from isoflop import settings
from isoflop.errors import IsoflopError, TrainingError
from isoflop.language import lazy_gettext
from isoflop.tables import ReadResult
from isoflop.training import following
from isoflop.training.corpus import Corpus, load_corpus
from isoflop.training.following import Seen
from isoflop.training.ladder import read_ladder
from isoflop.training.ladders import Ladder, find_ladder
from isoflop.training.ownership import require_training
from isoflop.training.queue import RunQueue
from isoflop.training.records import RunHistory
from isoflop.training.runs import ACTIVE, Run, default_root, list_runs
from isoflop.training.tokenizer import Tokenizer, corpus_tokenizer
from isoflop.ui import documents, visitor
from isoflop.ui.caching import kept

RUN = "run"
"""Parameter of the address that names the ladder or run shown."""

STAGE, FIRST = "stage", "train"
"""Of the address: the stage that is open; and the one that is at first."""
"""Key of the open stage, also in the address."""

_HISTORIES = "train.histories"
MAX_LEGEND_RUNS = 9


def is_torch_installed() -> bool:
    """Tell whether runs can be trained, without importing torch."""
    return all(importlib.util.find_spec(name) for name in ("torch", "safetensors", "psutil"))


def queue() -> RunQueue:
    """Return the queue of this machine's runs, for whoever looks at the page."""
    return RunQueue(default_root(), documents.person(), stored_bytes=documents.stored_bytes)


def refusal() -> IsoflopError | None:
    """Return why whoever looks at the page may not train; None if they may."""
    try:
        require_training(visitor.actor())
    except IsoflopError as refused:
        return refused
    return None


def may_change(runs: Sequence[Run]) -> bool:
    """Say whether whoever looks at the page may change all of some runs."""
    actor = documents.person()
    return not settings.is_read_only() and all(run.sharing().may_change(actor) for run in runs)


def shown_ladder() -> Ladder | None:
    """Return the ladder that the address names; None if it names none.

    Raises
    ------
    TrainingError
        If there is no such ladder.
    """
    asked = st.query_params.get(RUN)
    return find_ladder(asked, root=default_root(), actor=documents.person()) if asked else None


def follow(ladder: Ladder, draw: Callable[[Ladder], None], *, every_s: float) -> None:
    """Draw a ladder, again and again while any of its runs is active."""
    is_active = _is_active(ladder)
    st.fragment(_followed, run_every=every_s if is_active else None)(ladder, draw, is_active)


def _followed(ladder: Ladder, draw: Callable[[Ladder], None], was_active: bool | None) -> None:
    if _is_active(ladder) != was_active:
        st.rerun()  # the whole page: other stages may go on now, or the runs were deleted
    keep_working(ladder.runs)
    draw(ladder)


def _is_active(ladder: Ladder) -> bool | None:
    """Whether any run is; None if one was deleted."""
    try:
        return any(run.state().status in ACTIVE for run in ladder.runs)
    except TrainingError:
        return None


def keep_working(runs: Sequence[Run]) -> None:
    """See to it that queued runs have workers, and that those obey which were asked to stop."""
    if not settings.is_read_only() and any(run.state().status == "queued" for run in runs):
        queue().ensure_workers()
    queue().enforce_stops(runs)


def make_ready() -> None:
    """Have a worker load what it needs while the person still chooses."""
    if settings.text("ISOFLOP_READY_WORKER") == "on":
        with contextlib.suppress(TrainingError):  # the start says what the disk refuses
            queue().ensure_ready()


def n_running() -> int:
    """Count the runs that train now, of whatever ladder."""
    return sum(run.state().status == "running" for run in list_runs(default_root()))


def look_at(runs: Sequence[Run]) -> list[Seen]:
    """Read what is new of some runs."""
    kept: dict[Path, RunHistory] = st.session_state.setdefault(_HISTORIES, {})
    return following.look_at(runs, kept)


def points_of(seen: Sequence[Seen]) -> ReadResult | None:
    """Return the points reached so far, read as an upload is; None before there are any."""
    if not any(one.progress.n_points for one in seen):
        return None
    return _read_points(
        tuple(one.run for one in seen), tuple(one.progress.n_points for one in seen)
    )


def _read_so_far(runs: tuple[Run, ...], n_points: tuple[int, ...]) -> ReadResult:
    """Read the points of runs; how many each has says whether there is more to read."""
    assert any(n_points)
    return read_ladder(runs)


_read_points = kept(_read_so_far, max_entries=32)


def corpus(key: str) -> Corpus:
    """Return a corpus.

    Raises
    ------
    TrainingError
        If it is not on this machine.
    """
    return _load_corpus(key, uploads=default_root() / "uploads")


def tokenizer(name: str, corpus: Corpus) -> Tokenizer:
    """Return the tokenizer of a corpus."""
    return _make_tokenizer(name, corpus, folder=default_root() / "tokenizers")


_load_corpus = kept(load_corpus, max_entries=4, spinner=lazy_gettext("Reading the corpus"))
_make_tokenizer = kept(
    corpus_tokenizer, max_entries=8, spinner=lazy_gettext("Training the tokenizer")
)
