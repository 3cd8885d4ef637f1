from dataclasses import replace
from pathlib import Path

import pytest

from agents.intake.grounding import ground, reconcile, with_findings
from tests.support.invoices import printed, read, reading_of
from treasurer.documents.answers import packed, unpacked
from treasurer.documents.reading import Finding, Outcome, PrintedLine, Severity


def lines(text: str) -> list[PrintedLine]:
    return [PrintedLine(line, number) for number, line in enumerate(text.splitlines(), start=1)]


PRINTED = lines(
    "INVOICE HF-4101\nFrom:  Halden   Freight AS\nTotal due: 4,840.00 USDC\n"
    "Due 10 December 2026\nIBAN NO93 8601 1117 947, deposit 1.250,50"
)


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("seller", "Halden Freight AS", 2),
        ("seller", "halden freight as", 2),
        ("payable_amount", "4,840.00", 3),
        ("payable_amount", "4,840.00 USDC", 3),
        ("due_date", "10 December 2026", 4),
    ],
)
def test_what_is_printed_whole_is_grounded(field: str, value: str, line: int) -> None:
    kept, findings = ground({field: value}, PRINTED)
    assert [(item.field, item.line) for item in kept] == [(field, PRINTED[line - 1])]
    assert findings == ()


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("payable_amount", "4840.00", 3),
        ("payable_amount", "4840", 3),
        ("payable_amount", "1250.50", 5),
        ("due_date", "2026-12-10", 4),
        ("iban", "NO9386011117947", 5),
    ],
)
def test_the_same_value_in_another_spelling_is_printed_as_well(
    field: str, value: str, line: int
) -> None:
    kept, findings = ground({field: value}, PRINTED)
    assert [(item.field, item.line) for item in kept] == [(field, PRINTED[line - 1])]
    assert findings == ()


@pytest.mark.parametrize(
    "value",
    ["840.00", "4,840", "4841.00", "40.00", "4,840.001", "HF-410", "1 INVOICE", "Halden Frei"],
)
def test_a_part_of_what_is_printed_is_not(value: str) -> None:
    kept, findings = ground({"payable_amount": value}, PRINTED)
    assert kept == ()
    assert [(finding.code, finding.severity) for finding in findings] == [
        ("UNGROUNDED_VALUE", Severity.NOTE)
    ]


def test_a_doubt_is_not_lost_by_the_models_spelling() -> None:
    reading = replace(reading_of({"payable_amount": "4840.00"}), printed=tuple(PRINTED))
    kept, _ = ground({"payable_amount": "1250.50"}, reading.printed)
    doubted = reconcile(reading, kept)
    assert doubted.outcome is Outcome.REVIEW
    assert [finding.code for finding in doubted.findings] == ["READERS_DISAGREE"]
    assert doubted.fields == reading.fields


def test_what_only_the_model_found_names_its_page_and_line() -> None:
    """The piece of the line that prints the value, else the box around all of them."""
    left, right = (500, 900, 3_000, 1_000), (7_000, 900, 9_000, 1_020)
    pieces = (("Halden Freight AS", left), ("x" * 400, right))
    printed = [PrintedLine("Halden Freight AS  " + "x" * 400, 7, 2, pieces)]
    kept, _ = ground({"seller": "Halden Freight AS"}, printed)
    (evidence,) = reconcile(reading_of({}), kept).evidence
    assert (evidence.field, evidence.location, evidence.page) == ("seller", "page 2, line 7", 2)
    assert (evidence.text, evidence.box) == (printed[0].text[:300], left)
    across = "Halden Freight AS " + "x" * 400
    ((spread,), _) = ground({"seller": across}, printed)
    assert spread.box == (500, 900, 9_000, 1_020)


def test_a_value_on_a_page_that_cannot_be_pointed_at_is_not_grounded() -> None:
    kept, findings = ground({"seller": "Halden"}, [PrintedLine("Halden", 1, page=1)])
    assert (kept, [finding.code for finding in findings]) == ((), ["UNGROUNDED_VALUE"])


def test_each_value_of_a_pdf_is_grounded_in_its_own_box() -> None:
    """Through the bytes by which the reading child answers, box by box as the rules have them."""
    reading = unpacked(packed(read(Path("samples/invoices/qorvane-ql-1002.pdf").read_bytes())))
    known = {item.field: item for item in reading.evidence}
    kept, findings = ground(
        {"seller": "Qorvane Logistics GmbH", "due_date": "12.12.2026"}, reading.printed
    )
    assert findings == ()
    assert [value.evidence for value in kept] == [known["seller"], known["due_date"]]
    assert all(value.box is not None for value in kept)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payable_amount", "840"),
        ("currency", "usdc"),
        ("invoice_number", "hf4101"),
        ("seller", "HALDEN FREIGHT AS"),
        ("pay_to_address", "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"),
        ("due_date", "10 December 2026"),
        ("currency", "$"),
        ("payable_amount", "1.000"),
    ],
)
def test_another_spelling_of_the_same_agrees_and_an_uncertain_one_says_nothing(
    field: str, value: str
) -> None:
    kept, _ = ground({field: value}, lines(value))
    reading = read(printed())
    assert reconcile(reading, kept) == reading


def test_an_answer_never_makes_a_reading_more_acceptable() -> None:
    held = reading_of({"seller": "Halden"}, outcome=Outcome.REVIEW)
    rejected = reading_of({}, outcome=Outcome.REJECTED)
    kept, _ = ground({"seller": "Halden"}, lines("Halden"))
    assert reconcile(held, kept).outcome is Outcome.REVIEW
    assert reconcile(rejected, kept).outcome is Outcome.REJECTED


def test_a_note_leaves_the_outcome_and_a_doubt_lowers_it() -> None:
    accepted = reading_of({})
    note = Finding("MODEL_UNAVAILABLE", "none", None, Severity.NOTE)
    doubt = Finding("READERS_DISAGREE", "differ", None, Severity.REVIEW)
    assert with_findings(accepted, [note]).outcome is Outcome.ACCEPTED
    assert with_findings(accepted, [note, doubt]).outcome is Outcome.REVIEW
    assert with_findings(accepted, [doubt, doubt, note]).findings == (doubt, note)
