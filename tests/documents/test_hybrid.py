import io

import pypdfium2
import pytest

from tests.support.cii import CII, cii
from tests.support.documents import HALDEN, codes, hybrid_pdf, parse, pdf, ubl_invoice
from treasurer.documents.reading import Outcome

PAGE = (
    "INVOICE HF-1007",
    "From: Halden Freight AS",
    "Bill to: Norwick Instruments Ltd",
    "Invoice date: 2026-11-12",
    f"Pay to (USDC, chain 31337): {HALDEN}",
    "PO: PO-7781",
    "Total: 775.00 USD",
    "Total due: 700.00 USD",
)
DUE = "<ram:DuePayableAmount>700.00<"
ACCOUNT = f"<ram:ProprietaryID>{HALDEN}</ram:ProprietaryID>"
IBAN = "<ram:IBANID>NO9386011117947</ram:IBANID>"


def page(**changed: str) -> tuple[str, ...]:
    """The page with lines replaced by what they begin with: `page(Total_due="Total due: 1 EUR")`."""
    lines = list(PAGE)
    for start, line in changed.items():
        (position,) = (i for i, old in enumerate(lines) if old.startswith(start.replace("_", " ")))
        lines[position] = line
    return tuple(lines)


def with_files(lines: tuple[str, ...], *files: tuple[str, str]) -> bytes:
    document = pypdfium2.PdfDocument(pdf(lines))
    for name, content in files:
        document.new_attachment(name).set_data(content.encode())
    buffer = io.BytesIO()
    document.save(buffer)
    document.close()
    return buffer.getvalue()


def mismatched(content: bytes) -> set[str | None]:
    reading = parse(content)
    return {finding.field for finding in reading.findings if finding.code == "HYBRID_MISMATCH"}


def test_embedded_invoice_that_agrees_is_read_with_both_places():
    reading = parse(hybrid_pdf(PAGE, CII.encode()))
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.findings == ()
    assert reading.format == "pdf-hybrid"
    assert reading.fields == parse(CII).fields
    shown = {item.field: item for item in reading.evidence}
    due = shown["payable_amount"]
    assert due.location.startswith("factur-x.xml/rsm:CrossIndustryInvoice/")
    assert due.location.endswith("/ram:DuePayableAmount[1]")
    assert (due.page, due.text) == (1, "700.00")
    assert due.box is not None
    assert shown["line_total"].page is None
    assert [line.text for line in reading.printed] == list(PAGE)


@pytest.mark.parametrize(
    ("lines", "xml", "field"),
    [
        (PAGE, cii((DUE, "<ram:DuePayableAmount>7000.00<")), "payable_amount"),
        (page(Total_due="Total due: 70.00 USD"), CII, "payable_amount"),
        (page(From="From: Ghost Freight AS"), CII, "seller"),
        (PAGE, cii(("<ram:ID>HF-1007<", "<ram:ID>HF-1008<")), "invoice_number"),
        (PAGE, cii(("<ram:ID>HF-1007<", "<ram:ID>HF-100<")), "invoice_number"),
        (page(Total_due="Total due: 700.00 EUR"), CII, "currency"),
        (page(PO="IBAN: DE89 3704 0044 0532 0130 00"), cii((ACCOUNT, IBAN)), "iban"),
        (PAGE, cii((HALDEN, "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65")), "pay_to_address"),
    ],
)  # fmt: skip
def test_what_the_page_says_otherwise_is_reviewed(lines, xml, field):
    content = hybrid_pdf(lines, xml.encode())
    assert mismatched(content) == {field}
    assert parse(content).outcome is Outcome.REVIEW


@pytest.mark.parametrize(
    ("title", "found"),
    [
        ("Policy of 2026", {"NUMBER_NOT_ON_PAGE"}),
        ("INVOICE HF-1007", set()),
        ("Invoice No: HF-1008", {"HYBRID_MISMATCH"}),
        ("Invoice number", {"NUMBER_NOT_ON_PAGE"}),
        ("Rechnung Nr. HF-1008 vom 12.11.2026", {"HYBRID_MISMATCH"}),
    ],
)
def test_page_without_a_number_says_nothing_else_than_the_file(title, found):
    reading = parse(hybrid_pdf(page(INVOICE=title), CII.encode()))
    assert codes(reading) == found
    assert (reading.outcome is Outcome.ACCEPTED) is ("HYBRID_MISMATCH" not in found)


def test_account_that_the_page_does_not_print_is_no_mismatch():
    assert mismatched(hybrid_pdf(PAGE, cii((ACCOUNT, IBAN)).encode())) == set()


def test_wallet_that_only_the_page_prints_reaches_those_who_compare_it():
    reading = parse(hybrid_pdf(PAGE, cii((ACCOUNT, IBAN)).encode()))
    assert reading.fields["pay_to_address"] == HALDEN
    assert reading.fields["iban"] == "NO9386011117947"


def test_missing_amount_due_is_not_taken_from_the_page():
    reading = parse(hybrid_pdf(PAGE, cii((DUE + "/ram:DuePayableAmount>", "")).encode()))
    assert reading.fields["payable_amount"] is None
    assert codes(reading) == {"MISSING_FIELD"}


def test_credit_note_may_be_printed_with_a_minus():
    credit = cii(("TypeCode>380<", "TypeCode>381<")).encode()
    assert mismatched(hybrid_pdf(page(Total_due="Total due: -700.00 USD"), credit)) == set()
    invoice = hybrid_pdf(page(Total_due="Total due: -700.00 USD"), CII.encode())
    assert mismatched(invoice) == {"payable_amount"}


@pytest.mark.parametrize(
    "names",
    [("other.xml", "factur-x.xml"), ("a.xml", "ZUGFeRD-invoice.xml"), ("a.xml", "xrechnung.xml")],
)
def test_of_several_files_the_one_with_the_standards_name_is_read(names):
    other = cii(("<ram:BuyerReference>NI-FREIGHT<", "<ram:BuyerReference>OTHER<"))
    for files in (zip(names, (other, CII), strict=True), [(names[1], CII), (names[0], other)]):
        reading = parse(with_files(PAGE, *files))
        assert reading.fields["buyer_reference"] == "NI-FREIGHT"
        assert reading.outcome is Outcome.ACCEPTED


def test_file_that_is_no_invoice_does_not_hide_the_one_that_is():
    reading = parse(with_files(PAGE, ("data.xml", "<data/>"), ("factur-x.xml", CII)))
    assert reading.fields["invoice_number"] == "HF-1007"
    assert codes(reading) == {"EMBEDDED_XML_NOT_READ"}


def test_two_embedded_invoices_that_differ_are_reviewed():
    other = cii((DUE, "<ram:DuePayableAmount>701.00<"))
    reading = parse(with_files(PAGE, ("factur-x.xml", CII), ("zugferd-invoice.xml", other)))
    assert reading.outcome is Outcome.REVIEW
    assert "EMBEDDED_INVOICES_DIFFER" in codes(reading)
    assert reading.fields["payable_amount"] == "700.00"


@pytest.mark.parametrize(
    ("xml", "code"),
    [
        ("<Invoice><PayableAmount>many</PayableAmount></Invoice>", "HYBRID_MISMATCH"),
        ("<Invoice><DuePayableAmount>700.00</DuePayableAmount>"
         "<PayableAmount>1.00</PayableAmount></Invoice>", "HYBRID_MISMATCH"),
        ("<!DOCTYPE x><Invoice/>", "EMBEDDED_XML_UNREADABLE"),
        ("<Invoice>", "EMBEDDED_XML_UNREADABLE"),
        (CII.replace('"UTF-8"', '"UTF-8_W/O_BOM"'), "EMBEDDED_XML_UNREADABLE"),
    ],
)  # fmt: skip
def test_embedded_file_that_cannot_be_read_leaves_the_page_and_a_finding(xml, code):
    reading = parse(hybrid_pdf(PAGE, xml.encode()))
    assert reading.outcome is Outcome.REVIEW
    assert code in codes(reading)
    assert reading.format == "pdf"
    assert reading.fields["payable_amount"] == "700.00"


def test_amount_that_only_the_page_prints_loosely_is_compared_too():
    xml = b'<Invoice><PayableAmount currencyID="USD">15000.00</PayableAmount></Invoice>'
    reading = parse(hybrid_pdf(("Total 1,500.00 USDC to verified wallet",), xml))
    assert "HYBRID_MISMATCH" in codes(reading)


def test_hidden_text_is_found_beside_an_embedded_invoice():
    document = pypdfium2.PdfDocument(pdf(PAGE, hidden=(("white", "Total due: 1.00 USD"),)))
    document.new_attachment("factur-x.xml").set_data(CII.encode())
    buffer = io.BytesIO()
    document.save(buffer)
    reading = parse(buffer.getvalue())
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) == {"HIDDEN_TEXT"}


def test_page_without_text_cannot_be_compared():
    reading = parse(hybrid_pdf((), CII.encode()))
    assert reading.outcome is Outcome.REVIEW
    assert codes(reading) == {"PDF_NO_TEXT_LAYER"}


def test_ubl_inside_a_pdf_is_read_by_the_same_reader():
    lines = ("INVOICE HF-4110", "From: Halden Freight AS", "Total due: 512.00 USD")
    reading = parse(with_files(lines, ("xrechnung.xml", ubl_invoice().decode())))
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields == parse(ubl_invoice()).fields


def test_program_inside_a_pdf_rejects():
    reading = parse(with_files(PAGE, ("factur-x.xml", CII), ("terms.pdf.exe", "MZ")))
    assert reading.outcome is Outcome.REJECTED
    assert codes(reading) == {"EXECUTABLE_ATTACHMENT"}


SHORT_PAGE = ("Halden Freight AS", "Invoice no. HF-4110", "Total due: 512.00 USD")


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        (("Credit note", *SHORT_PAGE), "document_kind"),
        ((*SHORT_PAGE, "Retainer -100.00 USD", "Balance 412.00 USD"), "payable_amount"),
        (SHORT_PAGE, None),
    ],
)
def test_a_page_that_credits_or_reckons_on_contradicts_the_file(lines, field):
    reading = parse(hybrid_pdf(lines, ubl_invoice()))
    found = [finding.field for finding in reading.findings if finding.code == "HYBRID_MISMATCH"]
    assert found == ([field] if field else [])


def test_an_invoice_that_its_buyer_writes_may_be_called_a_credit_note():
    xml = ubl_invoice().replace(b"TypeCode>380<", b"TypeCode>389<")
    assert "HYBRID_MISMATCH" not in codes(parse(hybrid_pdf(("Gutschrift", *SHORT_PAGE), xml)))
