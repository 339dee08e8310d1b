"""Canonical units: read quantities as people write them, and write them as people read them.

Inside Isoflop every quantity is a float in its canonical unit: parameters, tokens, FLOP, FLOP/s,
bytes, seconds, USD, joules, nats per token. This module turns ``"1.3B"``, ``"300B tokens"``,
``"1.2 ZFLOP"``, ``"500 GPU-days"`` or ``"$2M"`` into such a float, and back.

Examples
--------
>>> parse_number("1.3B")
1300000000.0
>>> parse_quantity("500 GPU-days", "accelerator_seconds")
43200000.0
>>> format_quantity(1.3116e12, "tokens")
'1.31T tokens'
>>> format_quantity(5.76e23, "flop")
'5.76e23 FLOP'
"""

from isoflop.units.format import counted, format_number, format_quantity
from isoflop.units.parse import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    MONTH_S,
    NATS_PER_BIT,
    WATT_HOUR_J,
    WEEK_S,
    YEAR_S,
    Dimension,
    parse_number,
    parse_quantity,
    unit_factor,
    with_decimal_point,
)
from isoflop.units.written import AcceleratorTime, accelerator_time, parse_share

__all__ = [
    "DAY_S",
    "HOUR_S",
    "MINUTE_S",
    "MONTH_S",
    "NATS_PER_BIT",
    "WATT_HOUR_J",
    "WEEK_S",
    "YEAR_S",
    "AcceleratorTime",
    "Dimension",
    "accelerator_time",
    "counted",
    "format_number",
    "format_quantity",
    "parse_number",
    "parse_quantity",
    "parse_share",
    "unit_factor",
    "with_decimal_point",
]
