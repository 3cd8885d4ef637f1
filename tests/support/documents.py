"""Builds documents for tests: UBL, text, PDFs with hidden spans, and the shared corpora."""

import io
import json
import os
import re
import zlib
from decimal import Decimal, InvalidOperation
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pypdfium2
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from treasurer.documents.limits import Limits
from treasurer.documents.parsing import parse_document
from treasurer.documents.reading import Reading

_SHARED = Path(__file__).parents[3] / "shared"
CORPUS = Path(os.environ.get("TREASURER_CORPUS", _SHARED / "corpus"))
REDTEAM = _SHARED / "redteam" / "attacks.jsonl"
SAMPLES = Path(__file__).parents[2] / "samples" / "invoices"

HALDEN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
INVOICE_LINES = (
    "INVOICE HF-4101",
    "From: Halden Freight AS",
    "Bill to: Norwick Instruments Ltd",
    "Invoice date: 2026-11-20",
    f"Pay to (USDC, chain 31337): {HALDEN}",
    "PO: PO-7781",
    "Total due: 840.00 USDC",
    "Due: 2026-12-10",
)
_NAMESPACES = (
    'xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2" '
    'xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2" '
    'xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"'
)


def parse(content: bytes | str, *, limits: Limits | None = None, **declared: str | None) -> Reading:
    """Read in this process, as the child does."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    return parse_document(
        data,
        filename=declared.get("filename"),
        media_type=declared.get("media_type"),
        limits=limits or Limits(),
    )


def codes(reading: Reading) -> set[str]:
    return {finding.code for finding in reading.findings}


def text_invoice(**replaced: str) -> str:
    """The benign invoice with lines replaced by their label: `text_invoice(total="Total due: 1 EUR")`.

    Keys: title seller buyer date pay_to po total due.
    """
    keys = ("title", "seller", "buyer", "date", "pay_to", "po", "total", "due")
    return "\n".join(replaced.get(key, line) for key, line in zip(keys, INVOICE_LINES, strict=True))


def ubl_invoice(
    *, payable: str = "512.00", total: str = "512.00", extra: str = "", totals: str = "",
    currency: str = "USD", number: str = "HF-4110", issue_date: str = "2026-11-20",
    due_date: str = "2026-12-10",
) -> bytes:  # fmt: skip
    """A coherent UBL invoice. `extra` stands before the supplier, `totals` before the amount due."""
    money = f'currencyID="{currency}"'
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Invoice {_NAMESPACES}><cbc:ID>{number}</cbc:ID><cbc:IssueDate>{issue_date}</cbc:IssueDate>
<cbc:DueDate>{due_date}</cbc:DueDate><cbc:InvoiceTypeCode>380</cbc:InvoiceTypeCode>
<cbc:DocumentCurrencyCode>{currency}</cbc:DocumentCurrencyCode>{extra}
<cac:AccountingSupplierParty><cac:Party><cac:PartyLegalEntity>
<cbc:RegistrationName>Halden Freight AS</cbc:RegistrationName></cac:PartyLegalEntity></cac:Party>
</cac:AccountingSupplierParty><cac:AccountingCustomerParty><cac:Party><cac:PartyLegalEntity>
<cbc:RegistrationName>Norwick Instruments Ltd</cbc:RegistrationName></cac:PartyLegalEntity>
</cac:Party></cac:AccountingCustomerParty>
<cac:TaxTotal><cbc:TaxAmount {money}>0.00</cbc:TaxAmount></cac:TaxTotal>
<cac:LegalMonetaryTotal><cbc:LineExtensionAmount {money}>{total}</cbc:LineExtensionAmount>
<cbc:TaxExclusiveAmount {money}>{total}</cbc:TaxExclusiveAmount>
<cbc:TaxInclusiveAmount {money}>{total}</cbc:TaxInclusiveAmount>{totals}
<cbc:PayableAmount {money}>{payable}</cbc:PayableAmount></cac:LegalMonetaryTotal>
<cac:InvoiceLine><cbc:ID>1</cbc:ID><cbc:InvoicedQuantity unitCode="C62">1</cbc:InvoicedQuantity>
<cbc:LineExtensionAmount {money}>{total}</cbc:LineExtensionAmount><cac:Item><cbc:Name>Service</cbc:Name>
</cac:Item><cac:Price><cbc:PriceAmount {money}>{total}</cbc:PriceAmount></cac:Price></cac:InvoiceLine>
</Invoice>""".encode()


def pdf(
    lines: tuple[str, ...] | list[str] = INVOICE_LINES, *, hidden: tuple[tuple[str, str], ...] = (),
    pages: int = 1, password: str | None = None, permissions_only: bool = False,
) -> bytes:  # fmt: skip
    """A PDF whose pages print `lines`; `hidden` are (style, text) pairs put on the first page."""
    encryption = None
    if password is not None:
        encryption = StandardEncryption(
            "" if permissions_only else password, ownerPassword=password
        )
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=True, encrypt=encryption)
    for page in range(pages):
        canvas.setFont("Helvetica", 10)
        for position, line in enumerate(lines):
            canvas.drawString(56, 780 - 16 * position, line)
        if page == 0:
            for position, (style, text) in enumerate(hidden):
                _hide(canvas, style, text, y=400 - 20 * position)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _hide(canvas: Canvas, style: str, text: str, *, y: int) -> None:
    canvas.saveState()
    words = canvas.beginText(56, y)
    words.setFont("Helvetica", 10)
    if "white" in style:
        words.setFillGray(1)
    elif "invisible" in style or "render-mode" in style:
        words.setTextRenderMode(3)
    elif "tiny" in style or "pt" in style:
        words.setFont("Helvetica", 1)
    elif "off" in style:
        words.setTextOrigin(-900, y)
    elif "alpha" in style or "transparent" in style:
        canvas.setFillAlpha(0)
    elif "clip" in style:
        path = canvas.beginPath()
        path.rect(500, 20, 5, 5)
        canvas.clipPath(path, stroke=0, fill=0)
    elif "black" in style:
        canvas.rect(50, y - 4, 500, 16, stroke=0, fill=1)
    words.textLine(text)
    canvas.drawText(words)
    if "image" in style:
        canvas.drawImage(ImageReader(_grey_image()), 50, y - 5, 500, 20)
    elif "under" in style:
        canvas.setFillGray(0.5)
        canvas.rect(50, y - 4, 500, 16, stroke=0, fill=1)
    canvas.restoreState()


def _grey_image() -> io.BytesIO:
    """A one-pixel PNG, so that no image library is needed to draw one."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    header = bytes([0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0])
    pixels = zlib.compress(b"\x00\x80")
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def hybrid_pdf(lines: tuple[str, ...] | list[str], xml: bytes) -> bytes:
    """A PDF that prints `lines` and carries `xml` as an embedded invoice."""
    document = pypdfium2.PdfDocument(pdf(lines))
    document.new_attachment("factur-x.xml").set_data(xml)
    buffer = io.BytesIO()
    document.save(buffer)
    document.close()
    return buffer.getvalue()


def raw_pdf(content_stream: bytes) -> bytes:
    """A one-page PDF around a deflated content stream, for streams that no library would write."""
    stream = b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(content_stream)
    page = (
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>"
    )
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page,
        stream + content_stream + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + table
    return out + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % start


def corpus_cases(*formats: str) -> list[dict[str, Any]]:
    """Rows of the manifest in these formats, all without any; empty where the corpus is absent."""
    manifest = CORPUS / "manifest.jsonl"
    if not manifest.is_file():
        return []
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if not formats or row["format"] in formats]


def attacks(*channels: str) -> list[dict[str, Any]]:
    """Rows of the attack corpus on these channels; empty where it is absent."""
    if not REDTEAM.is_file():
        return []
    rows = [json.loads(line) for line in REDTEAM.read_text(encoding="ascii").splitlines()]
    return [row for row in rows if row["channel"] in channels]


def attack_document(row: dict[str, Any]) -> bytes:
    """The document that an attack row describes, with its markup carried out."""
    payload = re.sub(
        r"⟦repeat:(\d+)⟧(.*?)⟦/repeat⟧", lambda m: m[2] * int(m[1]), row["payload"], flags=re.S
    )
    if visible := re.search(r"⟦pdf-visible⟧(.*?)⟦/pdf-visible⟧", payload, re.S):
        xml = payload.replace(visible[0], "")
        return hybrid_pdf(visible[1].splitlines(), xml.encode("utf-8"))
    spans = re.findall(r"⟦hidden:(.*?)⟧(.*?)⟦/hidden⟧", payload, re.S)
    if spans:
        shown = re.sub(r"⟦hidden:.*?⟧.*?⟦/hidden⟧", "", payload, flags=re.S)
        return pdf(shown.strip().splitlines(), hidden=tuple(spans))
    if row["channel"] == "email":
        return _mail(payload)
    return payload.encode("utf-8")


def _mail(payload: str) -> bytes:
    """The mail as it would arrive; a payload without a header is the text of one."""
    if not payload.startswith("From: "):
        payload = f"From: someone@elsewhere.example\nSubject: note\n\n{payload}"
    head, _, body = payload.partition("\n\n")
    message = EmailMessage()
    for line in head.splitlines():
        name, _, value = line.partition(": ")
        message[name] = value
    message["To"] = "invoices@norwick.example"
    message.set_content(body)
    return bytes(message)


def same(read: Any, expected: Any) -> bool:
    """As the corpus README compares: numbers as decimals, texts after whitespace, null as absent."""
    if read is None or expected is None:
        return read is expected
    if isinstance(expected, dict):
        keys = {*read, *expected} if isinstance(read, dict) else set()
        return bool(keys) and all(same(read.get(key), expected.get(key)) for key in keys)
    if isinstance(expected, list):
        return (
            isinstance(read, list) and len(read) == len(expected) and all(map(same, read, expected))
        )
    try:
        return Decimal(str(read)) == Decimal(str(expected))
    except InvalidOperation:
        return " ".join(str(read).split()) == " ".join(str(expected).split())


def image_pdf(image: bytes) -> bytes:
    """A scanned page: the image over all of it and no text."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=True)
    canvas.drawImage(ImageReader(io.BytesIO(image)), 0, 0, *A4)
    canvas.save()
    return buffer.getvalue()


def placed_pdf(*words: tuple[int, int, str]) -> bytes:
    """One page with each text at its place, in points from the lower left."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=True)
    canvas.setFont("Helvetica", 10)
    for x, y, text in words:
        canvas.drawString(x, y, text)
    canvas.save()
    return buffer.getvalue()
