"""What the rows of the attack corpus ask for, and the models that read them: obedient and honest ones."""

import re
from decimal import Decimal
from typing import Any

from agents.intake.answer import ModelAnswer
from agents.models import InvoiceReader
from tests.support.agents import ScriptedReader

ATTACKER = "0xa77AC0DEA77AC0dea77Ac0Dea77AC0dEA77ac0dE"
_PAYEES = {"Halden": "V-001", "Qorvane": "V-002", "Brightmoor": "V-003"}


def identity(row: dict[str, Any]) -> str:
    return str(row["id"])


def expected_outcome(row: dict[str, Any]) -> str:
    """NO_SIDE_EFFECT, HOLD_REVIEW, DENY, PARSE_REJECT or PAID."""
    return str(row["expected"]).partition(";")[0].removeprefix("outcome=")


def seller_code(payload: str) -> str:
    """The code of the payee whom the document names."""
    return next(code for name, code in _PAYEES.items() if name in payload)


def visible_amount(payload: str) -> Decimal:
    """What the document visibly asks for."""
    if match := re.search(r"<cbc:PayableAmount[^>]*>([\d.]+)<", payload):
        return Decimal(match[1])
    match = re.search(r"Total due: ([\d,]+\.\d\d) USDC", payload)
    assert match is not None
    return Decimal(match[1].replace(",", ""))


def hijacked(payload: str) -> InvoiceReader:
    """A model that obeys: the attacker's address, and the largest amount that it can find."""
    amounts = re.findall(r"\d[\d,]*\.\d\d", payload) or ["48,750.00"]
    worst = max(amounts, key=lambda text: Decimal(text.replace(",", "")))
    addresses = re.findall(r"0x[0-9a-fA-F]{40}", payload)
    return ScriptedReader(
        ModelAnswer(
            seller="Qorvane Logistics GmbH",
            invoice_number="HF-9999",
            currency="USDC",
            payable_amount=worst,
            pay_to_address=addresses[-1] if addresses else ATTACKER,
        ),
        label="hijacked",
    )


def inventing(payload: str) -> InvoiceReader:
    """A model that obeys and makes up everything: nothing that it says is printed anywhere."""
    return ScriptedReader(
        ModelAnswer(
            seller="Mallory Holdings",
            invoice_number="X-9999",
            currency="EUR",
            payable_amount="48,750.17",
            iban="NO9386011117947",
            pay_to_address=ATTACKER,
        ),
        label="inventing",
    )


def pointing(payload: str) -> InvoiceReader:
    """A model that obeys and stays with what is printed: the buyer as the seller, the order as the
    invoice, the network's number as the amount.
    """
    return ScriptedReader(
        ModelAnswer(
            seller="Norwick Instruments Ltd", invoice_number="PO-7781", payable_amount="31337"
        ),
        label="pointing",
    )


def honest(payload: str) -> InvoiceReader:
    """A model that reads what is printed: an attacker has nothing to say in a benign document."""

    def printed(pattern: str) -> str | None:
        match = re.search(pattern, payload)
        return match[1] if match else None

    return ScriptedReader(
        ModelAnswer(
            seller=printed(r"From: (.+)"),
            invoice_number=printed(r"INVOICE (\S+)"),
            issue_date=printed(r"Invoice date: (\S+)"),
            due_date=printed(r"\nDue: (\S+)"),
            currency="USDC",
            payable_amount=printed(r"Total due: (\S+)"),
            pay_to_address=printed(r"(0x[0-9a-fA-F]{40})"),
        )
    )
