"""Compares a PDF's visible page with the invoice that is embedded in it as XML.

Must never read fields from the XML here: the page is what people approve, so it is what is read.
"""

from decimal import Decimal, InvalidOperation

from lxml import etree

from treasurer.documents.amounts import find_amounts
from treasurer.documents.draft import Draft, Refused
from treasurer.documents.layout import Line
from treasurer.documents.limits import Limits
from treasurer.documents.unicode import visible
from treasurer.documents.xml import parse_xml

_PAYABLE = frozenset({"PayableAmount", "DuePayableAmount"})
"""BT-115 in UBL and in CII."""


def compare_embedded(draft: Draft, xml: bytes, lines: list[Line], limits: Limits) -> None:
    """Review when the XML's amount due is not the page's, or when the XML cannot be read."""
    try:
        root = parse_xml(xml, limits)
    except Refused as refused:
        draft.review(
            "EMBEDDED_XML_UNREADABLE", f"the embedded invoice cannot be read: {refused.message}"
        )
        return
    embedded = _amounts_due(root)
    if embedded is None:
        draft.note(
            "EMBEDDED_XML_NOT_READ",
            "the embedded XML names no amount due; only the visible page was read",
        )
        return
    draft.note("EMBEDDED_XML_NOT_READ", "only the visible page was read, not the embedded invoice")
    printed = draft.text("payable_amount")
    shown = {Decimal(printed)} if printed is not None else _shown(lines)
    if not embedded <= shown:
        draft.review(
            "HYBRID_MISMATCH",
            "the visible page and the embedded invoice name different amounts due; ask which holds",
            "payable_amount",
        )


def _amounts_due(root: etree._Element) -> set[Decimal] | None:
    """All amounts due that the XML states, None when it states none; nonsense never matches a page."""
    found: set[Decimal] = set()
    for element in root.iter():
        if isinstance(element.tag, str) and etree.QName(element).localname in _PAYABLE:
            try:
                found.add(Decimal((element.text or "").strip()))
            except InvalidOperation:
                found.add(Decimal("NaN"))
    return found or None


def _shown(lines: list[Line]) -> set[Decimal]:
    return {
        Decimal(amount.value)
        for line in lines
        for amount in find_amounts(visible(line.text))
        if amount.value is not None
    }
