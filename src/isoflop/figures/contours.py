"""Lines of equal loss over model size and tokens, with the frontier and the chosen point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A line in the plane of model size and tokens; shape (n,) each."""

    params: NDArray[np.float64]
    tokens: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The rows of one family; ``params`` and ``tokens`` of shape (n,), one label a row."""

    family: str
    params: NDArray[np.float64]
    tokens: NDArray[np.float64]
    labels: tuple[str, ...]
