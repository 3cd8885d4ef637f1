import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasurer.invoices.numbers import is_variant, looks_equal, number_key, number_skeleton


@pytest.mark.parametrize(
    "spelling",
    ["HF-2101", "hf 2101", "HF2101", "HF_2101", "#HF–2101", "\uff28\uff26-2101", "HF\u200b-2101"],
)
def test_spellings_of_one_number_have_one_key(spelling: str) -> None:
    assert number_key(spelling) == "hf2101"


def test_a_separator_between_digits_counts() -> None:
    assert number_key("2026/1-11") == number_key("2026 1 11") == "2026-1-11"
    assert number_key("2026-1-11") != number_key("2026-11-1")
    assert number_key("1-11") != number_key("111")


def test_what_has_no_letter_or_digit_has_no_key() -> None:
    assert number_key(" -#- ") == ""


@pytest.mark.parametrize(
    "other", ["HF-21O1", "HF-2lO1", "hf-2I01", "HF-2101 RESEND", "copy HF-2101"]
)
def test_numbers_that_look_equal(other: str) -> None:
    assert number_key(other) != number_key("HF-2101")
    assert looks_equal(other, "HF-2101")
    assert number_skeleton(other) == number_skeleton("HF-2101") == "hf2101"


@pytest.mark.parametrize(
    "other", ["HF-2101-A", "HF-2101A", "HF-2101/1", "HF-2101-R2", "HF-2101bis"]
)
def test_variants_of_a_number(other: str) -> None:
    assert is_variant("HF-2101", other)
    assert is_variant(other, "HF-2101")
    assert not looks_equal("HF-2101", other)


@pytest.mark.parametrize("other", ["HF-21011", "HF-2102", "BM-2101", "HF-210", "HF-2101-2026", "H"])
def test_other_numbers_are_no_variants(other: str) -> None:
    assert not is_variant("HF-2101", other)
    assert not looks_equal("HF-2101", other)


@pytest.mark.parametrize(
    "other", ["\u041dF-2101", "\u0397F-2101", "\u041dF-21\u041e1", "HF-2\u04c001"]
)
def test_letters_of_other_scripts_look_like_latin_ones(other: str) -> None:
    assert number_key(other) != number_key("HF-2101")
    assert looks_equal(other, "HF-2101")
    assert number_skeleton(other) == number_skeleton("HF-2101")


def test_moved_separators_are_variants_and_not_equal() -> None:
    assert is_variant("2026-001", "2026001")
    assert not looks_equal("2026-001", "2026001")


NUMBERS = st.text(alphabet=string.ascii_letters + string.digits + "-/ _.", min_size=1, max_size=30)


@given(NUMBERS)
def test_case_and_width_never_change_the_key(number: str) -> None:
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in number)
    assert number_key(number) == number_key(number.swapcase()) == number_key(wide)


@given(NUMBERS)
def test_a_key_is_its_own_key(number: str) -> None:
    assert number_key(number_key(number)) == number_key(number)


@given(NUMBERS)
def test_the_key_alone_decides_the_skeleton(number: str) -> None:
    key = number_key(number)
    assert number_skeleton(key) == number_skeleton(number)
    assert looks_equal(key, number)


@given(NUMBERS, st.sampled_from("-/ _."))
def test_the_kind_of_separator_never_counts(number: str, separator: str) -> None:
    respelt = "".join(separator if c in "-/ _." else c for c in number)
    assert number_key(respelt) == number_key(number)


@given(st.text(max_size=40))
def test_no_text_breaks_the_keys(text: str) -> None:
    assert number_key(text) == number_key(text)
    assert "%" not in number_skeleton(text)
    assert "_" not in number_skeleton(text)
    assert is_variant(text, text + "x") in (True, False)
