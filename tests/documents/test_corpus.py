"""Scores the readers on documents that nobody here wrote. No rule may stand for a single file."""

import pytest

from tests.documents.scoring import KEY_FIELDS, STRUCTURED, Score, score, table, wrong_fields
from tests.support.documents import CORPUS, corpus_cases
from treasurer.documents.extraction import DocumentReaders
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Outcome, Reading

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not (CORPUS / "manifest.jsonl").is_file(), reason="the corpus is absent"),
]

PROSE = ("pdf-plain", "text")


@pytest.fixture(scope="module")
def readings() -> dict[str, Reading]:
    """Each file of the corpus, read once by the child processes."""
    found = {}
    with DocumentReaders(limits=Limits(), workers=2) as readers:
        for row in corpus_cases():
            path = CORPUS / row["file"]
            found[row["file"]] = readers.read_document(path.read_bytes(), filename=path.name)
    return found


@pytest.fixture(scope="module")
def scores(readings: dict[str, Reading]) -> dict[str, Score]:
    return score(corpus_cases(*STRUCTURED), lambda row: readings[row["file"]])


def test_print_the_table(scores, capsys):
    with capsys.disabled():
        print("\n" + table(list(scores.values())))


@pytest.mark.parametrize("name", STRUCTURED)
def test_key_fields_of_structured_formats_are_all_right(scores, name):
    found = scores[name]
    assert [line for line in found.wrong if any(f": {key} " in line for key in KEY_FIELDS)] == []
    assert found.key_right == found.key_fields > 0


@pytest.mark.parametrize("name", STRUCTURED)
def test_nearly_all_fields_of_structured_formats_are_right(scores, name):
    assert scores[name].right >= 0.99 * scores[name].fields


def test_coherent_structured_documents_are_accepted(scores):
    found = list(scores.values())
    coherent = sum(row.coherent for row in found)
    assert sum(row.coherent_accepted for row in found) >= 0.95 * coherent


def test_no_accepted_document_has_a_wrong_amount(readings):
    for row in corpus_cases(*STRUCTURED, *PROSE):
        reading = readings[row["file"]]
        if reading.outcome is Outcome.ACCEPTED:
            assert "payable_amount" not in wrong_fields(row, reading), row["file"]


def test_incoherent_documents_are_not_accepted(readings):
    for row in corpus_cases(*STRUCTURED):
        if row.get("arithmetic_findings"):
            reading = readings[row["file"]]
            stated = {finding.split(":")[0] for finding in row["arithmetic_findings"]}
            assert reading.outcome is not Outcome.ACCEPTED, row["file"]
            assert stated <= {finding.code for finding in reading.findings}, row["file"]


def test_credit_notes_say_that_they_are(readings):
    for row in corpus_cases(*STRUCTURED):
        credit = row["expected"]["document_kind"] == "credit_note"
        assert readings[row["file"]].has("CREDIT_NOTE") is credit, row["file"]


def test_every_other_file_gets_an_answer(readings):
    """Statements, token lists and broken files: a reading each, never accepted as an invoice."""
    others = [row for row in corpus_cases() if row["format"] not in (*STRUCTURED, *PROSE)]
    assert len(others) > 50
    for row in others:
        if not row["format"].startswith("invalid"):
            assert readings[row["file"]].outcome is not Outcome.ACCEPTED, row["file"]


def test_invalid_documents_are_rejected_or_flagged_as_the_manifest_wants(readings):
    rows = [row for row in corpus_cases() if row["format"].startswith("invalid")]
    for row in rows:
        outcome = readings[row["file"]].outcome
        if row["expected"]["outcome"] == "reject":
            assert outcome is Outcome.REJECTED, row["file"]
    accepted = [r["file"] for r in rows if readings[r["file"]].outcome is Outcome.ACCEPTED]
    assert accepted == []


@pytest.mark.parametrize("name", STRUCTURED)
def test_every_field_of_an_accepted_document_has_evidence(readings, name):
    needed = ("seller", "invoice_number", "issue_date", "currency", "payable_amount")
    for row in corpus_cases(name):
        reading = readings[row["file"]]
        shown = {item.field: item for item in reading.evidence}
        if reading.outcome is Outcome.ACCEPTED:
            assert all(shown[field].location for field in needed), row["file"]
            assert reading.document_sha256 == row["sha256"]
