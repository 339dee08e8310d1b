"""Inputs bound to the address bar, each returning a value in canonical units.

Every input takes the name of its parameter in the address as ``key``, so that the link reproduces
the view. The browser is the only one to enforce what a widget offers; every value that arrives is
checked again here; junk falls back to the default and leaves the address.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from isoflop.errors import IsoflopError, UnitError
from isoflop.language import all_translated, translated
from isoflop.language import gettext as _
from isoflop.ui import address, messages
from isoflop.units import DAY_S, HOUR_S, Dimension, format_quantity, parse_quantity, parse_share

Choice = TypeVar("Choice", bound=str)
Read = TypeVar("Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A kind of positive quantity: how a person reads, types and slides it.

    Parameters
    ----------
    dimension : Dimension
        Of the value, in its canonical unit.
    default_unit : str
        Unit of a typed number that has none.
    stops : tuple of float
        Values on the slider, ascending; a typed value between them is added.
    write : callable
        Value to text that `parse_quantity` reads back unchanged.
    is_whole : bool
        Whether only whole numbers make sense.
    lower, upper : float
        Smallest and largest value accepted; a lower end of None means above zero.
    also : callable or None
        Reads text of another kind that amounts to this one, such as accelerator-days to FLOP; None
        for text that is not of that kind either.
    """

    dimension: Dimension
    default_unit: str = ""
    stops: tuple[float, ...]
    write: Callable[[float], str]
    is_whole: bool = False
    lower: float | None = None
    upper: float = math.inf
    also: Callable[[str], float | None] | None = None

    @property
    def is_share(self) -> bool:
        """Whether it is a share of a whole, which a bare 45 may say in percent."""
        return self.dimension == "fraction" and self.upper <= 1

    def label(self, value: float) -> str:
        """Write a value for the slider: in three digits, a whole number in full."""
        text = self.write(value)
        if self.is_whole:
            return text
        number, is_days, rest = _in_three_digits(text).partition(" days")
        # The slider says it in the language of the page; what is typed is read in any.
        return _("{number} days", number=number) if is_days and not rest else number + rest

    def read(self, text: str) -> float:
        """Parse what a person typed.

        Raises
        ------
        UnitError
            If it is not a quantity of this kind, or not positive, or too large.
        """
        other = None if self.also is None else self.also(text)
        value = self._literally(text) if other is None else other
        if self.lower is None and not value > 0:
            raise UnitError(
                _("{text} is not above zero.", text=text.strip()), hint=_("Give a positive value.")
            )
        if self.lower is not None and value < self.lower:
            raise UnitError(
                _("{text} is less than {lower}.", text=text.strip(), lower=self.write(self.lower))
            )
        if value > self.upper:
            raise UnitError(
                _("{text} is more than {upper}.", text=text.strip(), upper=self.write(self.upper))
            )
        if self.is_whole and value != round(value):
            raise UnitError(_("{text} is not a whole number.", text=text.strip()))
        return value

    def _literally(self, text: str) -> float:
        if self.is_share:
            return parse_share(text)
        return parse_quantity(text, self.dimension, default_unit=self.default_unit)

    def taken_for(self, text: str) -> str:
        """Return what a readable text was taken for, where that is not what it says itself."""
        value = self.read(text)
        try:
            is_literal = value == parse_quantity(
                text, self.dimension, default_unit=self.default_unit
            )
        except UnitError:
            is_literal = False
        return "" if is_literal else self.label(value)


def _log_stops(first: int, last: int, mantissas: Sequence[float]) -> tuple[float, ...]:
    """Return mantissas times the powers of ten from ``first`` up to ``last``."""
    stops = [float(f"{m}e{power}") for power in range(first, last) for m in mantissas]
    return (*stops, float(f"1e{last}"))


_DECIMALS = re.compile(r"\d+\.\d+")


def _in_three_digits(text: str) -> str:
    """Return text with its decimal fractions rounded to three significant digits."""

    def rounded(found: re.Match[str]) -> str:
        if len(found[0].replace(".", "").lstrip("0")) <= 3:
            return found[0]
        value = float(found[0])
        decimals = 2 - math.floor(math.log10(value)) if value else 0
        return f"{round(value, max(decimals, 0)):.12g}"

    return _DECIMALS.sub(rounded, text)


def _plain_number(value: float) -> str:
    """Write a number with as few characters as read back exactly."""
    return format(value, ".12g").replace("e+", "e")


def _write_time(value: float) -> str:
    in_days = value >= 2 * DAY_S
    return f"{_plain_number(value / (DAY_S if in_days else HOUR_S))} {'days' if in_days else 'h'}"


def _write_price(value: float) -> str:
    text = _plain_number(value)
    cents = len(text.partition(".")[2])
    return f"${text}{'0' if cents == 1 else ''}/h"


TYPED_PX = 112
"""Room for 500 GPU-days."""

ROUND = (1, 1.5, 2, 3, 4, 5, 6, 8)
COUNT = Quantity(
    dimension="count",
    stops=tuple(float(2**power) for power in range(18)),
    write=_plain_number,
    is_whole=True,
    upper=1e7,
)
TIME = Quantity(
    dimension="seconds",
    default_unit="days",
    stops=tuple(hours * HOUR_S for hours in (1, 2, 4, 8, 12, 24))
    + tuple(days * DAY_S for days in (2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 270, 365)),
    write=_write_time,
    upper=100 * 365 * DAY_S,
)
SHARE = Quantity(
    dimension="fraction",
    stops=tuple(np.round(np.arange(0.05, 0.86, 0.01), 2).tolist()),
    write=lambda value: f"{_plain_number(100 * value)}%",
    upper=1.0,
)
COMPUTE = Quantity(
    dimension="flop",
    stops=_log_stops(16, 28, ROUND),
    write=lambda value: f"{_plain_number(value)} FLOP",
    upper=1e35,
)
MONEY = Quantity(
    dimension="usd",
    stops=_log_stops(2, 10, ROUND),
    write=lambda value: format_quantity(value, "usd", digits=12),
    upper=1e15,
)
PRICE = Quantity(
    dimension="usd_per_hour",
    stops=_log_stops(-2, 3, ROUND),
    write=_write_price,
    upper=1e6,
)
PARAMS = Quantity(
    dimension="params",
    stops=_log_stops(6, 14, ROUND),
    write=lambda value: format_quantity(value, "count", digits=12),
    upper=1e18,
)
TOKENS = Quantity(
    dimension="tokens",
    stops=_log_stops(7, 15, ROUND),
    write=lambda value: format_quantity(value, "count", digits=12),
    upper=1e20,
)
NOISE = Quantity(dimension="count", stops=_log_stops(-4, -1, ROUND), write=_plain_number, upper=1.0)
SMALL_COUNT = Quantity(
    dimension="count",
    stops=tuple(map(float, range(21))),
    write=_plain_number,
    is_whole=True,
    lower=0.0,
    upper=1e6,
)
DELTA = Quantity(
    dimension="count", stops=_log_stops(-5, 0, ROUND), write=_plain_number, upper=100.0
)


def over(low: float, high: float) -> Quantity:
    """Return a plain number that slides over a range: in equal ratios if that is positive."""
    spaced = np.geomspace if low > 0 else np.linspace
    stops = spaced(low, high, 41) if high > low else np.array([low])
    return Quantity(
        dimension="count",
        stops=tuple(float(f"{value:.4g}") for value in stops),
        write=_plain_number,
        lower=min(low, 0.0),
        upper=1e30,
    )


def quantity(
    label: str,
    *,
    key: str,
    default: float,
    kind: Quantity,
    help: str,
    is_default_fixed: bool = True,
) -> float:
    """Draw a slider with the typed value beside it, and return the value.

    The slider follows the typed text and writes it. Text that cannot be read is explained below the
    input, and the last good value stays in use and in the address. Empty text stands for the
    default.

    Parameters
    ----------
    label, help : str
        Help is one line.
    key : str
        Parameter of the address.
    default : float
        In the canonical unit.
    kind : Quantity
    is_default_fixed : bool
        False where the default follows another input (utilisation, by accelerator): the text then
        stays empty until a person gives a value.
    """
    label, help = translated(label), translated(help)
    slider_key = f"_{key}.slider"
    row = st.container(horizontal=True, wrap=False, vertical_alignment="bottom")
    first = kind.write(default) if is_default_fixed else ""
    good, problem = _good(key, first, kind)
    value = kind.read(good) if good else default
    st.session_state[_good_key(key)] = good
    is_moved = st.session_state.get(slider_key) != value
    if is_moved:  # what is set is sent, and redrawn
        st.session_state[slider_key] = value
    row.select_slider(
        label,
        options=_on_slider(kind, value),
        # The first run of a page still sees the state of the last page's slider of that name, which
        # says nothing to the new one: it starts at its default.
        value=None if is_moved else value,
        format_func=kind.label,
        key=slider_key,
        help=help,
        on_change=_copy_slider_to_text,
        args=(slider_key, key, kind),
    )
    row.text_input(
        _("{label}, typed", label=label),
        value=first,
        placeholder=kind.label(default),
        key=key,
        label_visibility="collapsed",
        width=TYPED_PX,
        persist_state="session",
    )
    if problem:
        st.caption(f":red[{messages.plain(problem.summary)} {messages.plain(problem.hint)}]")
    elif good and (taken := kind.taken_for(good)):
        st.caption(_("Read as {taken}.", taken=messages.plain(taken)))
    address.write(key, () if good in ("", first) else (good,))
    return value


def held(*, key: str, default: float, kind: Quantity) -> float:
    """Return what a quantity's input of a fixed default is about to show, without drawing it.

    Parameters
    ----------
    key, default, kind
        As `quantity`.
    """
    good, _problem = _good(key, kind.write(default), kind)
    return kind.read(good) if good else default


def _good_key(key: str) -> str:
    return f"_{key}.good"


def _good(key: str, first: str, kind: Quantity) -> tuple[str, UnitError | None]:
    """Return the text that counts of an input, and what is wrong with the text that it holds."""
    return _accepted(text_of(key, first), kind, st.session_state.get(_good_key(key), ""))


def _on_slider(kind: Quantity, value: float) -> list[float]:
    """Return the stops of a slider and a value, one of each label, which the browser knows."""
    by_label = {kind.label(stop): stop for stop in kind.stops} | {kind.label(value): value}
    return sorted(by_label.values())


def step(key: str, kind: Quantity, *, is_up: bool) -> None:
    """Move a quantity to its slider's next stop, or the one before; for a widget's callback."""
    held = st.session_state.get(f"_{key}.slider")
    if held is None:
        return
    further = [stop for stop in kind.stops if (stop > held if is_up else stop < held)]
    if further:
        st.session_state[key] = kind.write(further[0] if is_up else further[-1])


def text_of(key: str, first: str) -> str:
    """Return what a typed input is about to hold, and see to it that it does."""
    held = st.session_state.get(key)
    if address.is_opened(key):
        asked = st.query_params.get(key, first)
        if asked != first or held is not None:
            st.session_state[key] = asked
        return asked
    if held:
        _carry(key, held, first)
    return held or ""


def _carry(key: str, held: object, first: object) -> None:
    """Let an input hold what it held on the page come from: its widget here is a new one."""
    if held != first and key not in st.query_params:
        st.session_state[key] = held


def _accepted(text: str, kind: Quantity, last_good: str) -> tuple[str, UnitError | None]:
    """Return the text if it can be read, else the last good one and what is wrong with it."""
    if not text.strip():
        return "", None
    try:
        kind.read(text)
    except UnitError as problem:
        with suppress(UnitError):
            kind.read(last_good)
            return last_good, problem
        return "", problem
    return text, None


def _copy_slider_to_text(slider_key: str, text_key: str, kind: Quantity) -> None:
    st.session_state[text_key] = kind.write(st.session_state[slider_key])


def choice(
    label: str,
    options: Mapping[Choice, str],
    *,
    key: str,
    default: Choice,
    help: str,
    style: Literal["list", "row"] = "list",
    is_label_shown: bool = True,
    is_label_beside: bool = False,
    is_default_fixed: bool = True,
    on_change: Callable[[], None] | None = None,
) -> Choice:
    """Draw a choice of one and return its value.

    Parameters
    ----------
    label, help : str
    options : mapping of str to str
        What a person reads, by value; the address holds the value.
    key : str
        Parameter of the address.
    default : str
    style : {"list", "row"}
        A list that opens, or a row of buttons for up to four short options.
    is_label_shown : bool
        False where the page says it already; screen readers always have it.
    is_label_beside : bool
        Whether it stands beside a row of buttons, as the title of what these change; see
        ``style.css``.
    is_default_fixed : bool
        False where the default may be another elsewhere (the opening table, by what is downloaded):
        an address that names the choice then goes on naming it.
    on_change : callable, optional
        Called before the page runs again.
    """
    label, help, options = translated(label), translated(help), all_translated(options)
    values = list(options)
    held = [st.session_state[key]] if key in st.session_state else None
    asked = _to_choose(key, options, held, [default])
    if asked:
        st.session_state[key] = asked[-1]
    chosen: Choice | None
    if style == "row":
        chosen = st.segmented_control(
            label,
            values,
            default=default,
            required=True,
            format_func=lambda value: options[value],
            key=key,
            help=help,
            width="stretch" if is_label_shown and not is_label_beside else "content",
            label_visibility="visible" if is_label_shown else "collapsed",
            on_change=on_change or "rerun",
            persist_state="session",
        )
    else:
        chosen = st.selectbox(
            label,
            values,
            index=values.index(default),
            format_func=lambda value: options.get(value, value),
            key=key,
            help=help,
            label_visibility="visible" if is_label_shown else "collapsed",
            on_change=on_change or "rerun",
            persist_state="session",
        )
    if chosen not in options:
        chosen = default
    is_implied = chosen == default and (is_default_fixed or not _is_named(key))
    address.write(key, () if is_implied else (chosen,))
    return chosen


def several(
    label: str, options: Sequence[str], *, key: str, help: str, default: Sequence[str] = ()
) -> tuple[str, ...]:
    """Draw a choice of several and return those chosen, in the order offered.

    Empty for all of them, chosen or not: a fit to nothing helps nobody.
    """
    label, help = translated(label), translated(help)
    first = [option for option in options if option in default] or list(options)
    known = {option: option for option in options}
    asked = _to_choose(key, known, st.session_state.get(key), first)
    if asked:
        st.session_state[key] = asked
    chosen = st.pills(
        label,
        options,
        selection_mode="multi",
        default=first,
        format_func=messages.plain_option,
        key=key,
        help=help,
        persist_state="session",
    )
    kept = tuple(option for option in options if option in set(chosen or options))
    address.write(key, () if list(kept) == first else kept)
    return () if len(kept) == len(options) else kept


def few(
    label: str,
    options: Mapping[Choice, str],
    *,
    key: str,
    default: Sequence[Choice],
    help: str,
    most: int | None = None,
) -> tuple[Choice, ...]:
    """Draw a list of which some are chosen, and return those; the default where none is.

    Parameters
    ----------
    label, help : str
    options : mapping of str to str
        What a person reads, by value; the address holds the value.
    key : str
        Parameter of the address.
    default : sequence of str
    most : int, optional
        That may be chosen.
    """
    label, help, options = translated(label), translated(help), all_translated(options)
    first = [value for value in options if value in default]
    asked = _to_choose(key, options, st.session_state.get(key), first)
    if asked:
        st.session_state[key] = asked[:most]
    picked = st.multiselect(
        label,
        list(options),
        default=first,
        format_func=lambda value: options.get(value, value),
        max_selections=most,
        key=key,
        help=help,
        persist_state="session",
    )
    kept = [value for value in options if value in picked] or first
    address.write(key, () if kept == first else kept)
    return tuple(default if kept == first else kept)


def tabs(
    labels: Mapping[str, str], *, key: str, default: str | None = None
) -> tuple[str, DeltaGenerator]:
    """Draw tabs, and return the name of the one that is open and its place.

    Parameters
    ----------
    labels : mapping of str to str
        What a person reads, by name; the address holds the name. A link that holds the label, in
        any case and with spaces, is followed too.
    key : str
        Parameter of the address.
    default : str, optional
        Open at first; the first unless given.
    """
    labels = all_translated(labels)
    first, memory = default or next(iter(labels)), f"{key}.open"
    held = opened_tab(key) or first
    if st.session_state.pop(f"{key}.wanted", False):
        st.session_state[key] = labels[held]
    elif address.is_opened(key) or st.session_state[key] not in labels.values():
        name = (_asked(key, labels) or [first if address.is_anew() else held])[-1]
        if name != first or key in st.session_state:
            st.session_state[key] = labels[name]
    drawn = st.tabs(list(labels.values()), default=labels[first], key=key, on_change="rerun")
    shown = dict(zip(labels, drawn, strict=True))
    opened = next((name for name, tab in shown.items() if tab.open), first)
    st.session_state[memory] = opened
    address.write(key, () if opened == first else (opened,))
    return opened, shown[opened]


def opened_tab(key: str) -> str | None:
    """Return the name of the tab that is open, or was when its page was shown last."""
    held: str | None = st.session_state.get(f"{key}.open")
    return held


def open_tab(key: str, name: str) -> None:
    """Let a tab be open when the page runs next; for a widget's callback."""
    st.session_state[f"{key}.open"] = name
    st.session_state[f"{key}.wanted"] = True


def folded(
    label: str, *, key: str, icon: str, holds: Callable[[str], bool]
) -> tuple[DeltaGenerator, bool]:
    """Draw what folds inputs away, and return their place and whether they are to be drawn there.

    They are from when it is first opened on, and where the address says something of one: a folded
    input costs a browser as much as any other whenever something of the page is redrawn.

    Parameters
    ----------
    label : str
    key : str
    icon : str
    holds : callable
        Says of a parameter of the address whether it is one of these inputs.
    """
    place = st.expander(label, icon=icon, key=key, on_change="rerun")
    is_told = any(holds(name) for name in (*st.query_params, *map(str, st.session_state)))
    return place, bool(place.open or is_told)


def switch(label: str, *, key: str, default: bool, help: str, is_asked: bool = False) -> bool:
    """Draw a switch and return whether it is on.

    Parameters
    ----------
    label, help : str
    key : str
        Parameter of the address.
    default : bool
    is_asked : bool
        Whether the address asks for it to be on, where it does not name the switch.
    """
    if address.is_opened(key):
        said = st.query_params.get(key, "").lower()
        asked = {"true": True, "false": False}.get(said, is_asked or default)
        if asked != default or address.is_anew():
            st.session_state[key] = asked
    else:
        _carry(key, st.session_state[key], default)
    is_on = st.toggle(
        translated(label), value=default, key=key, help=translated(help), persist_state="session"
    )
    address.write(key, () if is_on == default else (str(is_on).lower(),))
    return is_on


def text(
    label: str,
    *,
    key: str,
    read: Callable[[str], Read],
    help: str | None,
    default: str = "",
    is_long: bool = False,
    **look: Any,
) -> Read:
    """Draw a field of text, and return what is read of it; the address holds what can be read.

    Parameters
    ----------
    label, help : str
    key : str
        Parameter of the address.
    read : callable
        Raises an IsoflopError for what is not accepted.
    default : str
    is_long : bool
        Whether it has several lines.
    look : object
        More of the widget's own parameters.

    Raises
    ------
    IsoflopError
        As raised by ``read``.
    """
    text_of(key, default)
    label, help = translated(label), help and translated(help)
    draw = st.text_area if is_long else st.text_input
    typed = draw(label, value=default, key=key, help=help, persist_state="session", **look) or ""
    try:
        found = read(typed)
    except IsoflopError:
        if typed in st.query_params.get_all(key):
            address.write(key, ())
        raise
    address.write(key, () if typed == default else (typed,))
    return found


def number(
    label: str,
    low: float,
    high: float,
    default: float,
    *,
    key: str,
    help: str | None = None,
    step: float | None = None,
    is_slider: bool = False,
) -> float:
    """Draw a field, or a slider, of a plain number, and return it.

    Parameters
    ----------
    label, help : str
    low, high, default : float
        Whole numbers for a whole number.
    key : str
        Parameter of the address.
    step : float, optional
    is_slider : bool
    """
    kind, label, help = type(default), translated(label), help and translated(help)
    if address.is_opened(key):
        asked = _number(st.query_params.get(key, ""), kind, low, high)
        if asked is not None or address.is_anew():
            st.session_state[key] = default if asked is None else asked
    elif st.session_state[key] is not None:  # an emptied field
        _carry(key, st.session_state[key], default)
    draw: Callable[..., Any] = st.slider if is_slider else st.number_input
    held = draw(label, low, high, default, step, key=key, help=help, persist_state="session")
    value = default if held is None else held
    address.write(key, () if value == default else (f"{value:.12g}",))
    return float(value)


def _number(text: str, kind: type, low: float, high: float) -> float | None:
    """Return the number of a text; None if it is none, or out of range."""
    try:
        found = kind(text)
    except ValueError:
        return None
    return found if low <= found <= high else None


# --- Choices in the address ---
#
# A link holds the names that code uses, whatever the labels say by then.


def _to_choose(
    key: str, options: Mapping[Choice, str], held: Sequence[str] | None, first: list[Choice]
) -> list[Choice] | None:
    """Return what to set a choice to before it is drawn; None where its widget knows.

    Parameters
    ----------
    key : str
        Parameter of the address.
    options : mapping of str to str
    held : sequence of str or None
        What was chosen in this session; None at first.
    first : list of str
        Chosen unless somebody says otherwise.
    """
    is_anew = address.is_anew()
    if held is None or is_anew:  # the address is opened, or gone back to
        return _asked(key, options) or (first if is_anew else None)
    kept = [value for value in options if value in held]
    if len(kept) < len(held):  # of another table, perhaps
        return kept or first
    # A page come to from another has new widgets, which start at what is chosen first.
    is_untold = kept != first and st.query_params.get_all(key) != kept
    return kept if kept and is_untold else None


def _asked(key: str, options: Mapping[Choice, str]) -> list[Choice]:
    """Return the options that the address names, by value or as a person reads them.

    What is unknown is said: a link must not show something else than it names without a word.
    """
    values: dict[str, Choice] = {label: value for value, label in options.items()}
    values |= {value: value for value in options}
    asked = st.query_params.get_all(key)
    unknown = [text for text in asked if _value(text, values) is None]
    if unknown:
        st.warning(
            _(
                "The address asks for {key} = {unknown}, which is not known here; {instead} shown.",
                key=messages.plain(key),
                unknown=messages.plain(", ".join(unknown)[:80]),
                instead=_("the others are") if len(unknown) < len(asked) else _("the default is"),
            ),
            icon=":material/link_off:",
        )
    return [found for text in asked if (found := _value(text, values)) is not None]


def _value(text: str, values: Mapping[str, Choice]) -> Choice | None:
    """Return what an address means by a text: a value, or a label of today or of before.

    Values that are names are made from the label that they had at first.
    """
    return values.get(text, values.get(text.lower().replace(" ", "-")))


def _is_named(key: str) -> bool:
    """Say whether the address names a key, or did on the page that the person comes from."""
    memory = f"named.{key}"
    is_kept = not address.is_anew() and bool(st.session_state.get(memory))
    st.session_state[memory] = is_named = is_kept or key in st.query_params
    return is_named
