"""Which rows are checkpoints of one run, where no column names runs.

What stays the same while steps grow is a run: the model, its hyper-parameters, the steps that were
planned. A grid of runs that each end at another step looks alike; so runs are found only where a
total of steps stands beside the current one, or checkpoints follow each other at even steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.tables.reading.columns import COLUMNS, words
from isoflop.tables.reading.header import meanings, split_words

_GROW = frozenset(
    {
        "step", "tokens", "compute_flop", "epochs", "wall_time_s", "accelerator_seconds", "loss",
        "accuracy", "characters", "unique_tokens", "tokens_per_param",
    }
)  # fmt: skip
"""Columns that differ from checkpoint to checkpoint."""

_MIN_EVEN = 5
_MIN_ROWS = 2
_DISTINCT = 1 / 3
_EVEN = 0.01
_MOST = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRuns:
    """Runs that were found.

    Parameters
    ----------
    names : pandas.Series
        Of each row's run.
    keys : tuple of str
        Columns that are the same within each run, as the file calls them.
    """

    names: pd.Series[str]
    keys: tuple[str, ...]


def find_runs(
    columns: Mapping[str, NDArray[np.float64]],
    texts: Mapping[str, pd.Series[str]],
    headers: Mapping[str, str],
    index: pd.Index,
) -> FoundRuns | None:
    """Find which rows are checkpoints of one run.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (n_rows,)
        Converted numbers by column.
    texts : mapping of str to pandas.Series
    headers : mapping of str to str
        Of the file, by column.
    index : pandas.Index

    Returns
    -------
    FoundRuns or None
        None where a column names runs, there is no step, or rows may be runs of their own.
    """
    along = next((name for name in ("step", "tokens") if name in columns), None)
    if "run_id" in texts or along is None:
        return None
    totals = [
        name
        for name in columns
        if _is_planned(name, along) and _ends_at(columns[along], columns[name])
    ]
    frame = pd.DataFrame(
        {
            **{name: columns[name] for name in columns if name in totals or _is_key(name, columns)},
            **{name: texts[name] for name in texts if name != "exclusion_reason"},
        },
        index=index,
    )
    keys = [str(name) for name in frame if not frame[name].isna().all()]
    if not keys:
        return None
    groups = frame[keys].groupby(keys, sort=False, dropna=False)
    codes = groups.ngroup().to_numpy().astype(np.intp)
    n_runs = int(codes.max()) + 1
    is_few = n_runs < 2 or len(codes) < _MIN_ROWS * n_runs
    if is_few or not _are_curves(codes, columns[along], is_told=bool(totals)):
        return None
    varying = [name for name in keys if frame[name].nunique(dropna=False) > 1] or keys
    shown = {
        name: frame[name].map("{:g}".format)
        if name in columns
        else frame[name].astype("str").fillna("none")
        for name in varying
    }
    named = pd.DataFrame(shown).agg(", ".join, axis=1).astype("str")
    return FoundRuns(names=named, keys=tuple(headers.get(name, name) for name in varying))


def _is_planned(name: str, along: str) -> bool:
    """Return whether another column than that of the steps (or tokens) speaks of them."""
    return name not in COLUMNS and any(
        meaning.column == along and not meaning.doubt for meaning in meanings(name)
    )


def _ends_at(steps: NDArray[np.float64], totals: NDArray[np.float64]) -> bool:
    """Return whether steps end at a total, and mostly lie below it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = steps / totals
    ratio = ratio[np.isfinite(ratio)]
    return len(ratio) > 0 and float(ratio.max()) <= 1.0 + _EVEN and float((ratio < 1).mean()) > 0.5


def _is_key(name: str, columns: Mapping[str, NDArray[np.float64]]) -> bool:
    """Return whether a column may tell runs apart: it says what was trained, and repeats."""
    if name in _GROW:
        return False
    if name not in COLUMNS:
        known = {group for word in split_words(name) for group in _groups(word)}
        if known & {"progress", "spread", "deviation"} or any(
            m.column in _GROW for m in meanings(name)
        ):
            return False
    values = columns[name]
    return len(np.unique(values[np.isfinite(values)])) <= max(1, _DISTINCT * len(values))


def _groups(word: str) -> frozenset[str]:
    return words().groups.get(word.lower(), frozenset())


def _are_curves(codes: NDArray[np.intp], steps: NDArray[np.float64], *, is_told: bool) -> bool:
    """Return whether rows of one group are checkpoints: at steps of their own, evenly spaced."""
    order = np.lexsort((steps, codes))
    groups = np.split(steps[order], np.flatnonzero(np.diff(codes[order])) + 1)
    gaps: Sequence[NDArray[np.float64]] = [np.diff(group[np.isfinite(group)]) for group in groups]
    if np.mean([bool((gap > 0).all()) for gap in gaps]) < 1.0:
        return False
    if is_told:
        return True
    even = [
        len(gap) + 1 >= _MIN_EVEN and float(np.ptp(gap)) <= _EVEN * float(gap.max()) for gap in gaps
    ]
    return float(np.mean(even)) >= _MOST
