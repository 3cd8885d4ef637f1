"""Owns the names of columns in lists of bills. Must never take a list of something else for one.

Each field of a reading has the spellings that accounting programs write. Case, blanks and marks do not
count: `Invoice No.` is `invoice_no`. A column that no table names is not read.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass

_SPELLINGS = {
    "payee_code": "vendor_id vendor_code vendor_no vendor_number payee_code payee_id supplier_id"
    " supplier_code supplier_no supplier_number seller_id seller_code creditor_id",
    "seller": "seller seller_name supplier supplier_name vendor vendor_name payee payee_name"
    " creditor bt_27",
    "seller_vat_id": "seller_vat_id vat_id vat_number vat_no vat_reg_no supplier_vat_id"
    " vendor_vat_id seller_vat_identifier bt_31",
    "iban": "iban payee_iban bank_account bt_84",
    "pay_to_address": "pay_to_address wallet wallet_address address payment_address",
    "buyer": "buyer buyer_name customer customer_name bill_to bt_44",
    "invoice_number": "invoice_number invoice_no invoice_id invoice inv_no number bill_number bill_no"
    " bill_id bill document_number bt_1",
    "issue_date": "issue_date invoice_date invoice_issue_date bill_date date bt_2",
    "due_date": "due_date due payment_due_date due_on bt_9",
    "currency": "currency currency_code invoice_currency_code ccy bt_5",
    "tax_exclusive_amount": "tax_exclusive_amount net net_amount subtotal bt_109",
    "tax_amount": "tax_amount tax vat vat_amount total_vat_amount gst bt_110",
    "tax_inclusive_amount": "tax_inclusive_amount gross gross_amount bt_112",
    "payable_amount": "payable_amount payable amount total amount_due total_due amount_due_for_payment"
    " total_amount invoice_amount invoice_total amount_payable balance_due bt_115",
    "prepaid_amount": "prepaid_amount prepaid paid amount_paid paid_amount deposit prepayment advance"
    " payments payments_received bt_113",
    "discount": "discount credit_applied credits deduction deductions",
    "retention": "retention retainage withholding withholding_tax withheld",
    "purchase_order": "purchase_order purchase_order_reference purchase_order_number po po_number po_no"
    " bt_13",
    "preceding_invoice": "preceding_invoice preceding_invoice_reference original_invoice bt_25",
    "document_kind": "document_kind document_type invoice_type invoice_type_code type_code type bt_3",
    "status": "status state payment_status invoice_status bill_status",
    "paid_on": "paid_on paid_date date_paid settled_on settled_date",
}
DATES = frozenset({"issue_date", "due_date"})
AMOUNTS = frozenset(
    {"tax_exclusive_amount", "tax_amount", "tax_inclusive_amount", "payable_amount"}
)
MARKS = ("payee_code", "seller", "seller_vat_id", "iban", "pay_to_address")
"""What says whose bill it is."""

_STATEMENT = frozenset(
    {
        "balance", "runningbalance", "debit", "credit", "bookingdate", "valuedate",
        "transactiondate", "transactionid",
    }
)  # fmt: skip
"""Columns of bank statements, whose rows were paid already."""
_DELIMITERS = ",;\t"


def plain(name: str) -> str:
    """`name` as spellings are compared."""
    return "".join(character for character in name.casefold() if character.isalnum())


_FIELDS = {
    plain(spelling): field
    for field, spellings in _SPELLINGS.items()
    for spelling in spellings.split()
}


@dataclass(frozen=True, slots=True)
class Header:
    """The columns as written, and the field of each, None where none is known."""

    delimiter: str
    columns: tuple[str, ...]
    fields: tuple[str | None, ...]


def bill_header(line: str) -> Header | None:
    """The header of a list of bills: it names payee, number and amount. None for any other line."""
    for delimiter in _DELIMITERS:
        try:
            columns = next(csv.reader([line], delimiter=delimiter, strict=True), [])
        except csv.Error:
            continue
        fields = tuple(_FIELDS.get(plain(column)) for column in columns)
        named = set(fields)
        if not {"invoice_number", "payable_amount"} <= named or named.isdisjoint(MARKS):
            continue
        if _STATEMENT.isdisjoint(map(plain, columns)):
            return Header(delimiter, tuple(columns), fields)
    return None


def repeated(header: Header) -> Sequence[str]:
    """Columns that stand twice: the same name, or two names of one field."""
    meant = [
        field or plain(name) for field, name in zip(header.fields, header.columns, strict=True)
    ]
    return [
        column
        for column, field in zip(header.columns, meant, strict=True)
        if field and meant.count(field) > 1
    ]
