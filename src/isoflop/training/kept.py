"""What people keep in the folder of runs: records, weights, checkpoints and texts, in bytes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import monotonic

from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.training.corpus import people_of_uploads
from isoflop.training.runs import Run

KEPT_FOR_S = 10.0
"""How long a walk through the folder counts: thousands of runs take a tenth of a second."""
RECORDS, WEIGHTS, TEXTS = (
    "runs' records",
    _("runs' weights and checkpoints"),
    _("texts to train on"),
)


def kept_bytes(root: Path, owner: str) -> Mapping[str, int]:
    """Return what a person keeps in a folder of runs, by what it is.

    The folder is walked through at most every ten seconds, for all people at once.

    Parameters
    ----------
    root : Path
        Folder of runs, uploads and workers.
    owner : str
        Id of a person.
    """
    return _walked(root, int(monotonic() // KEPT_FOR_S)).get(owner, {})


@once(max_entries=4)
def _walked(root: Path, _when: int) -> Mapping[str, Mapping[str, int]]:
    used: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_KINDS, 0))
    for folder in _entries(root / "runs"):
        own = used[Run(Path(folder.path)).sharing().owner]
        for file in _entries(folder.path):
            is_large = file.name.endswith((".safetensors", ".pt"))
            own[WEIGHTS if is_large else RECORDS] += _size(file)
    for path, people in people_of_uploads(root / "uploads"):
        for person in people:  # each who brought it would keep it if the others had not
            used[person][TEXTS] += _size(path)
    return used


_KINDS = (RECORDS, WEIGHTS, TEXTS)


def _entries(folder: Path | str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # none yet, a file, or deleted in between
        return []


def _size(path: os.DirEntry[str] | Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
