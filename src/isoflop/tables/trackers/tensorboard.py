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
from isoflop.language import lazy_gettext
from isoflop.tables.raw import RawTable
from isoflop.tables.run_values import with_run_values
from isoflop.tables.source import Content, Progress, max_upload_bytes, refuse_many_cells, too_large
from isoflop.tables.trackers.require import require

MARK = "tfevents"
_RECORD_HEADER_BYTES = 12
_FIRST_EVENT = b"brain.Event:"
_MAX_TAGS = 500
_SCALAR_HEADERS = [lazy_gettext("wall time"), "step", "value"]


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
            lazy_gettext("The folder {name} holds no event files.", name=folder.name),
            hint=lazy_gettext("Choose a table file, or a folder that TensorBoard writes to."),
        )
    total = sum(path.stat().st_size for path in paths)
    if total > max_upload_bytes():
        raise too_large(folder.name, total)
    named = [(str(path.parent.relative_to(folder)), path) for path in paths]
    frame = _frame(named, folder.name, progress)
    frame["run_id"] = frame["run_id"].replace(".", folder.resolve().name)
    return _raw(folder.name, frame, (lazy_gettext("{paths} event files read.", paths=len(paths)),))


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
    run = re.fullmatch(r"run-(.+?)-tag-.+", raw.name)
    name = tag[1] if tag else "loss"
    told = (
        lazy_gettext("is {name}", name=name)
        if tag
        else lazy_gettext("is taken for the loss, as the file does not name it")
    )
    frame = raw.frame.set_axis([*raw.headers[:2], name], axis=1)
    if run:  # wall times of other tags differ by milliseconds
        frame = frame.drop(columns=raw.headers[0])
        frame.insert(0, "run_id", run[1])
    return replace(
        raw,
        frame=frame,
        notes=(
            *raw.notes,
            lazy_gettext("A scalar exported by TensorBoard: its value {told}.", told=told),
        ),
    )


def _run_name(file_name: str) -> str:
    """Return the run's name: what stands before the event file's own name."""
    return file_name.partition("events.out")[0].strip("._-/ ") or file_name


def _frame(runs: list[tuple[str, Path]], name: str, progress: Progress | None) -> pd.DataFrame:
    require("tensorboard", "tensorboard", lazy_gettext("Reading TensorBoard event files"))
    curves: dict[str, list[pd.DataFrame]] = {}
    hparams: dict[str, dict[str, object]] = {}
    for position, (run, path) in enumerate(runs):
        found: dict[str, object] = {}
        frame = _curve(_scalars(path, found), name)
        if not frame.empty:
            curves.setdefault(run, []).append(frame)
        if found:
            hparams.setdefault(run, {}).update(found)
        if progress:
            progress((position + 1) / len(runs), lazy_gettext("Reading event files"))
    frames = list(_described(curves, hparams))
    if not frames:
        raise TableError(
            lazy_gettext("{name} holds no scalars.", name=name),
            detail=lazy_gettext("TensorBoard event files were found, but none logs a number."),
            hint=lazy_gettext("Log the loss with add_scalar, or choose another folder."),
        )
    refuse_many_cells(name, sum(map(len, frames)), len(set().union(*frames)))
    joined = pd.concat(frames, ignore_index=True)
    joined.index = pd.RangeIndex(1, len(joined) + 1)
    return joined


def _described(
    curves: dict[str, list[pd.DataFrame]], hparams: dict[str, dict[str, object]]
) -> Iterator[pd.DataFrame]:
    """Yield each run's rows with its hyper-parameters.

    ``add_hparams`` writes them, with final metrics at one step, to a folder below the run's own:
    they are then the run's, and that folder is none.
    """
    for run in list(hparams):
        parent = run.rpartition("/")[0] or "."
        is_below = parent in curves and parent not in hparams and parent != run
        if is_below and sum(map(len, curves.get(run, []))) <= 1:
            hparams[parent] = hparams.pop(run)
            curves.pop(run, None)
    for run, frames in curves.items():
        frame = pd.concat(frames, ignore_index=True)
        frame, _ = with_run_values(frame, hparams.get(run, {}))
        frame.insert(0, "run_id", run)
        yield frame


def _hparams(content: bytes) -> dict[str, object]:
    """Return the hyper-parameters that a session of TensorBoard's plugin starts with."""
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    try:
        session = HParamsPluginData.FromString(content).session_start_info
    except DecodeError:
        return {}
    found: dict[str, object] = {}
    for key, value in list(session.hparams.items())[:_MAX_TAGS]:
        kind = value.WhichOneof("kind")
        if kind in {"number_value", "string_value", "bool_value"}:
            found[key] = getattr(value, kind)
    return found


def _scalars(path: Path, hparams: dict[str, object]) -> Iterator[tuple[str, int, float, float]]:
    """Yield tag, step, wall time and value of every scalar; collect the hyper-parameters."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util import tensor_util

    # The loader rewrites the older form of scalars as tensors, so there is one form to read.
    for event in EventFileLoader(str(path)).Load():
        for value in event.summary.value:
            plugin = value.metadata.plugin_data
            if plugin.plugin_name == "hparams":
                hparams |= _hparams(plugin.content)
            elif plugin.plugin_name == "scalars":
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
    return pd.DataFrame({"step": steps, lazy_gettext("wall time (s)"): wall_time, **data})


def _raw(name: str, frame: pd.DataFrame, notes: tuple[str, ...]) -> RawTable:
    return RawTable(
        name=name,
        format="TensorBoard",
        frame=frame,
        notes=(
            *notes,
            lazy_gettext("Each scalar tag is a column; wall time counts from the first event."),
        ),
    )
