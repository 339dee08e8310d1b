"""Loss against compute, model size or tokens: the rows, the fitted curve, its band, the budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Points:
    """The rows of one family.

    Parameters
    ----------
    family : str
    x, loss : ndarray, shape (n,)
    labels : tuple of str
        One a row, with units, for the hover box.
    """

    family: str
    x: NDArray[np.float64]
    loss: NDArray[np.float64]
    labels: tuple[str, ...]
