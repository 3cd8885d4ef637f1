import pytest

from tests.support.documents import HALDEN, SAMPLES, codes, parse, ubl_invoice
from treasurer.documents.reading import Outcome, Severity, Source


def test_coherent_invoice_is_accepted_with_xpaths():
    reading = parse(ubl_invoice())
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.findings == ()
    assert reading.format == "ubl-invoice"
    assert reading.fields["seller"] == "Halden Freight AS"
    assert reading.fields["payable_amount"] == "512.00"
    assert reading.fields["iban"] is None
    (payable,) = [item for item in reading.evidence if item.field == "payable_amount"]
    assert payable.source is Source.XPATH
    assert payable.location == "/Invoice/cac:LegalMonetaryTotal/cbc:PayableAmount"
    assert payable.text == "512.00"


def test_absent_due_date_and_payable_stay_null():
    content = ubl_invoice().replace(b"<cbc:DueDate>2026-12-10</cbc:DueDate>", b"")
    start = content.index(b"<cbc:PayableAmount")
    end = content.index(b"</cbc:PayableAmount>") + len(b"</cbc:PayableAmount>")
    reading = parse(content[:start] + content[end:])
    assert reading.fields["due_date"] is None
    assert reading.fields["payable_amount"] is None
    assert reading.outcome is Outcome.REVIEW
    assert ("MISSING_FIELD", "payable_amount") in {(f.code, f.field) for f in reading.findings}


@pytest.mark.parametrize(
    "twice",
    [
        b'<cbc:PayableAmount currencyID="USD">512.00</cbc:PayableAmount>',
        b"<cbc:ID>HF-4110</cbc:ID>",
        b"<cbc:IssueDate>2026-11-20</cbc:IssueDate>",
        b"<cbc:DocumentCurrencyCode>USD</cbc:DocumentCurrencyCode>",
        b"<cbc:RegistrationName>Halden Freight AS</cbc:RegistrationName>",
    ],
)
def test_second_singleton_rejects_even_when_equal(twice):
    reading = parse(ubl_invoice().replace(twice, twice + twice, 1))
    assert reading.outcome is Outcome.REJECTED
    assert "DUPLICATE_ELEMENT" in codes(reading)


def test_second_monetary_total_rejects():
    content = ubl_invoice()
    start = content.index(b"<cac:LegalMonetaryTotal>")
    end = content.index(b"<cac:InvoiceLine>")
    reading = parse(content[:end] + content[start:end] + content[end:])
    assert reading.outcome is Outcome.REJECTED


def test_comment_cannot_split_an_amount():
    reading = parse(ubl_invoice(payable="51<!-- -->2.00"))
    assert reading.fields["payable_amount"] == "512.00"


def test_element_inside_an_amount_rejects():
    reading = parse(ubl_invoice(payable="5<cbc:Note/>12.00"))
    assert reading.outcome is Outcome.REJECTED
    assert "MALFORMED_VALUE" in codes(reading)


@pytest.mark.parametrize(
    ("payable", "code"),
    [
        ("5.12e2", "AMOUNT_SYNTAX"),
        ("1,000.00", "AMOUNT_SYNTAX"),
        ("NaN", "AMOUNT_SYNTAX"),
        ("٥١٢.00", "NON_ASCII_NUMERIC"),
        ("1" + "0" * 16, "AMOUNT_TOO_LARGE"),
        ("115792089237316195423570985008687907853269984665640564039457584007913129639936",
         "AMOUNT_SYNTAX"),
    ],
)  # fmt: skip
def test_other_spellings_of_amounts_reject(payable, code):
    reading = parse(ubl_invoice(payable=payable))
    assert reading.outcome is Outcome.REJECTED
    assert code in codes(reading)
    assert reading.fields["payable_amount"] is None


def test_amount_in_another_currency_is_reviewed():
    content = ubl_invoice().replace(
        b'<cbc:PayableAmount currencyID="USD">', b'<cbc:PayableAmount currencyID="EUR">'
    )
    reading = parse(content)
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) == {"CURRENCY_MISMATCH"}


@pytest.mark.parametrize("currency", ["XQZ", "DEM", "usd", "XXX"])
def test_unknown_currency_is_reviewed(currency):
    reading = parse(ubl_invoice(currency=currency))
    assert codes(reading) == {"UNKNOWN_CURRENCY"}
    assert reading.outcome is Outcome.REVIEW


def test_namespace_less_invoice_is_rejected():
    reading = parse(
        '<Invoice><ID>HF-1</ID><LegalMonetaryTotal><PayableAmount currencyID="USD">410.00'
        "</PayableAmount></LegalMonetaryTotal></Invoice>"
    )
    assert reading.outcome is Outcome.REJECTED
    assert codes(reading) == {"XML_UNKNOWN"}
    assert reading.fields == {}


def test_invoice_in_an_extension_is_not_the_invoice():
    extension = (
        '<ext:UBLExtensions xmlns:ext="urn:x"><cac:LegalMonetaryTotal>'
        '<cbc:PayableAmount currencyID="USD">9.00</cbc:PayableAmount></cac:LegalMonetaryTotal>'
        "</ext:UBLExtensions>"
    )
    reading = parse(ubl_invoice(extra=extension))
    assert reading.fields["payable_amount"] == "512.00"
    assert reading.outcome is Outcome.ACCEPTED


def test_impossible_date_is_reviewed_and_left_out():
    reading = parse(ubl_invoice(due_date="2026-02-30"))
    assert codes(reading) == {"INVALID_DATE"}
    assert reading.fields["due_date"] is None


def test_wallet_as_payee_account_is_data():
    means = (
        "<cac:PaymentMeans><cbc:PaymentMeansCode>ZZZ</cbc:PaymentMeansCode>"
        f"<cac:PayeeFinancialAccount><cbc:ID>{HALDEN}</cbc:ID></cac:PayeeFinancialAccount>"
        "</cac:PaymentMeans>"
    )
    assert parse(ubl_invoice(extra=means)).fields["pay_to_address"] == HALDEN
    wrong = parse(ubl_invoice(extra=means.replace("dc79C8", "dC79C8")))
    assert codes(wrong) == {"ADDRESS_CHECKSUM"}


def test_program_as_attachment_rejects():
    attachment = (
        "<cac:AdditionalDocumentReference><cbc:ID>1</cbc:ID><cac:Attachment>"
        '<cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf" filename="terms.pdf.EXE">'
        "AA==</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>"
    )
    reading = parse(ubl_invoice(extra=attachment))
    assert reading.outcome is Outcome.REJECTED
    assert "EXECUTABLE_ATTACHMENT" in codes(reading)


def test_direct_debit_is_noted_because_paying_would_be_the_second_payment():
    means = "<cac:PaymentMeans><cbc:PaymentMeansCode>59</cbc:PaymentMeansCode></cac:PaymentMeans>"
    reading = parse(ubl_invoice(extra=means))
    assert reading.outcome is Outcome.ACCEPTED
    assert codes(reading) == {"COLLECTED_BY_SELLER"}


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\U000e0041"])
def test_deceptive_characters_are_reviewed(hidden):
    content = ubl_invoice().replace(b"Halden Freight", f"Halden{hidden} Freight".encode())
    reading = parse(content)
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) & {"BIDI_CONTROL", "INVISIBLE_UNICODE"}


CREDIT_NOTE = (SAMPLES / "halden-hf-1011.creditnote.xml").read_text(encoding="utf-8")


def test_credit_note_has_its_own_root_lines_and_type():
    reading = parse(CREDIT_NOTE)
    assert reading.outcome is Outcome.ACCEPTED
    assert codes(reading) == {"CREDIT_NOTE"}
    assert reading.format == "ubl-creditnote"
    expected = {
        "syntax": "UBL CreditNote",
        "document_kind": "credit_note",
        "type_code": "381",
        "invoice_number": "HF-1011",
        "preceding_invoice": "HF-1001",
        "payable_amount": "350.00",
        "tax_amount": "0.00",
        "due_date": None,
        "line_count": 1,
    }
    assert {name: reading.fields[name] for name in expected} == expected
    (line,) = reading.fields["lines"]
    assert (line["quantity"], line["net_amount"]) == ("1", "350.00")


@pytest.mark.parametrize("code", ["381", "396", "261", "83", None])
def test_credit_note_is_one_whatever_its_type_code(code):
    old = "<cbc:CreditNoteTypeCode>381</cbc:CreditNoteTypeCode>"
    new = old.replace("381", code) if code else ""
    reading = parse(CREDIT_NOTE.replace(old, new))
    assert reading.fields["document_kind"] == "credit_note"
    assert codes(reading) == {"CREDIT_NOTE"}


def test_credit_notes_due_date_stands_with_its_means_of_payment():
    means = (
        "<cac:PaymentMeans><cbc:PaymentMeansCode>30</cbc:PaymentMeansCode>"
        "<cbc:PaymentDueDate>2026-12-16</cbc:PaymentDueDate><cac:PayeeFinancialAccount>"
        "<cbc:ID>NO9386011117947</cbc:ID></cac:PayeeFinancialAccount></cac:PaymentMeans>"
    )
    reading = parse(CREDIT_NOTE.replace("<cac:TaxTotal>", means + "<cac:TaxTotal>", 1))
    assert reading.fields["due_date"] == "2026-12-16"
    assert reading.fields["iban"] == "NO9386011117947"


@pytest.mark.parametrize(("code", "noted"), [("384", {"CORRECTED_INVOICE"}), ("389", set())])
def test_corrected_and_self_billed_invoices_are_invoices(code, noted):
    reading = parse(ubl_invoice().replace(b"TypeCode>380<", f"TypeCode>{code}<".encode()))
    assert reading.fields["document_kind"] == "invoice"
    assert reading.outcome is Outcome.ACCEPTED
    assert codes(reading) == noted


def test_document_allowances_and_charges_are_read_with_their_category():
    item = (
        "<cac:AllowanceCharge><cbc:ChargeIndicator>{}</cbc:ChargeIndicator>"
        '<cbc:Amount currencyID="USD">{}</cbc:Amount><cac:TaxCategory><cbc:ID>S</cbc:ID>'
        "<cbc:Percent>25</cbc:Percent></cac:TaxCategory></cac:AllowanceCharge>"
    )
    content = ubl_invoice(extra=item.format("true", "3.00") + item.format("false", "1.00"))
    assert parse(content).fields["allowance_charges"] == [
        {"charge": True, "amount": "3.00", "vat_category": "S", "vat_rate": "25"},
        {"charge": False, "amount": "1.00", "vat_category": "S", "vat_rate": "25"},
    ]


def test_prefixes_are_the_writers_choice():
    renamed = ubl_invoice().replace(b"cbc:", b"b:").replace(b"xmlns:cbc", b"xmlns:b")
    renamed = renamed.replace(b"<Invoice ", b"<u:Invoice ").replace(b"xmlns=", b"xmlns:u=")
    renamed = renamed.replace(b"</Invoice>", b"</u:Invoice>")
    assert parse(renamed).fields == parse(ubl_invoice()).fields


def test_sub_lines_are_counted_with_the_line_above_them():
    end = b"</cac:InvoiceLine>"
    below = b"<cac:SubInvoiceLine><cbc:ID>1.1</cbc:ID></cac:SubInvoiceLine>"
    reading = parse(ubl_invoice().replace(end, below + end))
    (line,) = reading.fields["lines"]
    assert line["sub_lines"] == 1
    assert reading.outcome is Outcome.ACCEPTED


def test_two_attachments_of_one_name_are_reviewed():
    attachment = (
        "<cac:AdditionalDocumentReference><cbc:ID>1</cbc:ID><cac:Attachment>"
        '<cbc:EmbeddedDocumentBinaryObject mimeCode="application/pdf" filename="a.pdf">AA=='
        "</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference>"
    )
    assert codes(parse(ubl_invoice(extra=attachment))) == set()
    assert codes(parse(ubl_invoice(extra=attachment * 2))) == {"ATTACHMENT_NAME_TWICE"}


@pytest.mark.parametrize(
    ("profile", "payable", "found"),
    [
        ("xrechnung_3.0#conformant#urn:xeinkauf.de:kosit:extension:xrechnung_3.0", "515.00", None),
        ("xrechnung_3.0#conformant#urn:xeinkauf.de:kosit:extension:xrechnung_3.0", "512.00",
         "BR-DEX-09"),
        ("xrechnung_3.0", "512.00", None),
        ("xrechnung_3.0", "515.00", "BR-CO-16"),
    ],
)  # fmt: skip
def test_only_the_extension_adds_what_is_collected_for_others(profile, payable, found):
    paid = '<cbc:PaidAmount currencyID="USD">3.00</cbc:PaidAmount>'
    other = f"<cac:PrepaidPayment>{paid}</cac:PrepaidPayment>"
    content = ubl_invoice(extra=other, payable=payable).decode()
    profile = f"urn:cen.eu:en16931:2017#compliant#urn:{profile}"
    identifier = f"<cbc:CustomizationID>{profile}</cbc:CustomizationID>"
    reading = parse(content.replace("<cbc:ID>HF-4110", identifier + "<cbc:ID>HF-4110"))
    wrong = {f.code for f in reading.findings if f.severity is Severity.REVIEW}
    assert wrong == ({found} if found else set())
