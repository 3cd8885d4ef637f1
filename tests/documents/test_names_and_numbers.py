"""Who sends an invoice in prose, and its number read to the end."""

import pytest

from tests.support.documents import parse
from treasurer.documents.reading import Outcome


@pytest.mark.parametrize(
    "named", ["Carrier: Halden Freight AS", "Project: Move for Halden Freight AS"]
)
def test_a_company_named_for_another_role_is_not_the_seller(named):
    """The one that sends the bill has no legal form in its name, so no other company may take its place."""
    text = f"Qorvane Consulting\nInvoice no.: Q-100\n{named}\n{named}\nTotal due: EUR 100.00"
    reading = parse(text)
    assert (reading.fields.get("seller"), reading.outcome) == (None, Outcome.REVIEW)


def test_an_account_holder_is_the_seller():
    bank = "IBAN NO93 8601 1117 947\nAccount holder: Halden Freight AS"
    text = f"Invoice no.: Q-100\nTotal due: EUR 100.00\n{bank}"
    assert parse(text).fields["seller"] == "Halden Freight AS"


@pytest.mark.parametrize(
    ("printed", "number"),
    [
        ("HF 2026 001", "HF 2026 001"),
        ("HF-2026 55", "HF-2026 55"),
        ("2026 - 55", "2026 - 55"),
        ("2026 / 11 / 0042", "2026 / 11 / 0042"),
        ("HF-4101 20.11.2026", "HF-4101"),
        ("HF-4101 dated 2026-11-20", "HF-4101"),
        ("HF-4101  7", "HF-4101"),
        ("2026–001", "2026–001"),
        ("HF-4101, see below", "HF-4101"),
        ("2026:001", None),
        ("2026(1)", None),
        ("HF2026+7", None),
    ],
)
def test_a_number_with_blanks_is_read_to_its_end(printed, number):
    """Its beginning alone is that of other invoices as well, which would be duplicates then."""
    text = f"Halden Freight AS\nInvoice no.: {printed}\nTotal due: EUR 100.00"
    assert parse(text).fields.get("invoice_number") == number
