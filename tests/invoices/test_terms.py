from datetime import date

import pytest

from treasurer.invoices.terms import Terms, terms_of
from treasurer.kernel.money import Asset


def fields(**over: str | None) -> dict[str, str | None]:
    base = {
        "invoice_number": "HF-4101",
        "issue_date": "2026-11-20",
        "due_date": "2026-12-10",
        "currency": "USDC",
        "payable_amount": "840.00",
    }
    return {**base, **over}


def test_terms_are_exact_base_units() -> None:
    terms, findings = terms_of(fields())
    assert findings == []
    assert terms == Terms(
        "HF-4101", date(2026, 11, 20), date(2026, 12, 10), Asset("USDC", 6), 840_000_000
    )


@pytest.mark.parametrize(
    ("currency", "amount", "decimals", "minor"),
    [
        ("USD", "512.00", 2, 51_200),
        ("JPY", "512", 0, 512),
        ("BHD", "1.234", 3, 1_234),
        ("EUR", "999999999999.99", 2, 99_999_999_999_999),
        ("MNEE", "0.000001", 6, 1),
    ],
)
def test_each_currency_has_its_digits(
    currency: str, amount: str, decimals: int, minor: int
) -> None:
    terms, findings = terms_of(fields(currency=currency, payable_amount=amount))
    assert findings == []
    assert (terms.currency, terms.payable_amount_minor) == (Asset(currency, decimals), minor)


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"currency": "QQQ"}, "UNKNOWN_CURRENCY"),
        ({"currency": "XTS"}, "UNKNOWN_CURRENCY"),
        ({"currency": "USD", "payable_amount": "1.005"}, "AMOUNT_TOO_PRECISE"),
        ({"currency": "JPY", "payable_amount": "1.5"}, "AMOUNT_TOO_PRECISE"),
        ({"payable_amount": "0.00"}, "NOTHING_TO_PAY"),
        ({"payable_amount": "-5.00"}, "NOTHING_TO_PAY"),
        ({"payable_amount": "1e6"}, "AMOUNT_SYNTAX"),
        ({"payable_amount": "٤٥٠"}, "AMOUNT_SYNTAX"),
        ({"payable_amount": "NaN"}, "AMOUNT_SYNTAX"),
        ({"payable_amount": str(2**256)}, "AMOUNT_SYNTAX"),
        ({"invoice_number": "---"}, "INVOICE_NUMBER"),
        ({"invoice_number": "9" * 101}, "INVOICE_NUMBER"),
    ],
)
def test_what_cannot_be_used_is_a_finding_and_no_value(over: dict[str, str], code: str) -> None:
    terms, findings = terms_of(fields(**over))
    assert [finding.code for finding in findings] == [code]
    assert terms.payable_amount_minor is None or terms.invoice_number is None


def test_absent_fields_are_absent() -> None:
    terms, findings = terms_of({"payable_amount": None, "lines": []})
    assert terms == Terms(None, None, None, None, None)
    assert findings == []


def test_a_list_from_our_own_books_counts_in_their_currency_and_a_stated_one_wins() -> None:
    own = Asset("USD", 2)
    terms, findings = terms_of(fields(currency=None, currency_basis="organization"), own)
    assert (terms.currency, terms.payable_amount_minor, findings) == (own, 84_000, [])
    stated, _ = terms_of(fields(currency_basis="organization"), own)
    assert stated.currency == Asset("USDC", 6)
    silent, _ = terms_of(fields(currency=None), own)
    assert (silent.currency, silent.payable_amount_minor) == (None, None)
