"""Rules about which way money flows: credits, corrections, and what the seller takes by itself.

Most are notes: the reading is sound, and the assessment of the invoice holds it by them.
"""

from treasurer.documents.document_types import (
    CORRECTED,
    CREDIT_NOTES,
    FACTORED,
    NO_INVOICES,
    PRO_FORMA,
)
from treasurer.documents.draft import Draft
from treasurer.documents.rules.rule import Rule, amount, rows

_COLLECTED = {
    "49": "direct debit", "59": "SEPA direct debit", "48": "card", "54": "card", "55": "card",
    "MP08": "card", "MP09": "direct debit", "MP10": "direct debit", "MP11": "direct debit",
    "MP16": "direct debit", "MP17": "direct debit", "MP19": "SEPA direct debit",
    "MP20": "SEPA direct debit", "MP21": "SEPA direct debit", "MP22": "money that it holds already",
}  # fmt: skip
"""UNTDID 4461, and the ways to pay of FatturaPA."""


def sign(draft: Draft) -> None:
    """A negative total is a credit and never an outflow. In prose it is refused; an e-invoice that names
    its type may correct an earlier one so, which reads well and is noted. So is an overpaid invoice
    (positive total, due amount below zero through prepayments): there is nothing to pay.
    """
    payable = amount(draft, "payable_amount")
    if payable is None or payable > 0 or _is_credit_note(draft):
        return
    total = amount(draft, "tax_inclusive_amount")
    if payable < 0 and (total is None or total < 0):
        report = draft.reject if draft.text("type_code") is None else draft.note
        report(
            "NEGATIVE_TOTAL",
            "the total is negative; send a credit note instead, nothing is paid",
            "payable_amount",
        )
        return
    draft.note("NOTHING_TO_PAY", "the amount due is not positive", "payable_amount")


def credit_note(draft: Draft) -> None:
    """UNTDID 1001 types that reduce what is owed; 389, self-billed, is an invoice."""
    if _is_credit_note(draft):
        draft.note("CREDIT_NOTE", "this is a credit note; it reduces what is owed", "type_code")


def _is_credit_note(draft: Draft) -> bool:
    return draft.text("document_kind") == "credit_note" or draft.text("type_code") in CREDIT_NOTES


def corrected_invoice(draft: Draft) -> None:
    """384 takes the place of an invoice that may be paid already."""
    if draft.text("type_code") == CORRECTED:
        draft.note(
            "CORRECTED_INVOICE",
            "this corrects an earlier invoice; see that not both are paid",
            "type_code",
        )


def pro_forma(draft: Draft) -> None:
    """325 announces an invoice and asks for nothing by itself."""
    if draft.text("type_code") == PRO_FORMA:
        draft.note("PRO_FORMA", "this is a pro forma invoice; wait for the real one", "type_code")


def no_demand(draft: Draft) -> None:
    """751 informs the books of the buyer; the others come before an invoice."""
    if draft.text("type_code") in NO_INVOICES:
        draft.note(
            "NOT_AN_INVOICE", "by its type this is no invoice; wait for the real one", "type_code"
        )


def factored(draft: Draft) -> None:
    """393: the claim belongs to a factor, so that the seller's wallet is the wrong place."""
    if draft.text("type_code") == FACTORED:
        draft.note(
            "CLAIM_ASSIGNED",
            "the seller has assigned its claim; ask to whom payment is due",
            "type_code",
        )


def collected_by_seller(draft: Draft) -> None:
    """Paying what the seller debits pays twice."""
    codes = [row.get("code") for row in rows(draft, "payment_means")]
    codes += [row.get("method") for row in rows(draft, "payments")]
    for code in codes:
        if isinstance(code, str) and code in _COLLECTED:
            draft.note(
                "COLLECTED_BY_SELLER",
                f"the seller collects by {_COLLECTED[code]}; a payment would be the second one",
                "payment_means",
            )


RULES: tuple[Rule, ...] = (
    sign,
    credit_note,
    corrected_invoice,
    pro_forma,
    no_demand,
    factored,
    collected_by_seller,
)
