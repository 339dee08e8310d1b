"""Any file to a raw table: the registry of formats."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from isoflop.errors import TableError
from isoflop.tables.delimited import read_delimited
from isoflop.tables.logs import looks_like_log, read_log
from isoflop.tables.parquet import is_parquet, read_parquet
from isoflop.tables.raw import RawTable
from isoflop.tables.source import Content, Progress, Source, load
from isoflop.tables.spreadsheets import is_spreadsheet, read_spreadsheet
from isoflop.tables.structured import looks_like_json, read_json
from isoflop.tables.tidy import tidy
from isoflop.tables.trackers.tensorboard import (
    is_event_file,
    name_scalar,
    read_event_file,
    read_logdir,
)
from isoflop.tables.trackers.wandb import unpivot_chart


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
        return f"pip install 'isoflop[{self.extra}]'" if self.extra else ""


READERS: tuple[Reader, ...] = (
    Reader(
        format="TensorBoard",
        suffixes=(".tfevents",),
        recognises=is_event_file,
        read=read_event_file,
        requires="tensorboard",
        extra="tensorboard",
    ),
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
        format="text log",
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


def read_raw(source: Source, name: str = "", progress: Progress | None = None) -> RawTable:
    """Read any supported file, by its content rather than its name, or a folder of event files.

    Raises
    ------
    TableError
        If it cannot be read; says what it is where that can be told.
    """
    if isinstance(source, str | os.PathLike) and Path(source).is_dir():
        return read_logdir(Path(source), progress)
    content = load(source, name)
    reader = next(reader for reader in READERS if reader.recognises(content))
    if not reader.is_available:
        raise TableError(
            f"Reading {reader.format} needs a package that is not installed.",
            detail=f"{content.name} is {reader.format}.",
            hint=f"Install it: {reader.how_to_install}",
        )
    return unpivot_chart(name_scalar(tidy(reader.read(content, progress))))
