"""Write quantities as people read them."""

from __future__ import annotations

import math
from collections.abc import Callable

from isoflop.language import lazy_gettext as _
from isoflop.units.parse import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    WATT_HOUR_J,
    YEAR_S,
    Dimension,
)


def format_number(value: float, digits: int = 3) -> str:
    """Write a number for a person, with ``digits`` significant digits.

    Examples
    --------
    >>> format_number(7.319e10), format_number(0.03), format_number(5.76e23)
    ('73.2B', '0.03', '5.76e23')
    """
    return _scaled(value, digits, ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")), top=1e15)


def counted(count: int, one: str, many: str = "") -> str:
    """Write how many there are of something, in the singular where that is one.

    Parameters
    ----------
    count : int
    one : str
        What follows the number 1: a noun, with its verb where that changes too.
    many : str
        What follows any other number; ``one`` with an s unless given.

    Examples
    --------
    >>> counted(1, "row"), counted(1245, "row"), counted(2, "row lies", "rows lie")
    ('1 row', '1,245 rows', '2 rows lie')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def format_quantity(value: float, dimension: Dimension, digits: int = 3) -> str:
    """Write a quantity for a person, in the unit that suits its size.

    Parameters
    ----------
    value : float
        In the canonical unit of ``dimension``.
    dimension : Dimension
    digits : int
        Significant digits.

    Examples
    --------
    >>> format_quantity(1.2e6, "usd"), format_quantity(293760, "seconds")
    ('$1.2M', '3.4 days')
    """
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if dimension == "count":
        return format_number(value, digits)
    if dimension in {"usd", "usd_per_hour"}:
        text = _format_usd(abs(value), digits) + ("/h" if dimension == "usd_per_hour" else "")
        return "-" + text if value < 0 else text
    if dimension == "fraction":
        return _scaled(value * 100, digits, (), bare="%")
    if dimension in {"seconds", "accelerator_seconds"}:
        return _format_time(value, digits, on_accelerators=dimension == "accelerator_seconds")
    if dimension == "flop":
        return f"{_significant(value, digits)} FLOP"
    if dimension in _SI_FORMATS:
        unit, divisor = _SI_FORMATS[dimension]
        steps = tuple((10.0 ** (3 * i), f" {p}{unit}") for i, p in _SI_STEPS)
        return _scaled(value / divisor, digits, steps, bare=f" {unit}")
    return _NOUNS[dimension](format_number(value, digits))


_NOUNS: dict[Dimension, Callable[[str], str]] = {
    "params": lambda number: _("{number} params", number=number),
    "tokens": lambda number: _("{number} tokens", number=number),
    "nats_per_token": lambda number: _("{number} nats/token", number=number),
    "tokens_per_param": lambda number: _("{number} tokens/param", number=number),
}
_SI_STEPS = ((8, "Y"), (7, "Z"), (6, "E"), (5, "P"), (4, "T"), (3, "G"), (2, "M"), (1, "k"))
_SI_FORMATS: dict[Dimension, tuple[str, float]] = {
    "flop_per_s": ("FLOP/s", 1.0),
    "bytes": ("B", 1.0),
    "bytes_per_s": ("B/s", 1.0),
    "joules": ("Wh", WATT_HOUR_J),
    "watts": ("W", 1.0),
}


def _format_usd(value: float, digits: int) -> str:
    if 0.01 <= value < 99.995 and digits <= 4:
        return f"${value:.2f}"
    return f"${format_number(value, digits)}"


def _format_time(value: float, digits: int, *, on_accelerators: bool) -> str:
    if on_accelerators:
        return _("{number} accelerator-hours", number=format_number(value / HOUR_S, digits))
    size = abs(value)
    for limit, unit_s, unit in (
        (1.0, 1e-3, "ms"),
        (2 * MINUTE_S, 1.0, "s"),
        (2 * HOUR_S, MINUTE_S, "min"),
        (2 * DAY_S, HOUR_S, "h"),
    ):
        if size < limit and size:
            return f"{_significant(value / unit_s, digits)} {unit}"
    if not size:
        return "0 s"
    if size < 2 * YEAR_S:
        return _("{number} days", number=_significant(value / DAY_S, digits))
    return _("{number} years", number=format_number(value / YEAR_S, digits))


def _scaled(
    value: float,
    digits: int,
    steps: tuple[tuple[float, str], ...],
    *,
    bare: str = "",
    top: float = math.inf,
) -> str:
    """Write ``value`` with the suffix of the largest step that it reaches once rounded."""
    if not math.isfinite(value):
        return ("n/a" if math.isnan(value) else "∞" if value > 0 else "-∞") + bare
    rounded = abs(float(f"{value:.{max(digits, 1) - 1}e}"))
    if rounded < top:
        for size, suffix in steps:
            if rounded >= size:
                return _significant(value / size, digits) + suffix
    return _significant(value, digits) + bare


def _significant(value: float, digits: int) -> str:
    """Write ``value`` with ``digits`` significant digits and no trailing zeros."""
    digits = max(digits, 1)
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -5 < power < max(digits, 4):
        text = f"{float(f'{mantissa}e{power}'):.{max(digits - 1 - power, 0)}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{power}"
