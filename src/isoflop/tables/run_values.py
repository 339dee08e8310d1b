"""A run's own values beside the rows of its learning curve: constants, totals, and rivals.

What a run is (parameters, learning rate) holds for its every row. What it had spent in the end
(tokens, compute) grows along its curve. What the rows say for themselves is kept apart by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from isoflop.language import lazy_gettext as _
from isoflop.once import once
from isoflop.tables.reading.header import meanings

Values = dict[str, object]

SIZES = ("params", "params_nonembedding", "params_active")
SPENT = ("tokens", "compute_flop")
"""What is spent along a run: a run's total of it is not that of its every step."""
POSITIONS = ("step", "epochs", "wall_time_s", "accelerator_seconds")
PLANNED_STEPS = ("max_steps", "total_steps", "num_steps", "n_steps", "train_steps", "max_iters")


@once(max_entries=4096)
def column_of(key: str) -> str:
    """Return the canonical column that a key reads as; empty if none."""
    found = meanings(key)
    return found[0].column if found else ""


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a number, and no flag."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def taken_names(keys: Set[str]) -> set[str]:
    """Return keys and the canonical columns that they read as."""
    return set(keys) | {column_of(key) for key in keys} - {""}


def beside(
    values: Mapping[str, object], taken: Set[str], of: str = _("of the whole run")
) -> Values:
    """Return a run's values under names that do not rival those of its rows.

    Examples
    --------
    >>> beside({"lr": 0.1, "val_loss": 3.0}, taken_names({"step", "loss"}))
    {'lr': 0.1, 'val_loss of the whole run': 3.0}
    """
    return {
        f"{key} {of}" if {key, column_of(key)} & taken else key: value
        for key, value in values.items()
    }


def with_run_values(
    frame: pd.DataFrame, values: Mapping[str, object]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Return the rows of one run with its values, and the totals that grow along them.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of one run.
    values : mapping of str to object
    """
    headers = [str(header) for header in frame.columns]
    taken = taken_names(set(headers))
    position = next(
        (h for column in ("step", "epochs") for h in headers if column_of(h) == column), ""
    )
    by = next((header for header in headers if column_of(header) == "tokens"), position)
    if len(frame) < 2 or not by:
        return _with_columns(frame, beside(values, taken)), ()
    places = pd.to_numeric(frame[by], errors="coerce").to_numpy(dtype=np.float64, copy=True)
    places[~np.isfinite(places)] = np.nan
    last = float(np.nanmax(places)) if np.isfinite(places).any() else 0.0
    if by == position:
        planned = (values.get(name) for name in PLANNED_STEPS)
        last = max([last, *(float(steps) for steps in planned if is_number(steps))])
    grown = {
        key: float(value) * places / last
        for key, value in values.items()
        if column_of(key) in SPENT and column_of(key) not in taken and is_number(value) and last > 0
    }
    constant = {key: value for key, value in values.items() if key not in grown}
    columns = {**beside(constant, taken | set(POSITIONS)), **grown}
    return _with_columns(frame, columns), tuple(grown)


def _with_columns(frame: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    return frame.assign(**columns) if columns else frame
