"""Reads a PDF that carries its invoice as XML, and holds the two against each other.

Must never let the XML say what the visible page does not: people approve the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from treasurer.documents.draft import Draft, Refused
from treasurer.documents.labelled import Line
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
from treasurer.documents.reading import Severity

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


def read_hybrid(
    page: Draft,
    lines: Sequence[Line],
    attachments: Sequence[Attachment],
    readers: Sequence[Reader],
    limits: Limits,
) -> Draft:
    """The embedded invoice's fields with the findings of both, or `page` where none is embedded.

    `readers` are those of XML formats.
    """
    found: list[tuple[Attachment, Draft]] = []
    for attachment in attachments:
        draft = _read_xml(page, lines, attachment, readers, limits)
        if draft is not None:
            found.append((attachment, draft))
    if not found:
        return page
    found.sort(key=lambda pair: _rank(pair[0]))
    attachment, chosen = found[0]
    for other, draft in found[1:]:
        if any(chosen.fields.get(name) != draft.fields.get(name) for name in _COMPARED):
            chosen.review(
                "EMBEDDED_INVOICES_DIFFER",
                f"{attachment.name[:60]} and {other.name[:60]} name different invoices; ask which holds",
            )
    chosen.format = "pdf-hybrid"
    chosen.printed = page.printed
    _carry(page, chosen)
    if lines:
        compare(page, chosen, lines)
    locate(chosen, attachment.name, lines)
    return chosen


def _rank(attachment: Attachment) -> int:
    name = attachment.name.lower()
    return _NAMES.index(name) if name in _NAMES else len(_NAMES)


def _read_xml(
    page: Draft,
    lines: Sequence[Line],
    attachment: Attachment,
    readers: Sequence[Reader],
    limits: Limits,
) -> Draft | None:
    """The invoice in `attachment`; None, with a finding on the page, where it is none that we read."""
    document = Document(attachment.content, limits)
    try:
        root = document.xml_root
        for reader in readers:
            if reader.claims(document):
                return reader.read(document)
    except Refused as refused:
        page.review(
            "EMBEDDED_XML_UNREADABLE", f"the embedded invoice cannot be read: {refused.message}"
        )
        return None
    page.note(
        "EMBEDDED_XML_NOT_READ", "an embedded XML file is no invoice of a known format; not read"
    )
    embedded = amounts_due(root)
    if embedded is not None:
        printed = page.text("payable_amount")
        shown = {Decimal(printed)} if printed is not None else shown_amounts(lines)
        if not embedded <= shown:
            mismatch(page, "payable_amount", "amounts due")
    return None


def _carry(page: Draft, chosen: Draft) -> None:
    """The page's findings stand, save those that only say that prose is hard to read."""
    for finding in page.findings:
        if finding.code in _SETTLED_BY_XML:
            continue
        match finding.severity:
            case Severity.REJECT:
                chosen.reject(finding.code, finding.message, finding.field)
            case Severity.REVIEW if finding.code != "ALREADY_PAID":
                chosen.review(finding.code, finding.message, finding.field)
            case _:
                # That it is paid leaves the reading sound; the assessment holds it by this note.
                chosen.note(finding.code, finding.message, finding.field)
    # The XML seldom names a wallet. One that the page asks for must reach those who compare it.
    name = "pay_to_address"
    if chosen.fields.get(name) is None and page.fields.get(name) is not None:
        chosen.put(name, page.fields[name], page.evidence[name])
