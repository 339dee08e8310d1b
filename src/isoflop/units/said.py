"""Quantities as a page or a figure says them: at once, in the language of its reader."""

from __future__ import annotations

from isoflop.language import translated
from isoflop.units import format as written
from isoflop.units.parse import Dimension


def format_quantity(value: float, dimension: Dimension, digits: int = 3) -> str:
    """Write a quantity as `isoflop.units.format_quantity` does, in the current language."""
    return translated(written.format_quantity(value, dimension, digits))
