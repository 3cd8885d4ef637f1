"""Owns amounts, VAT rows and lines of an EDIFACT invoice. Must never take a code for another one."""

import re
from collections.abc import Sequence

from treasurer.documents.amounts import AMOUNT_SYNTAX, AMOUNT_TOO_LARGE, MAX_INTEGER_DIGITS
from treasurer.documents.draft import Draft, Refused
from treasurer.documents.edifact_message import Message, Part, reject_second
from treasurer.documents.edifact_segments import Segment, Separators
from treasurer.documents.limits import Limits
from treasurer.documents.reading import FieldValue

_NUMBER = re.compile(r"(-?)([0-9]+)(?:([.,])([0-9]{1,18}))?", re.ASCII)
_TOTALS = (
    ("line_total", ("79",)),
    ("allowance_total", ("260",)),
    ("charge_total", ("259",)),
    ("tax_exclusive_amount", ("389", "125")),
    ("tax_amount", ("176", "124")),
    ("tax_amount_in_tax_currency", ("2",)),
    ("tax_inclusive_amount", ("388", "77", "86", "39")),
    ("prepaid_amount", ("113",)),
    ("payable_amount", ("9", "77")),
)
"""Codes of MOA (5025) by preference: EN 16931's first, then what older releases used for the same.

9 is the amount due; 77, the invoice amount, is due where nothing says that a part is paid.
"""
_MIXED_ADJUSTMENTS = "131"
"""Older releases add charges and allowances up in one signed amount, which EN 16931 keeps apart."""


def number(text: str | None, separators: Separators) -> str | None:
    """An EDIFACT number as a decimal string; None when absent. Raises ValueError for another spelling.

    ISO 9735 knows no thousands separators: the one mark is the decimal one, and it must be the
    declared one where three digits follow, because then it might mean thousands.
    """
    if text is None:
        return None
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(text)
    sign, whole, mark, fraction = match.groups()
    if mark is None:
        return f"{sign}{int(whole)}"
    if mark != separators.decimal and len(fraction) == 3:
        raise ValueError(text)
    return f"{sign}{int(whole)}.{fraction}"


def _amount(draft: Draft, segment: Segment, text: str | None, separators: Separators) -> str | None:
    try:
        value = number(text, separators)
    except ValueError:
        draft.reject(
            AMOUNT_SYNTAX, f"segment {segment.position} ({segment.tag}) is no plain number"
        )
        return None
    if value is not None and len(value.lstrip("-0").partition(".")[0]) > MAX_INTEGER_DIGITS:
        draft.reject(AMOUNT_TOO_LARGE, f"segment {segment.position} is larger than any invoice")
        return None
    return value


def put_totals(draft: Draft, message: Message, separators: Separators) -> None:
    """The summary's amounts before its first TAX are the document's; each TAX begins a VAT row."""
    summary = [item.segment for item in message.placed if item.part is Part.SUMMARY]
    first = next((i for i, s in enumerate(summary) if s.tag in ("TAX", "ALC")), len(summary))
    totals = [segment for segment in summary[:first] if segment.tag == "MOA"]
    mixed = any(segment.qualifier == _MIXED_ADJUSTMENTS for segment in totals)
    prepaid = any(segment.qualifier == "113" for segment in totals)
    for name, codes in _TOTALS:
        for code in codes:
            if (code == "125" and mixed) or (name == "payable_amount" and code == "77" and prepaid):
                continue
            if _put_total(draft, name, [s for s in totals if s.qualifier == code], separators):
                break
    _vat_rows(draft, summary[first:], separators)


def _put_total(draft: Draft, name: str, found: Sequence[Segment], separators: Separators) -> bool:
    """Record the total in the invoice's currency, which an amount need not repeat."""
    if not found:
        return False
    expected = "tax_currency" if name.endswith("_in_tax_currency") else "currency"
    currency = draft.text(expected)
    own = [segment for segment in found if segment.get(0, 2) in (None, currency)]
    segment = reject_second(draft, own or found, name)
    if segment is None:
        return False
    if not own:
        draft.review(
            "CURRENCY_MISMATCH",
            f"segment {segment.position} is in another currency than the invoice; ask which is meant",
        )
    value = _amount(draft, segment, segment.get(0, 1), separators)
    if value is not None:
        draft.put(name, value, segment.evidence(name))
    return True


def _vat_rows(draft: Draft, summary: Sequence[Segment], separators: Separators) -> None:
    rows: list[FieldValue] = []
    row: dict[str, FieldValue] | None = None
    for segment in summary:
        if segment.tag == "TAX":
            row = {
                "category": segment.get(5),
                "rate": _amount(draft, segment, segment.get(4, 3), separators),
                "taxable": None,
                "tax": None,
            }
            if segment.get(1) in (None, "VAT"):
                rows.append(row)
        elif segment.tag == "MOA" and row is not None:
            key = {"125": "taxable", "124": "tax"}.get(segment.qualifier or "")
            if key is not None:
                row[key] = _amount(draft, segment, segment.get(0, 1), separators)
        elif segment.tag == "ALC":
            row = None
    place = next((segment for segment in summary if segment.tag == "TAX"), None)
    if place is not None:
        draft.put("vat_breakdown", rows, place.evidence("vat_breakdown"))


def put_lines(draft: Draft, message: Message, separators: Separators, limits: Limits) -> None:
    """One row a LIN. Amounts of a line's allowances stand behind ALC and are no line amounts."""
    rows: list[FieldValue] = []
    row: dict[str, FieldValue] = {}
    within = "LIN"
    for item in message.placed:
        segment = item.segment
        if item.part is not Part.LINES:
            continue
        if segment.tag in ("LIN", "ALC", "TAX", "PRI"):
            within = segment.tag
        if segment.tag == "LIN":
            if len(rows) >= limits.invoice_lines:
                raise Refused(
                    "TOO_MANY_LINES", f"more than {limits.invoice_lines} lines; split the invoice"
                )
            row = _new_line(segment)
            rows.append(row)
        else:
            _read_into(draft, row, segment, within, separators)
    place = next((item.segment for item in message.placed if item.part is Part.LINES), message.head)
    draft.put("lines", rows, place.evidence("lines"))
    draft.put("line_count", len(rows), place.evidence("line_count"))


def _new_line(segment: Segment) -> dict[str, FieldValue]:
    names = ("name", "quantity", "unit", "net_amount", "price", "base_quantity")
    empty: dict[str, FieldValue] = dict.fromkeys((*names, "vat_category", "vat_rate"))
    return {"id": segment.get(0), **empty}


def _read_into(
    draft: Draft, row: dict[str, FieldValue], segment: Segment, within: str, separators: Separators
) -> None:
    match segment.tag, segment.qualifier:
        case "IMD", _ if row["name"] is None:
            row["name"] = segment.get(2, 3) or segment.get(2, 4)
        case "QTY", "47":
            row["quantity"] = _amount(draft, segment, segment.get(0, 1), separators)
            row["unit"] = segment.get(0, 2)
        case "MOA", "203" if within != "ALC":
            if row["net_amount"] is not None:
                reject_second(draft, [segment, segment], "lines")
            row["net_amount"] = _amount(draft, segment, segment.get(0, 1), separators)
        case "PRI", "AAA":
            row["price"] = _amount(draft, segment, segment.get(0, 1), separators)
            row["base_quantity"] = _amount(draft, segment, segment.get(0, 4), separators)
        case "TAX", _ if row["vat_rate"] is None and row["vat_category"] is None:
            row["vat_rate"] = _amount(draft, segment, segment.get(4, 3), separators)
            row["vat_category"] = segment.get(5)
        case _:
            pass
