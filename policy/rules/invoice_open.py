"""Owns that an invoice is not paid beyond what of it is still open. Inclusive (I17)."""

from policy.document import PolicyDocument
from policy.facts import Facts
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies, missing
from treasurer.kernel.money import Asset

_NAME = "invoice_open"
_NAMES = ("amount_token_minor", "open_token_minor")
_MISSING = missing(_NAME, "The open amount of the invoice")
_NO_INVOICE: Verdict = allows(_NAME, "NO_INVOICE", "The payment belongs to no invoice."), ()
_OPEN = allows(_NAME, "WITHIN_OPEN_AMOUNT", "{open_token_minor} of the invoice is open.", *_NAMES)
_BEYOND = denies(
    _NAME,
    "ABOVE_OPEN_AMOUNT",
    "{amount_token_minor} is more than the {open_token_minor} of the invoice that is open.",
    *_NAMES,
)


class InvoiceOpen(Rule):
    """Always in force for a payment that names an invoice."""

    __slots__ = ()

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if request.invoice_id is None:
            return _NO_INVOICE
        open_minor = facts.invoice_open_minor
        if open_minor is None:
            return _MISSING
        ruling = _OPEN if request.amount_minor <= open_minor else _BEYOND
        return ruling, (request.amount_minor, open_minor)

    def describe(self, reporting: Asset) -> str:
        return "No more is paid on an invoice than is open of it."

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        if request.invoice_id is None or facts.invoice_open_minor is None:
            return ()
        return (facts.invoice_open_minor,)


def from_document(document: PolicyDocument) -> tuple[Rule, ...]:
    return (InvoiceOpen(_NAME),)
