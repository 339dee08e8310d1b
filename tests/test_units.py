"""Quantities as people write them, and back."""

import contextlib
import math
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isoflop.errors import UnitError
from isoflop.units import (
    Dimension,
    accelerator_time,
    counted,
    format_number,
    format_quantity,
    parse_number,
    parse_quantity,
    parse_share,
    unit_factor,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.3B", 1.3e9),
        ("1.3 b", 1.3e9),
        ("70m", 70e6),
        ("590M", 590e6),
        ("12k", 12e3),
        ("3T", 3e12),
        ("2P", 2e15),
        ("20e9", 20e9),
        ("20E+9", 20e9),
        ("1,300,000", 1.3e6),
        ("1,300,000.5", 1300000.5),
        ("1 300 000", 1.3e6),
        ("1\u202f300\u202f000", 1.3e6),
        ("1_300_000", 1.3e6),
        (".5", 0.5),
        ("5.", 5.0),
        ("-3", -3.0),
        ("\u22123", -3.0),
        ("10^21", 1e21),
        ("2x10^21", 2e21),
        ("2 × 10²¹", 2e21),
        ("10²¹ FLOP", 1e21),
        ("3*10**8", 3e8),
        ("300B tokens", 300e9),
        ("300 billion tokens", 300e9),
        ("2e21 FLOP", 2e21),
        ("1.2 ZFLOP", 1.2e21),
        ("1.2 zettaFLOPs", 1.2e21),
        ("1 PF-day", 8.64e19),
        ("500 GPU-days", 500 * 86400),
        ("10k GPU hours", 1e4 * 3600),
        ("$2M", 2e6),
        ("$ 1,500", 1500),
        ("-$5", -5),
        ("3.5 days", 3.5 * 86400),
        ("80 GB", 80e9),
        ("80 GiB", 80 * 2**30),
        ("24 h", 86400),
        ("40%", 0.4),
        ("989 TFLOP/s", 989e12),
        ("$2.50/h", 2.5),
    ],
)
def test_parse_number(text: str, expected: float) -> None:
    assert parse_number(text) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "dimension", "expected"),
    [
        ("7B", "params", 7e9),
        ("7B params", "params", 7e9),
        ("80B", "bytes", 80),
        ("80G", "bytes", 80e9),
        ("5 m", "seconds", 300),
        ("312 TFLOPS", "flop_per_s", 312e12),
        ("2e21 FLOPS", "flop", 2e21),
        ("3.35 TB/s", "bytes_per_s", 3.35e12),
        ("1 MWh", "joules", 3.6e9),
        ("700W", "watts", 700),
        ("3 bits per token", "nats_per_token", 3 * math.log(2)),
        ("20 tokens per parameter", "tokens_per_param", 20),
        ("0.4", "fraction", 0.4),
        ("6.9e21 FLOPs", "flop", 6.9e21),
        ("2 PFLOP/s-days", "flop", 2e15 * 86400),
        ("$2M", "usd", 2e6),
        ("US$2M", "usd", 2e6),
        ("USD 250k", "usd", 250e3),
        ("$3M per hour", "usd_per_hour", 3e6),
    ],
)
def test_parse_quantity(text: str, dimension: Dimension, expected: float) -> None:
    assert parse_quantity(text, dimension) == pytest.approx(expected, rel=1e-15)


def test_default_unit_applies_only_to_bare_numbers() -> None:
    assert parse_quantity("30", "seconds", default_unit="days") == 30 * 86400
    assert parse_quantity("30 h", "seconds", default_unit="days") == 30 * 3600


def test_decimal_comma() -> None:
    assert parse_number("1,3B", decimal=",") == 1.3e9
    assert parse_number("1.300.000,5", decimal=",") == 1300000.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The value is empty."),
        ("abc", '"abc" is not a number.'),
        ("nan", '"nan" is not a number.'),
        ("inf", '"inf" is not a number.'),
        ("1,3B", '"1,3B" is not a number.'),
        ("1.2.3", '"1.2.3" is not a number.'),
        ("5 parsecs", '"5 parsecs" cannot be read as a quantity.'),
        ("1e999", '"1e999" is too large a number.'),
        ("9" * 400, "is too large a number."),
    ],
)
def test_parse_number_refuses(text: str, message: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_number(text)
    assert message in caught.value.summary
    assert caught.value.hint


def test_wrong_dimension_says_what_it_is() -> None:
    with pytest.raises(UnitError) as caught:
        parse_quantity("300B tokens", "flop")
    assert caught.value.summary == (
        '"300B tokens" is a number of tokens, not an amount of compute.'
    )
    assert "2e21" in caught.value.hint


@pytest.mark.parametrize("text", ["€500k", "500k EUR", "£2M", "3 million yuan", "CHF 10k"])
def test_other_money_is_refused_for_want_of_a_rate(text: str) -> None:
    with pytest.raises(UnitError, match="no exchange rate is assumed") as caught:
        parse_quantity(text, "usd")
    assert "such as $2M" in caught.value.hint
    with pytest.raises(UnitError, match="is an amount of money, not an amount of compute"):
        parse_quantity(text, "flop")


def test_dollars_are_no_compute() -> None:
    with pytest.raises(UnitError, match="is an amount of money in US dollars, not"):
        parse_quantity("$2M", "flop")


@pytest.mark.parametrize(
    ("text", "days", "device"),
    [
        ("500 GPU-days", 500, ""),
        ("12,000 GPU hours", 500, ""),
        ("500 H100-days", 500, "H100"),
        ("1.2M A100 hours", 50_000, "A100"),
        ("500 B200-days", 500, "B200"),
        ("24 TPU v4-hours", 1, "TPU v4"),
        ("10 NVIDIA H100 SXM days", 10, "NVIDIA H100 SXM"),
        ("30 days on 512 H100s", 15_360, "H100"),
        ("512x H100 for 30 days", 15_360, "H100"),
        ("5 days x 8 GPUs", 40, ""),
    ],
)
def test_accelerators_times_time_are_read(text: str, days: float, device: str) -> None:
    found = accelerator_time(text)
    assert found is not None
    assert found.seconds == pytest.approx(days * 86400, rel=1e-12)
    assert found.device == device


@pytest.mark.parametrize(
    "text", ["30 days", "1e-6 s", "1e24", "2 PF-days", "40 ZFLOP", "$2M", "512 H100", ""]
)
def test_what_is_not_accelerators_times_time_is_left(text: str) -> None:
    assert accelerator_time(text) is None


@pytest.mark.parametrize("text", ["1.5", "101", "-45"])
def test_what_is_neither_a_share_nor_a_percentage_is_refused(text: str) -> None:
    with pytest.raises(UnitError, match="is neither a share nor a percentage"):
        parse_share(text)


def test_gigabits_are_not_silently_gigabytes() -> None:
    with pytest.raises(UnitError, match="could mean bits or bytes"):
        parse_quantity("400 Gb/s", "bytes_per_s")
    assert parse_quantity("80gb", "bytes") == 80e9


def test_time_has_no_million_suffix() -> None:
    with pytest.raises(UnitError, match="is a number, not a time"):
        parse_quantity("5k", "seconds")


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_clear_error(text: str) -> None:
    for parse in (parse_number, lambda t: parse_quantity(t, "flop")):
        with contextlib.suppress(UnitError):
            assert math.isfinite(parse(text))


@pytest.mark.parametrize(
    ("value", "dimension", "expected"),
    [
        (7.319e10, "params", "73.2B params"),
        (1.3116e12, "tokens", "1.31T tokens"),
        (5.76e23, "flop", "5.76e23 FLOP"),
        (1.2e6, "usd", "$1.2M"),
        (2.5, "usd", "$2.50"),
        (450, "usd", "$450"),
        (-5, "usd", "-$5.00"),
        (2.5, "usd_per_hour", "$2.50/h"),
        (3.4 * 86400, "seconds", "3.4 days"),
        (86400, "seconds", "24 h"),
        (90, "seconds", "90 s"),
        (0, "seconds", "0 s"),
        (0.012, "seconds", "12 ms"),
        (10 * 365.25 * 86400, "seconds", "10 years"),
        (80e9, "bytes", "80 GB"),
        (999.96e6, "bytes", "1 GB"),
        (989e12, "flop_per_s", "989 TFLOP/s"),
        (3.6e9, "joules", "1 MWh"),
        (700, "watts", "700 W"),
        (2.13, "nats_per_token", "2.13 nats/token"),
        (20.06, "tokens_per_param", "20.1 tokens/param"),
        (0.4, "fraction", "40%"),
        (4.32e7, "accelerator_seconds", "12K accelerator-hours"),
        (math.nan, "flop", "n/a"),
        (math.inf, "usd", "∞"),
    ],
)
def test_format_quantity(value: float, dimension: Dimension, expected: str) -> None:
    assert format_quantity(value, dimension) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (1234.5, "1.23K"),
        (999.6, "1K"),
        (999_600, "1M"),
        (12, "12"),
        (0.000123, "0.000123"),
        (0.0000123, "1.23e-5"),
        (5.76e23, "5.76e23"),
        (-7e9, "-7B"),
    ],
)
def test_format_number(value: float, expected: str) -> None:
    assert format_number(value) == expected


positive = st.floats(min_value=1e-6, max_value=1e27)


@given(value=positive, digits=st.integers(3, 6), dimension=st.sampled_from(get_args(Dimension)))
def test_round_trip(value: float, digits: int, dimension: Dimension) -> None:
    text = format_quantity(value, dimension, digits)
    is_cents = dimension.startswith("usd") and 0.01 <= value < 99.995 and digits <= 4
    # Half a unit in the last digit shown; money below $100 is shown in cents.
    tolerance = 0.00501 / value if is_cents else 0.501 * 10.0 ** (1 - digits)
    assert parse_quantity(text, dimension) == pytest.approx(value, rel=tolerance)


@given(value=positive)
def test_number_round_trip(value: float) -> None:
    assert parse_number(format_number(value, 6)) == pytest.approx(value, rel=5.01e-6)


@example(value=1e307, dimension="fraction")
@given(value=st.floats(allow_nan=False), dimension=st.sampled_from(get_args(Dimension)))
def test_formatting_never_fails(value: float, dimension: Dimension) -> None:
    assert format_quantity(value, dimension)


def test_unit_factor() -> None:
    assert unit_factor("GPU-hours", "accelerator_seconds") == 3600.0
    assert unit_factor("furlong", "bytes") is None


def test_counts_are_in_the_singular_for_one_alone():
    assert [counted(n, "row lies", "rows lie") for n in (0, 1, 2)] == [
        "0 rows lie",
        "1 row lies",
        "2 rows lie",
    ]
    assert counted(12345, "row") == "12,345 rows"


def test_percentages_are_the_fractions_they_are_written_as() -> None:
    for percent in range(101):
        assert parse_quantity(f"{percent}%", "fraction") == float(f"{percent / 100:.2f}")
