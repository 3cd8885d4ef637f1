from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasurer.documents.amounts import find_amounts, interpret


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("840", "840"),
        ("840.00", "840.00"),
        ("840,5", "840.5"),
        ("1000.00", "1000.00"),
        ("4,150.00", "4150.00"),
        ("4.150,00", "4150.00"),
        ("1,234,567", "1234567"),
        ("1.234.567,89", "1234567.89"),
        ("1 234,56", "1234.56"),
        ("1\u00a0234.56", "1234.56"),
        ("1\u202f250.00", "1250.00"),
        ("1'234.50", "1234.50"),
        ("1’234’567.50", "1234567.50"),
        ("1,00,000.00", "100000.00"),
        ("0.125", "0.125"),
        ("1234.567", "1234.567"),
        ("12.3456", "12.3456"),
    ],
)
def test_what_can_be_read_in_one_way_is_read(printed, value):
    assert interpret(printed) == (value, None)


@pytest.mark.parametrize("printed", ["1.000", "12,345", "1,250", "999.999", "2 100.00", "1 000"])
def test_what_can_be_read_in_two_ways_is_ambiguous(printed):
    assert interpret(printed) == (None, "AMBIGUOUS_AMOUNT")


@pytest.mark.parametrize("printed", ["1,23,4.5", "12..34", "00.0521", "1.234,567.8", "1.23.456"])
def test_what_is_no_amount_is_refused(printed):
    assert interpret(printed) == (None, "AMOUNT_SYNTAX")


@pytest.mark.parametrize("printed", ["٤٥٠", "４５０.00", "4٥0.00", "1\u066b5"])
def test_digits_of_other_scripts_are_refused(printed):
    assert interpret(printed) == (None, "NON_ASCII_NUMERIC")


def test_more_than_fifteen_digits_is_too_large():
    assert interpret("9" * 15) == ("9" * 15, None)
    assert interpret("1" + "0" * 15) == (None, "AMOUNT_TOO_LARGE")


@pytest.mark.parametrize(
    ("text", "values", "currencies"),
    [
        ("1.250,- NOK", ["1250"], ["NOK"]),
        ("1250:- SEK", ["1250"], ["SEK"]),
        ("1,250.- CHF", ["1250"], ["CHF"]),
        ("840.00 USDC", ["840.00"], ["USDC"]),
        ("USD 4,150.00", ["4150.00"], ["USD"]),
        ("€ 12,50", ["12.50"], ["€"]),
        ("100.00EUR", ["100.00"], ["EUR"]),
        ("-250.00 USDC", ["-250.00"], ["USDC"]),
        ("$ 5.00", ["5.00"], ["$"]),
        ("VAT 19% of 100.00", ["100.00"], [None]),
        ("on 2026-12-10 and 10.12.2026", [], []),
        ("HF-2201", ["2201"], [None]),
        ("30days", [], []),
        ("1e6 USDC", [None], ["USDC"]),
        ("1_000", [None], [None]),
    ],
)
def test_amounts_are_found_with_what_stands_beside_them(text, values, currencies):
    found = find_amounts(text)
    assert [amount.value for amount in found] == values
    assert [amount.currency_text for amount in found] == currencies


@given(st.integers(0, 10**15 - 1), st.integers(0, 99))
def test_every_grouping_gives_the_number_back(whole, cents):
    english = f"{whole:,}.{cents:02}"
    german = english.translate(str.maketrans(",.", ".,"))
    swiss = english.replace(",", "’")
    for printed in (english, german, swiss, f"{whole}.{cents:02}"):
        value, problem = interpret(printed)
        assert problem is None
        assert Decimal(value) == Decimal(whole) + Decimal(cents) / 100


@given(st.text(alphabet="0123456789.,' \u00a0\u202f’", max_size=24))
def test_a_value_is_always_plain_ascii_and_keeps_its_digits(printed):
    value, problem = interpret(printed)
    assert (value is None) != (problem is None)
    if value is not None:
        Decimal(value)
        assert [c for c in value if c.isdigit()] == [c for c in printed if c.isdigit()]
