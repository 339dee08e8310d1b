"""Ticks for logarithmic axes that span about a decade."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from isoflop.plot import theme as look


def narrow_log_axis(title: str, span: NDArray[np.float64], *, count: int = 5) -> dict[str, Any]:
    """Return a logarithmic axis with a few round ticks, however narrow it is.

    Parameters
    ----------
    title : str
        With unit.
    span : ndarray
        Smallest and largest value shown, among others.
    count : int
        About how many ticks.
    """
    low, high = float(np.min(span)), float(np.max(span))
    margin = max(0.03 * np.log10(high / low), 0.01)
    settings = look.axis(title, "log") | {
        "range": [float(np.log10(low) - margin), float(np.log10(high) + margin)]
    }
    return settings | look.log_ticks(low, high, count=count)
