"""What searches and resamples have found, kept on disk for the next start of a server.

Both are numbers that follow from the rows, the law and the options alone, and nearly all that a fit
takes. A server opens the shelf for the tables of the catalog, which everybody has; what is made of
anything else never goes there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

import isoflop
from isoflop.files import replaced
from isoflop.fitting.result import BindingBound, Certificate
from isoflop.identity import content_key
from isoflop.once import once
from isoflop.tables.catalog import list_datasets

logger = logging.getLogger("isoflop.fitting")

MAX_FILES = 64
"""Of some 50 kB each at 1,000 resamples; those used last."""

_folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search and its resamples have found.

    Parameters
    ----------
    theta : ndarray, shape (n_params,)
    certificate : Certificate
    draws : ndarray, shape (n_draws, n_params), or None
    """

    theta: NDArray[np.float64]
    certificate: Certificate
    draws: NDArray[np.float64] | None


def open_shelf(folder: Path | None) -> None:
    """Keep what is found in a folder from now on; None for nowhere, as at first."""
    global _folder
    _folder = folder


def shelved(find: Callable[[], Found], *, table_id: str, question: object) -> Found:
    """Return what was found earlier for a question, or find it.

    Parameters
    ----------
    find : callable
    table_id : str
        Whose rows they are.
    question : object
        All that the answer depends on, beside the engine; see `content_key`.
    """
    if _folder is None or table_id not in {dataset.id for dataset in list_datasets()}:
        return find()
    path = _folder / f"{content_key((_engine(), question))}.npz"
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except Exception as error:  # torn, or of somebody else: found anew, and written over
        logger.warning("%s cannot be read, and is made again: %s", path, error)
    found = find()
    try:
        _write(found, path)
    except OSError as error:
        logger.warning("%s cannot be written, and nothing is kept from now on: %s", path, error)
        open_shelf(None)
    return found


def _read(path: Path) -> Found:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
        said: dict[str, Any] = json.loads(str(held["certificate"]))
        bounds = tuple(BindingBound(**bound) for bound in said.pop("bounds"))
        if {*said, "bounds"} != {item.name for item in fields(Certificate)}:
            raise ValueError("its certificate is another one")
        said["at_bound"] = tuple(said["at_bound"])
        found = Found(
            theta=held["theta"],
            certificate=Certificate(**said, bounds=bounds),
            draws=held.get("draws"),
        )
    os.utime(path)
    return found


def _write(found: Found, path: Path) -> None:
    """Write a file, and let go of those that were used least lately."""
    path.parent.mkdir(parents=True, exist_ok=True)
    certificate = np.array(json.dumps(asdict(found.certificate)))
    draws = {} if found.draws is None else {"draws": found.draws}
    with replaced(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, theta=found.theta, certificate=certificate, **draws)
    kept = sorted(path.parent.glob("*.npz"), key=lambda one: one.stat().st_mtime, reverse=True)
    for one in kept[MAX_FILES:]:
        one.unlink(missing_ok=True)


@once
def _engine() -> str:
    """Return what tells this engine from any other: its own source, and what it computes with."""
    package = Path(isoflop.__file__).parent
    source = hashlib.sha256()
    for name in ("fitting", "laws"):
        for path in sorted((package / name).rglob("*.py")):
            source.update(path.read_bytes())
    versions = (np.__version__, scipy.__version__, platform.machine(), platform.python_version())
    return f"{source.hexdigest()} {' '.join(versions)}"
