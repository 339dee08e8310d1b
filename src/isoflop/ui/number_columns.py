"""Rows of a table as the browser shows them: numbers as numbers, in a unit that suits them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from isoflop.export import inert
from isoflop.language import gettext as _
from isoflop.language import translated
from isoflop.tables import COLUMNS
from isoflop.units import Dimension

# The browser's table refuses larger numbers, and writes none of them readably.
_LARGEST = 2.0**53
_UNITS: dict[Dimension | None, tuple[tuple[float, str], ...]] = {
    "params": ((1e3, "K"), (1e6, "M"), (1e9, "B"), (1e12, "T")),
    "tokens": ((1e3, "K"), (1e6, "M"), (1e9, "B"), (1e12, "T")),
    "flop": tuple((10.0 ** (9 + 3 * i), f"{p}FLOP") for i, p in enumerate("GTPEZY")),
}
_POWERS = tuple((10.0**power, f"1E{power}") for power in range(3, 300, 3))


def readable(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return rows with large numbers in a larger unit, and how each column is headed and written.

    The unit stands in the header. It is one of which the median is 1 to 1000, so that numbers stay
    numbers, which the browser sorts. Text cannot become a formula in a copy of the cells.

    Parameters
    ----------
    frame : pandas.DataFrame
        Canonical columns and units, as in `LossTable`.
    """
    shown: dict[str, pd.Series] = {}
    config: dict[str, Any] = {}
    for name in map(str, frame.columns):
        column = frame[name]
        known = COLUMNS.get(name)
        label = translated(known.label) if known else name
        key = str(inert(name))
        if not pd.api.types.is_numeric_dtype(column.dtype) or column.dtype == bool:
            shown[key] = column.map(inert, na_action="ignore")
            config[key] = st.column_config.Column(str(inert(label)))
            continue
        factor, unit = _unit(column, known.dimension if known else None)
        shown[key] = column / factor if factor != 1.0 else column
        unit = unit or (known.unit if known else "")
        config[key] = st.column_config.NumberColumn(
            str(inert(f"{label} ({unit})" if unit else label)),
            help=translated(known.help)
            if known
            else _("A column of the file, under its own name."),
            format="%.5g",
        )
    return pd.DataFrame(shown, index=frame.index), config


def _unit(column: pd.Series, dimension: Dimension | None) -> tuple[float, str]:
    """Return the divisor and name of the unit that a column is read in; 1 where it stays."""
    sizes = np.abs(column.to_numpy(np.float64))
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not len(sizes):
        return 1.0, ""
    typical, needed = float(np.median(sizes)), float(sizes.max()) / _LARGEST
    units = _UNITS.get(dimension, ())
    fitting = [unit for unit in units if unit[0] <= typical]
    factor, name = fitting[-1] if fitting else (1.0, "")
    if factor < needed:
        factor, name = next(unit for unit in (*units, *_POWERS) if unit[0] >= needed)
    return factor, name
