"""Rules about single fields: present, known, payable, plain text."""

from treasurer.documents.currencies import fraction_digits, is_known
from treasurer.documents.draft import Draft
from treasurer.documents.rules.rule import ARITHMETIC, Rule, amount

_REQUIRED = ("seller", "invoice_number", "currency", "payable_amount")
_INSTEAD = {"seller": "payee_code", "currency": "currency_basis"}
_FORMULA = ("=", "+", "-", "@")


def required_fields(draft: Draft) -> None:
    """What a payment needs (BR-02, BR-03, BR-05, BR-06, BR-15).

    Prose often has no issue date, and no payment hangs on it, so there its absence is only noted. Our
    own code for a payee stands for its name, and our own books for a currency.
    """
    explained = {finding.field for finding in draft.findings}
    for name in _REQUIRED:
        instead = draft.fields.get(_INSTEAD.get(name, name))
        if draft.fields.get(name) is None and instead is None and name not in explained:
            draft.review("MISSING_FIELD", f"{name} was not found; complete it by hand", name)
    if draft.fields.get("issue_date") is None:
        report = draft.review if draft.structured else draft.note
        report("MISSING_FIELD", "issue_date was not found", "issue_date")


def known_currency(draft: Draft) -> None:
    """BR-CL-04, and the stablecoins."""
    currency = draft.text("currency")
    if currency is not None and not is_known(currency):
        draft.review(
            "UNKNOWN_CURRENCY",
            "the currency is neither ISO 4217 in use nor a known stablecoin; ask the seller",
            "currency",
        )


def payable_precision(draft: Draft) -> None:
    """BR-DEC-18, by the currency's own fraction digits: a tenth of a cent cannot be paid."""
    payable = amount(draft, "payable_amount")
    digits = fraction_digits(draft.text("currency") or "")
    if payable is None or digits is None:
        return
    if ARITHMETIC.scaleb(payable, digits) % 1 != 0:
        draft.review(
            "AMOUNT_TOO_PRECISE",
            f"the currency has {digits} fraction digits, the payable amount more",
            "payable_amount",
        )


def formula_text(draft: Draft) -> None:
    """A name that a spreadsheet would run is no name."""
    for name in ("seller", "invoice_number", "buyer", "purchase_order"):
        value = draft.text(name)
        if value is not None and value.startswith(_FORMULA):
            draft.review("FORMULA_TEXT", f"{name} begins like a spreadsheet formula", name)


RULES: tuple[Rule, ...] = (required_fields, known_currency, payable_precision, formula_text)
