"""Owns the document types that invoices name (BT-3, UNTDID 1001). Must never turn one into another."""

CREDIT_NOTES = frozenset(
    {"81", "83", "261", "262", "296", "308", "381", "396", "420", "458", "502", "503", "532"}
)
"""Types that reduce what is owed. 389, self-billed, is an invoice; 261 a self-billed credit note."""

CORRECTED = "384"
PRO_FORMA = "325"
FACTORED = "393"
SELF_BILLED = "389"
NO_INVOICES = frozenset({"220", "231", "310", "351", "751"})
"""Order, answer to one, offer, despatch advice, and information for the books: they ask for nothing."""


def kind_of_type(code: str | None) -> str:
    """`invoice` or `credit_note`, for a syntax with one root for both."""
    return "credit_note" if code in CREDIT_NOTES else "invoice"
