"""Owns the reading of printed amounts in any locale. Must never guess: two readings are a finding.

`1.000` and `12,345` may be thousands or three decimals; which one is a person's decision.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from treasurer.documents.currencies import SHARED_SYMBOLS, SYMBOLS, from_printed
from treasurer.documents.unicode import has_non_ascii_digit

AMBIGUOUS_AMOUNT = "AMBIGUOUS_AMOUNT"
NON_ASCII_NUMERIC = "NON_ASCII_NUMERIC"
AMOUNT_SYNTAX = "AMOUNT_SYNTAX"
AMOUNT_TOO_LARGE = "AMOUNT_TOO_LARGE"

MAX_INTEGER_DIGITS = 15
MAX_FRACTION_DIGITS = 18

_WIDE_GROUP = "\u00a0\u202f\u2009\u2007'’"
_SYMBOL = "|".join(re.escape(s) for s in sorted({*SYMBOLS, *SHARED_SYMBOLS}, key=len, reverse=True))
_CURRENCY = rf"(?:{_SYMBOL}|[A-Z]{{3,5}}(?![A-Za-z]))"
_NUMBER = (
    rf"\d{{1,3}}(?: \d{{3}}(?!\d))+(?:[.,]\d+)?(?![\d{_WIDE_GROUP}])"
    rf"|\d(?:[\d\u066b\u066c.,{_WIDE_GROUP}]*\d)?"
)
_AMOUNT = re.compile(
    rf"(?<![\w.,/])(?P<open>\()?\s?(?P<sign>[-−–]\s?)?(?P<before>{_CURRENCY}[ \u00a0]?)?"
    rf"(?P<sign2>[-−–])?(?P<number>{_NUMBER})(?P<tail>[A-Za-z_]\w*(?:[+-]\d+)?)?"
    rf"(?P<percent>[ \u00a0]?%)?(?P<dash>[.,:][-–—]{{1,2}})?(?P<minus>[-−](?!\w))?(?P<close>\))?"
    rf"(?P<credit>[ \u00a0]?CR\b)?(?P<after>[ \u00a0\u202f]?{_CURRENCY})?"
)
# 1e6, 1_000, 0x10: spellings of numbers elsewhere, never of an amount on an invoice.
_NUMERIC_TAIL = re.compile(r"[eE](?:[+-]?\d+)?|_\w*|[xX][0-9a-fA-F]+")
_DIGIT = re.compile(r"\d")
_DATE = re.compile(r"(?<!\d)(?:\d{4}-\d{2}-\d{2}|\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d{2}))(?!\d)")
_EXACT = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r"(?P<whole>0|[1-9]\d*)",
        r"(?P<whole>0|[1-9]\d*)[.,](?P<fraction>\d+)",
        r"(?P<whole>[1-9]\d{0,2}(?:,\d{3}){2,})",
        r"(?P<whole>[1-9]\d{0,2}(?:\.\d{3}){2,})",
        r"(?P<whole>[1-9]\d{0,2}(?:,\d{3})+)\.(?P<fraction>\d+)",
        r"(?P<whole>[1-9]\d{0,2}(?:\.\d{3})+),(?P<fraction>\d+)",
        r"(?P<whole>[1-9]\d?(?:,\d{2})+,\d{3})(?:\.(?P<fraction>\d+))?",
        rf"(?P<whole>[1-9]\d{{0,2}}(?P<group>[{_WIDE_GROUP}])\d{{3}}(?:(?P=group)\d{{3}})*)"
        r"(?:[.,](?P<fraction>\d+))?",
        r"(?P<whole>[1-9]\d{0,2}(?: \d{3})+),(?P<fraction>\d+)",
    )
)
_WITH_CENTS = re.compile(r"(?:0|[1-9]\d{0,5})[.,]\d\d?", re.ASCII)
"""The usual case, first. It is one of the exact ones."""
_THOUSANDS_OR_DECIMALS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
# A blank may also part a quantity from a price: `2 100.00`.
_BLANK_OR_GROUP = re.compile(r"[1-9]\d{0,2}(?: \d{3})+(?:\.\d+)?", re.ASCII)


_GROUPED = re.compile(r"[1-9]\d{0,2}(?:[., ]\d{3})+", re.ASCII)


class PrintedAmount(NamedTuple):
    """An amount as it stands in a text. Either `value` (a decimal string) or `problem` is set.

    `currency_text` is the code or symbol printed beside it; `start` and `end` index the text.
    A tuple, as all that a page holds hundreds of: they are made in a third of the time.
    """

    text: str
    start: int
    end: int
    value: str | None
    problem: str | None
    currency_text: str | None


def find_amounts(text: str) -> list[PrintedAmount]:
    """Every amount printed in `text`, in order. Percentages and dates are not amounts."""
    return list(_amounts(text)) if _DIGIT.search(text) else []


@lru_cache(maxsize=2048)
def _amounts(text: str) -> tuple[PrintedAmount, ...]:
    blanked = _DATE.sub(lambda match: "\x00" * len(match.group()), text)
    found = []
    for match in _AMOUNT.finditer(blanked):
        tail = match["tail"]
        if tail is not None and not (from_printed(tail) or _NUMERIC_TAIL.fullmatch(tail)):
            continue
        if match["percent"] is None:
            found.append(_amount(match))
    return tuple(found)


def interpret(number: str) -> tuple[str | None, str | None]:
    """A number without sign as `(decimal string, None)` or `(None, problem)`."""
    if _WITH_CENTS.fullmatch(number):
        return number.replace(",", "."), None
    if has_non_ascii_digit(number) or "\u066b" in number or "\u066c" in number:
        return None, NON_ASCII_NUMERIC
    if _THOUSANDS_OR_DECIMALS.fullmatch(number) or _BLANK_OR_GROUP.fullmatch(number):
        return None, AMBIGUOUS_AMOUNT
    for pattern in _EXACT:
        match = pattern.fullmatch(number)
        if match is None:
            continue
        whole = re.sub(r"[^0-9]", "", match["whole"])
        fraction = match.groupdict().get("fraction")
        if len(whole) > MAX_INTEGER_DIGITS:
            return None, AMOUNT_TOO_LARGE
        if fraction is not None and len(fraction) > MAX_FRACTION_DIGITS:
            return None, AMOUNT_SYNTAX
        return (whole if fraction is None else f"{whole}.{fraction}"), None
    return None, AMOUNT_SYNTAX


def same_value(left: str, right: str) -> bool:
    """Whether two decimal strings of this module name one number."""
    return Decimal(left) == Decimal(right)


def _amount(match: re.Match[str]) -> PrintedAmount:
    tail = match["tail"]
    value, problem = interpret(match["number"])
    if (
        problem == AMBIGUOUS_AMOUNT
        and match["dash"] is not None
        and _GROUPED.fullmatch(match["number"])
    ):
        # `1.250,-`: the dash stands for the decimals, so the mark before it parts thousands.
        value, problem = re.sub(r"[^0-9]", "", match["number"]), None
    if tail is not None and from_printed(tail) is None:
        value, problem = None, AMOUNT_SYNTAX
    negative = (
        match["sign"] or match["sign2"] or match["minus"] or match["credit"]
    ) is not None or (match["open"] is not None and match["close"] is not None)
    if value is not None and negative:
        value = f"-{value}"
    return PrintedAmount(
        text=match.group().strip(),
        start=match.start(),
        end=match.end(),
        value=value,
        problem=problem,
        currency_text=_currency(match, tail),
    )


def _currency(match: re.Match[str], tail: str | None) -> str | None:
    """What is printed beside the number; capitals before it count only if they are a currency."""
    before = (match["before"] or "").strip()
    after = (match["after"] or "").strip()
    if before and (from_printed(before) or before in SHARED_SYMBOLS):
        return before
    if tail is not None and from_printed(tail) is not None:
        return tail
    if after:
        return after
    return before if before and match.start("before") == 0 else None
