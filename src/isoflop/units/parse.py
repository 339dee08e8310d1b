"""Read quantities as people write them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal, get_args

from isoflop.errors import UnitError
from isoflop.language import lazy_gettext as _

Dimension = Literal[
    "count",
    "params",
    "tokens",
    "flop",
    "flop_per_s",
    "bytes",
    "bytes_per_s",
    "seconds",
    "accelerator_seconds",
    "usd",
    "usd_per_hour",
    "joules",
    "watts",
    "nats_per_token",
    "tokens_per_param",
    "fraction",
]

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86400.0
WEEK_S = 7 * DAY_S
YEAR_S = 365.25 * DAY_S
MONTH_S = YEAR_S / 12
WATT_HOUR_J = 3600.0
NATS_PER_BIT = math.log(2.0)

_MAGNITUDES = {
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "mn": 1e6,
    "mio": 1e6,
    "million": 1e6,
    "b": 1e9,
    "bn": 1e9,
    "g": 1e9,
    "billion": 1e9,
    "t": 1e12,
    "tn": 1e12,
    "trillion": 1e12,
    "p": 1e15,
    "quadrillion": 1e15,
    **{"千": 1e3, "万": 1e4, "萬": 1e4, "만": 1e4, "百万": 1e6, "千万": 1e7, "亿": 1e8, "億": 1e8},
    **{"억": 1e8, "十亿": 1e9, "百亿": 1e10, "千亿": 1e11, "万亿": 1e12, "조": 1e12},
}
_SI = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21, "y": 1e24}
_SI_WORDS = {
    "kilo": 1e3, "mega": 1e6, "giga": 1e9, "tera": 1e12, "peta": 1e15, "exa": 1e18, "zetta": 1e21,
    "yotta": 1e24,
}  # fmt: skip
_BINARY = {"ki": 2.0**10, "mi": 2.0**20, "gi": 2.0**30, "ti": 2.0**40, "pi": 2.0**50}
_TIME = {
    "s": 1.0, "sec": 1.0, "secs": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6,
    "m": MINUTE_S, "min": MINUTE_S, "mins": MINUTE_S, "minute": MINUTE_S, "minutes": MINUTE_S,
    "h": HOUR_S, "小时": HOUR_S, "hr": HOUR_S, "hrs": HOUR_S, "hour": HOUR_S, "hours": HOUR_S,
    "d": DAY_S, "天": DAY_S, "day": DAY_S, "days": DAY_S,
    "w": WEEK_S, "week": WEEK_S, "weeks": WEEK_S,
    "month": MONTH_S, "months": MONTH_S, "y": YEAR_S, "yr": YEAR_S, "year": YEAR_S,
    "years": YEAR_S,
}  # fmt: skip
DEVICES = ("gpu", "tpu", "chip", "device", "accelerator", "node", "cpu", "core")
DEVICE_TIMES = {unit: size for unit, size in _TIME.items() if unit not in {"m", "ms", "us", "y"}}
"""Seconds of each unit of time that may stand behind a device."""


def _prefixed(*names: str) -> dict[str, float]:
    prefixes = _SI | _SI_WORDS
    return {prefix + name: factor for name in names for prefix, factor in prefixes.items()}


def _plain(*names: str) -> dict[str, float]:
    return dict.fromkeys(names, 1.0)


def _byte_units(suffix: str = "") -> dict[str, float]:
    units = _prefixed(*(name + suffix for name in ("b", "byte", "bytes")))
    return units | {prefix + "b" + suffix: factor for prefix, factor in _BINARY.items()}


def _rates(units: Mapping[str, float]) -> dict[str, float]:
    return {unit + per: size for unit, size in units.items() for per in ("/s", "/sec", "/second")}


_FLOP = _prefixed("flop", "flops")
_FLOP_DAYS = {
    prefix + name + day: factor * DAY_S
    for prefix, factor in (_SI | _SI_WORDS).items()
    for name in ("f", "fs", "f/s", "flop", "flops", "flop/s", "flops/s")
    for day in ("day", "days")
    if prefix
}

# Every spelling is compared in lower case, without spaces and hyphens, "per" written "/".
_UNITS: dict[Dimension, dict[str, float]] = {
    "count": _plain("gpu", "gpus", "tpu", "tpus", "chip", "chips", "run", "runs", "step", "steps"),
    "params": _plain("param", "params", "parameter", "parameters"),
    "tokens": _prefixed("tok", "toks", "token", "tokens"),
    "flop": _FLOP | _FLOP_DAYS,
    "flop_per_s": _rates(_FLOP) | _FLOP,
    "bytes": _byte_units(),
    "bytes_per_s": _rates(_byte_units()),
    "seconds": _TIME,
    "accelerator_seconds": {
        device + time: size for device in DEVICES for time, size in DEVICE_TIMES.items()
    },
    "usd": _plain("usd", "dollar", "dollars"),
    "usd_per_hour": {
        f"{money}{per}": 1.0
        for money in ("", "usd", "dollars")
        for per in ("/h", "/hr", "/hour", "/gpuhour", "/gpuh", "/chiphour", "/acceleratorhour")
    },
    "joules": _prefixed("j", "joule", "joules")
    | {unit: size * WATT_HOUR_J for unit, size in _prefixed("wh", "watthour").items()},
    "watts": _prefixed("w", "watt", "watts"),
    "nats_per_token": _plain("nat", "nats", "nats/token", "nat/token")
    | dict.fromkeys(("bit", "bits", "bits/token", "bit/token"), NATS_PER_BIT),
    "tokens_per_param": _plain("tokens/param", "tokens/parameter", "tok/param"),
    "fraction": {"%": 0.01, "percent": 0.01},
}
_DESCRIPTIONS: dict[Dimension, tuple[str, str]] = {
    "count": ("a number", "64"),
    "params": (_("a number of parameters"), "1.3B"),
    "tokens": (_("a number of tokens"), "300B"),
    "flop": (_("an amount of compute"), _("2e21, 1.2 ZFLOP or 40 PF-days")),
    "flop_per_s": (_("a speed of compute"), "989 TFLOP/s"),
    "bytes": (_("an amount of memory"), "80 GB"),
    "bytes_per_s": ("a bandwidth", "3.35 TB/s"),
    "seconds": ("a time", _("3.5 days or 24 h")),
    "accelerator_seconds": (_("accelerators times hours"), "500 GPU-days"),
    "usd": (_("an amount of money in US dollars"), "$2M"),
    "usd_per_hour": (_("a price in US dollars an hour"), "$2.50/h"),
    "joules": (_("an energy"), "1.2 MWh"),
    "watts": ("a power", "700 W"),
    "nats_per_token": (_("a loss in nats per token"), "2.1"),
    "tokens_per_param": (_("a number of tokens per parameter"), "20"),
    "fraction": ("a fraction", "0.4 or 40%"),
}
# Where a bare "m" would be read as million by one person and as minutes by another.
_WITHOUT_BARE_MAGNITUDE: frozenset[Dimension] = frozenset({"seconds", "fraction"})

_NUMBER = re.compile(
    r"""(?P<sign>[+-]?)\s*(?P<currency>(?:(?:[Uu][Ss])?\$|[Uu][Ss][Dd])?)\s*
    (?P<number>
        \d{1,3}(?:,\d{3})+(?:\.\d+)?            # 1,300,000.5
      | \d{1,3}(?:\ \d{3})+(?:\.\d+)?(?![\d.])  # 1 300 000
      | \d+(?:_\d+)*\.?\d* | \.\d+
    )
    (?P<exponent>[eE][+-]?\d+ | \s*[x*]\s*10(?:\^|\*\*)[+-]?\d+ | (?<=10)(?:\^|\*\*)[+-]?\d+)?
    \s*(?P<rest>.*)""",
    re.VERBOSE | re.DOTALL,
)
_SUPERSCRIPT = re.compile("10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)")
_SUPERSCRIPT_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_TYPOGRAPHY = (
    *(("\u2212", "-"), ("×", "x"), ("⋅", "·"), (" · 10", "x10"), ("·10", "x10"), ("· 10", "x10")),
    *((space, " ") for space in ("\u00a0", "\u202f", "\u2009")),
)
_APOSTROPHES = re.compile(r"(?<=\d)['’](?=\d{3}(?!\d))")  # 1'300'000, as Switzerland writes it
_FORTRAN = re.compile(r"(?<=\d)[dD](?=[+-]\d{2,3}$)")  # 1.2D+08
_OTHER_MONEY = re.compile(
    r"[€£¥₩₹元円]|(?<![A-Za-z])(?:EUR|GBP|CHF|JPY|CNY|RMB|INR|KRW|CAD|AUD|euros?|pounds|yuan|yen)\b",
    re.IGNORECASE,
)
_BITS_OR_BYTES = re.compile(r"[KMGTPE]b(?:/s|ps)?")


def parse_number(text: str, *, decimal: str = ".") -> float:
    """Read a number in any unit known here and return it in its canonical unit.

    Parameters
    ----------
    text : str
        Such as ``"1.3B"``, ``"20e9"``, ``"1,300,000"``, ``"300B tokens"``, ``"3.5 days"``. A bare
        suffix K, M, B (or G), T, P is a power of a thousand.
    decimal : {".", ","}
        The decimal mark.

    Returns
    -------
    float
        Always finite.

    Raises
    ------
    UnitError
        If it is not a number followed by a known unit.
    """
    value, rest = _split_number(text, decimal)
    for dimension in get_args(Dimension):
        factor = _factor(rest, dimension)
        if factor is not None:
            return _finite(_times(value, factor), text)
    raise UnitError(
        _('"{text}" cannot be read as a quantity.', text=_shorten(text)),
        detail=_('The unit "{rest}" is not known.', rest=_shorten(rest)),
        hint=_(
            "Write a number and a suffix or unit, such as 1.3B, 300B tokens, 2e21 FLOP or 80 GB."
        ),
    )


def parse_quantity(
    text: str, dimension: Dimension, *, default_unit: str = "", decimal: str = "."
) -> float:
    """Read a quantity of one dimension and return it in the canonical unit.

    Parameters
    ----------
    text : str
        Such as ``"500 GPU-days"``. A bare suffix K, M, B (or G), T, P is a power of a thousand,
        except where a unit of the dimension is spelt so (``"80 B"`` of memory, ``"5 m"`` of time).
    dimension : Dimension
        What kind of quantity is wanted.
    default_unit : str
        Unit of a number that has none, such as ``"days"``; the canonical unit if empty.
    decimal : {".", ","}
        The decimal mark.

    Returns
    -------
    float
        Always finite.

    Raises
    ------
    UnitError
        If it is not a number, or its unit is unknown or of another dimension.
    """
    description, example = _DESCRIPTIONS[dimension]
    hint = _("Give {description}, such as {example}.", description=description, example=example)
    try:
        value, rest = _split_number(text, decimal)
    except UnitError:
        _refuse_other_money(text, dimension, hint)
        raise
    factor = _factor(rest or default_unit, dimension)
    if factor is not None:
        return _finite(_times(value, factor), text)
    _refuse_other_money(text, dimension, hint)
    if dimension in {"bytes", "bytes_per_s"} and _BITS_OR_BYTES.fullmatch(rest):
        raise UnitError(
            _('"{text}" could mean bits or bytes.', text=_shorten(text)),
            detail=_('The unit reads "{rest}".', rest=rest),
            hint=_("Write GB for gigabytes; divide gigabits by 8."),
        )
    other = next((d for d in get_args(Dimension) if _factor(rest, d) is not None), None)
    if other is not None:
        raise UnitError(
            _(
                '"{text}" is {descriptions}, not {description}.',
                text=_shorten(text),
                descriptions=_DESCRIPTIONS[other][0],
                description=description,
            ),
            hint=hint,
        )
    raise UnitError(
        _(
            '"{text}" cannot be read as {description}.',
            text=_shorten(text),
            description=description,
        ),
        detail=_('The unit "{rest}" is not known.', rest=_shorten(rest)),
        hint=hint,
    )


def _refuse_other_money(text: str, dimension: Dimension, hint: str) -> None:
    """Say of money in another currency that no exchange rate is assumed."""
    if _OTHER_MONEY.search(text) is None:
        return
    if dimension not in {"usd", "usd_per_hour"}:
        raise UnitError(
            _(
                '"{text}" is an amount of money, not {descriptions}.',
                text=_shorten(text),
                descriptions=_DESCRIPTIONS[dimension][0],
            ),
            hint=hint,
        )
    raise UnitError(
        _('"{text}" is not in US dollars, and no exchange rate is assumed.', text=_shorten(text)),
        hint=_(
            "Convert it at a rate of your own, and give {kind}, such as {example}.",
            kind=_DESCRIPTIONS[dimension][0],
            example=_DESCRIPTIONS[dimension][1],
        ),
    )


def unit_factor(unit: str, dimension: Dimension) -> float | None:
    """Return how many canonical units one ``unit`` is, or None if it is not of the dimension.

    Examples
    --------
    >>> unit_factor("GPU-hours", "accelerator_seconds")
    3600.0
    >>> unit_factor("B", "params")
    1000000000.0
    """
    return _factor(unit, dimension)


_GROUPS_OF_THREE = re.compile(r"[+-]?\s*\$?\s*\d{1,3}(\.\d{3})+(?!\d)(?![eE][+-]?\d)")


def with_decimal_point(text: str) -> str:
    """Return a number that is written with a decimal comma as it is written with a point.

    Points between groups of three digits fall away; in ``1.5e9`` no group can be meant, so that its
    point stays.

    Examples
    --------
    >>> with_decimal_point("1.234,5"), with_decimal_point("1.300.000"), with_decimal_point("1.5e9")
    ('1234.5', '1300000', '1.5e9')
    """
    if "," in text or _GROUPS_OF_THREE.match(text):
        return text.replace(".", "").replace(",", ".")
    return text


def _split_number(text: str, decimal: str) -> tuple[float, str]:
    """Return the number at the start of ``text`` and what follows it."""
    cleaned = _SUPERSCRIPT.sub(lambda m: "10^" + m[1].translate(_SUPERSCRIPT_DIGITS), text.strip())
    for mark, plain in _TYPOGRAPHY:
        cleaned = cleaned.replace(mark, plain)
    cleaned = _FORTRAN.sub("e", _APOSTROPHES.sub("", cleaned))
    if decimal == ",":
        cleaned = with_decimal_point(cleaned)
    match = _NUMBER.fullmatch(cleaned)
    if match is None:
        raise UnitError(
            _('"{text}" is not a number.', text=_shorten(text))
            if text.strip()
            else _("The value is empty."),
            hint=_("Write a number and a suffix or unit, such as 1.3B, 300B tokens or 2e21."),
        )
    rest = match["rest"].strip()
    if rest[:1].isdigit() or rest[:1] in {",", "."}:
        raise UnitError(
            _('"{text}" is not a number.', text=_shorten(text)),
            detail=_('Reading stopped at "{rest}".', rest=_shorten(rest)),
            hint=_(
                "Use a point as the decimal mark and commas only between groups of three digits."
            ),
        )
    digits = re.sub(r"[,_ ]", "", match["number"])
    exponent = re.sub(r"\s*[x*]\s*10(?:\^|\*\*)", "e", match["exponent"] or "")
    if exponent.startswith(("^", "**")):  # a bare power: 10^21
        digits, exponent = digits.removesuffix("10") + "1", "e" + exponent.lstrip("^*")
    value = float(digits + exponent)
    if match["currency"]:  # $2M is 2M USD, and $2.50/h is 2.50 USD/h
        amount, per, time = re.sub(r"\bper\b", "/", rest).partition("/")
        rest = f"{amount} usd{per}{time}"
    return (-value if match["sign"] == "-" else value), rest


def _times(value: float, factor: float) -> float:
    """Multiply; below one divide by the inverse, so that 95% is 0.95 to the last bit."""
    return value * factor if factor >= 1 else value / (1 / factor)


def _factor(unit: str, dimension: Dimension) -> float | None:
    """Return the size of ``unit`` (with any magnitude before it), or None if it is not known."""
    if not unit:
        return 1.0
    if dimension in {"bytes", "bytes_per_s"} and _BITS_OR_BYTES.fullmatch(unit):
        return None
    known = _UNITS[dimension]
    key = re.sub(r"[\s_·-]", "", re.sub(r"\s+per\s+", "/", unit.strip().lower()))
    if key in known:
        return known[key]
    if key in _MAGNITUDES:
        return None if dimension in _WITHOUT_BARE_MAGNITUDE else _MAGNITUDES[key]
    for magnitude, factor in _MAGNITUDES.items():
        if key.startswith(magnitude) and key[len(magnitude) :] in known:
            return factor * known[key[len(magnitude) :]]
    return None


def _finite(value: float, text: str) -> float:
    if not math.isfinite(value):
        raise UnitError(
            _('"{text}" is too large a number.', text=_shorten(text)), hint=_("Give a smaller one.")
        )
    return value


def _shorten(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
