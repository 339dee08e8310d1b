"""The identity of a table's content, by which fits and caches know it."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.tables.reading.cells import run_starts

_LONG = 1 << 18
_HEAD = 4096
_MOST_RUNS = 1 / 16
"""Of the first rows, more runs of equal cells than this say that there are many in all."""


def fingerprint(frame: pd.DataFrame, *conventions: str) -> str:
    """Return the SHA-256 of a frame's columns, rows, values and row numbers, and the conventions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Numbers, text and flags only.
    *conventions : str
        What else a fit depends on, such as the loss unit.

    Returns
    -------
    str
        64 hexadecimal digits. Equal content gives equal fingerprints in any process.
    """
    digest = hashlib.sha256()
    for part in ("isoflop-table-1", *conventions, str(len(frame))):
        _add(digest, part.encode())
    rows = frame.index.to_numpy(dtype=np.int64)
    is_every_row = np.array_equal(rows, np.arange(1, len(rows) + 1))
    _add(digest, b"every row" if is_every_row else np.ascontiguousarray(rows))
    is_long = len(frame) >= _LONG
    for name in frame.columns:
        _add(digest, str(name).encode())
        column = frame[name]
        if is_long and (starts := _few_starts(column)) is not None:
            # Where runs of equal cells start says with those cells what all of them are.
            _add(digest, b"runs")
            _add(digest, starts.astype(np.int64))
            column = column.iloc[starts]
        if pd.api.types.is_bool_dtype(column.dtype):
            _add(digest, column.to_numpy(dtype=np.uint8))
        elif pd.api.types.is_numeric_dtype(column.dtype):
            _add(digest, np.ascontiguousarray(column.to_numpy(dtype=np.float64)))
        else:
            codes, uniques = pd.factorize(column)
            _add(digest, codes.astype(np.int32))
            for text in uniques:
                _add(digest, str(text).encode(errors="surrogatepass"))
    return digest.hexdigest()


def _few_starts(column: pd.Series) -> NDArray[np.intp] | None:
    """Return where runs of equal cells of a long column start; None where they are many."""
    if len(run_starts(column.iloc[:_HEAD])) > _HEAD * _MOST_RUNS:
        return None
    if not pd.api.types.is_numeric_dtype(column.dtype):
        return run_starts(column)
    bits = column.to_numpy(dtype=np.float64).view(np.int64)  # so that NaN equals itself
    return np.flatnonzero(np.concatenate([[True], bits[1:] != bits[:-1]]))


def _add(digest: hashlib._Hash, content: bytes | NDArray[np.generic]) -> None:
    """Add one part with its length before it, so that no two lists of parts read alike."""
    size = content.nbytes if isinstance(content, np.ndarray) else len(content)
    digest.update(size.to_bytes(8, "little"))
    digest.update(content if isinstance(content, bytes) else content.data)
