"""Takes images, which hold no text. Must never guess: recognition is the parent process's step."""

from treasurer.documents.draft import Draft
from treasurer.documents.media import Document, Kind

UNREAD = ("seller", "invoice_number", "currency", "payable_amount", "due_date", "iban")


class ImageReader:
    """Asks for a person; with character recognition installed, `extraction` reads on."""

    format = "image"

    def claims(self, document: Document) -> bool:
        return document.kind is Kind.IMAGE

    def read(self, document: Document) -> Draft:
        draft = Draft(self.format, structured=False)
        draft.review("IMAGE_NOT_READ", "the document is an image; type the fields by hand")
        for name in UNREAD:
            draft.absent(name)
        return draft
