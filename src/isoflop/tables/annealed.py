"""Which rows end on a learning rate that has decayed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

ANNEALED = "is_annealed"
"""Column that says it, 1 for yes: such a row is a final loss, though its run has several."""


def annealed_rows(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows say that their learning rate had decayed, shape (n_rows,).

    Examples
    --------
    >>> annealed_rows(pd.DataFrame({"is_annealed": [1.0, 0.0, None]})).tolist()
    [True, False, False]
    >>> annealed_rows(pd.DataFrame({"loss": [2.0]})).tolist()
    [False]
    """
    if ANNEALED not in frame:
        return np.zeros(len(frame), dtype=np.bool_)
    return (frame[ANNEALED] == 1).to_numpy(dtype=np.bool_)
