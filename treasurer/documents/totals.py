"""Finds the totals of an invoice by arithmetic: net + tax = gross. Must never guess a missing part.

Where labels and amounts stand apart, the sums still tell which amounts are the totals: the largest
amount of the page that is the sum of two others, in the ratio of a printed tax rate.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from typing import NamedTuple

from treasurer.documents.amounts import PrintedAmount, find_amounts
from treasurer.documents.currencies import SHARED_SYMBOLS, from_printed
from treasurer.documents.layout import Cell, Line
from treasurer.documents.unicode import visible

_RATE = re.compile(r"(?<![\d.,])(\d{1,2}(?:[.,]\d{1,4})?)\s?%")
_ZERO_RATE = re.compile(r"(?<![\d.,])0(?:[.,]0{1,4})?\s?%")
_BARE_RATE = re.compile(r"(?<![\d.,])([0-9]|[12]\d)(?:[.,](\d))?(?![\d.,%]|\s?\d)")
_RATE_CHARACTERS = 4
_CENTS = re.compile(r"\d[.,]\d{2}(?!\d)")
_CAPITAL = re.compile(r"\bcapital|stammkapital|kapital|capitale|kapitał", re.IGNORECASE)
_MOST_AMOUNTS = 600
_MOST_PARTS = 40
_MOST_VALUES = 250
_ZERO = Decimal(0)
_CENT = Decimal("0.01")


class Printed(NamedTuple):
    """An amount with cents or a currency, without its sign, and where it stands."""

    text: str
    value: Decimal
    negative: bool
    currency_text: str | None
    cell: Cell


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums that hold. `due` differs from `gross` where a prepayment is printed that leads to it."""

    net: Printed
    tax: Printed
    gross: Printed
    prepaid: Printed | None
    due: Printed


def printed_amounts(lines: Sequence[Line], *, credit: bool) -> list[Printed]:
    """Amounts that look like money, in order. What is said of a company's capital is not asked for.

    `credit` tells that the document is a credit note, on which a minus sign says that once more.
    """
    found: list[Printed] = []
    for line in lines:
        for cell in line.cells:
            text = visible(cell.text)
            amounts = find_amounts(text)
            if not amounts or _CAPITAL.search(text):
                continue
            for amount in amounts:
                currency = amount.currency_text
                if currency not in SHARED_SYMBOLS and from_printed(currency or "") is None:
                    currency = None
                if amount.value is None or not (currency or _CENTS.search(amount.text)):
                    continue
                value = Decimal(amount.value)
                number = re.sub(r"^[^0-9]+|[^0-9]+$", "", amount.text)
                found.append(Printed(number, abs(value), value < 0 and not credit, currency, cell))
                if len(found) >= _MOST_AMOUNTS:
                    return found
    return found


def find_totals(
    lines: Sequence[Line], *, prepaid_named: bool, credit: bool, no_tax_named: bool
) -> tuple[Totals | None, bool]:
    """The totals, None where the sums name none or several; and whether what is due stays unclear.

    `prepaid_named` says that the document speaks of a prepayment, `no_tax_named` that a tax of nothing
    is printed beside its label.
    """
    amounts = printed_amounts(lines, credit=credit)
    by_value: dict[Decimal, Printed] = {}
    for amount in amounts[-_MOST_VALUES:]:
        if not amount.negative:
            by_value[amount.value] = amount  # totals stand after the lines: the last one counts
    largest = sorted(by_value, reverse=True)[:1]
    if not largest or largest[0] == _ZERO:
        return None, False
    rates = printed_rates(lines)
    gross = largest[0]
    split = _split(gross, by_value, rates)
    if split is None and (no_tax_named or _zero_rated(lines)) and _repeated(gross, amounts):
        by_value.setdefault(_ZERO, Printed("0", _ZERO, False, None, by_value[gross].cell))
        split = gross, _ZERO
    if split is None:
        return None, False
    net, tax = split
    paid, unclear = _prepaid(gross, net, tax, amounts, by_value, named=prepaid_named)
    due = by_value[gross - paid.value] if paid is not None else by_value[gross]
    return Totals(by_value[net], by_value[tax], by_value[gross], paid, due), unclear


def thousands_by_sums(amount: PrintedAmount, others: Sequence[Printed]) -> PrintedAmount:
    """`1.190` as 1190 where the sums say so: every other amount has cents after the other mark, and
    two of them make it. Else as it came, unread.
    """
    mark = "." if "." in amount.text else ","
    cents = [other for other in others if other.text[-3:-2] == ("," if mark == "." else ".")]
    whole = re.sub(r"[^0-9]", "", amount.text)
    values = {other.value for other in cents}
    made = any(Decimal(whole) - value in values for value in values)
    if len(cents) < 2 or len(cents) < len(others) or not made:
        return amount
    return amount._replace(value=whole, problem=None)


def printed_rates(lines: Sequence[Line]) -> set[Decimal]:
    """Percentages, and bare small numbers, which tables print under a heading with the sign."""
    rates: set[Decimal] = set()
    for line in lines:
        text = visible(line.text)
        if "%" in text:
            rates.update(Decimal(match[1].replace(",", ".")) for match in _RATE.finditer(text))
        for cell in line.cells:
            shown = visible(cell.text).strip()
            bare = _BARE_RATE.fullmatch(shown) if len(shown) <= _RATE_CHARACTERS else None
            if bare is not None:
                rates.add(Decimal(f"{bare[1]}.{bare[2] or 0}"))
    return rates


def _split(
    gross: Decimal, by_value: dict[Decimal, Printed], rates: set[Decimal]
) -> tuple[Decimal, Decimal] | None:
    """The one pair of printed amounts that makes `gross` in the ratio of a printed rate."""
    pairs = {
        (net, gross - net)
        for net in by_value
        if _ZERO < gross - net < net
        and gross - net in by_value
        and is_tax_of(gross - net, net, rates)
    }
    if not pairs:
        parts = [
            (net, tax)
            for net in by_value
            for rate in rates
            for tax in _around(net * rate / 100)
            if tax in by_value and _ZERO < tax < net
        ]
        # Several rates: each part fits its rate, and the printed sums are those of the parts.
        groups = [*combinations(set(parts), 2), *combinations(set(parts[:_MOST_PARTS]), 3)]
        for group in groups:
            net, tax = sum((n for n, _t in group), _ZERO), sum((t for _n, t in group), _ZERO)
            if net + tax == gross and net in by_value and tax in by_value:
                pairs.add((net, tax))
    return pairs.pop() if len(pairs) == 1 else None


def is_tax_of(tax: Decimal, net: Decimal, rates: set[Decimal]) -> bool:
    """Whether `tax` is what one of the rates makes of `net`, within the cents of rounding."""
    return any(tax in _around(net * rate / 100) for rate in rates)


def _around(value: Decimal) -> list[Decimal]:
    """The amounts within a few cents of `value`: taxes are rounded line by line."""
    middle = value.quantize(_CENT)
    return [middle + step * _CENT for step in range(-3, 4)]


def _zero_rated(lines: Sequence[Line]) -> bool:
    """Whether `0 %` is printed. Any other nothing may be a discount, the freight or what was paid."""
    return any(_ZERO_RATE.search(visible(line.text)) for line in lines)


def _repeated(gross: Decimal, amounts: Sequence[Printed]) -> bool:
    """The largest amount stands several times: as what is taxed, and as the total."""
    cells = {amount.cell for amount in amounts if amount.value == gross and not amount.negative}
    return len(cells) >= 2


def _prepaid(
    gross: Decimal,
    net: Decimal,
    tax: Decimal,
    amounts: Sequence[Printed],
    by_value: dict[Decimal, Printed],
    *,
    named: bool,
) -> tuple[Printed | None, bool]:
    """A payment on account that is printed and leads to a printed rest; and whether one may be there."""
    if not named:
        return None, False
    possible = [
        amount
        for amount in amounts
        if _ZERO < amount.value < gross
        and gross - amount.value in by_value
        and amount.value not in (net, tax)
    ]
    deducted = {amount.value: amount for amount in possible if amount.negative}
    if len(deducted) == 1:
        return next(iter(deducted.values())), False
    return None, bool(possible)
