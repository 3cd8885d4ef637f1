"""Reads invoices in prose by their labels: `Total due: 840.00 USDC`. Sentences are text and no more.

Must never choose between two values that a payment hangs on, nor use what is not printed.
"""

import re
from collections.abc import Sequence

from treasurer.documents.accounts import doubtful_iban, find_ibans
from treasurer.documents.addresses import (
    find_addresses,
    may_hold_address,
    report_checksum,
    report_syntax,
)
from treasurer.documents.dates import find_date, written_day_first
from treasurer.documents.draft import Draft
from treasurer.documents.layout import Cell, Line
from treasurer.documents.no_transfer import no_transfer
from treasurer.documents.pairs import Found, Tie, find_columns, find_pairs
from treasurer.documents.parties import put_parties
from treasurer.documents.phrases import CREDIT, TITLE, carries_earlier_balance, says_paid, titles
from treasurer.documents.printed_money import put_money
from treasurer.documents.reading import FieldValue
from treasurer.documents.unicode import deceptive, may_mix_scripts, visible
from treasurer.documents.vat_ids import find_vat_ids

_NUMBER_TOKEN = re.compile(
    r"(?:#\s?)?(?:[A-Z]{1,4} (?=\d))?[^\W_][\w./#\u2010-\u2014-]{0,40}", re.ASCII
)
_GOES_ON = re.compile(r"[^\s,;.:)\]*|]|[,;.:)\]]\S")
"""`2026:001`, `2026(1)`: half of a number is that of another invoice."""
_DIGIT_GROUPS = re.compile(r"\d{2,6}(?: \d{2,6})+", re.ASCII)
_SPACED = re.compile(
    r"[^\W_][\w./-]*(?:(?:[ \u00a0][-/][ \u00a0]|[ \u00a0])\d[\w./-]{0,20}){1,4}", re.ASCII
)
"""`HF 2026 001`, `2026 - 55`: read to its first blank, next month's invoice would be a duplicate."""
_CHAIN = re.compile(r"chain(?:[\s-]*id)?\s*[:#]?\s*([0-9]{1,10})", re.IGNORECASE | re.ASCII)
_DAY_FIRST_MONEY = frozenset(
    {"GBP", "INR", "MYR", "SGD", "AUD", "NZD", "ZAR", "HKD", "AED", "KES", "NGN", "PKR", "LKR", "BDT",
     "THB", "IDR", "PLN", "CZK", "DKK", "NOK", "CHF", "BRL", "MXN", "ARS", "COP", "CLP", "TRY", "RON"}
)  # fmt: skip
"""Where this is paid with, English too is written with the day first."""
_DATES = frozenset({"issue_date", "due_date"})


def read_labelled(draft: Draft, lines: Sequence[Line], *, beside_fields: bool = False) -> None:
    """Fill `draft` from `lines` in reading order.

    `beside_fields` tells that the document names its fields in another way, so that of the page only
    number, amount due, accounts and what deceives are asked for: who sends it and its dates are left
    out, whose doubts would count for nothing.
    """
    draft.printed = [shown for line in lines if (shown := line.printed).text]
    _put_kind(draft, lines)
    found = find_pairs(lines)
    columns = find_columns(lines)
    by_field: dict[str, list[Found]] = {}
    for item in (*found, *columns):
        by_field.setdefault(item.match.label.field, []).append(item)
    put_money(draft, by_field, lines)
    _put_numbers(draft, by_field, lines)
    if not beside_fields:
        _put_dates(draft, by_field, lines)
    if not beside_fields or any(may_mix_scripts(line.text) for line in lines):
        put_parties(draft, lines, found)
    if not beside_fields:
        _put_vat_id(draft, by_field, lines)
    _put_addresses(draft, lines)
    _put_accounts(draft, lines)
    _warnings(draft, lines)
    for name in ("due_date", "payable_amount", "iban"):
        draft.absent(name)


def _put_kind(draft: Draft, lines: Sequence[Line]) -> None:
    draft.put("document_kind", "invoice", lines[0].evidence("document_kind"))
    for line in lines[:12]:
        if any(CREDIT.match(cell.text) for cell in line.cells):
            draft.put("document_kind", "credit_note", line.evidence("document_kind"))


def settle(
    draft: Draft, name: str, candidates: Sequence[tuple[FieldValue, Cell]], *, decisive: bool
) -> None:
    """Put the one value that all candidates agree on. Where they differ, the field stays empty."""
    if not candidates:
        return
    if len({str(value).casefold() for value, _cell in candidates}) > 1:
        if decisive:
            draft.review(
                "CONFLICTING_VALUES", f"{name} is printed with several values; pick one", name
            )
        return
    value, cell = candidates[0]
    draft.put(name, value, cell.evidence(name))


def _put_numbers(draft: Draft, by_field: dict[str, list[Found]], lines: Sequence[Line]) -> None:
    for name in ("invoice_number", "purchase_order"):
        groups: dict[tuple[bool, Tie], list[tuple[FieldValue, Cell]]] = {}
        for item in by_field.get(name, []):
            token = _document_number(item)
            if token is not None:
                key = (not item.match.label.strong, item.tie)
                groups.setdefault(key, []).append((token, item.cell))
        best = groups[min(groups)] if groups else []
        if not best and name == "invoice_number":
            best = _titled(lines)
        settle(draft, name, best, decisive=name == "invoice_number")


def _titled(lines: Sequence[Line]) -> list[tuple[FieldValue, Cell]]:
    return [
        (match["number"].rstrip(".-/"), lines[index].cells[0]) for match, index in titles(lines)
    ][:1]


def _document_number(item: Found) -> str | None:
    rest = visible(item.text).strip()
    token = _NUMBER_TOKEN.match(rest)
    if token is None or not any(character.isdigit() for character in token.group()):
        return None
    if _GOES_ON.match(rest, token.end()):
        return None
    text = token.group().replace("# ", "#").rstrip(".-/")
    stated = item.match.label.strong or item.match.marked
    spaced = stated and _SPACED.fullmatch(rest) is not None
    if _DIGIT_GROUPS.fullmatch(rest) or (
        spaced and find_date(rest[len(token.group()) :], day_first=True) == (None, False)
    ):
        text = rest
    if find_date(text, day_first=True)[0] is not None or _only_currency(rest):
        return None
    # `Invoice 7 of 9 was late` is a sentence; `INVOICE HF-2201` is a title.
    titled = TITLE.match(rest if item.match.rest[:1].isalpha() else f"no {rest}") is not None
    own = item.match.rest.strip() != ""
    if own and not stated and token.group() != rest:
        return text if titled else None
    digits = sum(character.isdigit() for character in text)
    if not item.match.label.strong and item.tie is Tie.BELOW and digits < 4:
        return None
    return text


def _only_currency(text: str) -> bool:
    return text.startswith(("€", "$", "£"))


def _put_dates(draft: Draft, by_field: dict[str, list[Found]], lines: Sequence[Line]) -> None:
    order = written_day_first(visible(line.text) for line in lines)
    if order is None and draft.text("currency") in _DAY_FIRST_MONEY:
        order = True
    spoken_for = {item.cell for items in by_field.values() for item in items}
    for name in sorted(_DATES):
        groups: dict[tuple[bool, Tie], list[tuple[FieldValue, Cell]]] = {}
        doubtful = False
        for item in by_field.get(name, []):
            day_first = order if order is not None else (item.match.label.day_first or None)
            text = visible(item.text)[:60]
            value, unsure = find_date(text, day_first=day_first)
            if value is not None:
                key = (not item.match.label.strong, item.tie)
                groups.setdefault(key, []).append((value, item.cell))
            elif unsure and item.tie is Tie.BESIDE:
                doubtful = True
                draft.note(
                    "AMBIGUOUS_DATE", f"{name} may be read as two dates or none; left empty", name
                )
        best = groups[min(groups)] if groups else []
        if name == "issue_date" and (not groups or min(groups)[0]):
            best = _titled_date(lines, order) or best
            if not best and not doubtful:
                best = _only_date(lines, order, spoken_for)
        settle(draft, name, best, decisive=False)


def _titled_date(lines: Sequence[Line], order: bool | None) -> list[tuple[FieldValue, Cell]]:
    """The date in the title, or right below a title that ends in `vom`."""
    for match, index in titles(lines):
        cell = lines[index].cells[-1]
        following = lines[index + 1].cells[0] if index + 1 < len(lines) else cell
        for text, where in ((match["date"], cell), (visible(following.text), following)):
            value, _unsure = find_date(text, day_first=order)
            if value is not None:
                return [(value, where)]
    return []


def _only_date(
    lines: Sequence[Line], order: bool | None, spoken_for: set[Cell]
) -> list[tuple[FieldValue, Cell]]:
    """The one date that stands in the document without a label."""
    dates: list[tuple[FieldValue, Cell]] = []
    for line in lines:
        for cell in line.cells:
            if cell in spoken_for:
                continue
            value, unsure = find_date(visible(cell.text)[:120], day_first=order)
            if unsure:
                return []
            if value is not None:
                dates.append((value, cell))
    return dates if len({value for value, _cell in dates}) == 1 else []


def _put_vat_id(draft: Draft, by_field: dict[str, list[Found]], lines: Sequence[Line]) -> None:
    """The labelled one, else the only valid European one that is not said to be the buyer's."""
    vat: list[tuple[FieldValue, Cell]] = [
        (numbers[0], item.cell)
        for item in by_field.get("seller_vat_id", [])
        if (numbers := find_vat_ids(visible(item.text)))
    ]
    theirs = {item.cell for item in by_field.get("buyer_vat_id", [])}
    if not vat:
        for line in lines:
            for cell in line.cells:
                if cell not in theirs:
                    vat += [(number, cell) for number in find_vat_ids(visible(cell.text))]
    settle(draft, "seller_vat_id", vat, decisive=False)


def _put_addresses(draft: Draft, lines: Sequence[Line]) -> None:
    found: list[tuple[FieldValue, Line]] = []
    for line in lines:
        if not may_hold_address(line.text):
            continue
        good, bad = find_addresses(visible(line.text))
        found += [(address, line) for address in good]
        if bad:
            report_syntax(draft)
    for address, _line in found:
        report_checksum(draft, str(address))
    if len({str(address).lower() for address, _line in found}) > 1:
        draft.review(
            "MULTIPLE_ADDRESSES", "several payment addresses are printed; ask why", "pay_to_address"
        )
    elif found:
        address, line = found[0]
        draft.put("pay_to_address", address, line.evidence("pay_to_address"))
        if chain := _CHAIN.search(visible(line.text)):
            draft.put("chain_id", int(chain[1]), line.evidence("chain_id"))


def _put_accounts(draft: Draft, lines: Sequence[Line]) -> None:
    accounts: list[str] = []
    for line in lines:
        if (doubt := doubtful_iban(visible(line.text))) is not None:
            report = draft.review if doubt[0] == "IBAN_MASKED" else draft.note
            report(*doubt, "iban")
        for iban in find_ibans(visible(line.text)):
            if not accounts:
                draft.put("iban", iban, line.evidence("iban"))
            if iban not in accounts:
                accounts.append(iban)
                draft.put("payee_accounts", list(accounts), line.evidence("payee_accounts"))
    if len(accounts) > 1:
        draft.note("MULTIPLE_IBANS", "several bank accounts are printed", "iban")


def _warnings(draft: Draft, lines: Sequence[Line]) -> None:
    for code, message in deceptive("\n".join(line.text for line in lines)):
        draft.review(code, message)
    for code, message in no_transfer(lines):
        draft.note(code, message)
    if says_paid(lines):
        # The reading may be sound; paying it again would be wrong, so intake holds it by this code.
        draft.note("ALREADY_PAID", "the document says that it was paid; check before paying again")
    if carries_earlier_balance(lines):
        draft.review(
            "AMOUNT_DUE_UNCLEAR",
            "the document asks for an earlier balance as well; say what this invoice alone asks for",
            "payable_amount",
        )
