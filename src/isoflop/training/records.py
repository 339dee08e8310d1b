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


_COUNTS = ("segment", "step")
_NUMBERS: dict[str, tuple[str, ...]] = {
    "step": (*_COUNTS, "tokens", "loss", "tokens_per_s", "tokens_per_cpu_s"),
    "point": (*_COUNTS, "budget", "tokens", "compute_flop", "cpu_s"),
    "evaluation": (*_COUNTS, "tokens"),
    "model": ("params", "params_nonembedding", "training_flop_per_token"),
}
"""What a record of a kind has; a line that a person or a bad disk has changed may lack it."""
_OPTIONAL = (
    *("accuracy", "gradient_norm", "rate", "nats_per_byte", "nats_per_token", "compute_flop"),
    *("n_bytes", "train_tokens", "validation_tokens", "matmul_peak_flop_per_s", "is_annealed"),
)
_MAY_BE_NONE = {"accuracy", "gradient_norm", "rate"}


def _is_sound(record: Record) -> bool:
    """Say whether a record holds what those who read it rely on."""
    kind = record["kind"]
    if not isinstance(kind, str) or any(name not in record for name in _NUMBERS.get(kind, ())):
        return False
    if "step" in record and not all(_is_count(record.get(name)) for name in _COUNTS):
        return False
    known = {*_NUMBERS.get(kind, ()), *_OPTIONAL}
    return all(
        _is_number(value) or (value is None and name in _MAY_BE_NONE)
        for name, value in record.items()
        if name in known
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
