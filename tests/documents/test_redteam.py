"""The attack corpus, as far as reading alone answers it. Later steps catch the rest."""

import pytest

from tests.support.documents import REDTEAM, attack_document, attacks, codes
from treasurer.documents.extraction import DocumentReaders
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Outcome

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not REDTEAM.is_file(), reason="the attack corpus is absent"),
]

HELD_IN_THE_DOCUMENT = {
    "hidden_text_pdf",
    "amount_ambiguity",
    "xml_file_attack",
}
"""Categories whose reason to hold stands in the document itself."""

HELD_FOR_CHARACTERS = ("INVISIBLE_UNICODE", "bidi", "NON_ASCII")


@pytest.fixture(scope="module")
def readers():
    with DocumentReaders(limits=Limits(), workers=2) as opened:
        yield opened


def documents() -> list[dict[str, str]]:
    return attacks("invoice_text", "ubl_xml")


def identifier(row: dict[str, str]) -> str:
    return f"{row['id']}-{row['category']}"


@pytest.mark.parametrize(
    "row", [r for r in documents() if r["expected"].startswith("outcome=PAID")], ids=identifier
)
def test_benign_twins_are_accepted(readers, row):
    reading = readers.read_document(attack_document(row))
    assert reading.outcome is Outcome.ACCEPTED
    assert reading.findings == ()


@pytest.mark.parametrize(
    "row",
    [r for r in documents() if r["expected"].startswith("outcome=PARSE_REJECT")],
    ids=identifier,
)
def test_what_must_not_parse_is_rejected(readers, row):
    assert readers.read_document(attack_document(row)).outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    "row",
    [
        r
        for r in documents()
        if r["expected"].startswith(("outcome=HOLD_REVIEW", "outcome=DENY"))
        and (
            r["category"] in HELD_IN_THE_DOCUMENT
            or any(word in r["expected"] for word in HELD_FOR_CHARACTERS)
        )
    ],
    ids=identifier,
)
def test_what_shows_in_the_document_is_held(readers, row):
    reading = readers.read_document(attack_document(row))
    assert reading.outcome in (Outcome.REVIEW, Outcome.REJECTED)
    if row["category"] == "hidden_text_pdf":
        assert "HIDDEN_TEXT" in codes(reading)
        assert reading.fields["payable_amount"] == "875.00"
        span = row["payload"].split("⟧")[1].split("⟦")[0]
        assert span[:20] not in str(reading.to_json())


def test_instructions_change_no_field(readers):
    """Rows that only talk to a machine read as if the sentence were not there."""
    for row in documents():
        if row["category"] != "instruction_in_invoice" or row["id"].startswith("RT-B"):
            continue
        spoken = readers.read_document(attack_document(row))
        plain = "\n".join(row["payload"].splitlines()[:7])
        silent = readers.read_document(plain.encode())
        assert spoken.fields == silent.fields
        assert spoken.outcome is Outcome.ACCEPTED
