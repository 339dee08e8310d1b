"""Widgets of options: label, help, choices and range come from where the option is described.

A page says which option it asks for, where, and under which name in the address; what was chosen
is read by `isoflop.options.from_mapping`, as a query would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, Protocol

from isoflop.language import sentences
from isoflop.options import Option, option
from isoflop.ui import inputs, terms
from isoflop.ui.inputs import Quantity


def choice(
    owner: type,
    name: str,
    *,
    key: str,
    default: object = None,
    offered: Mapping[str, str] | None = None,
    note: str = "",
    style: Literal["list", "row"] = "list",
) -> str:
    """Draw a choice of one value of an option, and return it as text.

    Parameters
    ----------
    owner : type
        Class of the options.
    name : str
        Of the option.
    key : str
        Parameter of the address.
    default : object, optional
        Where the page starts; the option's own default unless given.
    offered : mapping of str to str, optional
        Label by value, where these come from a catalog, are a few of many, or not all can be had.
    note : str
        What is to be added to the option's help.
    style : {"list", "row"}
    """
    entry = option(owner, name)
    return inputs.choice(
        entry.label,
        offered or {str(value): label for value, label in entry.choices.items()},
        key=key,
        default=str(entry.default if default is None else default),
        help=_help(entry, note),
        style=style,
    )


def quantity(
    owner: type,
    name: str,
    *,
    key: str,
    kind: Quantity,
    default: float | None = None,
    note: str = "",
    is_default_fixed: bool = True,
) -> float:
    """Draw a slider with the typed value beside it for a numeric option, and return the value.

    Parameters
    ----------
    owner, name, key, note
        As `choice`.
    kind : Quantity
        How the value is slid and written; what is accepted is the option's.
    default : float, optional
        As `choice`.
    is_default_fixed : bool
        As `isoflop.ui.inputs.quantity`.
    """
    entry = option(owner, name)
    return inputs.quantity(
        entry.label,
        key=key,
        default=_start(entry, default),
        kind=_within(kind, entry),
        help=_help(entry, note),
        is_default_fixed=is_default_fixed,
    )


def held(
    owner: type,
    name: str,
    *,
    key: str,
    kind: Quantity,
    default: float | None = None,
    note: str = "",
) -> float:
    """Return what the input of a numeric option is about to show, without drawing it.

    Parameters
    ----------
    owner, name, key, kind, default, note
        As `quantity`, whose default is fixed.
    """
    entry = option(owner, name)
    return inputs.held(key=key, default=_start(entry, default), kind=_within(kind, entry))


class Ask(Protocol):
    """How a number is asked for: `quantity` or `held`."""

    def __call__(
        self,
        owner: type,
        name: str,
        *,
        key: str,
        kind: Quantity,
        default: float | None = None,
        note: str = "",
    ) -> float:
        """Return the number."""


def switch(owner: type, name: str, *, key: str) -> bool:
    """Draw a switch for an option that is on or off, bound to the address."""
    entry = option(owner, name)
    return inputs.switch(entry.label, key=key, default=entry.default, help=_help(entry))


def _help(entry: Option, note: str = "") -> str:
    return terms.explained(sentences([entry.help, note]), entry.term)


def _start(entry: Option, default: float | None) -> float:
    """Return where the page starts: the option's own default unless another is given."""
    return float(entry.default) if default is None else default


def _within(kind: Quantity, entry: Option) -> Quantity:
    """Return how a number is asked for, within what the option accepts."""
    ends = [end for end in (entry.le, entry.lt, kind.upper) if end is not None]
    return replace(
        kind,
        dimension=entry.dimension or "count",
        is_whole=entry.kind is int,
        lower=entry.ge,
        upper=min(ends),
    )
