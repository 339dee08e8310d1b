"""Read quantities that people write in several ways: shares, and accelerators times time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isoflop.errors import UnitError
from isoflop.language import lazy_gettext as _
from isoflop.units.parse import DEVICE_TIMES, DEVICES, parse_number, parse_quantity

PERCENT_FROM = 2.0
"""A bare number from here to 100 is a percentage; between 1 and here it could be either."""

_NUMBER = (
    r"(?>(?:\d[\d.,_]*|\.\d+)(?:e[+-]?\d+)?)\s*(?:thousand|million|billion|[kmbgt](?![a-z\d]))?"
)
_TIME = rf"(?:{'|'.join(sorted(DEVICE_TIMES, key=len, reverse=True))})"
_DEVICE = (
    rf"(?:(?:{'|'.join(DEVICES)})"  # GPU
    r"|(?:[a-z]+[ -])?[a-z]+-?v?\d+[a-z\d]*?(?:[ -](?:sxm\d?|pcie|nvl\d*|\d+ ?gb))*)s?"  # H100 SXM
)
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        # 500 H100-days
        rf"(?P<product>{_NUMBER})\s*(?P<device>{_DEVICE})[\s·*x×-]*(?P<unit>{_TIME})",
        # 30 days on 512 H100
        rf"(?P<time>{_NUMBER}\s*-?{_TIME})\s*(?:on|with|of|x|×|\*)\s*(?P<count>{_NUMBER})\s*[x×*]?\s*"
        rf"(?P<device>{_DEVICE})",
        # 512 H100 for 30 days
        rf"(?P<count>{_NUMBER})\s*[x×*]?\s*(?P<device>{_DEVICE})\s*(?:for|over|x|×|\*)\s*"
        rf"(?P<time>{_NUMBER}\s*-?{_TIME})",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorTime:
    """Accelerators times the time that they work.

    Parameters
    ----------
    seconds : float
        Of all of them together.
    device : str
        As it was written, such as ``"H100"``; empty where that says no more than GPU.
    """

    seconds: float
    device: str


def accelerator_time(text: str) -> AcceleratorTime | None:
    """Read accelerators times a time as people write it; None for text of another kind.

    Examples
    --------
    >>> accelerator_time("500 H100-days")
    AcceleratorTime(seconds=43200000.0, device='H100')
    >>> accelerator_time("30 days on 512 H100") == accelerator_time("512 H100s for 30 days")
    True
    >>> accelerator_time("500 GPU-days").device
    ''
    >>> accelerator_time("30 days")
    """
    found = next((match for form in _FORMS if (match := form.fullmatch(text.strip()))), None)
    if found is None:
        return None
    said = found.groupdict()
    if "product" in said:
        seconds = parse_number(said["product"]) * DEVICE_TIMES[said["unit"].lower()]
    else:
        seconds = parse_number(said["count"]) * parse_quantity(said["time"], "seconds")
    device = said["device"].rstrip("sS")
    return AcceleratorTime(seconds=seconds, device="" if device.lower() in DEVICES else device)


def parse_share(text: str) -> float:
    """Read a share of a whole: 0.45, 45% and a bare 45 are the same.

    Raises
    ------
    UnitError
        If it is no number, or one that is neither a share nor a percentage, such as 1.5.

    Examples
    --------
    >>> parse_share("45"), parse_share("45%"), parse_share("0.45")
    (0.45, 0.45, 0.45)
    """
    value = parse_quantity(text, "fraction")
    if 0 <= value <= 1 or "%" in text or "percent" in text.lower():
        return value
    if PERCENT_FROM <= value <= 100:
        return parse_quantity(f"{text.strip()}%", "fraction")
    raise UnitError(
        _('"{text}" is neither a share nor a percentage.', text=text.strip()[:40]),
        hint=_("Write a share from 0 to 1, such as 0.45, or a percentage, such as 45%."),
    )
