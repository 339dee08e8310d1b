"""Lines across a whole figure, and the words at them."""

from __future__ import annotations

from typing import Any


def horizontal(y: float, colour: str, dash: str) -> dict[str, Any]:
    """Return a line at a height, across the figure and below its traces."""
    return _line("y", y, colour, dash)


def upright(x: float, colour: str, dash: str = "dot") -> dict[str, Any]:
    """Return a line at a place along the figure, from bottom to top and below its traces."""
    return _line("x", x, colour, dash)


def above(x: float, text: str) -> dict[str, Any]:
    """Return words above the figure, at a place on its axis (its logarithm where it is one)."""
    return {
        "x": x,
        "y": 1,
        "yref": "paper",
        "yanchor": "bottom",
        "text": text,
        "showarrow": False,
    }


ROOM_ABOVE = {"l": 8, "r": 12, "t": 24, "b": 8}
"""Margins of a figure with words above it."""


def _line(across: str, at: float, colour: str, dash: str) -> dict[str, Any]:
    along = "x" if across == "y" else "y"
    return {
        "type": "line",
        f"{along}ref": "paper",
        f"{along}0": 0,
        f"{along}1": 1,
        f"{across}0": at,
        f"{across}1": at,
        "line": {"color": colour, "width": 1, "dash": dash},
        "layer": "below",
    }
