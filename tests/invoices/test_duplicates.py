from dataclasses import replace
from datetime import date

import pytest
from uuid_utils.compat import uuid7

from treasurer.invoices.duplicates import Comparable, find_duplicates
from treasurer.invoices.model import InvoiceState
from treasurer.kernel.ids import InvoiceId
from treasurer.kernel.money import Asset

USDC, USD = Asset("USDC", 6), Asset("USD", 2)


def invoice(
    number: str,
    whole: int = 4150,
    *,
    currency: Asset = USDC,
    cents: int = 0,
    state: InvoiceState = InvoiceState.PAID,
    sha256: bytes | None = None,
) -> Comparable:
    minor = whole * currency.base_units + cents * currency.base_units // 100
    return Comparable(
        InvoiceId(uuid7()), state, sha256 or uuid7().bytes * 2, number, currency, minor
    )


def kinds(new: Comparable, *others: Comparable) -> list[tuple[str, str]]:
    return [(found.kind.value, found.code) for found in find_duplicates(new, others)]


PAID = invoice("HF-2101")
EXACT = [("exact", "DUPLICATE_INVOICE")]
NEAR = [("near", "NEAR_DUPLICATE_INVOICE")]


def test_the_same_number_is_exact_whatever_the_amount() -> None:
    assert kinds(invoice("hf 2101", 9), PAID) == EXACT


@pytest.mark.parametrize(
    ("number", "whole", "cents"),
    [("HF-2101-A", 4150, 0), ("HF-21O1", 4150, 1), ("HF-21O1", 9, 0), ("HF-2101-A", 4190, 0)],
)
def test_what_resembles_is_near(number: str, whole: int, cents: int) -> None:
    assert kinds(invoice(number, whole, cents=cents), PAID) == NEAR


def test_a_variant_in_another_unit_of_the_same_amount_is_near() -> None:
    assert kinds(invoice("HF-2101-A", currency=USD), PAID) == NEAR


def test_a_variant_with_another_amount_is_another_invoice() -> None:
    assert kinds(invoice("HF-2101-A", 4192), PAID) == []
    assert kinds(invoice("HF-2101-A", 4108), PAID) == []


def test_the_same_amount_under_another_number_is_no_duplicate() -> None:
    assert kinds(invoice("HF-2102"), PAID) == []


def test_the_same_bytes_are_exact() -> None:
    first = invoice("HF-1", sha256=b"\1" * 32)
    assert kinds(invoice("HF-1", sha256=b"\1" * 32), first) == [("exact", "DUPLICATE_DOCUMENT")]


def test_what_was_set_aside_stands_in_the_way_of_others_but_not_of_its_copies() -> None:
    aside = invoice("HF-2101", state=InvoiceState.NEEDS_REVIEW, sha256=b"\1" * 32)
    assert kinds(invoice("HF-2101", 4151), aside) == NEAR
    assert kinds(invoice("HF-21O1"), aside) == NEAR
    assert kinds(invoice("HF-2101-A"), aside) == NEAR
    repeated = invoice("HF-2101", 9, sha256=b"\1" * 32)
    assert kinds(repeated, aside) == [("seen", "DOCUMENT_SEEN_BEFORE")]
    for copy in (invoice("hf 2101"), invoice("HF-2101", currency=USD)):
        assert kinds(copy, aside) == [("seen", "NUMBER_SEEN_BEFORE")]


def test_a_document_whose_amount_could_not_be_read_stands_in_no_copys_way() -> None:
    unread = replace(
        invoice("HF-2101", state=InvoiceState.NEEDS_REVIEW),
        currency=None,
        payable_amount_minor=None,
    )
    assert kinds(invoice("HF-2101"), unread) == [("seen", "NUMBER_SEEN_BEFORE")]
    aside = invoice("HF-2101", state=InvoiceState.NEEDS_REVIEW)
    assert kinds(replace(unread, id=InvoiceId(uuid7())), aside) == NEAR


@pytest.mark.parametrize("state", [InvoiceState.REJECTED, InvoiceState.DUPLICATE])
def test_what_was_turned_away_is_not_repeated(state: InvoiceState) -> None:
    assert kinds(invoice("HF-2101"), invoice("HF-2101", state=state)) == []


def test_an_invoice_does_not_repeat_itself() -> None:
    assert kinds(PAID, PAID) == []


TWIN = replace(
    invoice("HF-2101"),
    issue_date=date(2026, 11, 2),
    lines_digest=b"\1" * 32,
    text_digest=b"\2" * 32,
)


@pytest.mark.parametrize(
    ("whole", "day", "text_digest", "expected"),
    [
        (4150, date(2026, 11, 9), None, NEAR),
        (4190, date(2026, 10, 26), None, NEAR),
        (4150, None, None, NEAR),
        (4150, date(2026, 11, 10), None, []),
        (4192, date(2026, 11, 2), None, []),
        (9, date(2026, 12, 24), b"\2" * 32, NEAR),
    ],
)
def test_the_same_lines_or_text_under_another_number_are_near(
    whole: int, day: date | None, text_digest: bytes | None, expected: list[tuple[str, str]]
) -> None:
    other = replace(
        invoice("QX-77", whole),
        issue_date=day,
        lines_digest=b"\1" * 32,
        text_digest=text_digest,
    )
    assert kinds(other, TWIN) == expected
