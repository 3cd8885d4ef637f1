"""Settles the amounts of an invoice in prose and their currency. Must never pick one of two."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from treasurer.documents.amounts import (
    AMBIGUOUS_AMOUNT,
    AMOUNT_SYNTAX,
    AMOUNT_TOO_LARGE,
    NON_ASCII_NUMERIC,
    PrintedAmount,
    find_amounts,
)
from treasurer.documents.currencies import SHARED_SYMBOLS, from_printed, is_known
from treasurer.documents.draft import Draft
from treasurer.documents.unicode import deceptive, visible

if TYPE_CHECKING:
    from treasurer.documents.labelled import Found, Line

_HARMLESS_TAIL = re.compile(
    r"\s*(?:$|[(.,;*|]|(?:incl|excl|inkl|exkl|including|excluding|net|gross|brutto|netto|ttc|ht)\b)",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b[A-Z]{3,5}\b")
_NOT_CURRENCIES = frozenset(
    {
        "NET",
        "TTC",
        "VAT",
        "MWST",
        "UST",
        "INCL",
        "EXCL",
        "NETTO",
        "TVA",
        "GST",
        "PCS",
        "QTY",
        "TOTAL",
    }
)
_ON_ACCOUNT = re.compile(
    r"\b(?:prepaid|prepayments?|deposit|down ?payment|advance payment|amount paid|paid"
    r"|payments? received|anzahlung\w*|vorauszahlung\w*|teilzahlung\w*|bereits gezahlt|acompte\w*"
    r"|déjà (?:payé|réglé)\w*|aanbetaling|voldaan|betaald)\b",
    re.IGNORECASE,
)
_REASONS = {
    AMBIGUOUS_AMOUNT: "may be thousands or decimals; a person must say which",
    NON_ASCII_NUMERIC: "is written in digits of another script; ask for plain ones",
    AMOUNT_SYNTAX: "is not written as an amount; ask for plain digits such as 1234.56",
    AMOUNT_TOO_LARGE: "is larger than any invoice; ask for a corrected one",
}
_REJECTING = frozenset({AMOUNT_SYNTAX, AMOUNT_TOO_LARGE})
_UNSIGNED = frozenset({"allowance_total", "prepaid_amount"})


@dataclass(frozen=True, slots=True)
class _Money:
    value: str
    currency_text: str | None
    line: "Line"


def put_money(
    draft: Draft, found: Mapping[str, "Sequence[Found]"], lines: "Sequence[Line]"
) -> None:
    """Put the amounts that are printed once and clearly, and the currency of the amount due."""
    due = _read_all(draft, "payable_amount", found["payable_amount"], decisive=True)
    totals = _read_all(
        draft, "tax_inclusive_amount", found["tax_inclusive_amount"], decisive=not due
    )
    for name in sorted(set(found) - {"payable_amount", "tax_inclusive_amount", "currency"}):
        _put_if_one(draft, name, _read_all(draft, name, _strongest(found[name]), decisive=False))
    _put_if_one(draft, "tax_inclusive_amount", totals)
    payable = _payable(draft, due or totals, lines, is_due=bool(due))
    if payable is not None:
        draft.put("payable_amount", payable.value, payable.line.evidence("payable_amount"))
        _net_total(draft, payable)
    _put_currency(draft, payable, found, lines)


def _strongest(found: "Sequence[Found]") -> "Sequence[Found]":
    return [item for item in found if item.match.label.strong] or found


def _read_all(draft: Draft, name: str, found: "Sequence[Found]", *, decisive: bool) -> list[_Money]:
    """The readable amounts under a label. What a decisive label leaves unreadable is a finding."""
    money = []
    for item in found:
        rest = item.match.rest
        printed = None if deceptive(rest) else _leading_amount(rest)
        if printed is None:
            # Next to a label that says what is due, an amount must not be passed over in silence.
            if decisive and _names_money(rest):
                draft.review(
                    "AMOUNT_UNREADABLE",
                    f"{name} is labelled, but not printed as one plain amount",
                    "payable_amount",
                )
            continue
        if printed.value is None:
            if decisive:
                _report(draft, name, printed)
            continue
        value = printed.value.removeprefix("-") if name in _UNSIGNED else printed.value
        beside = printed.currency_text or _code_in(item.match.qualifier)
        money.append(_Money(value, beside, item.line))
    return money


def _report(draft: Draft, name: str, printed: PrintedAmount) -> None:
    problem = printed.problem or AMOUNT_SYNTAX
    report = draft.reject if problem in _REJECTING else draft.review
    report(problem, f"{name} ({printed.text[:40]}) {_REASONS[problem]}", "payable_amount")


def _leading_amount(rest: str) -> PrintedAmount | None:
    """The amount that `rest` consists of. Several different ones, or a sentence, are none."""
    amounts = find_amounts(rest)
    if not amounts or visible(rest[: amounts[0].start]).strip(" :.\t\u00a0"):
        return None
    first = amounts[0]
    if len({amount.text for amount in amounts}) > 1:
        return None
    if first.currency_text is None and not _HARMLESS_TAIL.match(visible(rest[first.end :])):
        return None
    return first


def _names_money(rest: str) -> bool:
    return any(
        amount.currency_text is not None or re.search(r"[.,]\d", amount.text) is not None
        for amount in find_amounts(visible(rest))
    )


def _payable(
    draft: Draft, candidates: list[_Money], lines: "Sequence[Line]", *, is_due: bool
) -> _Money | None:
    if not candidates:
        return None
    if len({Decimal(money.value) for money in candidates}) > 1 or (
        len({money.currency_text for money in candidates if money.currency_text}) > 1
    ):
        draft.review(
            "MULTIPLE_PAYABLE_AMOUNTS",
            "different amounts due are printed: "
            + ", ".join(sorted({money.value for money in candidates})[:5]),
            "payable_amount",
        )
        return None
    # A total less what was paid on account is due, but that difference is not printed under a
    # label that we know: nothing is invented.
    if not is_due and any(_ON_ACCOUNT.search(visible(line.text)) for line in lines):
        draft.review(
            "AMOUNT_DUE_UNCLEAR",
            "a total is printed and a payment on account; say what is still due",
            "payable_amount",
        )
        return None
    return next((money for money in candidates if money.currency_text), candidates[0])


def _net_total(draft: Draft, payable: _Money) -> None:
    """A line headed `Total` may be the net one: then VAT on top of it gives the amount due."""
    total, tax = draft.text("tax_inclusive_amount"), draft.text("tax_amount")
    if total is None or tax is None or "tax_exclusive_amount" in draft.fields:
        return
    if Decimal(total) != Decimal(payable.value) == Decimal(total) + Decimal(tax):
        draft.put("tax_exclusive_amount", total, draft.evidence["tax_inclusive_amount"])
        del draft.fields["tax_inclusive_amount"], draft.evidence["tax_inclusive_amount"]


def _put_if_one(draft: Draft, name: str, money: list[_Money]) -> None:
    if money and len({Decimal(item.value) for item in money}) == 1:
        draft.put(name, money[0].value, money[0].line.evidence(name))


def _put_currency(
    draft: Draft,
    payable: _Money | None,
    found: Mapping[str, "Sequence[Found]"],
    lines: "Sequence[Line]",
) -> None:
    """The code beside the amount due, else the labelled one, else the only one beside any amount."""
    stated = {
        (code, item.line) for item in found["currency"] if (code := _code_in(item.match.rest))
    }
    beside = None if payable is None else payable.currency_text
    code = None if beside is None else from_printed(beside)
    if payable is not None and code is not None:
        draft.put("currency", code, payable.line.evidence("currency"))
        if any(other != code for other, _line in stated):
            draft.review("CONFLICTING_VALUES", "the amount due names another currency", "currency")
        return
    if payable is not None and beside is not None and _may_be_code(beside):
        draft.put("currency", beside, payable.line.evidence("currency"))
        return
    candidates = stated or _codes_beside_amounts(lines)
    if len({code for code, _line in candidates}) == 1:
        code, line = min(candidates, key=lambda pair: (pair[1].page or 0, pair[1].number))
        draft.put("currency", code, line.evidence("currency"))
    elif beside in SHARED_SYMBOLS or candidates:
        draft.review(
            "AMBIGUOUS_CURRENCY", "several currencies fit; ask which one is meant", "currency"
        )


def _may_be_code(text: str) -> bool:
    """Whether capitals beside an amount can only be meant as a currency, known or not."""
    return _CODE.fullmatch(text) is not None and text not in _NOT_CURRENCIES


def _codes_beside_amounts(lines: "Sequence[Line]") -> "set[tuple[str, Line]]":
    found = set()
    for line in lines:
        for printed in find_amounts(line.text):
            code = from_printed(printed.currency_text) if printed.currency_text else None
            if code is not None:
                found.add((code, line))
    return found


def _code_in(text: str) -> str | None:
    """The one known currency code in `text`."""
    codes = {code for code in _CODE.findall(visible(text)) if is_known(code)}
    return codes.pop() if len(codes) == 1 else None
