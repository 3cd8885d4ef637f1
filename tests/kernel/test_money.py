"""Exact amounts: one grammar, no fraction lost, rounding half-up once."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import (
    MAX_AMOUNT_MINOR,
    Asset,
    Rate,
    format_minor,
    from_minor,
    parse_decimal,
    to_minor,
)

USDC, USD, ETH = Asset("USDC", 6), Asset("USD", 2), Asset("ETH", 18)
assets = st.builds(Asset, st.just("X"), st.integers(0, 18))
amounts = st.integers(-MAX_AMOUNT_MINOR, MAX_AMOUNT_MINOR)
rates = st.builds(Rate, st.integers(1, 10**12), st.integers(1, 10**12))


@pytest.mark.parametrize(
    "text",
    [
        "٤٥٠",
        "４５０",
        "1e6",
        "1_000",
        "NaN",
        "Infinity",
        "1,000",
        "+1",
        " 1",
        "1.",
        ".5",
        "",
        "0x10",
        "1\n",
    ],
)
def test_what_decimal_takes_and_we_refuse(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_decimal(text)
    assert refused.value.code == "AMOUNT_SYNTAX"


@given(amounts, assets)
def test_minor_units_round_trip(amount_minor: int, asset: Asset) -> None:
    assert to_minor(from_minor(amount_minor, asset), asset) == amount_minor
    assert to_minor(parse_decimal(f"{from_minor(amount_minor % 10**40, asset):f}"), asset) == (
        amount_minor % 10**40
    )


def test_digits_that_would_be_lost_are_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        to_minor(Decimal("0.0000001"), USDC)
    assert refused.value.code == "AMOUNT_TOO_PRECISE"


def test_2_to_256_is_too_large() -> None:
    assert to_minor(Decimal(MAX_AMOUNT_MINOR), Asset("X", 0)) == MAX_AMOUNT_MINOR
    with pytest.raises(InvalidInput) as refused:
        to_minor(Decimal(2**256), Asset("X", 0))
    assert refused.value.code == "AMOUNT_TOO_LARGE"


@given(amounts, rates, assets, assets)
def test_conversion_is_half_up_and_up(
    amount: int, rate: Rate, source: Asset, target: Asset
) -> None:
    exact = Fraction(
        amount * rate.numerator * target.base_units, rate.denominator * source.base_units
    )
    half_up = rate.convert(amount, source, target)
    assert abs(half_up - exact) <= Fraction(1, 2)
    if abs(half_up - exact) == Fraction(1, 2):
        assert abs(half_up) > abs(exact)
    up = rate.convert_up(amount, source, target)
    assert 0 <= abs(up) - abs(exact) < 1


def test_par_between_decimals() -> None:
    par = Rate(1, 1)
    assert par.convert(84_000, USD, USDC) == 840_000_000
    assert par.convert(1, USDC, USD) == 0
    assert par.convert_up(1, USDC, USD) == 1


@pytest.mark.parametrize(
    ("amount_minor", "asset", "text"),
    [
        (840_000_000, USDC, "840.00 USDC"),
        (4_150_123_400, USDC, "4,150.1234 USDC"),
        (-84_000, USD, "-840.00 USD"),
        (1, ETH, "0.000000000000000001 ETH"),
        (5, Asset("JPY", 0), "5 JPY"),
    ],
)
def test_format_for_people(amount_minor: int, asset: Asset, text: str) -> None:
    assert format_minor(amount_minor, asset) == text
