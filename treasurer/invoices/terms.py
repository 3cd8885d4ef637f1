"""Owns the commercial terms of a reading: number, dates, currency, amount. Pure; never rounds.

Decimal strings become base units here, by the currency's own digits (ISO 4217 by CLDR).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from treasurer.documents.currencies import fraction_digits, is_known
from treasurer.documents.reading import FieldValue, Severity
from treasurer.invoices.model import InvoiceFinding
from treasurer.invoices.numbers import MAX_NUMBER_CHARACTERS, number_key
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import Asset, parse_decimal, to_minor

STABLECOIN_DECIMALS = 6
"""An invoice in a stablecoin is written with at most six decimals. What its token has is the chain's
matter, and the payment's quote converts between the two.
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What was read, each part None where it was not. The amount is positive, in base units."""

    invoice_number: str | None
    issue_date: date | None
    due_date: date | None
    currency: Asset | None
    payable_amount_minor: int | None
    preceding_number: str | None = None
    """BT-25: the invoice that a credit note is about."""


def invoice_asset(code: str) -> Asset | None:
    """The unit in which an invoice of that currency is kept; None for an unknown code."""
    if not is_known(code):
        return None
    digits = fraction_digits(code)
    return Asset(code, STABLECOIN_DECIMALS if digits is None else digits)


def in_own_currency(fields: Mapping[str, FieldValue]) -> bool:
    """Whether a list from our own books names no currency, so that its amounts are in theirs."""
    return fields.get("currency") is None and fields.get("currency_basis") == "organization"


def terms_of(
    fields: Mapping[str, FieldValue], own: Asset | None = None
) -> tuple[Terms, list[InvoiceFinding]]:
    """The terms, and a finding for each field that cannot be used as it was read. `own` is the
    organization's reporting currency, which is used only for what is `in_own_currency`.
    """
    findings: list[InvoiceFinding] = []
    number = _text(fields, "invoice_number")
    if number is not None and (len(number) > MAX_NUMBER_CHARACTERS or not number_key(number)):
        findings.append(
            _review("INVOICE_NUMBER", "this is no invoice number; ask the seller", "invoice_number")
        )
        number = None
    code = _text(fields, "currency")
    if own is not None and in_own_currency(fields):
        code = own.symbol
    currency = None if code is None else invoice_asset(code)
    if code is not None and currency is None:
        findings.append(
            _review(
                "UNKNOWN_CURRENCY", "no currency in use has this code; ask the seller", "currency"
            )
        )
    terms = Terms(
        invoice_number=number,
        issue_date=_date(fields, "issue_date"),
        due_date=_date(fields, "due_date"),
        currency=currency,
        payable_amount_minor=_amount(fields, currency, findings),
        preceding_number=_text(fields, "preceding_invoice"),
    )
    return terms, findings


def _amount(
    fields: Mapping[str, FieldValue], currency: Asset | None, findings: list[InvoiceFinding]
) -> int | None:
    printed = _text(fields, "payable_amount")
    if printed is None or currency is None:
        return None
    try:
        minor = to_minor(parse_decimal(printed), currency)
    except InvalidInput as error:
        findings.append(_review(error.code, error.message, "payable_amount"))
        return None
    if minor <= 0:
        findings.append(
            _review("NOTHING_TO_PAY", "the amount due is not positive", "payable_amount")
        )
        return None
    return minor


def _text(fields: Mapping[str, FieldValue], name: str) -> str | None:
    value = fields.get(name)
    return value.strip() or None if isinstance(value, str) else None


def _date(fields: Mapping[str, FieldValue], name: str) -> date | None:
    value = _text(fields, name)
    return None if value is None else date.fromisoformat(value)


def _review(code: str, message: str, field: str) -> InvoiceFinding:
    return InvoiceFinding(code, message, field, Severity.REVIEW)
