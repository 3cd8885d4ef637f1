"""Reads PDFs that carry text: the visible page only. Must never use text that nobody can see.

A page without text is an image, whose reading needs a person or, later, character recognition.
"""

from collections.abc import Sequence

import pypdfium2 as pdfium2
import pypdfium2.raw as pdfium

from treasurer.documents.attachments import is_program
from treasurer.documents.draft import Draft, Refused
from treasurer.documents.hybrid import Attachment, read_embedded, read_hybrid
from treasurer.documents.labelled import read_labelled
from treasurer.documents.layout import Line
from treasurer.documents.limits import Limits
from treasurer.documents.media import Document, Kind
from treasurer.documents.pdf_lines import printed_page
from treasurer.documents.readers.reader import Reader

_PASSWORD_ERRORS = (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY)
_MAX_ATTACHMENTS = 20


class PdfReader:
    """Lines come in the order of the file, which for single-column invoices is reading order."""

    format = "pdf"

    def __init__(self, embedded: Sequence[Reader]) -> None:
        """`embedded` are the readers of XML formats, for an invoice inside the PDF."""
        self._embedded = embedded

    def claims(self, document: Document) -> bool:
        return document.kind is Kind.PDF

    def read(self, document: Document) -> Draft:
        pdf = _open(document.content)
        try:
            draft, lines = _open_pages(pdf, document.limits)
            # Files come first: beside an invoice that names its fields, less is asked of the page.
            apart = Draft("pdf", structured=False)
            attachments = _attachments(apart, pdf, document.limits)
            embedded = read_embedded(attachments, self._embedded, document.limits)
            _read(draft, lines, beside_fields=any(item.invoice for item in embedded))
            for finding in apart.findings:
                draft.add(finding)
            return read_hybrid(draft, lines, embedded)
        except pdfium2.PdfiumError:
            raise _broken() from None
        finally:
            pdf.close()


def _open(content: bytes) -> pdfium2.PdfDocument:
    try:
        return pdfium2.PdfDocument(content)
    except pdfium2.PdfiumError as error:
        if error.err_code in _PASSWORD_ERRORS:
            raise Refused(
                "PDF_ENCRYPTED", "the PDF is protected by a password; send it without one"
            ) from None
        raise _broken() from None


def _broken() -> Refused:
    return Refused("PDF_BROKEN", "the PDF cannot be opened or read; export it again")


def _open_pages(pdf: pdfium2.PdfDocument, limits: Limits) -> tuple[Draft, list[Line]]:
    pages = len(pdf)
    if pages == 0:
        raise _broken()
    if pages > limits.pages:
        raise Refused(
            "PDF_TOO_MANY_PAGES",
            f"the PDF has {pages} pages, {limits.pages} are allowed; send the invoice alone",
        )
    draft = Draft("pdf", structured=False)
    lines = _printed(draft, pdf, pages, limits)
    if pdfium.FPDF_GetSecurityHandlerRevision(pdf.raw) >= 0:
        draft.review("PDF_ENCRYPTED", "the PDF is encrypted, if without a password; look at it")
    return draft, lines


def _read(draft: Draft, lines: list[Line], *, beside_fields: bool) -> None:
    if lines:
        read_labelled(draft, lines, beside_fields=beside_fields)
    else:
        draft.review(
            "PDF_NO_TEXT_LAYER", "the PDF is an image without text; type the fields by hand"
        )
        for name in ("seller", "invoice_number", "currency", "payable_amount", "due_date", "iban"):
            draft.absent(name)


def _printed(draft: Draft, pdf: pdfium2.PdfDocument, pages: int, limits: Limits) -> list[Line]:
    """The visible lines of all pages; what is hidden or drawn over them becomes a finding."""
    lines: list[Line] = []
    hidden = 0
    for number in range(1, pages + 1):
        page = printed_page(pdf, number)
        lines += page.lines
        hidden += page.hidden_characters
        if page.annotated:
            draft.review(
                "PDF_ANNOTATIONS", "notes or form fields lie on the PDF; their text was not read"
            )
        if len(lines) > limits.text_lines:
            raise Refused("TOO_MANY_LINES", "the PDF has too much text for an invoice")
    if hidden:
        draft.review(
            "HIDDEN_TEXT",
            f"{hidden} characters stand in the PDF that nobody can see; they were not used",
        )
    return lines


def _attachments(draft: Draft, pdf: pdfium2.PdfDocument, limits: Limits) -> list[Attachment]:
    """Embedded XML; other attachments are counted and never opened."""
    found = []
    count = pdf.count_attachments()
    if count > _MAX_ATTACHMENTS:
        draft.review("TOO_MANY_ATTACHMENTS", "the PDF carries too many files to look at")
    for index in range(min(count, _MAX_ATTACHMENTS)):
        attachment = pdf.get_attachment(index)
        if is_program(attachment.get_name()):
            draft.reject(
                "EXECUTABLE_ATTACHMENT", "the PDF carries a program; ask for the invoice without it"
            )
        if not attachment.get_name().lower().endswith(".xml"):
            continue
        try:
            xml = bytes(attachment.get_data())
        except pdfium2.PdfiumError:
            draft.review("EMBEDDED_XML_UNREADABLE", "the embedded invoice cannot be read")
            continue
        if len(xml) > limits.document_bytes:
            draft.review("EMBEDDED_XML_UNREADABLE", "the embedded invoice is too large")
            continue
        found.append(Attachment(attachment.get_name(), xml))
    return found
