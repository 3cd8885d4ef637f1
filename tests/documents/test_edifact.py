import pytest

from tests.support.documents import SAMPLES, codes, parse
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Outcome, Source

EDI = (SAMPLES / "halden-hf-1009.edi").read_text(encoding="ascii")
TOTALS_14B = (
    "MOA+79:400.00'MOA+260:20'MOA+259:10'MOA+389:390.00'MOA+176:97.50'MOA+388:487.50'"
    "MOA+113:87.50'MOA+9:400.00'TAX+7+VAT+++:::25+S'MOA+125:390.00'MOA+124:97.50'"
)
MESSAGE = EDI[EDI.index("UNH+") : EDI.index("UNZ+")]


def edi(*changes: tuple[str, str]) -> str:
    text = EDI
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def d14b() -> str:
    start, end = EDI.index("MOA+77"), EDI.index("UNT+")
    return (EDI[:start] + TOTALS_14B + EDI[end:]).replace("D:96A:UN:EAN008", "D:14B:UN::16B")


def separated_otherwise() -> str:
    """The same file with every separator exchanged."""
    table = str.maketrans({":": "|", "+": ";", "?": "\\", "'": "~"})
    text = EDI.replace("400.00", "400,00").replace("?:", "\0").translate(table).replace("\0", ":")
    return text.replace("UNA|;.\\ ~", "UNA|;,\\ ~").replace(";25.00", ";25,00")


def test_every_field_of_the_older_release_is_read_with_its_segment():
    reading = parse(EDI, filename="halden-hf-1009.edi")
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.findings == ()
    assert reading.format == "edifact"
    expected = {
        "syntax": "UN/EDIFACT INVOIC D.96A",
        "seller": "Halden Freight AS",
        "seller_vat_id": "NO923609016MVA",
        "buyer": "Norwick Instruments Ltd",
        "invoice_number": "HF-1009",
        "type_code": "380",
        "document_kind": "invoice",
        "issue_date": "2026-11-14",
        "due_date": "2026-12-14",
        "currency": "EUR",
        "purchase_order": "PO-7781",
        "line_total": "400.00",
        "tax_exclusive_amount": "400.00",
        "tax_amount": "100.00",
        "tax_inclusive_amount": "500.00",
        "payable_amount": "500.00",
        "payee_accounts": ["NO9386011117947"],
        "iban": "NO9386011117947",
        "vat_breakdown": [{"category": "S", "rate": "25.00", "taxable": "400.00", "tax": "100.00"}],
        "line_count": 1,
    }
    assert {name: reading.fields[name] for name in expected} == expected
    (line,) = reading.fields["lines"]
    assert line["name"] == "Pallet freight, Bergen: door to door"
    assert (line["quantity"], line["net_amount"], line["vat_rate"]) == ("2", "400.00", "25.00")
    (due,) = [item for item in reading.evidence if item.field == "payable_amount"]
    assert (due.source, due.location) == (Source.SEGMENT, "segment 20, MOA")
    assert due.text == "MOA+77:500.00"


def test_newest_release_names_prepayment_and_amount_due():
    reading = parse(d14b())
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["syntax"] == "UN/EDIFACT INVOIC D.14B"
    assert reading.fields["allowance_total"] == "20"
    assert reading.fields["charge_total"] == "10"
    assert reading.fields["tax_inclusive_amount"] == "487.50"
    assert reading.fields["prepaid_amount"] == "87.50"
    assert reading.fields["payable_amount"] == "400.00"


@pytest.mark.parametrize(
    "text",
    [
        EDI.removeprefix("UNA:+.? '\n"),
        EDI.replace("\n", ""),
        EDI.replace("\n", "\r\n"),
        separated_otherwise(),
        EDI.replace("UNA:+.? '", "UNA:+.?*'").replace("UNOC:3", "UNOW:4"),
        "\ufeff" + EDI,
    ],
)
def test_separators_and_line_ends_change_nothing(text):
    assert parse(text).fields == parse(EDI).fields


def test_invoice_amount_is_not_due_where_a_part_is_paid():
    reading = parse(edi(("MOA+77:500.00'", "MOA+77:500.00'MOA+113:100.00'")))
    assert reading.fields["payable_amount"] is None
    assert codes(reading) == {"MISSING_FIELD"}


@pytest.mark.parametrize(
    ("printed", "value", "code"),
    [
        ("500,00", "500.00", None),
        ("-500.00", "-500.00", "NOTHING_TO_PAY"),
        ("1,000", None, "AMOUNT_SYNTAX"),
        ("1.000", "1.000", "BR-CO-16"),
        ("1,000.00", None, "AMOUNT_SYNTAX"),
        ("5e2", None, "AMOUNT_SYNTAX"),
        ("1" + "0" * 16, None, "AMOUNT_TOO_LARGE"),
    ],
)  # fmt: skip
def test_amounts_have_one_decimal_mark_and_no_thousands(printed, value, code):
    reading = parse(d14b().replace("MOA+9:400.00'", f"MOA+9:{printed}'"))
    assert reading.fields["payable_amount"] == value
    assert code is None or code in codes(reading)


@pytest.mark.parametrize(
    "twice",
    ["BGM+380+HF-1009+9'", "DTM+137:20261114:102'", "CUX+2:EUR:4'", "MOA+77:500.00'",
     "NAD+SU+7080000000017::9++Halden Freight AS+Bryggen 4+Bergen++5003+NO'", "MOA+203:400.00'"],
)  # fmt: skip
def test_two_of_one_reject_even_when_equal(twice):
    reading = parse(edi((twice, twice + twice)))
    assert reading.outcome is Outcome.REJECTED
    assert "DUPLICATE_ELEMENT" in codes(reading)


def test_repetition_of_an_amount_rejects():
    text = EDI.replace("UNA:+.? '", "UNA:+.?*'").replace("MOA+77:500.00'", "MOA+77:500.00*77:5.00'")
    assert "DUPLICATE_ELEMENT" in codes(parse(text))


@pytest.mark.parametrize(
    ("code", "kind"), [("380", "invoice"), ("384", "invoice"), ("389", "invoice"),
                       ("381", "credit_note"), ("83", "credit_note")]
)  # fmt: skip
def test_document_kind_is_told_by_its_code(code, kind):
    assert parse(edi(("BGM+380", f"BGM+{code}"))).fields["document_kind"] == kind


@pytest.mark.parametrize("function", ["1", "7", "31"])
def test_copies_and_cancellations_are_reviewed(function):
    reading = parse(edi(("HF-1009+9'", f"HF-1009+{function}'")))
    assert codes(reading) == {"NOT_AN_ORIGINAL"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (EDI[:-30], "EDIFACT_BROKEN"),
        (EDI[: EDI.index("UNT+")], "EDIFACT_ENVELOPE"),
        (EDI.replace("UNZ+1+", "UNZ+2+"), "EDIFACT_ENVELOPE"),
        (EDI.replace("UNT+26+1'", "UNT+26+2'"), "EDIFACT_ENVELOPE"),
        (EDI.replace("INVOIC", "ORDERS"), "EDIFACT_UNKNOWN"),
        (EDI.replace("UNA:+.? '", "UNA:+.:  "), "EDIFACT_BROKEN"),
        (EDI.replace("UNZ+1", MESSAGE.replace("HF-1009", "HF-1010") + "UNZ+2"), "SEVERAL_INVOICES"),
    ],
)
def test_what_is_no_single_whole_invoice_is_never_accepted(text, code):
    reading = parse(text)
    assert reading.outcome is not Outcome.ACCEPTED
    assert code in codes(reading)


def test_binary_object_is_skipped_whole():
    data = "MOA+9:1.00'UNH+2+INVOIC:D:96A:UN'"
    part = f"UNO+P1+1:Doc1+13:application/pdf+{len(data)}'{data}UNP+{len(data)}+P1'"
    reading = parse(edi(("UNZ+1", part + "UNZ+1")))
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields == parse(EDI).fields


def test_program_as_attachment_rejects():
    assert "EXECUTABLE_ATTACHMENT" in codes(parse(edi(("LIN+1", "EFI+terms.pdf.exe'LIN+1"))))


def test_buyers_account_is_not_the_payees():
    text = edi(("CUX+2", "FII+BI+DE89370400440532013000'CUX+2"))
    assert parse(text).fields["payee_accounts"] == ["NO9386011117947"]


def test_declared_character_set_is_used():
    text = edi(("Halden Freight AS", "Håløy Frakt AS"))
    assert parse(text.encode("iso8859-1")).fields["seller"] == "Håløy Frakt AS"
    utf8 = text.replace("UNOC:3", "UNOW:4")
    assert parse(utf8.encode()).fields["seller"] == "Håløy Frakt AS"
    broken = parse(utf8.encode("iso8859-1"))
    assert broken.fields["seller"] == "Håløy Frakt AS"
    assert codes(broken) == {"CHARACTER_SET"}


def test_line_limit_holds():
    line = "LIN+1'"
    text = EDI.replace("LIN+1++", line * 11 + "LIN+1++")
    assert codes(parse(text, limits=Limits(invoice_lines=10))) == {"TOO_MANY_LINES"}
