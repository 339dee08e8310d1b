"""Any file, or several, to a raw table: the registry of formats."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from isoflop.errors import TableError
from isoflop.language import joined, lazy_gettext
from isoflop.tables.delimited import read_delimited
from isoflop.tables.gather import (
    Found,
    common_paths,
    describe_runs,
    files_of,
    is_pattern,
    join,
    may_be_read,
    split_metadata,
)
from isoflop.tables.logs import looks_like_log, read_log
from isoflop.tables.marks import without_marks
from isoflop.tables.orient import one_row_a_run, upright
from isoflop.tables.parquet import is_parquet, read_parquet
from isoflop.tables.pivot import unpivot, unpivot_losses
from isoflop.tables.problems import shorten
from isoflop.tables.raw import RawTable
from isoflop.tables.run_values import column_of
from isoflop.tables.source import Content, Progress, Source, Sources, load
from isoflop.tables.spreadsheets import is_spreadsheet, read_spreadsheet
from isoflop.tables.structured import looks_like_json, read_json
from isoflop.tables.summaries import without_summaries
from isoflop.tables.tidy import tidy
from isoflop.tables.trackers.tensorboard import (
    MARK,
    is_event_file,
    name_scalar,
    read_event_file,
    read_logdir,
)
from isoflop.tables.trackers.wandb import unpack_dictionaries, unpivot_chart


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One format.

    Parameters
    ----------
    format : str
        What a person calls it.
    suffixes : tuple of str
        File name endings, in lower case.
    recognises : callable
        Whether a file is of this format, by its content more than its name.
    read : callable
    requires : str
        Module that must be installed; empty if none.
    extra : str
        Extra of the package that installs it.
    """

    format: str
    suffixes: tuple[str, ...]
    recognises: Callable[[Content], bool]
    read: Callable[[Content, Progress | None], RawTable]
    requires: str = ""
    extra: str = ""

    @property
    def is_available(self) -> bool:
        """Whether the module that it needs is installed."""
        return not self.requires or importlib.util.find_spec(self.requires) is not None

    @property
    def how_to_install(self) -> str:
        """What to run where it is not available."""
        return (
            lazy_gettext("pip install 'isoflop[{extra}]'", extra=self.extra) if self.extra else ""
        )


EVENTS = Reader(
    format="TensorBoard",
    suffixes=(".tfevents",),
    recognises=is_event_file,
    read=read_event_file,
    requires="tensorboard",
    extra="tensorboard",
)

READERS: tuple[Reader, ...] = (
    EVENTS,
    Reader(
        format="Parquet",
        suffixes=(".parquet", ".pq"),
        recognises=is_parquet,
        read=read_parquet,
        requires="pyarrow",
        extra="readers",
    ),
    Reader(
        format="Excel",
        suffixes=(".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"),
        recognises=is_spreadsheet,
        read=read_spreadsheet,
        requires="python_calamine",
        extra="readers",
    ),
    Reader(
        format="JSON",
        suffixes=(".json", ".jsonl", ".ndjson"),
        recognises=looks_like_json,
        read=read_json,
    ),
    Reader(
        format=lazy_gettext("text log"),
        suffixes=(".log", ".out"),
        recognises=looks_like_log,
        read=read_log,
    ),
    Reader(
        format="CSV",
        suffixes=(".csv", ".tsv", ".tab", ".txt", ".dat"),
        recognises=lambda content: True,
        read=read_delimited,
    ),
)
"""Every format, the most specific first; the last takes any text."""

_MLFLOW = "mlflow:"
# What describes the run of a file, where it stands beside it.
_DESCRIBED_BY = {
    "trainer_state.json": ("config.json",),
    "metrics.csv": ("hparams.yaml", "hparams.yml"),
    MARK: ("hparams.yaml", "hparams.yml"),
}


def read_raw(source: Sources, name: str = "", progress: Progress | None = None) -> RawTable:
    """Read any supported file, by its content rather than its name; or several as one table.

    Parameters
    ----------
    source : path, bytes, binary file, or a sequence of these
        A path may be a folder or a pattern such as ``"runs/*/metrics.csv"``, or
        ``"mlflow:<tracking URI>"`` with experiments behind a ``#``. What files beside say of a run
        (``config.json`` beside ``trainer_state.json``, ``hparams.yaml`` beside ``metrics.csv``) is
        put on its rows.
    name : str
        File name, where the source has none.
    progress : callable or None

    Raises
    ------
    TableError
        If it cannot be read; says what it is where that can be told.
    """
    if isinstance(source, list | tuple):
        return read_files([(_named(item, i), item) for i, item in enumerate(source, 1)], progress)
    if isinstance(source, str) and source.startswith(_MLFLOW):
        from isoflop.tables.trackers.mlflow import read_mlflow

        uri, _, experiments = source.removeprefix(_MLFLOW).partition("#")
        chosen = [name.strip() for name in experiments.split(",") if name.strip()]
        return read_mlflow(uri, experiments=chosen, curves=None, progress=progress)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.is_dir():
            return _read_folder(path, progress)
        if is_pattern(str(source)):
            return _read_paths(files_of(path), progress)
    content = load(source, name)  # type: ignore[arg-type]  # no sequence: those are read above
    beside = _beside(source) if isinstance(source, str | os.PathLike) else {}
    return join([Found(path=PurePath(content.name), raw=_read(content, progress))], beside)


def names_files(text: str) -> bool:
    """Return whether a text can only be meant as files: a pattern, a path, or an MLflow store."""
    return text.startswith(_MLFLOW) or is_pattern(text) or Path(text).exists()


def read_files(
    named: Sequence[tuple[str, Source]], progress: Progress | None = None, *, is_strict: bool = True
) -> RawTable:
    """Read several files as one table: runs, their curves, and files that describe them.

    Parameters
    ----------
    named : sequence of (str, source)
        Names, which may hold folders, and the files.
    progress : callable or None
    is_strict : bool
        Whether a file that cannot be read is an error; else it is left out with a note.

    Raises
    ------
    TableError
        If there is no table among them, or they have nothing in common.
    """
    if not is_strict:
        named = [
            item for item in named if may_be_read(PurePath(item[0].replace("\\", "/")))
        ] or named
    paths = common_paths([name for name, _ in named])
    contents = [
        (path, load(source, path.name)) for path, (_, source) in zip(paths, named, strict=True)
    ]
    tables, metadata = split_metadata(contents)
    if not tables:
        tables, metadata = contents, {}
    found, tables = _event_folders(tables)
    refused: list[str] = []
    for position, (path, content) in enumerate(tables):
        try:
            raw = _read(content, progress if len(tables) == 1 else None)
        except TableError as error:
            if is_strict or len(tables) == 1:
                raise
            refused.append(f"{path}: {error.summary}")
            continue
        found.append(Found(path=path, raw=raw))
        if progress:
            progress(
                (position + 1) / len(tables), lazy_gettext("Reading {name}", name=content.name)
            )
    if not is_strict:
        found, refused = _with_losses(found, refused)
    if not found:
        raise TableError(
            lazy_gettext("None of these files holds a table."),
            detail=joined("\n", refused[:10]),
            hint=lazy_gettext("Give files of losses, or name one of them."),
        )
    whole = join(found, metadata)
    if len(named) > 1:
        used = {item.path for item in found} | set(metadata)
        files = tuple(
            name
            for (name, _), path in zip(named, paths, strict=True)
            if used.intersection((path, *path.parents))
        )
        whole = replace(whole, files=files)
    if refused:
        listed = "; ".join(map(shorten, refused[:5]))
        more = (
            lazy_gettext("; and {refused} more", refused=len(refused) - 5)
            if len(refused) > 5
            else ""
        )
        whole = replace(
            whole,
            notes=(
                *whole.notes,
                lazy_gettext("Not read: {listed}{more}.", listed=listed, more=more),
            ),
        )
    return whole


def _event_folders(
    contents: Sequence[tuple[PurePath, Content]],
) -> tuple[list[Found], list[tuple[PurePath, Content]]]:
    """Read event files in folders of their own as the folders of runs that they were."""
    events = [item for item in contents if is_event_file(item[1]) and len(item[0].parts) > 1]
    if not events or not EVENTS.is_available:
        return [], list(contents)
    with tempfile.TemporaryDirectory(prefix="isoflop-") as folder:
        for number, (path, content) in enumerate(events):
            parts = [part for part in path.parent.parts if part.strip("./\\")]
            target = Path(folder, "events", *parts)
            target.mkdir(parents=True, exist_ok=True)
            (target / f"events.out.{MARK}.{number}").write_bytes(content.data)
        raw = read_logdir(Path(folder, "events"))
    rest = [item for item in contents if item not in events]
    return [Found(path=PurePath("events"), raw=raw)], rest


def _with_losses(found: list[Found], refused: list[str]) -> tuple[list[Found], list[str]]:
    """Leave out the files of a folder that hold no loss, where others do, but name no runs."""
    has_loss = [any(column_of(header) == "loss" for header in f.raw.headers) for f in found]
    if not any(has_loss):
        return found, refused
    kept, left = [], list(refused)
    for item, is_loss in zip(found, has_loss, strict=True):
        names_runs = any(column_of(header) == "run_id" for header in item.raw.headers)
        if is_loss or names_runs:
            kept.append(item)
        else:
            left.append(lazy_gettext("{path}: no loss", path=item.path))
    return kept, left


def _read_folder(folder: Path, progress: Progress | None) -> RawTable:
    if any(path.is_file() for path in folder.rglob(f"*{MARK}*")):
        table = read_logdir(folder, progress)
        described = [path for path in folder.rglob("hparams.y*ml") if path.is_file()]
        return describe_runs(
            table, {str(p.parent.relative_to(folder)): load(p) for p in described}, folder.name
        )
    return _read_paths(files_of(folder), progress)


def _read_paths(paths: Sequence[Path], progress: Progress | None) -> RawTable:
    return read_files([(str(path), path) for path in paths], progress, is_strict=False)


def _named(source: Source, number: int) -> str:
    if isinstance(source, str | os.PathLike):
        return str(source)
    return str(getattr(source, "name", "") or lazy_gettext("file {number}", number=number))


def _beside(path: str | os.PathLike[str]) -> dict[PurePath, Content]:
    """Return the file that describes the run beside one of a known name."""
    here = Path(path)
    names = next((names for mark, names in _DESCRIBED_BY.items() if mark in here.name), ())
    found = next((p for p in map(here.with_name, names) if p.is_file()), None)
    return {} if found is None else {PurePath(found.name): load(found)}


def _read(content: Content, progress: Progress | None) -> RawTable:
    """Read one file by its content."""
    reader = next(reader for reader in READERS if reader.recognises(content))
    if not reader.is_available:
        raise TableError(
            lazy_gettext(
                "Reading {format} needs a package that is not installed.", format=reader.format
            ),
            detail=lazy_gettext("{name} is {format}.", name=content.name, format=reader.format),
            hint=lazy_gettext("Install it: {how_to_install}", how_to_install=reader.how_to_install),
        )
    raw = upright(without_marks(tidy(reader.read(content, progress))))
    raw = one_row_a_run(unpivot_chart(unpack_dictionaries(name_scalar(raw))))
    return without_summaries(unpivot_losses(unpivot(raw)))
