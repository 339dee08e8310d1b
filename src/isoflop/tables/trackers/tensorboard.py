"""TensorBoard event files, by TensorBoard's own reader, without TensorFlow."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from isoflop.errors import TableError
from isoflop.tables.raw import RawTable
from isoflop.tables.source import Content, Progress, max_upload_bytes, refuse_many_cells, too_large
from isoflop.tables.trackers.require import require

MARK = "tfevents"
_RECORD_HEADER_BYTES = 12
_FIRST_EVENT = b"brain.Event:"
_MAX_TAGS = 500
_SCALAR_HEADERS = ["wall time", "step", "value"]


def is_event_file(content: Content) -> bool:
    """Return whether a file is a TensorBoard event file: its first record names the format."""
    return _FIRST_EVENT in content.data[_RECORD_HEADER_BYTES:64]


def read_event_file(content: Content, progress: Progress | None = None) -> RawTable:
    """Read one event file as the learning curve of one run.

    Raises
    ------
    TableError
        If it holds no scalars.
    """
    with tempfile.TemporaryDirectory(prefix="isoflop-") as folder:
        path = Path(folder) / f"events.out.{MARK}"
        path.write_bytes(content.data)
        frame = _frame([(_run_name(content.name), path)], content.name, progress)
    return _raw(content.name, frame, content.notes)


def read_logdir(folder: Path, progress: Progress | None = None) -> RawTable:
    """Read all event files below a folder; each folder that holds some is one run.

    Raises
    ------
    TableError
        If there are none, they are too large together, or hold no scalars.
    """
    paths = sorted(path for path in folder.rglob(f"*{MARK}*") if path.is_file())
    if not paths:
        raise TableError(
            f"The folder {folder.name} holds no event files.",
            hint="Choose a table file, or a folder that TensorBoard writes to.",
        )
    total = sum(path.stat().st_size for path in paths)
    if total > max_upload_bytes():
        raise too_large(folder.name, total)
    named = [(str(path.parent.relative_to(folder)), path) for path in paths]
    frame = _frame([(folder.name if run == "." else run, p) for run, p in named],
                   folder.name, progress)  # fmt: skip
    return _raw(folder.name, frame, (f"{len(paths)} event files read.",))


def name_scalar(raw: RawTable) -> RawTable:
    """Name the value of a scalar that TensorBoard's page exported as CSV or JSON.

    Its tag stands in the file's name, ``run-<run>-tag-<tag>.csv``, if anywhere; without one it is
    taken for the loss. A table of any other shape is returned as it is.

    Parameters
    ----------
    raw : RawTable
    """
    if [header.lower() for header in raw.headers] != _SCALAR_HEADERS:
        return raw
    tag = re.search(r"-tag-(.+?)(\.\w+)?$", raw.name)
    name = tag[1] if tag else "loss"
    told = f"is {name}" if tag else "is taken for the loss, as the file does not name it"
    return replace(
        raw,
        frame=raw.frame.set_axis([*raw.headers[:2], name], axis=1),
        notes=(*raw.notes, f"A scalar exported by TensorBoard: its value {told}."),
    )


def _run_name(file_name: str) -> str:
    """Return the run's name: what stands before the event file's own name."""
    return file_name.partition("events.out")[0].strip("._-/ ") or file_name


def _frame(runs: list[tuple[str, Path]], name: str, progress: Progress | None) -> pd.DataFrame:
    require("tensorboard", "tensorboard", "Reading TensorBoard event files")
    frames = []
    for position, (run, path) in enumerate(runs):
        frame = _curve(_scalars(path), name)
        if not frame.empty:
            frame.insert(0, "run_id", run)
            frames.append(frame)
        if progress:
            progress((position + 1) / len(runs), "Reading event files")
    if not frames:
        raise TableError(
            f"{name} holds no scalars.",
            detail="TensorBoard event files were found, but none logs a number.",
            hint="Log the loss with add_scalar, or choose another folder.",
        )
    refuse_many_cells(name, sum(map(len, frames)), len(set().union(*frames)))
    joined = pd.concat(frames, ignore_index=True)
    joined.index = pd.RangeIndex(1, len(joined) + 1)
    return joined


def _scalars(path: Path) -> Iterator[tuple[str, int, float, float]]:
    """Yield tag, step, wall time and value of every scalar."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util import tensor_util

    # The loader rewrites the older form of scalars as tensors, so there is one form to read.
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "scalars":
                number = tensor_util.make_ndarray(value.tensor)
                if number.size == 1 and number.dtype.kind in "fiub":
                    yield value.tag, event.step, event.wall_time, float(number.reshape(()))


def _curve(scalars: Iterable[tuple[str, int, float, float]], name: str) -> pd.DataFrame:
    """Return one row a step, one column a tag; a step written twice keeps its last value."""
    columns: dict[str, dict[int, float]] = {}
    walls: dict[int, float] = {}
    for tag, step, wall, value in scalars:
        if tag not in columns and len(columns) >= _MAX_TAGS:
            continue
        columns.setdefault(tag, {})[step] = value
        walls[step] = max(wall, walls.get(step, -np.inf))
    steps = sorted(walls)
    if not steps:
        return pd.DataFrame()
    refuse_many_cells(name, len(steps), len(columns))
    start = min(walls.values())
    data = {tag: [values.get(step, np.nan) for step in steps] for tag, values in columns.items()}
    wall_time = [walls[step] - start for step in steps]
    return pd.DataFrame({"step": steps, "wall time (s)": wall_time, **data})


def _raw(name: str, frame: pd.DataFrame, notes: tuple[str, ...]) -> RawTable:
    return RawTable(
        name=name,
        format="TensorBoard",
        frame=frame,
        notes=(*notes, "Each scalar tag is a column; wall time counts from the first event."),
    )
