"""What the Train page knows between reruns: the queue, the runs shown, their records.

Everything that lasts is on disk, so that a reload, another browser or a restarted server comes
back to the same runs by the address alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from isoflop.errors import TrainingError
from isoflop.figures import train_curves
from isoflop.tables import ReadResult
from isoflop.training.config import RunConfig
from isoflop.training.corpus import Corpus, load_corpus
from isoflop.training.ladder import read_ladder
from isoflop.training.ladders import Ladder, find_ladder
from isoflop.training.progress import RunProgress, run_progress
from isoflop.training.queue import RunQueue
from isoflop.training.records import Record, RunHistory
from isoflop.training.runs import ACTIVE, Run, RunState, default_root, list_runs
from isoflop.training.schedule import segments
from isoflop.training.tokenizer import Tokenizer, make_tokenizer

RUN = "run"
"""Parameter of the address that names the ladder or run shown."""

STAGE = "stage"
"""Key of the open stage, also in the address."""

_HISTORIES = "train.histories"
MAX_LEGEND_RUNS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One run as it stands now."""

    run: Run
    config: RunConfig
    state: RunState
    history: RunHistory
    progress: RunProgress

    @property
    def tokens_per_byte(self) -> float:
        """What turns a training loss, in nats per token, into nats per byte."""
        corpus = self.history.fact("corpus") or {}
        if self.config.tokenizer == "bytes" or "n_bytes" not in corpus:
            return 1.0
        n_tokens: int = corpus["train_tokens"] + corpus["validation_tokens"]
        return n_tokens / float(corpus["n_bytes"])

    @property
    def training_loss(self) -> float | None:
        """The last one, in nats per byte."""
        loss = self.progress.loss
        return None if loss is None else loss * self.tokens_per_byte


def is_torch_installed() -> bool:
    """Tell whether runs can be trained, without importing torch."""
    return all(importlib.util.find_spec(name) for name in ("torch", "safetensors", "psutil"))


def queue() -> RunQueue:
    """Return the queue of this machine's runs."""
    return RunQueue(default_root())


def shown_ladder() -> Ladder | None:
    """Return the ladder that the address names; None if it names none.

    Raises
    ------
    TrainingError
        If there is no such ladder.
    """
    asked = st.query_params.get(RUN)
    return find_ladder(asked, root=default_root()) if asked else None


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
    if any(run.state().status == "queued" for run in runs):
        queue().ensure_workers()
    queue().enforce_stops(runs)


def n_running() -> int:
    """Count the runs that train now, of whatever ladder."""
    return sum(run.state().status == "running" for run in list_runs(default_root()))


def look_at(runs: Sequence[Run]) -> list[Seen]:
    """Read what is new of some runs."""
    kept: dict[Path, RunHistory] = st.session_state.setdefault(_HISTORIES, {})
    seen = []
    for run in runs:
        history = kept.setdefault(run.folder, RunHistory(run.records_path))
        history.refresh()
        config, state = run.config(), run.state()
        progress = run_progress(config, history)
        if state.status == "finished":
            progress = _complete(progress)
        seen.append(Seen(run=run, config=config, state=state, history=history, progress=progress))
    return seen


def _complete(progress: RunProgress) -> RunProgress:
    return RunProgress(
        share=1.0,
        total_flop=progress.total_flop,
        tokens_per_s=progress.tokens_per_s,
        flop_per_s=None,
        peak_share=progress.peak_share,
        loss=progress.loss,
        gradient_norm=progress.gradient_norm,
        n_points=progress.n_points,
    )


def points_of(seen: Sequence[Seen]) -> ReadResult | None:
    """Return the points reached so far, read as an upload is; None before there are any."""
    if not any(one.progress.n_points for one in seen):
        return None
    stamp = tuple((one.run.id, one.progress.n_points) for one in seen)
    return _read(stamp, [one.run for one in seen])


@st.cache_resource(max_entries=32, show_spinner=False)
def _read(stamp: tuple[tuple[str, int], ...], _runs: list[Run]) -> ReadResult:
    return read_ladder(_runs)


def curves(seen: Sequence[Seen]) -> list[train_curves.RunCurve]:
    """Return the loss curves of runs, as the figure takes them."""
    families = list(dict.fromkeys(one.config.family for one in seen))
    found = []
    for index, one in enumerate(seen):
        colour = families.index(one.config.family) if len(families) > 1 else index
        tokens, loss = _lines(one)
        points = one.history.of_kind("point")
        found.append(
            train_curves.RunCurve(
                label=one.config.label,
                colour_index=colour,
                tokens=tokens,
                loss=loss * one.tokens_per_byte,
                point_tokens=np.array([point["tokens"] for point in points], float),
                point_loss=np.array([point["nats_per_byte"] for point in points], float),
            )
        )
    return found


def _lines(one: Seen) -> tuple[np.ndarray, np.ndarray]:
    """Return trunk and branches of a run in a row, a gap between them.

    A branch is drawn from the trunk's end on: the first steps alone are noise.
    """
    schedule = segments(one.config)
    steps: list[list[Record]] = [[] for _ in schedule]
    for record in one.history.of_kind("step"):
        steps[record["segment"]].append(record)
    trunk = [index for index, segment in enumerate(schedule) if not segment.is_decay]
    xs, ys = _line([(schedule[index].start, steps[index]) for index in trunk])
    parts = [(xs, ys)]
    for index, segment in enumerate(schedule):
        if segment.is_decay and steps[index]:
            x, y = _line([(segment.start, steps[index])])
            start = float(segment.start * one.config.tokens_per_step)
            before = np.flatnonzero(xs <= start)[-1:]
            parts.append((np.append(xs[before], x), np.append(ys[before], y)))
    gap = [np.nan]
    return (
        np.concatenate([np.append(x, gap) for x, _ in parts]),
        np.concatenate([np.append(y, gap) for _, y in parts]),
    )


def _line(stretches: list[tuple[int, list[Record]]]) -> tuple[np.ndarray, np.ndarray]:
    """Thin the records of stretches, each given with the step it starts at."""
    records = [record for _, found in stretches for record in found]
    counts = [
        np.diff([record["step"] for record in found], prepend=start) for start, found in stretches
    ]
    return train_curves.thinned(
        np.array([record["tokens"] for record in records], float),
        np.array([record["loss"] for record in records], float),
        np.concatenate([*counts, np.empty(0)]).astype(float),
    )


@st.cache_resource(max_entries=4, show_spinner="Reading the corpus")
def corpus(key: str) -> Corpus:
    """Return a corpus.

    Raises
    ------
    TrainingError
        If it is not on this machine.
    """
    return load_corpus(key, uploads=default_root() / "uploads")


@st.cache_resource(max_entries=8, show_spinner="Training the tokenizer")
def tokenizer(name: str, fingerprint: str, _corpus: Corpus) -> Tokenizer:
    """Return the tokenizer of a corpus."""
    cache = default_root() / "tokenizers" / f"{name}-{fingerprint[:16]}.json"
    return make_tokenizer(name, _corpus.text, cache=cache)


def readable(piece: bytes) -> str:
    """Write a token so that blank space and broken characters can be seen."""
    text = piece.decode("utf-8", "backslashreplace")
    for raw, mark in ((" ", "\u2423"), ("\n", "\u21b5"), ("\t", "\u21e5")):
        text = text.replace(raw, mark)
    return text
