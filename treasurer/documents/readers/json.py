"""Reads our own JSON invoices: one object whose keys are the field names of a reading.

Must never see a binary fraction: amounts are strings (`"1234.50"`) or whole numbers. Duplicate keys,
NaN and fractions refuse the document, because readers differ on what they mean. The shape, of which
seller, invoice_number, issue_date, currency and payable_amount are needed for a payment:

    {
      "seller": "Halden Freight AS", "seller_vat_id": "NO974760673MVA",
      "buyer": "Norwick Instruments Ltd",
      "invoice_number": "HF-4101", "document_kind": "invoice", "type_code": "380",
      "issue_date": "2026-11-20", "due_date": "2026-12-10", "payment_terms": "20 days net",
      "purchase_order": "PO-7781", "order_reference": "881", "buyer_reference": "Oslo",
      "currency": "USDC",
      "line_total": "700.00", "allowance_total": "0.00", "charge_total": "0.00",
      "tax_exclusive_amount": "700.00", "tax_amount": "140.00", "tax_inclusive_amount": "840.00",
      "prepaid_amount": "0.00", "rounding_amount": "0.00", "payable_amount": "840.00",
      "iban": "NO9386011117947",
      "pay_to_address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "chain_id": 31337,
      "lines": [
        {"id": "1", "name": "Freight", "unit": "C62", "quantity": "7", "price": "100.00",
         "net_amount": "700.00"}
      ]
    }

Dates are YYYY-MM-DD, sums are checked against each other as in EN 16931, and account and address are
only compared with the payee master. A key that is not listed here puts the invoice in review.
"""

import json
from typing import Any

from treasurer.documents.accounts import first_iban
from treasurer.documents.addresses import (
    find_addresses,
    report_checksum,
    report_stray,
    report_syntax,
)
from treasurer.documents.amounts import AMOUNT_SYNTAX, AMOUNT_TOO_LARGE, MAX_INTEGER_DIGITS
from treasurer.documents.dates import xml_date
from treasurer.documents.draft import Draft, Refused
from treasurer.documents.media import Document, Kind
from treasurer.documents.reading import Evidence, Source
from treasurer.documents.unicode import deceptive
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import parse_decimal

_TEXTS = frozenset(
    {
        "seller", "seller_vat_id", "buyer", "invoice_number", "type_code", "currency",
        "payment_terms", "buyer_reference", "order_reference", "purchase_order", "iban",
        "pay_to_address", "document_kind",
    }
)  # fmt: skip
_DATES = frozenset({"issue_date", "due_date"})
_AMOUNTS = frozenset(
    {
        "line_total", "allowance_total", "charge_total", "tax_exclusive_amount", "tax_amount",
        "tax_inclusive_amount", "prepaid_amount", "rounding_amount", "payable_amount",
    }
)  # fmt: skip
_LINE_TEXTS = frozenset({"id", "name", "unit"})
_LINE_AMOUNTS = frozenset({"quantity", "price", "net_amount"})
_TEXT_CHARACTERS = 2_000


class JsonReader:
    """Unknown keys are a finding, never a field: a key nobody reads must not look as if it counted."""

    format = "json"

    def claims(self, document: Document) -> bool:
        return document.kind is Kind.JSON

    def read(self, document: Document) -> Draft:
        body = _load(document)
        draft = Draft(self.format, structured=True)
        for key, value in body.items():
            _field(draft, key, value)
        _lines(draft, body.get("lines"), document.limits.invoice_lines)
        if "document_kind" not in draft.fields:
            draft.put("document_kind", "invoice", _at("document_kind", "", ""))
        _bank_and_wallet(draft)
        text = json.dumps(body, ensure_ascii=False)
        for code, message in deceptive(text):
            draft.review(code, message)
        report_stray(draft, [(text, _at("pay_to_address", "", "in a text"))])
        for name in ("due_date", "payable_amount", "iban"):
            draft.absent(name)
        return draft


def _load(document: Document) -> dict[str, Any]:
    try:
        body = json.loads(
            document.text or "",
            object_pairs_hook=_unique,
            parse_float=_no_fraction,
            parse_constant=_no_fraction,
        )
    except RecursionError:
        raise Refused("JSON_TOO_DEEP", "the JSON nests too deeply; send one flat object") from None
    except ValueError as error:
        position = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(
            "JSON_BROKEN", f"the JSON cannot be read{position}; export it again"
        ) from None
    if not isinstance(body, dict):
        raise Refused("JSON_SHAPE", "send one JSON object with the invoice's fields")
    return body


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    body = dict(pairs)
    if len(body) != len(pairs):
        raise Refused("JSON_DUPLICATE_KEY", "a key stands twice in one object; send each once")
    return body


def _no_fraction(_literal: str) -> Any:
    raise Refused(
        "JSON_NUMBER", 'write amounts as strings, "1234.50"; fractions and NaN lose their value'
    )


def _field(draft: Draft, key: str, value: Any) -> None:
    if value is None or key == "lines":
        return
    evidence = _at(key, f"/{_escape(key)}", str(value))
    if key in _AMOUNTS:
        amount = _amount(draft, key, value)
        if amount is not None:
            draft.put(key, amount, evidence)
    elif key == "chain_id" and isinstance(value, int) and not isinstance(value, bool):
        draft.put(key, value, evidence)
    elif key in _TEXTS | _DATES and isinstance(value, str):
        text = " ".join(value.split())[:_TEXT_CHARACTERS]
        date = xml_date(text) if key in _DATES else None
        if key in _DATES and date is None:
            draft.review("INVALID_DATE", f"{key} is no date of the calendar (YYYY-MM-DD)", key)
        elif text:
            draft.put(key, date or text, evidence)
    elif key in _TEXTS | _DATES | {"chain_id"}:
        draft.reject("JSON_SHAPE", f"{key} has another type than the format wants", key)
    else:
        draft.review("UNKNOWN_FIELD", f"{key[:60]!r} is no field of an invoice; it was not read")


def _amount(draft: Draft, name: str, value: Any) -> str | None:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    try:
        if not isinstance(text, str):
            raise InvalidInput("AMOUNT_SYNTAX", "write an amount as a string")
        parse_decimal(text)
    except InvalidInput as error:
        draft.reject(AMOUNT_SYNTAX, f"{name}: {error.message}", name)
        return None
    if len(text.lstrip("-0").partition(".")[0]) > MAX_INTEGER_DIGITS:
        draft.reject(AMOUNT_TOO_LARGE, f"{name} is larger than any invoice", name)
        return None
    return text


def _lines(draft: Draft, lines: Any, limit: int) -> None:
    if lines is None:
        return
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        draft.reject("JSON_SHAPE", "lines is a list of objects", "lines")
        return
    if len(lines) > limit:
        raise Refused("TOO_MANY_LINES", f"more than {limit} lines; split the invoice")
    rows: list[Any] = []
    for line in lines:
        row: dict[str, Any] = {}
        for key, value in line.items():
            if key in _LINE_AMOUNTS and value is not None:
                row[key] = _amount(draft, key, value)
            elif key in _LINE_TEXTS and isinstance(value, str):
                row[key] = " ".join(value.split())[:_TEXT_CHARACTERS]
            elif value is not None:
                draft.review(
                    "UNKNOWN_FIELD", f"{key[:60]!r} is no field of a line; it was not read"
                )
        rows.append(row)
    draft.put("lines", rows, _at("lines", "/lines", f"{len(rows)} lines"))
    draft.put("line_count", len(rows), _at("line_count", "/lines", f"{len(rows)} lines"))


def _bank_and_wallet(draft: Draft) -> None:
    iban = draft.text("iban")
    if iban is not None:
        draft.put("payee_accounts", [iban], draft.evidence["iban"])
        draft.fields["iban"] = first_iban([iban], draft)
    address = draft.text("pay_to_address")
    if address is None:
        return
    good, _bad = find_addresses(address)
    if good != [address]:
        report_syntax(draft)
        del draft.fields["pay_to_address"], draft.evidence["pay_to_address"]
    else:
        report_checksum(draft, address)


def _at(name: str, pointer: str, text: str) -> Evidence:
    return Evidence(name, Source.POINTER, pointer, text)


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
