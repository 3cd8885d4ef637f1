"""Owns the list of formats. The first reader that claims a document reads it, so text comes last."""

from treasurer.documents.draft import Refused
from treasurer.documents.media import Document, unreadable
from treasurer.documents.readers.cii import CiiReader
from treasurer.documents.readers.csv import CsvReader
from treasurer.documents.readers.edifact import EdifactReader
from treasurer.documents.readers.fatturapa import FatturaPaReader
from treasurer.documents.readers.image import ImageReader
from treasurer.documents.readers.json import JsonReader
from treasurer.documents.readers.mail import MailReader
from treasurer.documents.readers.ocr_boxes import OcrBoxesReader
from treasurer.documents.readers.pdf import PdfReader
from treasurer.documents.readers.reader import Reader
from treasurer.documents.readers.text import TextReader
from treasurer.documents.readers.ubl import UblReader

XML_READERS: tuple[Reader, ...] = (
    UblReader(),
    CiiReader(),
    FatturaPaReader(),
)
"""A PDF may carry any of these inside."""

READERS: tuple[Reader, ...] = (
    *XML_READERS,
    PdfReader(XML_READERS),
    JsonReader(),
    EdifactReader(),
    MailReader(),
    ImageReader(),
    OcrBoxesReader(),
    CsvReader(),
    TextReader(),
)


def reader_for(document: Document) -> Reader:
    """The reader of the document's format. Raises Refused when there is none."""
    if document.is_signed_envelope:
        raise Refused(
            "SIGNED_ENVELOPE", "the invoice is wrapped in a signature (.p7m); send the XML inside"
        )
    for reader in READERS:
        if reader.claims(document):
            return reader
    raise unreadable(document.kind)
