"""The rows of a table as figures take them: by family, with a label each."""

from __future__ import annotations

import html
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isoflop.figures import loss_curve
from isoflop.tables import LossTable
from isoflop.units import format_number, format_quantity

NO_FAMILY = "Rows"


def families(table: LossTable) -> tuple[str, ...]:
    """Return the families of a table in the order they appear; none if it names none."""
    frame = table.included()
    if "family" not in frame:
        return ()
    return tuple(dict.fromkeys(frame["family"].dropna().astype(str)))


def losses(table: LossTable, axis: str, response: str = "loss") -> list[loss_curve.Points]:
    """Return losses, or another response, against one column, a group a family."""
    return [
        loss_curve.Points(
            family=name,
            x=_values(frame, axis),
            loss=_values(frame, response),
            labels=_labels(frame),
        )
        for name, frame, _ in _groups(table)
    ]


def _groups(table: LossTable) -> Iterator[tuple[str, pd.DataFrame, NDArray[np.intp]]]:
    """Yield name, rows and their positions for each family."""
    frame = table.included()
    names = families(table)
    if not names:
        yield NO_FAMILY, frame, np.arange(len(frame))
        return
    column = frame["family"].astype(str).where(frame["family"].notna(), NO_FAMILY)
    for name in dict.fromkeys([*names, *column]):
        position = np.flatnonzero(column == name)
        yield html.escape(name), frame.iloc[position], position


def _values(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return frame[column].to_numpy(np.float64)


def _labels(frame: pd.DataFrame) -> tuple[str, ...]:
    """Describe each row in a few lines; text of the table stays text."""
    columns = {name: frame[name].tolist() for name in frame if name in _WRITE}
    names = frame["run_id"].astype(str).map(html.escape).tolist() if "run_id" in frame else None
    return tuple(
        "<br>".join(
            ([f"<b>{names[row]}</b>"] if names else [])
            + [_WRITE[name](values[row]) for name, values in columns.items()]
        )
        for row in range(len(frame))
    )


_WRITE = {
    "loss": lambda value: f"loss {value:.4g}",
    "accuracy": lambda value: f"accuracy {value:.4g}",
    "params": lambda value: f"{format_number(value)} parameters",
    "tokens": lambda value: f"{format_number(value)} tokens",
    "compute_flop": lambda value: format_quantity(value, "flop"),
}
