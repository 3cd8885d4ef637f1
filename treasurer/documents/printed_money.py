"""Settles the amounts of an invoice in prose. Must never pick one of two.

An amount beside its label counts by itself. Amounts that stand apart from their labels count only
where the sums hold (`totals`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from treasurer.documents.amounts import (
    AMBIGUOUS_AMOUNT,
    AMOUNT_SYNTAX,
    AMOUNT_TOO_LARGE,
    NON_ASCII_NUMERIC,
    PrintedAmount,
    find_amounts,
)
from treasurer.documents.below_total import goes_on
from treasurer.documents.draft import Draft
from treasurer.documents.layout import Cell, Line
from treasurer.documents.pairs import Found, Tie
from treasurer.documents.printed_currency import code_in, put_currency
from treasurer.documents.totals import Totals, find_totals, printed_amounts, thousands_by_sums
from treasurer.documents.unicode import deceptive, visible

_HARMLESS_TAIL = re.compile(
    r"\s*(?:$|[(.,;*|]|(?:incl|excl|inkl|exkl|including|excluding|net|gross|brutto|netto|ttc|ht)\b)",
    re.IGNORECASE,
)
_PERIODS = (
    r"(?:month|year|week|day|hour|unit|piece|person|user|seat|monat|jahr|woche|tag|stunde|stück|nutzer"
    r"|mois|an|année|semaine|jour|heure|mes|año|semana|día|hora|mese|anno|giorno|ora|maand|jaar|dag|uur)"
)
_OTHER_THAN_PRINTED = re.compile(
    r"[\s(,]*(?:\.[a-z]\b|(?:k|m|mio|mln|tsd|bn|million|thousand|tausend|billion|lakh|crore)\b"
    rf"|(?:per|pro|par|por|je|à|al|a|each|every|/)\s?{_PERIODS}\b|(?:monthly|yearly|monatlich|jährlich)\b"
    r"|[x×]\s?\d|(?:credit|guthaben|avoir|a?haber)\b|(?:in|to) your (?:favou?r|credit)\b"
    r"|zu ihren gunsten\b|en votre faveur\b|a su favor\b|a vostro favore\b|in uw voordeel\b)",
    re.IGNORECASE,
)
"""What behind an amount makes it another one: a scale, a price for each, money that we get."""
_WITHOUT_TAX = re.compile(
    r"[\s(,]*(?:hors tax\w*|h\.?t\b|(?:\+|plus|zzgl|zuzügl\w*|excl\w*|exkl\w*|ohne|without|before|hors|sin"
    r"|senza|più|oltre|ekskl\w*|bez|netto)\.?\s*(?:of\s|gesetzl\w*\.?\s|\d{1,2}(?:[.,]\d{1,2})?\s?%\s?)?"
    r"(?:vat|sales tax|tax\w*|gst|mwst|ust|umsatzsteuer|mehrwertsteuer|tva|iva|btw|moms|mva|dph)\b)",
    re.IGNORECASE,
)
_GROSS = frozenset({"payable_amount", "tax_inclusive_amount"})
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


_MONEY = (
    "allowance_total", "charge_total", "line_total", "prepaid_amount", "rounding_amount", "tax_amount",
    "tax_exclusive_amount",
)  # fmt: skip
_ON_A_DAY = re.compile(
    r"^\s*(?:on|by|am|bis|zum|per|le|el|il|op|den|dne)\s+(?:\d{4}-\d{2}-\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}"
    r"|[^\W\d_]{3,10}\.? \d{1,2}\s?,? \d{4}|\d{1,2}\.? [^\W\d_]{3,10}\.? \d{4})\s*:?\s*",
    re.IGNORECASE,
)
"""`Total amount due on August 3, 2026  $4.11`: the day stands between label and amount."""
_DAYS = re.compile(
    r"\b\d{1,3}\s?(?:calendar |business |working )?"
    r"(?:days?|tagen?|jours|días|giorni|dagen|dage|dager|dagar|dni)\b",
    re.IGNORECASE,
)
_GAP_AFTER_CURRENCY = re.compile(r"(?<=[A-Z€$£])\s{2,}(?=[\d-])")


@dataclass(frozen=True, slots=True)
class _Money:
    value: str
    currency_text: str | None
    cell: Cell


def put_money(draft: Draft, found: Mapping[str, Sequence[Found]], lines: Sequence[Line]) -> None:
    """Put the amounts that are printed once and clearly, and the currency of the amount due."""
    beside = {
        name: _strongest([item for item in items if item.tie <= Tie.ALONE])
        for name, items in found.items()
    }
    due = _read_all(draft, "payable_amount", beside.get("payable_amount", []), lines, decisive=True)
    totals = _read_all(
        draft,
        "tax_inclusive_amount",
        beside.get("tax_inclusive_amount", []),
        lines,
        decisive=not due,
    )
    for name in _MONEY:
        _put_if_one(
            draft, name, _read_all(draft, name, beside.get(name, []), lines, decisive=False)
        )
    on_account = _on_account(lines)
    sums, unclear = find_totals(
        lines,
        prepaid_named=on_account or "prepaid_amount" in found,
        credit=_is_credit(draft),
        no_tax_named=Decimal(draft.text("tax_amount") or "1") == 0,
    )
    if not due and sums is not None:
        totals = _by_sums(totals, sums)
    _put_if_one(draft, "tax_inclusive_amount", totals)
    payable = _payable(draft, due or totals, on_account=on_account and not due)
    if payable is None and not due and not totals and sums is not None:
        if not any(finding.field == "payable_amount" for finding in draft.findings):
            payable = _from_sums(draft, sums, unclear=unclear)
    elif payable is not None and sums is not None:
        _complete(draft, sums, payable)
    if payable is not None and goes_on(lines, Decimal(payable.value)):
        draft.review(
            "AMOUNT_DUE_UNCLEAR",
            "below the total the document reckons on to another amount; say what is due",
            "payable_amount",
        )
        payable = None
    if payable is not None:
        draft.put("payable_amount", payable.value, payable.cell.evidence("payable_amount"))
        _net_total(draft, payable)
        _rounded_total(draft, payable)
        _taxed_lines(draft)
        if on_account:
            _prepayment(draft, lines)
    beside_due = None if payable is None else (payable.currency_text, payable.cell)
    put_currency(draft, beside_due, found.get("currency", []), lines)


def _strongest(found: Sequence[Found]) -> Sequence[Found]:
    return [item for item in found if item.match.label.strong] or found


def _by_sums(totals: list[_Money], sums: Totals) -> list[_Money]:
    """Where several totals differ (with and without tax), the one that the sums call gross."""
    if len({Decimal(money.value) for money in totals}) < 2:
        return totals
    gross = [money for money in totals if Decimal(money.value) == sums.gross.value]
    known = {sums.net.value, sums.tax.value, sums.gross.value}
    return gross if gross and {Decimal(money.value) for money in totals} <= known else totals


def _from_sums(draft: Draft, sums: Totals, *, unclear: bool) -> _Money:
    """The amount due by arithmetic alone, where no label stands beside an amount."""
    _put_sums(draft, sums)
    if unclear:
        draft.review(
            "AMOUNT_DUE_UNCLEAR",
            "a total is printed and a payment on account; say what is still due",
            "payable_amount",
        )
    if sums.prepaid is not None:
        evidence = sums.prepaid.cell.evidence("prepaid_amount")
        draft.put("prepaid_amount", str(sums.prepaid.value), evidence)
    return _Money(str(sums.due.value), sums.due.currency_text, sums.due.cell)


def _complete(draft: Draft, sums: Totals, payable: _Money) -> None:
    """Add net and tax that the sums tell where their labels stand apart."""
    total = draft.text("tax_inclusive_amount") or payable.value
    if Decimal(total) != sums.gross.value:
        return
    net, tax = draft.text("tax_exclusive_amount"), draft.text("tax_amount")
    if tax and Decimal(tax) != sums.tax.value == 0:
        return  # no untaxed invoice: its net amount is not printed
    if net and tax and Decimal(net) == sums.net.value and Decimal(tax) != sums.tax.value:
        # The labelled tax is the one in another currency (BT-111).
        del draft.fields["tax_amount"], draft.evidence["tax_amount"]
    _put_sums(draft, sums)


def _put_sums(draft: Draft, sums: Totals) -> None:
    for name, part in (
        ("tax_exclusive_amount", sums.net),
        ("tax_amount", sums.tax),
        ("tax_inclusive_amount", sums.gross),
    ):
        if name not in draft.fields:
            draft.put(name, str(part.value), part.cell.evidence(name))


def _prepayment(draft: Draft, lines: Sequence[Line]) -> None:
    """Total less amount due, where that difference is printed and a payment on account is named."""
    total, due = draft.text("tax_inclusive_amount"), draft.text("payable_amount")
    if total is None or due is None or "prepaid_amount" in draft.fields:
        return
    paid = Decimal(total) - Decimal(due)
    printed = [amount for amount in printed_amounts(lines, credit=False) if amount.value == paid]
    if paid > 0 and printed:
        draft.put("prepaid_amount", str(paid), printed[0].cell.evidence("prepaid_amount"))


def _is_credit(draft: Draft) -> bool:
    """On a credit note a minus sign says again what its title says (EN 16931: positive amounts)."""
    return draft.text("document_kind") == "credit_note"


def _on_account(lines: Sequence[Line]) -> bool:
    return _ON_ACCOUNT.search("\n".join(visible(line.text) for line in lines)) is not None


def _read_all(
    draft: Draft, name: str, found: Sequence[Found], lines: Sequence[Line], *, decisive: bool
) -> list[_Money]:
    """The readable amounts under a label. What a decisive label leaves unreadable is a finding."""
    money: list[_Money] = []
    unreadable = False
    unsigned = name in _UNSIGNED or _is_credit(draft)
    for item in found:
        rest = _GAP_AFTER_CURRENCY.sub(" ", _ON_A_DAY.sub("", item.text, count=1))
        printed = None if deceptive(rest) else _leading_amount(rest)
        if printed is not None and _means_another(name, visible(rest[printed.end :])):
            printed = None
        if printed is None:
            # Next to a label that says what is due, an amount must not be passed over in silence.
            unreadable |= item.match.label.strong and _names_money(rest)
            continue
        count = item.tie is Tie.ALONE or not (item.match.label.strong or name in _GROSS)
        if count and not _is_money(printed):
            continue  # `Net 30` are terms of payment
        if printed.problem == AMBIGUOUS_AMOUNT:
            printed = thousands_by_sums(printed, printed_amounts(lines, credit=unsigned))
        if printed.value is None:
            if decisive:
                _report(draft, name, printed)
            continue
        value = printed.value.removeprefix("-") if unsigned else printed.value
        beside = printed.currency_text or code_in(item.match.qualifier)
        money.append(_Money(value, beside, item.cell))
    # A row of a table may begin with `Total` and hold several sums; what is due may not.
    if decisive and unreadable and (name == "payable_amount" or not money):
        draft.review(
            "AMOUNT_UNREADABLE",
            f"{name} is labelled, but not printed as one plain amount",
            "payable_amount",
        )
    return money


def _is_money(printed: PrintedAmount) -> bool:
    """Whether cents or a currency show that a number is a sum, and no count."""
    return printed.currency_text is not None or re.search(r"[.,]\d{2}$", printed.text) is not None


def _report(draft: Draft, name: str, printed: PrintedAmount) -> None:
    problem = printed.problem or AMOUNT_SYNTAX
    report = draft.reject if problem in _REJECTING else draft.review
    report(problem, f"{name} ({printed.text[:40]}) {_REASONS[problem]}", "payable_amount")


def _leading_amount(rest: str) -> PrintedAmount | None:
    """The amount that `rest` consists of. Several different ones, or a sentence, are none."""
    rest = _DAYS.sub(lambda match: " " * len(match.group()), rest)
    amounts = find_amounts(rest)
    if not amounts or visible(rest[: amounts[0].start]).strip(" :.\t\u00a0"):
        return None
    first = amounts[0]
    if len({amount.text for amount in amounts}) > 1:
        return None
    if first.currency_text is None and not _HARMLESS_TAIL.match(visible(rest[first.end :])):
        return None
    return first


def _means_another(name: str, tail: str) -> bool:
    """Whether what stands behind an amount says that the field is another one than is printed."""
    if name in _GROSS and _WITHOUT_TAX.match(tail):
        return True
    return _OTHER_THAN_PRINTED.match(tail) is not None


def _names_money(rest: str) -> bool:
    return any(
        amount.currency_text is not None or re.search(r"[.,]\d", amount.text) is not None
        for amount in find_amounts(visible(rest))
    )


def _payable(draft: Draft, candidates: list[_Money], *, on_account: bool) -> _Money | None:
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
    nothing_paid = Decimal(draft.text("prepaid_amount") or "1") == 0
    if on_account and not nothing_paid:
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


def _rounded_total(draft: Draft, payable: _Money) -> None:
    """With its rounding above it, as in India, the total is BT-115, and BT-112 is not printed."""
    total, rounding = draft.text("tax_inclusive_amount"), draft.text("rounding_amount")
    rounded = Decimal(rounding or "0") != 0
    if total is not None and rounded and Decimal(total) == Decimal(payable.value):
        del draft.fields["tax_inclusive_amount"], draft.evidence["tax_inclusive_amount"]


def _taxed_lines(draft: Draft) -> None:
    """Where prices include the tax, the subtotal does too, and is not BT-106."""
    lines, net, total = (
        draft.text(name) for name in ("line_total", "tax_exclusive_amount", "tax_inclusive_amount")
    )
    if lines and net and total and Decimal(lines) == Decimal(total) != Decimal(net):
        del draft.fields["line_total"], draft.evidence["line_total"]


def _put_if_one(draft: Draft, name: str, money: list[_Money]) -> None:
    if money and len({Decimal(item.value) for item in money}) == 1:
        draft.put(name, money[0].value, money[0].cell.evidence(name))
