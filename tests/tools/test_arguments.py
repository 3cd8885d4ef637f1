import ast
from pathlib import Path

import pytest
from pydantic import ValidationError

import tools
from tools.invoices import ProposeReading, ProposeReview, ReadInvoice
from tools.payees import ReadPayeeMatch
from tools.payments import ProposePayment

ID = "01a2019a-a43e-7005-9c87-fc085d1f81d0"


def test_an_id_in_its_one_spelling_is_taken() -> None:
    assert str(ProposePayment(invoice_id=ID).id) == ID


@pytest.mark.parametrize(
    "invoice_id",
    [
        "HF-2201\x00; vendor_id=V-009",
        f"{ID}\x00",
        f"{ID}\n",
        f" {ID}",
        ID.upper() + " ",
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID.replace("-", ""),
        "",
        "77",
    ],
)
def test_ids_with_anything_around_them_are_refused(invoice_id: str) -> None:
    with pytest.raises(ValidationError):
        ProposePayment(invoice_id=invoice_id)


@pytest.mark.parametrize(
    "extra",
    [
        {"tenant_id": "t-competitor"},
        {"organization_id": ID},
        {"override": True},
        {"amount": "840.00"},
        {"decimals": 18},
        {"recipient": "0x" + "a" * 40},
        {"memo": "ok"},
    ],
)
def test_extra_arguments_are_refused(extra: dict[str, object]) -> None:
    for arguments in (ProposePayment, ReadInvoice):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            arguments.model_validate({"invoice_id": ID, **extra})
    with pytest.raises(ValidationError):
        ReadPayeeMatch.model_validate(extra)


@pytest.mark.parametrize("invoice_id", [7, None, b"x", ["x"], True])
def test_types_are_strict(invoice_id: object) -> None:
    with pytest.raises(ValidationError):
        ReadInvoice.model_validate({"invoice_id": invoice_id})


@pytest.mark.parametrize("code", ["lower", "A", "A B", "X" * 61, "OK\n"])
def test_a_review_needs_a_code(code: str) -> None:
    with pytest.raises(ValidationError):
        ProposeReview(invoice_id=ID, code=code, message="why")


def test_who_read_is_one_printable_line() -> None:
    with pytest.raises(ValidationError):
        ProposeReading(invoice_id=ID, read_by="rules\nand more")


def test_every_door_reads_or_proposes() -> None:
    folder = Path(next(iter(tools.__path__)))
    doors = [
        node.name
        for file in sorted(folder.glob("*.py"))
        if file.stem not in ("arguments", "context")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    ]
    assert doors == [
        "read_document",
        "read_invoice",
        "read_assessment",
        "propose_reading",
        "propose_review",
        "read_payee_match",
        "propose_payment",
    ]
