"""Owns the rules that a reading must pass. Must never repair: what contradicts itself is reported.

Each rule looks at the fields alone and adds findings. The sums are EN 16931's, by their ids.
"""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

from treasurer.documents.currencies import fraction_digits, is_known
from treasurer.documents.document_types import CREDIT_NOTES
from treasurer.documents.draft import Draft

_ARITHMETIC = Context(prec=60, rounding=ROUND_HALF_UP)
_CENT = Decimal("0.01")
_ZERO = Decimal(0)
_COLLECTED = {
    "49": "direct debit",
    "59": "SEPA direct debit",
    "48": "card",
    "54": "card",
    "55": "card",
}
_REQUIRED = ("seller", "invoice_number", "currency", "payable_amount")
_FORMULA = ("=", "+", "-", "@")


def amount(draft: Draft, name: str) -> Decimal | None:
    """The field as an exact number, None when absent."""
    value = draft.text(name)
    return None if value is None else Decimal(value)


def required_fields(draft: Draft) -> None:
    """What a payment needs (BR-02, BR-03, BR-05, BR-06, BR-15).

    Prose often has no issue date, and no payment hangs on it, so there its absence is only noted.
    """
    explained = {finding.field for finding in draft.findings}
    for name in _REQUIRED:
        if draft.fields.get(name) is None and name not in explained:
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
    if _ARITHMETIC.scaleb(payable, digits) % 1 != 0:
        draft.review(
            "AMOUNT_TOO_PRECISE",
            f"the currency has {digits} fraction digits, the payable amount more",
            "payable_amount",
        )


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
    """UNTDID 1001 types that reduce what is owed; 389, self-billed, is an invoice. The reading itself
    is sound, so this is a note; the assessment of the invoice holds it.
    """
    if _is_credit_note(draft):
        draft.note("CREDIT_NOTE", "this is a credit note; it reduces what is owed", "type_code")


def _is_credit_note(draft: Draft) -> bool:
    return draft.text("document_kind") == "credit_note" or draft.text("type_code") in CREDIT_NOTES


def collected_by_seller(draft: Draft) -> None:
    """Paying what the seller debits pays twice. The reading itself is sound, so this is a note."""
    means = draft.fields.get("payment_means")
    codes = (
        [row.get("code") for row in means if isinstance(row, dict)]
        if isinstance(means, list)
        else []
    )
    for code in codes:
        if isinstance(code, str) and code in _COLLECTED:
            draft.note(
                "COLLECTED_BY_SELLER",
                f"the seller collects by {_COLLECTED[code]}; a payment would be the second one",
                "payment_means",
            )


def dates(draft: Draft) -> None:
    """ISO dates compare as text."""
    issued, due = draft.text("issue_date"), draft.text("due_date")
    if issued is not None and due is not None and due < issued:
        draft.review("DUE_BEFORE_ISSUE", "the due date lies before the issue date", "due_date")


def formula_text(draft: Draft) -> None:
    """A name that a spreadsheet would run is no name."""
    for name in ("seller", "invoice_number", "buyer", "purchase_order"):
        value = draft.text(name)
        if value is not None and value.startswith(_FORMULA):
            draft.review("FORMULA_TEXT", f"{name} begins like a spreadsheet formula", name)


def br_co_10(draft: Draft) -> None:
    """Sum of line net amounts = BT-106."""
    rows = draft.fields.get("lines")
    if not isinstance(rows, list) or not rows:
        return
    values = [row.get("net_amount") for row in rows if isinstance(row, dict)]
    if all(isinstance(value, str) for value in values):
        total = sum((Decimal(str(value)) for value in values), _ZERO)
        _equal(draft, "BR-CO-10", "line_total", total, "the sum of the lines")


def br_co_13(draft: Draft) -> None:
    """BT-109 = BT-106 − BT-107 + BT-108."""
    lines = amount(draft, "line_total")
    if lines is not None:
        total = lines - (amount(draft, "allowance_total") or _ZERO)
        total += amount(draft, "charge_total") or _ZERO
        _equal(draft, "BR-CO-13", "tax_exclusive_amount", total, "lines − allowances + charges")


def br_co_14(draft: Draft) -> None:
    """BT-110 = sum of VAT category amounts."""
    rows = draft.fields.get("vat_breakdown")
    if not isinstance(rows, list) or not rows:
        return
    values = [row.get("tax") for row in rows if isinstance(row, dict)]
    if all(isinstance(value, str) for value in values):
        total = sum((Decimal(str(value)) for value in values), _ZERO)
        _equal(draft, "BR-CO-14", "tax_amount", total, "the sum of the VAT categories")


def br_co_15(draft: Draft) -> None:
    """BT-112 = BT-109 + BT-110. Prose may leave the tax out, an e-invoice without it has none."""
    net, tax = amount(draft, "tax_exclusive_amount"), amount(draft, "tax_amount")
    if net is not None and (tax is not None or draft.structured):
        _equal(draft, "BR-CO-15", "tax_inclusive_amount", net + (tax or _ZERO), "net + VAT")


def br_co_16(draft: Draft) -> None:
    """BT-115 = BT-112 − BT-113 + BT-114."""
    total = amount(draft, "tax_inclusive_amount")
    if total is not None:
        due = total - (amount(draft, "prepaid_amount") or _ZERO)
        due += amount(draft, "rounding_amount") or _ZERO
        _equal(draft, "BR-CO-16", "payable_amount", due, "total − prepaid + rounding")


def _equal(draft: Draft, rule: str, name: str, expected: Decimal, meaning: str) -> None:
    """Both sides rounded half-up to two decimals, as the schematron of EN 16931 does."""
    stated = amount(draft, name)
    if stated is None:
        return
    left, right = (_ARITHMETIC.quantize(value, _CENT) for value in (stated, expected))
    if left != right:
        draft.review(rule, f"{name} is {left}, but {meaning} is {right}; ask the seller", name)


RULES: tuple[Callable[[Draft], None], ...] = (
    required_fields,
    known_currency,
    payable_precision,
    sign,
    credit_note,
    collected_by_seller,
    dates,
    formula_text,
    br_co_10,
    br_co_13,
    br_co_14,
    br_co_15,
    br_co_16,
)


def check(draft: Draft) -> None:
    """Apply every rule; their order decides only the order of findings."""
    with localcontext(_ARITHMETIC):
        for rule in RULES:
            rule(draft)
