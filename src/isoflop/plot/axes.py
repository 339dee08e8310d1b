"""What an axis says: the name and the unit of a quantity."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from isoflop.fitting import Fit
from isoflop.fitting.compare import scale_column
from isoflop.language import gettext as _
from isoflop.language import in_a_sentence, lazy_gettext
from isoflop.planning.inputs import other_inputs
from isoflop.tables import COLUMNS, LossTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A quantity that others are drawn against: its column, its name, its name with unit."""

    column: str
    name: str
    title: str
    is_compute: bool = False


AXES = MappingProxyType(
    {
        "compute_flop": Axis(
            column="compute_flop",
            name=lazy_gettext("Compute"),
            title=lazy_gettext("Training compute C (FLOP)"),
            is_compute=True,
        ),
        "params": Axis(
            column="params",
            name=lazy_gettext("Model size"),
            title=lazy_gettext("Model size N (parameters)"),
        ),
        "tokens": Axis(
            column="tokens",
            name=lazy_gettext("Data"),
            title=lazy_gettext("Training data D (tokens)"),
        ),
    }
)
"""What a scaling curve runs over, by table column."""

MONEY = lazy_gettext("Money (US dollars)")
"""What an axis of money says."""


def axis_of(column: str) -> Axis:
    """Return the axis of a table column."""
    if column in AXES:
        return AXES[column]
    return Axis(column=column, name=column_name(column), title=column_title(column))


def table_axes(table: LossTable) -> dict[str, Axis]:
    """Return the usual axes that a table has values for, by column."""
    frame = table.included()
    return {name: axis for name, axis in AXES.items() if name in frame}


def scale_axes(table: LossTable) -> dict[str, Axis]:
    """Return what losses may be laid out by: what the scale of a run is, then the usual axes."""
    first = scale_column(table)
    return {first: axis_of(first)} | table_axes(table)


def law_axes(fit: Fit, table: LossTable) -> dict[str, Axis]:
    """Return what the loss may be drawn against: the usual axes, and the law's other inputs."""
    others = [column for column in other_inputs(fit.law) if column in table.frame]
    return table_axes(table) | {column: axis_of(column) for column in others}


def column_name(column: str) -> str:
    """Return what a person calls a table column."""
    if column in AXES:
        return AXES[column].name
    known = COLUMNS.get(column)
    return column if known is None else known.label


def column_title(column: str) -> str:
    """Return what an axis of a table column says, with its unit."""
    known = COLUMNS.get(column)
    if known is None:
        return column
    return _("{label} ({unit})", label=known.label, unit=known.unit) if known.unit else known.label


def response_title(fit: Fit) -> str:
    """Return what the axis of a fit's response says, with its unit."""
    return outcome_title(fit.law.response, fit.loss_unit)


def outcome_title(response: str, loss_unit: str) -> str:
    """Return what the axis of a response says, with its unit."""
    return loss_title(loss_unit) if response == "loss" else column_title(response)


def predicted_title(response: str, loss_unit: str) -> str:
    """Return what the axis of a predicted response says, with its unit."""
    title = outcome_title(response, loss_unit)
    return _("Predicted {title}", title=in_a_sentence(title))


def loss_title(unit: str) -> str:
    """Return what an axis of losses in a unit says."""
    return _("Loss ({unit})", unit=unit) if unit != "unknown" else _("Loss (unit unknown)")
