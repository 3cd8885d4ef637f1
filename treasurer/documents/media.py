"""Owns what a document is, told by its bytes. Must never believe a file name or a declared type."""

import base64
import binascii
import codecs
import contextlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from lxml import etree

from treasurer.documents.draft import Refused
from treasurer.documents.limits import Limits
from treasurer.documents.xml import parse_xml


class Kind(StrEnum):
    PDF = "application/pdf"
    XML = "application/xml"
    JSON = "application/json"
    TEXT = "text/plain"
    MAIL = "message/rfc822"
    IMAGE = "image/*"
    BINARY = "application/octet-stream"


_IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"GIF8", b"BM")
_BINARIES = (b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0", b"MZ", b"\x7fELF", b"Rar!", b"7z\xbc")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARKUP = re.compile(r"<(?:\?xml|!|[A-Za-z_])")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
"""The object identifier of PKCS #7 signed data, which stands right after the envelope's length."""
_ENVELOPE_WITHIN = 128
_HEADER = re.compile(r"([!-9;-~]+):[ \t]*")
_MAIL_HEAD = 64 * 1024
_MAIL_ONLY = frozenset({"mime-version", "received", "return-path", "message-id", "delivered-to"})
_PDF_WITHIN = 1024
"""ISO 32000 lets the header stand anywhere in the first kilobyte."""


@dataclass(frozen=True)
class Document:
    """Bytes as received, with what can be told about them before a reader takes them."""

    content: bytes
    limits: Limits

    @cached_property
    def kind(self) -> Kind:
        """By content alone. Markup that is no XML is still XML here, so that it is refused as such."""
        head = self.content[:_PDF_WITHIN]
        if b"%PDF-" in head:
            return Kind.PDF
        if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
            return Kind.IMAGE
        if head.startswith(_BINARIES):
            return Kind.BINARY
        text = self.text
        if text is None:
            return Kind.BINARY
        start = text[:_PDF_WITHIN].lstrip()
        if _MARKUP.match(start):
            return Kind.XML
        if start.startswith(("{", "[")):
            return Kind.JSON
        if _is_mail(text):
            return Kind.MAIL
        return Kind.TEXT

    @cached_property
    def text(self) -> str | None:
        """Decoded by byte order mark, else UTF-8, else Windows-1252; None when it is no text."""
        for mark, encoding in _BOMS:
            if self.content.startswith(mark):
                try:
                    return self.content[len(mark) :].decode(encoding)
                except UnicodeDecodeError:
                    return None
        if b"\x00" in self.content:
            return None
        for encoding in ("utf-8", "cp1252"):
            try:
                return self.content.decode(encoding)
            except UnicodeDecodeError:
                continue
        return None

    @cached_property
    def is_signed_envelope(self) -> bool:
        """Whether this is PKCS #7 signed data (.p7m), in DER or as base64 of it."""
        head = self.content[:_ENVELOPE_WITHIN]
        if head.lstrip().startswith(b"MII"):
            with contextlib.suppress(binascii.Error):
                head = base64.b64decode(b"".join(head.split())[:88])
        return head.startswith(b"\x30") and _SIGNED_DATA in head

    @cached_property
    def xml_root(self) -> etree._Element:
        """The parsed root, once for all readers that look at it. Raises Refused."""
        return parse_xml(self.content, self.limits)


def _is_mail(text: str) -> bool:
    """Whether the text begins with a block of header fields that only mails have (RFC 5322)."""
    block = re.split(r"\r?\n\r?\n", text[:_MAIL_HEAD].lstrip("\r\n"), maxsplit=1)[0]
    unfolded = re.sub(r"\r?\n[ \t]+", " ", block).splitlines()
    fields = {match[1].lower(): line for line in unfolded if (match := _HEADER.match(line))}
    whole = len(unfolded) == len([line for line in unfolded if _HEADER.match(line)])
    if not whole and len(text) < _MAIL_HEAD:
        return False
    return not _MAIL_ONLY.isdisjoint(fields) or (
        "subject" in fields and "@" in fields.get("from", "")
    )


def unreadable(kind: Kind) -> Refused:
    """Why a document of `kind` that no reader claimed is turned away."""
    match kind:
        case Kind.XML:
            return Refused(
                "XML_UNKNOWN",
                "the XML is no invoice of a known format; send UBL 2.1, CII or FatturaPA",
            )
        case _:
            return Refused(
                "MEDIA_UNSUPPORTED",
                "send an e-invoice (UBL, CII, FatturaPA, EDIFACT), a PDF with text, JSON, CSV or text",
            )
