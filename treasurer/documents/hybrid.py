"""Reads a PDF that carries its invoice as XML, and holds the two against each other.

Must never let the XML say what the visible page does not: people approve the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from treasurer.documents.draft import Draft, Refused
from treasurer.documents.layout import Line
from treasurer.documents.limits import Limits
from treasurer.documents.media import Document
from treasurer.documents.page_agreement import (
    amounts_due,
    compare,
    locate,
    mismatch,
    shown_amounts,
)
from treasurer.documents.readers.reader import Reader

_NAMES = ("factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml")
"""Factur-X and ZUGFeRD 2.1 on, ZUGFeRD 1.0 and 2.0, XRechnung; capitals differ between versions."""
_SETTLED_BY_XML = frozenset(
    {
        "AMBIGUOUS_AMOUNT", "AMBIGUOUS_CURRENCY", "AMBIGUOUS_DATE", "AMOUNT_DUE_UNCLEAR",
        "AMOUNT_UNREADABLE", "CONFLICTING_VALUES", "MULTIPLE_IBANS",
    }
)  # fmt: skip
"""Doubts about prose that a named field ends. Every other finding of the page stands."""
_COMPARED = ("seller", "invoice_number", "issue_date", "currency", "payable_amount", "iban")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file inside a PDF. `name` is what the sender calls it."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Embedded:
    """An attachment that was opened. `invoice` is None where it is none that we read: then `refused`
    says why, or `root` is another kind of XML.
    """

    name: str
    invoice: Draft | None
    root: etree._Element | None
    refused: Refused | None


def read_embedded(
    attachments: Sequence[Attachment], readers: Sequence[Reader], limits: Limits
) -> list[Embedded]:
    """Every attachment by the first of `readers`, those of XML formats, that claims it."""
    return [_read_xml(attachment, readers, limits) for attachment in attachments]


def _read_xml(attachment: Attachment, readers: Sequence[Reader], limits: Limits) -> Embedded:
    document = Document(attachment.content, limits)
    invoice, root, refused = None, None, None
    try:
        root = document.xml_root
        reader = next((reader for reader in readers if reader.claims(document)), None)
        invoice = None if reader is None else reader.read(document)
    except Refused as error:
        refused = error
    return Embedded(attachment.name, invoice, root, refused)


def read_hybrid(page: Draft, lines: Sequence[Line], embedded: Sequence[Embedded]) -> Draft:
    """The embedded invoice's fields with the findings of both, or `page` where none is embedded.

    What is embedded and no invoice becomes a finding of the page.
    """
    found: list[tuple[str, Draft]] = []
    for item in embedded:
        if item.invoice is not None:
            found.append((item.name, item.invoice))
        else:
            _report_unread(page, lines, item)
    if not found:
        return page
    found.sort(key=lambda pair: _rank(pair[0]))
    name, chosen = found[0]
    for other, draft in found[1:]:
        if any(chosen.fields.get(key) != draft.fields.get(key) for key in _COMPARED):
            chosen.review(
                "EMBEDDED_INVOICES_DIFFER",
                f"{name[:60]} and {other[:60]} name different invoices; ask which holds",
            )
    chosen.format = "pdf-hybrid"
    chosen.printed = page.printed
    _carry(page, chosen)
    if lines:
        compare(page, chosen, lines)
    locate(chosen, name, lines)
    return chosen


def _rank(name: str) -> int:
    lowered = name.lower()
    return _NAMES.index(lowered) if lowered in _NAMES else len(_NAMES)


def _report_unread(page: Draft, lines: Sequence[Line], item: Embedded) -> None:
    if item.refused is not None:
        page.review(
            "EMBEDDED_XML_UNREADABLE",
            f"the embedded invoice cannot be read: {item.refused.message}",
        )
        return
    page.note(
        "EMBEDDED_XML_NOT_READ", "an embedded XML file is no invoice of a known format; not read"
    )
    due = None if item.root is None else amounts_due(item.root)
    if due is not None:
        printed = page.text("payable_amount")
        shown = {Decimal(printed)} if printed is not None else shown_amounts(lines)
        if not due <= shown:
            mismatch(page, "payable_amount", "amounts due")


def _carry(page: Draft, chosen: Draft) -> None:
    """The page's findings stand, save those that only say that prose is hard to read."""
    for finding in page.findings:
        if finding.code in _SETTLED_BY_XML:
            continue
        chosen.add(finding)
    # The XML seldom names a wallet. One that the page asks for must reach those who compare it.
    name = "pay_to_address"
    if chosen.fields.get(name) is None and page.fields.get(name) is not None:
        chosen.put(name, page.fields[name], page.evidence[name])
