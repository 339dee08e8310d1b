"""Runs as they stand now: state, progress, loss curves and sweeps, read from their records."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isoflop.language import lazy_gettext
from isoflop.training.config import FAMILY_DEFAULTS, RunConfig
from isoflop.training.ladder import held_out_loss
from isoflop.training.progress import RunProgress, run_progress
from isoflop.training.records import Record, RunHistory
from isoflop.training.runs import Run, RunState
from isoflop.training.schedule import segments

BINS_PER_DECADE = 24
"""Loss of single steps is noisy; averaged over bins of equal ratio it shows its trend."""
FEWEST_STEPS = 8


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


def look_at(runs: Sequence[Run], histories: MutableMapping[Path, RunHistory]) -> list[Seen]:
    """Read what is new of some runs.

    Parameters
    ----------
    runs : sequence of Run
    histories : mutable mapping of Path to RunHistory
        What was read before, by the run's folder; added to.
    """
    seen = []
    for run in runs:
        history = histories.setdefault(run.folder, RunHistory(run.records_path))
        history.refresh()
        config, state = run.config(), run.state()
        progress = run_progress(config, history)
        if state.status == "finished":
            progress = replace(progress, share=1.0, flop_per_s=None)
        seen.append(Seen(run=run, config=config, state=state, history=history, progress=progress))
    return seen


_NONE = np.empty(0)
LAST_STEPS = 64
"""Steps before a budget whose training loss is held against the held-out loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCurve:
    """The losses of one run.

    Parameters
    ----------
    label : str
    group : int
        Runs of one family share it where there are several families; else each has its own.
    tokens, loss : ndarray, shape (n,)
        Training loss; NaN between trunk and branches.
    point_tokens, point_loss : ndarray, shape (m,)
        Held-out loss at each budget reached.
    point_training : ndarray, shape (m,)
        Training loss over the last steps before each; NaN where none is on record.
    shade : float
        Place of its size among those of its group: 0 the smallest, 1 the largest.
    loss_unit : str
        ``"nats/byte"``, or ``"nats/token"`` where the code that trains reports no bytes.
    """

    label: str
    group: int
    tokens: NDArray[np.float64]
    loss: NDArray[np.float64]
    point_tokens: NDArray[np.float64]
    point_loss: NDArray[np.float64]
    loss_unit: str = "nats/byte"
    point_training: NDArray[np.float64] = field(default_factory=lambda: _NONE)
    shade: float = 1.0

    @property
    def gap(self) -> NDArray[np.float64]:
        """Held-out less training loss at each budget reached; empty where none is known."""
        if not np.isfinite(self.point_training).any():
            return _NONE
        return self.point_loss - self.point_training

    @property
    def is_branched(self) -> bool:
        """Whether there is more than one stretch of training loss, as of a trunk and its branch."""
        is_known = np.isfinite(self.loss)
        is_first = is_known & ~np.append(False, is_known[:-1])
        return int(is_first.sum()) > 1

    @property
    def is_started(self) -> bool:
        """Whether any loss has arrived."""
        return len(self.tokens) > 1


def run_curves(seen: Sequence[Seen]) -> tuple[RunCurve, ...]:
    """Return the loss curves of runs."""
    families = list(dict.fromkeys(one.config.family for one in seen))
    widths = {
        family: sorted({one.config.width for one in seen if one.config.family == family})
        for family in families
    }
    found = []
    for index, one in enumerate(seen):
        sizes = widths[one.config.family]
        place = sizes.index(one.config.width) / (len(sizes) - 1) if len(sizes) > 1 else 1.0
        tokens, loss = _lines(one)
        points = one.history.of_kind("point")
        found.append(
            RunCurve(
                label=one.config.label,
                group=families.index(one.config.family) if len(families) > 1 else index,
                tokens=tokens,
                loss=loss * one.tokens_per_byte,
                point_tokens=np.array([point["tokens"] for point in points], float),
                loss_unit=one.config.loss_unit,
                point_loss=np.array([held_out_loss(one.config, point) for point in points], float),
                point_training=np.array([_training_loss(one, point) for point in points], float),
                shade=place if len(families) > 1 else 1.0,
            )
        )
    return tuple(found)


def _training_loss(one: Seen, point: Record) -> float:
    """Mean training loss of the last steps before a budget, in the unit of its held-out loss."""
    steps = [
        record
        for record in one.history.of_kind("step")
        if record["segment"] == point.get("segment") and record["step"] > point["step"] - LAST_STEPS
    ]
    if not steps:
        return float("nan")
    return float(np.mean([record["loss"] for record in steps])) * one.tokens_per_byte


def _lines(one: Seen) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return trunk and branches of a run in a row, a gap between them.

    A branch is drawn from the trunk's end on: the first steps alone are noise.
    """
    schedule = segments(one.config)
    steps: dict[int, list[Record]] = {index: [] for index in range(len(schedule))}
    for record in one.history.of_kind("step"):
        steps.setdefault(record["segment"], []).append(record)
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


def _line(
    stretches: Sequence[tuple[int, list[Record]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thin the records of stretches, each given with the step it starts at."""
    records = [record for _, found in stretches for record in found]
    counts = [
        np.diff([record["step"] for record in found], prepend=start) for start, found in stretches
    ]
    return thinned(
        np.array([record["tokens"] for record in records], float),
        np.array([record["loss"] for record in records], float),
        np.concatenate([*counts, np.empty(0)]).astype(float),
    )


def thinned(
    tokens: NDArray[np.float64], loss: NDArray[np.float64], n_steps: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average a line in bins of equal ratio of tokens, so that few points tell the whole.

    Parameters
    ----------
    tokens, loss : ndarray, shape (n,)
        Ascending in tokens.
    n_steps : ndarray, shape (n,)
        Steps that each loss is the mean of; a bin of fewer than ``FEWEST_STEPS`` joins the next.
    """
    if not len(tokens):
        return tokens, loss
    starts = np.flatnonzero(np.diff(np.floor(BINS_PER_DECADE * np.log10(tokens)), prepend=-1))
    before = np.append(0, np.cumsum(n_steps))
    kept = [0]
    for start in starts[1:]:
        if before[start] - before[kept[-1]] >= FEWEST_STEPS:
            kept.append(int(start))
    weight = np.add.reduceat(n_steps, kept)
    return (
        np.add.reduceat(n_steps * tokens, kept) / weight,
        np.add.reduceat(n_steps * loss, kept) / weight,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Runs that differ in their learning rate alone.

    Parameters
    ----------
    label : str
    rates, loss : ndarray, shape (n,)
        Ascending in the rate; loss in nats per byte.
    default : float
        The family's own rate.
    """

    label: str
    rates: NDArray[np.float64]
    loss: NDArray[np.float64]
    default: float

    @property
    def best_rate(self) -> float:
        """The rate of lowest loss."""
        return float(self.rates[int(np.argmin(self.loss))])


def learning_rate_sweeps(seen: Sequence[Seen]) -> tuple[Sweep, ...]:
    """Group finished runs that differ in their rate alone."""
    groups: dict[RunConfig, list[Seen]] = {}
    for one in seen:
        if one.config.learning_rate is not None and one.history.of_kind("point"):
            groups.setdefault(replace(one.config, learning_rate=None), []).append(one)
    found = []
    for config, members in groups.items():
        if len(members) > 1:
            members.sort(key=lambda one: one.config.peak_learning_rate)
            losses = [held_out_loss(config, one.history.of_kind("point")[-1]) for one in members]
            found.append(
                Sweep(
                    label=lazy_gettext(
                        "{label}, width {width}",
                        label=FAMILY_DEFAULTS[config.family].label,
                        width=config.width,
                    ),
                    rates=np.array([one.config.peak_learning_rate for one in members]),
                    loss=np.array(losses),
                    default=FAMILY_DEFAULTS[config.family].learning_rate,
                )
            )
    return tuple(found)
