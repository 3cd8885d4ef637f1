"""Settles the currency of an invoice in prose. Must never guess what a shared symbol means."""

import re
from collections.abc import Sequence

from treasurer.documents.amounts import find_amounts
from treasurer.documents.currencies import SHARED_SYMBOLS, from_printed, is_known
from treasurer.documents.draft import Draft
from treasurer.documents.layout import Cell, Line
from treasurer.documents.pairs import Found
from treasurer.documents.unicode import visible

_CODE = re.compile(r"\b[A-Z]{3,5}\b")
_LEGAL_FORM = re.compile(r"\bSDN\.?\s?BHD\b", re.IGNORECASE)
"""A company of Malaysia, not the dinar of Bahrain."""
_NOT_CURRENCIES = frozenset(
    {"NET", "TTC", "VAT", "MWST", "UST", "INCL", "EXCL", "NETTO", "TVA", "GST", "PCS", "QTY", "TOTAL",
     "BTW", "IVA", "MVA", "DPH", "STK", "SUM"}
)  # fmt: skip
_SIGNS = ("€", "£", "₹", "(RM)", "zł", "Kč")
_SHARED_BY: dict[str, frozenset[str]] = {
    "$": frozenset({"USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "TWD"}),
    "kr": frozenset({"SEK", "NOK", "DKK", "ISK"}),
    "Rs": frozenset({"INR", "PKR", "LKR", "NPR", "MUR"}),
    "¥": frozenset({"JPY", "CNY"}),
}
_COUNTRIES = {
    "india": "INR", "pakistan": "PKR", "sri lanka": "LKR", "nepal": "NPR", "mauritius": "MUR",
    "sverige": "SEK", "sweden": "SEK", "norge": "NOK", "norway": "NOK", "danmark": "DKK",
    "denmark": "DKK", "japan": "JPY", "china": "CNY", "canada": "CAD", "australia": "AUD",
    "new zealand": "NZD", "singapore": "SGD", "hong kong": "HKD", "mexico": "MXN", "méxico": "MXN",
    "taiwan": "TWD", "united states": "USD", "usa": "USD", "iceland": "ISK",
}  # fmt: skip
_ZIP = re.compile(r",? [A-Z]{2} \d{5}(?:-\d{4})?(?!\d)")
"""The end of an address in the United States: state and code."""
_COUNTRY = re.compile(rf"\b(?:{'|'.join(_COUNTRIES)})\b", re.IGNORECASE)


def put_currency(
    draft: Draft,
    due: tuple[str | None, Cell] | None,
    labelled: Sequence[Found],
    lines: Sequence[Line],
) -> None:
    """The code beside the amount due, else the labelled one, else the only one beside any amount.

    `due` is what stands beside the amount due, with its cell.
    """
    stated = {(code, item.cell) for item in labelled if (code := code_in(item.text))}
    beside, cell = due if due is not None else (None, None)
    code = None if beside is None else from_printed(beside)
    if cell is not None and code is not None:
        draft.put("currency", code, cell.evidence("currency"))
        if stated and all(other != code for other, _cell in stated):
            draft.review("CONFLICTING_VALUES", "the amount due names another currency", "currency")
        return
    if cell is not None and beside is not None and _may_be_code(beside):
        draft.put("currency", beside, cell.evidence("currency"))
        return
    candidates = stated or _beside_amounts(lines) or _named_at_all(lines)
    shared = beside if beside in SHARED_SYMBOLS else _shared_symbol(lines)
    if shared is not None:
        candidates = _meant_by(shared, candidates, lines)
    if len({code for code, _cell in candidates}) == 1:
        code, cell = min(
            candidates, key=lambda pair: (pair[1].page or 0, pair[1].number, pair[1].left)
        )
        draft.put("currency", code, cell.evidence("currency"))
    elif shared is not None or candidates:
        draft.review(
            "AMBIGUOUS_CURRENCY", "several currencies fit; ask which one is meant", "currency"
        )


def code_in(text: str) -> str | None:
    """The one known currency code or symbol in `text`."""
    shown = _LEGAL_FORM.sub(" ", visible(text))
    codes = {code for code in _CODE.findall(shown) if is_known(code)}
    codes |= {code for sign in _SIGNS if sign in shown and (code := from_printed(sign.strip("()")))}
    return codes.pop() if len(codes) == 1 else None


def _may_be_code(text: str) -> bool:
    """Whether capitals beside an amount can only be meant as a currency, known or not."""
    return _CODE.fullmatch(text) is not None and text not in _NOT_CURRENCIES


def _beside_amounts(lines: Sequence[Line]) -> set[tuple[str, Cell]]:
    found = set()
    for line in lines:
        for cell in line.cells:
            for printed in find_amounts(cell.text):
                code = from_printed(printed.currency_text) if printed.currency_text else None
                if code is not None:
                    found.add((code, cell))
    return found


def _named_at_all(lines: Sequence[Line]) -> set[tuple[str, Cell]]:
    """A code that stands alone in a cell, or a symbol: the head of a column of amounts."""
    return {
        (code, cell)
        for line in lines
        for cell in line.cells
        if len(cell.text) <= 40 and (code := code_in(cell.text)) is not None
    }


def _shared_symbol(lines: Sequence[Line]) -> str | None:
    symbols = {
        printed.currency_text.rstrip(".")
        for line in lines
        if any(symbol in visible(line.text) for symbol in SHARED_SYMBOLS)
        for printed in find_amounts(visible(line.text))
        if printed.currency_text in SHARED_SYMBOLS
    }
    return symbols.pop() if len(symbols) == 1 else None


def _meant_by(
    symbol: str, candidates: set[tuple[str, Cell]], lines: Sequence[Line]
) -> set[tuple[str, Cell]]:
    """The currencies of `symbol` that are named, or whose country is."""
    possible = _SHARED_BY.get(symbol.rstrip("."), frozenset())
    named = {(code, cell) for code, cell in candidates if code in possible}
    if named or candidates:
        return named
    named = {
        ("USD", cell)
        for line in lines
        for cell in line.cells
        if "USD" in possible and _ZIP.search(visible(cell.text))
    }
    return named | {
        (code, cell)
        for line in lines
        for cell in line.cells
        for match in _COUNTRY.finditer(visible(cell.text))
        if (code := _COUNTRIES[match.group().lower()]) in possible
    }
