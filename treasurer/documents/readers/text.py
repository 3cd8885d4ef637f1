"""Reads plain text by its labels. The last reader in the registry: any text is its to try."""

from treasurer.documents.draft import Draft, Refused
from treasurer.documents.labelled import read_labelled
from treasurer.documents.layout import text_lines
from treasurer.documents.media import Document, Kind


class TextReader:
    """What no label names is not read; a document without labels ends in review."""

    format = "text"

    def claims(self, document: Document) -> bool:
        return document.kind is Kind.TEXT

    def read(self, document: Document) -> Draft:
        text = document.text or ""
        printed = text_lines(text)
        if len(printed) > document.limits.text_lines:
            raise Refused(
                "TOO_MANY_LINES", "the text is too long for an invoice; send a shorter one"
            )
        if not printed:
            raise Refused("DOCUMENT_EMPTY", "the document has no visible text; send it again")
        draft = Draft(self.format, structured=False)
        read_labelled(draft, printed)
        return draft
