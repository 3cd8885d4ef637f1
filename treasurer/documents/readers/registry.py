"""Owns the list of formats. The first reader that claims a document reads it, so text comes last."""

from treasurer.documents.media import Document, unreadable
from treasurer.documents.readers.json import JsonReader
from treasurer.documents.readers.mail import MailReader
from treasurer.documents.readers.pdf import PdfReader
from treasurer.documents.readers.reader import Reader
from treasurer.documents.readers.text import TextReader
from treasurer.documents.readers.ubl import UblReader

READERS: tuple[Reader, ...] = (
    UblReader(),
    PdfReader(),
    JsonReader(),
    MailReader(),
    TextReader(),
)


def reader_for(document: Document) -> Reader:
    """The reader of the document's format. Raises Refused when there is none."""
    for reader in READERS:
        if reader.claims(document):
            return reader
    raise unreadable(document.kind)
