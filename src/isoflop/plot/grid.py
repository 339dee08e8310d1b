"""Several charts in one figure, laid out in rows and columns.

Plotly's own helper checks every trace and axis when it is added and again in the figure; here they
are plain dicts, checked once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isoflop.plot.theme import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One chart's place.

    Parameters
    ----------
    number : int
        From 1, row by row.
    x_domain, y_domain : tuple of float
        Shares of the figure's width and height, from left and from below.
    """

    number: int
    x_domain: tuple[float, float]
    y_domain: tuple[float, float]

    @property
    def suffix(self) -> str:
        """What follows the names of its axes; nothing for the first."""
        return "" if self.number == 1 else str(self.number)

    def trace(self, trace: Trace) -> Trace:
        """Return a trace that is drawn here."""
        return trace | {"xaxis": f"x{self.suffix}", "yaxis": f"y{self.suffix}"}

    def axes(self, x_axis: Mapping[str, Any], y_axis: Mapping[str, Any]) -> dict[str, Any]:
        """Return its axes as the layout of a figure holds them."""
        return {
            f"xaxis{self.suffix}": {**x_axis, "domain": self.x_domain, "anchor": f"y{self.suffix}"},
            f"yaxis{self.suffix}": {**y_axis, "domain": self.y_domain, "anchor": f"x{self.suffix}"},
        }


def cells(n_rows: int, n_columns: int, *, x_gap: float, y_gap: float) -> list[list[Cell]]:
    """Return the places of charts of equal size, row by row from above.

    Parameters
    ----------
    n_rows, n_columns : int
    x_gap, y_gap : float
        Between neighbours, as shares of the figure's width and height.
    """
    width = (1 - x_gap * (n_columns - 1)) / n_columns
    height = (1 - y_gap * (n_rows - 1)) / n_rows
    return [
        [
            Cell(
                number=row * n_columns + column + 1,
                x_domain=_span(column * (width + x_gap), width),
                y_domain=_span((n_rows - 1 - row) * (height + y_gap), height),
            )
            for column in range(n_columns)
        ]
        for row in range(n_rows)
    ]


def _span(start: float, length: float) -> tuple[float, float]:
    """Return a range of shares; rounding takes none beyond 1, which Plotly refuses."""
    return min(start, 1.0), min(start + length, 1.0)
