"""Unpacks mails (`message/rfc822`): attachments become documents. Must never believe a sender.

A mail without attachments is read itself, as the text that it prints. Whom it says it comes from is
recorded as `sender_domain`, which anybody can write: a fact to compare, never a proof.
"""

import re
from collections.abc import Iterator
from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import parseaddr

from treasurer.documents.draft import Draft, Refused
from treasurer.documents.labelled import Line, read_labelled
from treasurer.documents.media import Document, Kind
from treasurer.documents.reading import Evidence, Part, Source

_DEPTH = 10
_PIECES = 500
"""Leaves of the MIME tree that are looked at."""
_SILENT_TYPES = frozenset(
    {
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "application/pgp-signature",
        "text/calendar",
        "text/x-vcard",
        "text/vcard",
    }
)
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?", re.ASCII)


class MailReader:
    """The body is looked at only where nothing is attached: covering notes are not invoices."""

    format = "mail"

    def claims(self, document: Document) -> bool:
        return document.kind is Kind.MAIL

    def read(self, document: Document) -> Draft:
        draft = Draft(self.format, structured=False)
        try:
            message = BytesParser(policy=policy.default).parsebytes(document.content)
            assert isinstance(message, EmailMessage)
            leaves = list(_leaves(message))
            _sender(draft, message)
            texts = _sort(draft, leaves)
        except (MessageError, ValueError, LookupError, AttributeError, TypeError):
            # The standard parser raises any of these on headers that no mail program writes.
            raise Refused(
                "MAIL_BROKEN", "the mail cannot be taken apart; forward it again"
            ) from None
        if not draft.parts:
            _read_body(draft, texts, document.limits.text_lines)
        return draft


def _leaves(message: EmailMessage, depth: int = 0) -> Iterator[EmailMessage]:
    """The pieces that carry content. An attached mail is one piece; depth and number are bounded."""
    if depth > _DEPTH:
        raise Refused("MAIL_TOO_DEEP", "the mail nests too deeply; send the invoice alone")
    if message.get_content_maintype() != "multipart":
        yield message
        return
    for number, piece in enumerate(message.iter_parts()):
        if number > _PIECES:
            raise Refused("TOO_MANY_ATTACHMENTS", "the mail has too many pieces; split it")
        assert isinstance(piece, EmailMessage)
        yield from _leaves(piece, depth + 1)


def _sort(draft: Draft, leaves: list[EmailMessage]) -> list[str]:
    """Put attachments among the draft's parts; return the texts of the body."""
    if len(leaves) > _PIECES:
        raise Refused("TOO_MANY_ATTACHMENTS", "the mail has too many pieces; split it")
    texts: list[str] = []
    for leaf in leaves:
        media_type, name = leaf.get_content_type(), leaf.get_filename()
        attached = leaf.get_content_disposition() == "attachment" or name is not None
        if media_type in _SILENT_TYPES:
            draft.note("ATTACHMENT_SKIPPED", f"a {media_type} was not opened; it is no invoice")
        elif media_type.startswith("image/") and leaf["Content-ID"] is not None:
            draft.note("ATTACHMENT_SKIPPED", "a picture of the mail's own text was not opened")
        elif not attached and media_type == "text/plain":
            texts.append(str(leaf.get_content()))
        elif not attached and media_type == "text/html":
            draft.note("MAIL_HTML", "the mail's HTML was not read; its attachments and text are")
        else:
            _attach(draft, leaf, media_type, name)
    return texts


def _attach(draft: Draft, leaf: EmailMessage, media_type: str, name: str | None) -> None:
    content = _content(leaf)
    location = f"attachment {len(draft.parts) + 1}"
    if not content.strip():
        draft.note("ATTACHMENT_EMPTY", f"{location} is empty")
        return
    draft.parts.append(Part(content, name, media_type, location))


def _content(leaf: EmailMessage) -> bytes:
    if leaf.get_content_type() == "message/rfc822":
        inner = leaf.get_content()
        _require_shallow(inner)
        return bytes(inner.as_bytes(policy=policy.SMTP))
    decoded = leaf.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else b""


def _require_shallow(message: EmailMessage, depth: int = 1) -> None:
    """Mails in mails in mails would each become a document: only a few levels are taken."""
    if depth > _DEPTH:
        raise Refused("MAIL_TOO_DEEP", "the mail nests too deeply; send the invoice alone")
    for piece in message.iter_parts() if message.is_multipart() else ():
        assert isinstance(piece, EmailMessage)
        _require_shallow(piece, depth + 1)


def _sender(draft: Draft, message: EmailMessage) -> None:
    """The domain that the mail claims to come from, and what makes the claim doubtful."""
    senders = message.get_all("From", [])
    name, address = parseaddr(str(senders[0])) if senders else ("", "")
    domain = address.rpartition("@")[2].lower()
    if len(senders) > 1 or "@" not in address or not _DOMAIN.fullmatch(domain):
        draft.note("MAIL_SENDER_UNCLEAR", "the mail names no one sender; do not rely on it")
        return
    evidence = Evidence("sender_domain", Source.LINE, "header From", f"{name} <{address}>")
    draft.put("sender_domain", domain, evidence)
    reply = parseaddr(str(message.get("Reply-To", "")))[1].rpartition("@")[2].lower()
    if reply and reply != domain:
        draft.note("MAIL_REPLY_ELSEWHERE", "answers to the mail would go to another domain")
    if "@" in name and domain not in name.lower():
        draft.note("MAIL_NAME_DIFFERS", "the sender's name shows another address than its own")


def _read_body(draft: Draft, texts: list[str], most_lines: int) -> None:
    """Read the text as an invoice in prose. A mail that is none asks for nothing that we may do."""
    printed = [
        Line(line, number)
        for number, line in enumerate("\n".join(texts).splitlines(), start=1)
        if line.strip()
    ]
    if len(printed) > most_lines:
        raise Refused("TOO_MANY_LINES", "the text is too long for an invoice; send a shorter one")
    if printed:
        read_labelled(draft, printed)
    if draft.text("invoice_number") is None or draft.text("payable_amount") is None:
        draft.reject(
            "MAIL_WITHOUT_INVOICE", "the mail carries no invoice; attach one or forward it"
        )
