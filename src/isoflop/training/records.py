"""A run's records: one JSON object a line, appended by the worker, read while it writes."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

Record = dict[str, Any]


class RecordWriter:
    """Appends records; each line reaches the file as soon as it is written.

    Single steps are left to the system to put on disk; all else is forced there, since it is made
    once.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8", buffering=1)
        if path.is_file() and path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            self._file.write("\n")  # half a line that a killed worker left

    def write(self, record: Record) -> None:
        """Append one record."""
        self._file.write(json.dumps(record) + "\n")
        if record["kind"] != "step":
            self._sync()

    def _sync(self) -> None:
        number = self._file.fileno()
        if stat.S_ISREG(os.fstat(number).st_mode):  # not the null device
            os.fsync(number)

    def close(self) -> None:
        """Close the file, with all of it on disk."""
        self._sync()
        self._file.close()

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_new_records(path: Path, offset: int = 0) -> tuple[list[Record], int]:
    """Read the complete lines after an offset.

    Parameters
    ----------
    path : Path
        May not exist yet.
    offset : int
        Bytes already read.

    Returns
    -------
    tuple of (list of dict, int)
        The records and the offset to go on from; half a last line is left for the next call, and a
        line that is no record (a worker was killed while writing it) is left out.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return [], offset
    end = content.rfind(b"\n") + 1
    found = []
    for line in content[:end].splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and "kind" in record:
            found.append(record)
    return found, offset + end


_PLACE = ("segment", "step")
_NEEDED: dict[str, tuple[str, ...]] = {
    "step": (*_PLACE, "tokens", "loss", "tokens_per_s", "tokens_per_cpu_s"),
    "evaluation": (*_PLACE, "tokens"),
    "point": (*_PLACE, "budget", "tokens", "compute_flop", "cpu_s"),
    "model": ("params", "params_nonembedding", "training_flop_per_token"),
}
_SIZES = ("tokens", "compute_flop", "n_bytes", "train_tokens", "validation_tokens")
_NUMBERS = {
    *(name for names in _NEEDED.values() for name in names),
    *("nats_per_byte", "nats_per_token", "is_annealed", "matmul_peak_flop_per_s"),
}
_NUMBERS_OR_NONE = {"accuracy", "gradient_norm", "rate"}
_LARGEST = 1e300


def _is_sound(record: Record) -> bool:
    """Say whether a record holds what its readers rely on: a bad disk may have changed its line."""
    kind = record["kind"]
    if not isinstance(kind, str):
        return False
    has_place = "step" not in record or all(_is_count(record.get(name)) for name in _PLACE)
    has_corpus = "n_bytes" not in record or all(name in record for name in _SIZES[2:])
    return (
        has_place
        and has_corpus
        and all(name in record for name in _NEEDED.get(kind, ()))
        and all(_is_size(record[name]) for name in _SIZES if name in record)
        and all(_is_number(record[name]) for name in _NUMBERS & record.keys())
        and all(
            record[name] is None or _is_number(record[name])
            for name in _NUMBERS_OR_NONE & record.keys()
        )
    )


def _is_number(value: Any) -> bool:
    """Say whether a value is a number that sums can be made with."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and -_LARGEST < value < _LARGEST


def _is_size(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


@dataclass(slots=True)
class RunHistory:
    """All records of one run, kept up to date by ``refresh``.

    A worker that was killed repeats the steps after its last checkpoint: the latest record of each
    step counts.

    Parameters
    ----------
    path : Path
        The run's record file.
    """

    path: Path
    _offset: int = 0
    _by_place: dict[tuple[str, int, int], Record] = field(default_factory=dict)
    _facts: dict[str, Record] = field(default_factory=dict)

    def refresh(self) -> bool:
        """Read what is new; tell whether there was anything."""
        records, self._offset = read_new_records(self.path, self._offset)
        for record in records:
            if not _is_sound(record):
                continue
            if "step" in record:
                place = (record["kind"], record["segment"], record["step"])
                self._by_place[place] = record
            else:
                self._facts[record["kind"]] = record
        return bool(records)

    def fact(self, kind: str) -> Record | None:
        """Return the latest record of a stage: ``"corpus"``, ``"model"``, ``"environment"``."""
        return self._facts.get(kind)

    def of_kind(self, kind: str) -> list[Record]:
        """Return the records of a kind (``"step"``, ``"evaluation"``, ``"point"``) in order."""
        places = sorted(place for place in self._by_place if place[0] == kind)
        return [self._by_place[place] for place in places]
