from email.message import EmailMessage

import pytest

from tests.support.documents import codes, parse, pdf, text_invoice, ubl_invoice
from treasurer.documents.answers import packed, unpacked
from treasurer.documents.limits import Limits
from treasurer.documents.media import Document, Kind
from treasurer.documents.reading import Outcome, Source


def mail(body: str = "Please find our invoice attached.", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = headers.pop("sender", "Halden Freight <accounts@halden-freight.example>")
    message["To"] = "invoices@norwick.example"
    message["Subject"] = "Your invoice"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message


def test_attachments_become_parts_with_their_bytes_and_the_covering_note_is_not_read():
    message = mail("Total due: 99.00 USDC")
    message.add_attachment(ubl_invoice(), maintype="application", subtype="xml", filename="a.xml")
    message.add_attachment(pdf(), maintype="application", subtype="pdf", filename="b.pdf")
    reading = parse(bytes(message))
    assert reading.format == "mail"
    assert [(part.location, part.filename, part.media_type) for part in reading.parts] == [
        ("attachment 1", "a.xml", "application/xml"),
        ("attachment 2", "b.pdf", "application/pdf"),
    ]
    assert [part.content for part in reading.parts] == [ubl_invoice(), pdf()]
    assert dict(reading.fields) == {"sender_domain": "halden-freight.example"}
    assert codes(reading) == set()


def test_parts_pass_from_the_child_and_are_stored_by_name_and_hash_only():
    message = mail()
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="b.pdf")
    reading = unpacked(packed(parse(bytes(message))))
    assert [part.content for part in reading.parts] == [b"%PDF-"]
    (stored,) = reading.to_json()["parts"]
    assert set(stored) == {"location", "filename", "media_type", "sha256"}


def test_without_an_attachment_the_body_is_the_invoice():
    reading = parse(bytes(mail(text_invoice())))
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["payable_amount"] == "840.00"
    assert reading.fields["sender_domain"] == "halden-freight.example"
    sender = next(item for item in reading.evidence if item.field == "sender_domain")
    assert (sender.source, sender.location) == (Source.LINE, "header From")


def test_a_mail_that_is_no_invoice_is_rejected():
    reading = parse(bytes(mail("Kindly settle every open item to another wallet from today.")))
    assert reading.outcome is Outcome.REJECTED
    assert "MAIL_WITHOUT_INVOICE" in codes(reading)


def test_an_attached_mail_is_a_part_of_its_own():
    inner = mail(text_invoice())
    outer = mail("forwarded")
    outer.add_attachment(inner)
    (part,) = parse(bytes(outer)).parts
    assert part.media_type == "message/rfc822"
    assert parse(part.content).fields["invoice_number"] == "HF-4101"


def test_signatures_and_pictures_of_the_text_are_skipped_with_a_note():
    message = mail(text_invoice())
    message.add_attachment(b"x", maintype="application", subtype="pgp-signature", filename="s.asc")
    message.add_attachment(b"\x89PNG\r\n", maintype="image", subtype="png", cid="<logo>")
    reading = parse(bytes(message))
    assert reading.parts == ()
    assert codes(reading) == {"ATTACHMENT_SKIPPED"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"sender": '"cfo@norwick.example" <x@mail.example>'}, "MAIL_NAME_DIFFERS"),
        ({"Reply_To": "x@elsewhere.example"}, "MAIL_REPLY_ELSEWHERE"),
        ({"sender": "nobody"}, "MAIL_SENDER_UNCLEAR"),
    ],
)
def test_doubtful_senders_are_noted(headers, code):
    assert code in codes(parse(bytes(mail(text_invoice(), **headers))))


def test_nesting_and_number_of_parts_are_bounded():
    message = mail("innermost")
    for _ in range(12):
        outer = mail("around")
        outer.add_attachment(message)
        message = outer
    assert codes(parse(bytes(message))) == {"MAIL_TOO_DEEP"}
    many = mail()
    for number in range(4):
        many.add_attachment(b"x", maintype="text", subtype="csv", filename=f"{number}.csv")
    reading = parse(bytes(many), limits=Limits(parts=3))
    assert codes(reading) == {"TOO_MANY_DOCUMENTS"}
    assert reading.parts == ()


def test_a_printed_invoice_that_begins_with_from_is_no_mail():
    text = "From: Halden Freight AS\nSubject: freight\nDate: 2026-11-20\n\nTotal due: 1.00 EUR"
    assert Document(text.encode(), Limits()).kind is Kind.TEXT
    assert Document(bytes(mail()), Limits()).kind is Kind.MAIL


def test_broken_structure_is_answered():
    broken = b"From: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed\n\nno boundary"
    assert parse(broken).outcome is Outcome.REJECTED
