"""Owns what every reader of a format looks like. A new format is one file and one registry line."""

from typing import Protocol

from treasurer.documents.draft import Draft
from treasurer.documents.media import Document


class Reader(Protocol):
    """Reads one format. Stateless: nothing may pass from one document to the next."""

    @property
    def format(self) -> str:
        """The format's name in a reading, as in the manifest of the corpus."""
        ...

    def claims(self, document: Document) -> bool:
        """Whether the document is of this format, cheaply. May raise Refused for what is hostile."""
        ...

    def read(self, document: Document) -> Draft:
        """Every field that the document itself states. Raises Refused; invents nothing."""
        ...
