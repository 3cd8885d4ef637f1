"""Invoices in prose as people lay them out, in many languages. Each is our own text."""

import pytest

from tests.support.documents import codes, parse, pdf, placed_pdf
from treasurer.documents.labels import match_label
from treasurer.documents.reading import Outcome

ITALIAN = """Rossi Forniture S.r.l.
Via Roma 1 - 20121 Milano
Partita IVA: IT12345670017

Spett.le
Norwick Instruments Ltd

Fattura n. 2026/118          Data fattura: 03/11/2026
Scadenza: 03/12/2026

Imponibile: 1.000,00 €
IVA 22%: 220,00 €
Totale da pagare: 1.220,00 €
IBAN: IT60 X054 2811 1010 0000 0123 456
"""
SPANISH = """Factura nº: F-2026-77
Fecha de factura: 5 de noviembre de 2026
Proveedor: Limpiezas del Sur S.L.
Base imponible: 500,00 €
IVA 21 %: 105,00 €
Total a pagar: 605,00 €
"""
DUTCH = """Factuurnummer: 2026-041
Factuurdatum: 12-11-2026
Vervaldatum: 26-11-2026
Leverancier: Schoonmaak Noord B.V.
Totaal excl. BTW: € 200,00
BTW 21%: € 42,00
Te betalen: € 242,00
"""
POLISH = """Faktura nr: FV/11/2026
Data wystawienia: 2026-11-12
Sprzedawca: Transport Zachód Sp. z o.o.
Razem netto: 1 000,00 zł
Kwota VAT: 230,00 zł
Do zapłaty: 1 230,00 zł
"""
SWEDISH = """Fakturanummer: 88123
Fakturadatum: 2026-11-12
Förfallodatum: 2026-12-12
Säljare: Städ & Glans AB
Netto: 800,00 SEK
Moms 25 %: 200,00 SEK
Att betala: 1 000,00 SEK
"""
DANISH = """Fakturanr.: 5521
Fakturadato: 12.11.2026
Sælger: Rengøring Syd ApS
I alt ekskl. moms: 400,00 DKK
Moms 25%: 100,00 DKK
Til betaling: 500,00 DKK
"""
NORWEGIAN = """Fakturanr: 7001
Fakturadato: 12.11.2026
Forfallsdato: 26.11.2026
Selger: Halden Freight AS
Sum eks. mva: 400,00 NOK
MVA 25%: 100,00 NOK
Å betale: 500,00 NOK
"""
PORTUGUESE = """Fatura nº: FT 2026/91
Data de emissão: 12/11/2026
Fornecedor: Limpezas do Norte, Lda.
Total sem IVA: 100,00 €
Total IVA: 23,00 €
Total a pagar: 123,00 €
"""
CZECH = """Faktura č.: 20260112
Datum vystavení: 12. 11. 2026
Dodavatel: Úklid Praha s.r.o.
Základ daně: 1 000,00 Kč
DPH 21 %: 210,00 Kč
K úhradě: 1 210,00 Kč
"""


@pytest.mark.parametrize(
    ("text", "seller", "number", "date", "tax", "payable", "currency"),
    [
        (ITALIAN, "Rossi Forniture S.r.l.", "2026/118", "2026-11-03", "220.00", "1220.00", "EUR"),
        (SPANISH, "Limpiezas del Sur S.L.", "F-2026-77", "2026-11-05", "105.00", "605.00", "EUR"),
        (DUTCH, "Schoonmaak Noord B.V.", "2026-041", "2026-11-12", "42.00", "242.00", "EUR"),
        (POLISH, "Transport Zachód Sp. z o.o.", "FV/11/2026", "2026-11-12", "230.00", "1230.00", "PLN"),
        (SWEDISH, "Städ & Glans AB", "88123", "2026-11-12", "200.00", "1000.00", "SEK"),
        (DANISH, "Rengøring Syd ApS", "5521", "2026-11-12", "100.00", "500.00", "DKK"),
        (NORWEGIAN, "Halden Freight AS", "7001", "2026-11-12", "100.00", "500.00", "NOK"),
        (PORTUGUESE, "Limpezas do Norte, Lda.", "FT 2026/91", "2026-11-12", "23.00", "123.00", "EUR"),
        (CZECH, "Úklid Praha s.r.o.", "20260112", "2026-11-12", "210.00", "1210.00", "CZK"),
    ],
    ids=["it", "es", "nl", "pl", "sv", "da", "no", "pt", "cs"],
)  # fmt: skip
def test_languages(text, seller, number, date, tax, payable, currency):
    reading = parse(text)
    assert reading.outcome is Outcome.ACCEPTED
    names = ("seller", "invoice_number", "issue_date", "tax_amount", "payable_amount", "currency")
    assert tuple(reading.fields.get(name) for name in names) == (
        seller, number, date, tax, payable, currency,
    )  # fmt: skip


LETTER = """Muster & Söhne GmbH - Ringstr. 4 - 50667 Köln

Norwick Instruments Ltd
12 Harbour Road
Leeds

Rechnung Nr. R-77 vom 05.11.2026

Menge   Bezeichnung        Einzelpreis   Betrag
2       Beratung           300,00        600,00
1       Anfahrt             50,00         50,00

Nettobetrag                              650,00
zzgl. 19 % MwSt.                         123,50
Gesamtbetrag                             773,50 EUR

Muster & Söhne GmbH   Geschäftsführer: A. Muster   USt-IdNr.: DE123456789
IBAN DE89 3704 0044 0532 0130 00
"""


def test_a_letter_names_its_sender_in_the_head_and_not_in_the_address_field():
    reading = parse(LETTER)
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["seller"] == "Muster & Söhne GmbH"
    assert reading.fields["seller_vat_id"] == "DE123456789"
    assert reading.fields["invoice_number"] == "R-77"
    assert reading.fields["tax_amount"] == "123.50"
    assert reading.fields["payable_amount"] == "773.50"


def test_two_companies_that_fit_equally_leave_the_seller_open():
    reading = parse("Invoice R-1\nAlpha Ltd\nBeta Ltd\nTotal due: 5.00 EUR")
    assert "seller" not in reading.fields
    assert reading.outcome is Outcome.REVIEW


COLUMNS = """Rechnungsnr.
Rechnungsdatum

30064443
7. Mai 2026

Verkäufer: Muster GmbH

Summe netto
Steuerbetrag
Bruttosumme
Zahlbetrag

100,00
19,00
119,00
119,00

19 %
Währung: EUR
"""


def test_a_text_layer_taken_column_by_column_is_read_by_its_sums():
    reading = parse(COLUMNS)
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["invoice_number"] == "30064443"
    assert reading.fields["issue_date"] == "2026-05-07"
    names = ("tax_exclusive_amount", "tax_amount", "tax_inclusive_amount", "payable_amount")
    assert [reading.fields[name] for name in names] == ["100.00", "19.00", "119.00", "119.00"]


def test_sums_that_do_not_hold_leave_the_amount_open():
    reading = parse(COLUMNS.replace("119,00", "120,00"))
    assert reading.fields["payable_amount"] is None
    assert reading.outcome is Outcome.REVIEW


def test_a_rate_that_is_not_printed_makes_no_total():
    assert parse(COLUMNS.replace("19 %", "")).fields["payable_amount"] is None


def test_a_larger_amount_than_the_sum_leaves_it_open():
    reading = parse(COLUMNS + "\n5.000,00 EUR")
    assert reading.fields["payable_amount"] is None


def test_several_rates_make_one_total():
    text = (
        "Rechnung Nr. R-5 vom 05.11.2026\nVerkäufer: Muster GmbH\n"
        "USt 7 %   160,00 €   11,20 €\nUSt 19 %   336,00 €   63,84 €\n\n496,00 €\n75,04 €\n571,04 €"
    )
    assert parse(text).fields["payable_amount"] == "571.04"


def test_a_prepayment_that_is_deducted_leaves_the_rest():
    text = COLUMNS.replace("Zahlbetrag", "Anzahlung\nZahlbetrag").replace(
        "119,00\n119,00", "119,00\n-50,00\n69,00"
    )
    reading = parse(text)
    assert reading.fields["prepaid_amount"] == "50.00"
    assert reading.fields["payable_amount"] == "69.00"


@pytest.mark.parametrize(
    ("date", "other", "read"),
    [
        ("11/03/2026", "Paid 11/17/2026", "2026-11-03"),
        ("11/03/2026", "Ordered 17/02/2026", "2026-03-11"),
        ("11/03/2026", "", None),
        ("11/03/2026", "17/02/2026 and 02/17/2026", None),
    ],
)
def test_day_and_month_are_settled_by_another_date(date, other, read):
    text = (
        f"Invoice No: A-1\nSeller: Halden Ltd\nInvoice date: {date}\n{other}\nTotal due: 5.00 EUR"
    )
    assert parse(text).fields.get("issue_date") == read


@pytest.mark.parametrize(
    "line",
    ["Status: PAID", "Bezahlt am 03.11.2026", "Reeds betaald", "Paid by credit card",
     "''iDEAL'' op 21 april 2026    10,00", "Balance due: EUR 0.00", "Zapłacono: karta"],
)  # fmt: skip
def test_what_was_paid_is_marked_and_read(line):
    reading = parse(f"Invoice No: A-1\nSeller: Halden Ltd\nTotal: 10.00 EUR\n{line}")
    assert "ALREADY_PAID" in codes(reading)


def test_a_credit_note_states_its_amounts_without_sign_and_that_it_is_one():
    reading = parse("Avoir AV-1\nFournisseur : Moulin SARL\nTotal TTC   -24,00 €")
    assert reading.fields["payable_amount"] == "24.00"
    assert codes(reading) >= {"CREDIT_NOTE"}
    assert reading.fields["document_kind"] == "credit_note"


@pytest.mark.parametrize(
    ("symbol", "place", "currency"),
    [("Rs.", "Bangalore, India", "INR"), ("kr", "Oslo, Norge", "NOK"), ("$", "Toronto, Canada", "CAD"),
     ("$", "somewhere", None), ("kr", "Norge and Sverige", None)],
)  # fmt: skip
def test_a_shared_symbol_is_settled_by_the_one_country_that_is_named(symbol, place, currency):
    reading = parse(f"Invoice No: A-1\nSeller: Halden Ltd\n{place}\nTotal due: {symbol} 5.00")
    assert reading.fields.get("currency") == currency


def test_columns_of_a_page_are_told_by_their_place():
    content = placed_pdf(
        (56, 780, "Klant"), (200, 780, "Factuurdatum"), (340, 780, "Factuurnummer"),
        (56, 764, "K-99"), (200, 764, "8-9-2026"), (340, 764, "VF1005"),
        (56, 700, "Leverancier: Schoonmaak Noord B.V."),
        (56, 660, "Totaalbedrag EUR"), (400, 660, "49,99"),
    )  # fmt: skip
    reading = parse(content)
    assert reading.fields["invoice_number"] == "VF1005"
    assert reading.fields["issue_date"] == "2026-09-08"
    assert reading.fields["payable_amount"] == "49.99"
    (number,) = [item for item in reading.evidence if item.field == "invoice_number"]
    assert number.text == "VF1005"
    assert number.box is not None
    assert number.box[0] == pytest.approx(10_000 * 340 / 595.28, abs=30)


def test_one_page_and_its_lines_are_the_model_reader_s_text():
    reading = parse(pdf(["Total due:   5.00 EUR", "Seller: Halden Ltd"]))
    assert [line.text for line in reading.printed] == ["Total due: 5.00 EUR", "Seller: Halden Ltd"]


@pytest.mark.parametrize(
    ("text", "field", "rest"),
    [
        ("zzgl. 19 % MwSt.: 5,00", "tax_amount", "5,00"),
        ("21% BTW   5,00", "tax_amount", "5,00"),
        ("N° DE FACTURE : 12", "invoice_number", "12"),
        ("FÄLLIG AM 3.1.2026", "due_date", "3.1.2026"),
        ("Total (EUR): 5", "tax_inclusive_amount", "5"),
    ],
)
def test_labels_are_found_in_any_case_with_rates_and_signs(text, field, rest):
    match = match_label(text)
    assert match is not None
    assert (match.label.field, match.rest) == (field, rest)


@pytest.mark.parametrize("text", ["Invoice-related", "Totally fine", "Rechnungswesen GmbH", "19 %"])
def test_parts_of_words_are_no_labels(text):
    assert match_label(text) is None


BIG = """Rechnungsnummer: R-9
Verkäufer: Muster GmbH
Nettobetrag: 900,00 EUR
MwSt 19 %: 171,00 EUR
Gesamtbetrag: 1.071 EUR
"""


def test_sums_settle_a_mark_that_may_be_thousands_or_decimals():
    assert parse(BIG).fields["payable_amount"] == "1071"


@pytest.mark.parametrize(
    "text",
    [BIG.replace("171,00", "170,00"), BIG.replace("900,00", "900.00"), BIG.replace(",00", "")],
)
def test_without_such_sums_it_stays_ambiguous(text):
    reading = parse(text)
    assert reading.fields["payable_amount"] is None
    assert "AMBIGUOUS_AMOUNT" in codes(reading)


@pytest.mark.parametrize(
    ("line", "code", "outcome"),
    [
        ("IBAN: DE89 **** **** **** 3000 00", "IBAN_MASKED", Outcome.REVIEW),
        ("IBAN: DE89 XXXX XXXX XXXX 0130 00", "IBAN_MASKED", Outcome.REVIEW),
        ("IBAN: DE88 3704 0044 0532 0130 00", "IBAN_INVALID", Outcome.ACCEPTED),
        ("Bill: Hald\u0435n", None, Outcome.ACCEPTED),
    ],
)
def test_bank_accounts_that_cannot_be_compared(line, code, outcome):
    reading = parse(f"Invoice No: A-1\nSeller: Halden Ltd\nTotal due: 5.00 EUR\n{line}")
    assert codes(reading) == ({code, "MISSING_FIELD"} if code else {"MISSING_FIELD"})
    assert reading.outcome is outcome
    assert reading.fields["iban"] is None


def test_a_seller_in_two_alphabets_is_reviewed():
    reading = parse("Invoice No: A-1\nSeller: Hald\u0435n Freight AS\nTotal due: 5.00 EUR")
    assert "MIXED_SCRIPTS" in codes(reading)
    assert "MIXED_SCRIPTS" not in codes(
        parse("Invoice No: A-1\nSeller: Łódź Żółć AS\nTotal: 5.00 EUR")
    )


AMERICAN = """Example Cloud, Inc.
410 Terry Ave, Seattle, WA 98109-5210

Invoice Number: 42183017
Invoice Date: August 3 , 2026
TOTAL AMOUNT DUE ON August 3 , 2026    $4.11

Registered in Delaware, EIN 12-3456789
"""


def test_a_day_between_label_and_amount_and_dollars_of_an_american_address():
    reading = parse(AMERICAN)
    assert reading.outcome is Outcome.ACCEPTED
    names = ("seller", "invoice_number", "issue_date", "payable_amount", "currency")
    assert [reading.fields[name] for name in names] == [
        "Example Cloud, Inc.", "42183017", "2026-08-03", "4.11", "USD"
    ]  # fmt: skip


def test_tax_without_a_printed_net_amount_is_no_contradiction():
    reading = parse(
        "Invoice #   INV-0042\nSeller: Acme LLC\nSubtotal   50.00\nShipping   7.50\nTax (8.25%)   4.13\n"
        "Total   61.63 USD\nAmount Paid   0.00\nBalance Due   61.63 USD"
    )
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.fields["tax_amount"] == "4.13"
    assert "tax_exclusive_amount" not in reading.fields


def test_a_number_in_groups_of_digits_is_read_whole():
    reading = parse("Rechnungsnummer 123 456 789\nVerkäufer: Muster AG\nZahlbetrag 5,00 EUR")
    assert reading.fields["invoice_number"] == "123 456 789"


def test_nothing_paid_yet_leaves_the_total_due():
    reading = parse(
        "Invoice No. A-1\nSold by: Stay Ltd, Delhi\nIndia\n"
        "Grand Total   Rs. 1939.00\nAmount paid   Rs 0.00"
    )
    assert (reading.fields["payable_amount"], reading.fields["currency"]) == ("1939.00", "INR")
