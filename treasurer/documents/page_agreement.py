"""Holds an embedded invoice against the visible page of its PDF. Must never change a field."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from lxml import etree

from treasurer.documents.accounts import find_ibans
from treasurer.documents.amounts import find_amounts
from treasurer.documents.below_total import goes_on
from treasurer.documents.currencies import SYMBOLS
from treasurer.documents.document_types import SELF_BILLED
from treasurer.documents.draft import Draft
from treasurer.documents.layout import Line
from treasurer.documents.unicode import visible

_PAYABLE = frozenset({"PayableAmount", "DuePayableAmount"})
"""BT-115 in UBL and in CII."""
_NO_DIGIT = re.compile(r"[^0-9]+")
_LOCATED = ("seller", "invoice_number", "payable_amount", "tax_amount", "iban", "pay_to_address")


def compare(page: Draft, chosen: Draft, lines: Sequence[Line]) -> None:
    """What a person pays by must be the same on the page: seller, number, amount, account, wallet."""
    text = "\n".join(visible(line.text) for line in lines)
    for name, plural in (("seller", "sellers"), ("invoice_number", "invoice numbers")):
        value = chosen.text(name)
        if value is None or _prints(text, value):
            continue
        if name == "invoice_number" and not _names_number(page):
            # Nothing contradicts; intake holds it by this note, for people approve the page.
            chosen.note(
                "NUMBER_NOT_ON_PAGE",
                "the visible page names no invoice number, only the embedded invoice does",
                name,
            )
        else:
            mismatch(chosen, name, plural)
    payable = chosen.text("payable_amount") or chosen.text("tax_inclusive_amount")
    if payable is not None and (
        not _shows(page, chosen, lines, Decimal(payable)) or goes_on(lines, Decimal(payable))
    ):
        mismatch(chosen, "payable_amount", "amounts due")
    credit = page.text("document_kind") == "credit_note" != chosen.text("document_kind")
    # Germans call an invoice that its buyer writes a credit note too (`Gutschrift`).
    credit = credit and chosen.text("type_code") != SELF_BILLED
    if credit and payable is not None and Decimal(payable) > 0:
        mismatch(chosen, "document_kind", "kinds of document")
    ibans = [iban for line in lines for iban in find_ibans(visible(line.text))]
    if chosen.text("iban") is not None and ibans and chosen.text("iban") not in ibans:
        mismatch(chosen, "iban", "bank accounts")
    wallet, shown = chosen.text("pay_to_address"), page.text("pay_to_address")
    if wallet is not None and shown is not None and wallet.lower() != shown.lower():
        mismatch(chosen, "pay_to_address", "wallets")
    if _names_other_currency(page, chosen, lines):
        mismatch(chosen, "currency", "currencies")


def _names_number(page: Draft) -> bool:
    """Whether a number is labelled on the page, be it one or several that differ."""
    name = "invoice_number"
    return name in page.fields or any(finding.field == name for finding in page.findings)


def _names_other_currency(page: Draft, chosen: Draft, lines: Sequence[Line]) -> bool:
    """Whether another currency stands beside the amount due, or the embedded one nowhere."""
    currency, own = page.text("currency"), chosen.text("currency")
    if currency is None or own is None or currency == own:
        return False
    due, beside = page.evidence.get("payable_amount"), page.evidence["currency"]
    if due is not None and due.location == beside.location:
        return True
    spellings = {own, *(symbol for symbol, code in SYMBOLS.items() if code == own)}
    return not any(spelling in line.text for line in lines for spelling in spellings)


def _shows(page: Draft, chosen: Draft, lines: Sequence[Line], payable: Decimal) -> bool:
    """A page may print a credit with a minus that the XML expresses by its type, or the other way."""
    printed = page.text("payable_amount") if chosen.text("payable_amount") is not None else None
    shown = {Decimal(printed)} if printed is not None else shown_amounts(_with(payable, lines))
    if chosen.text("document_kind") == "credit_note" or payable < 0:
        return abs(payable) in {abs(amount) for amount in shown}
    return payable in shown


def mismatch(draft: Draft, name: str, plural: str) -> None:
    """Review `name`, which page and file give differently."""
    draft.review(
        "HYBRID_MISMATCH",
        f"the visible page and the embedded invoice name different {plural}; ask which holds",
        name,
    )


def locate(chosen: Draft, file_name: str, lines: Sequence[Line]) -> None:
    """Each XPath names its file; what the page prints as well is shown there too."""
    for name, evidence in chosen.evidence.items():
        if evidence.page is None:
            location = f"{file_name[:60]}{evidence.location}"
            chosen.evidence[name] = replace(evidence, location=location)
    squeezed = [_squeezed(line.text) for line in lines]
    for name in _LOCATED:
        value, own = chosen.text(name), chosen.evidence.get(name)
        line = None if value is None or own is None else _line_of(name, value, lines, squeezed)
        if line is not None and own is not None and own.page is None:
            printed = line.evidence(name)
            chosen.evidence[name] = replace(own, page=printed.page, box=printed.box)


def _line_of(name: str, value: str, lines: Sequence[Line], squeezed: Sequence[str]) -> Line | None:
    """The last line that prints an amount, because totals stand below; the first for a text."""
    if name.endswith("_amount"):
        amount = Decimal(value)
        shown = (line for line in reversed(_with(amount, lines)) if amount in shown_amounts([line]))
        return next(shown, None)
    wanted = _squeezed(value)
    pairs = zip(lines, squeezed, strict=True)
    return next((line for line, text in pairs if wanted in text), None)


def _with(amount: Decimal, lines: Sequence[Line]) -> list[Line]:
    """The lines that hold the digits of `amount`, whatever parts them: the others cannot print it."""
    digits = "".join(map(str, amount.normalize().as_tuple().digits)).strip("0")
    return [line for line in lines if digits in _NO_DIGIT.sub("", line.text)]


def _prints(text: str, value: str) -> bool:
    """Whether `text` prints `value` as a whole, however it is wrapped: HF-100 is not in HF-1007.

    Pages draw ligatures and composed letters as one glyph, which NFKC takes apart on both sides.
    """
    text, value = (unicodedata.normalize("NFKC", part) for part in (text, value))
    spaced = r"\s*".join(re.escape(character) for character in value if not character.isspace())
    return re.search(rf"(?<!\w){spaced}(?!\w)", text, re.IGNORECASE) is not None


def _squeezed(text: str) -> str:
    return "".join(visible(text).split()).casefold()


def amounts_due(root: etree._Element) -> set[Decimal] | None:
    """All amounts due that the XML states, None when it states none; nonsense never matches a page."""
    found: set[Decimal] = set()
    for element in root.iter():
        if isinstance(element.tag, str) and etree.QName(element).localname in _PAYABLE:
            try:
                found.add(Decimal((element.text or "").strip()))
            except InvalidOperation:
                found.add(Decimal("NaN"))
    return found or None


def shown_amounts(lines: Sequence[Line]) -> set[Decimal]:
    """All readable amounts of the lines."""
    return {
        Decimal(amount.value)
        for line in lines
        for amount in find_amounts(visible(line.text))
        if amount.value is not None
    }
