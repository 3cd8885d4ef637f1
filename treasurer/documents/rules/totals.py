"""Rules about the document's sums (BR-CO-10 to BR-CO-16)."""

from decimal import Decimal

from treasurer.documents.draft import Draft
from treasurer.documents.reading import FieldValue
from treasurer.documents.rules.rule import ZERO, Rule, amount, decimal, equal, rows

_UNCOUNTED = frozenset({"GROUP", "INFORMATION"})
"""Line statuses of Factur-X EXTENDED (BT-X-8): headings, and lines that explain only."""


def counted_lines(draft: Draft) -> list[dict[str, FieldValue]]:
    """The lines that make up the total. A line without any number is a text, and a line below another
    is counted with it.
    """
    found = rows(draft, "lines")
    stated = [
        row
        for row in found
        if any(row.get(key) is not None for key in ("net_amount", "quantity", "price"))
        and row.get("status") not in _UNCOUNTED
    ]
    if any("status" in row for row in found):
        return stated
    return [row for row in stated if "parent" not in row]


def br_co_10(draft: Draft) -> None:
    """BT-106 = sum of line net amounts."""
    values = [decimal(row, "net_amount") for row in counted_lines(draft)]
    stated = [value for value in values if value is not None]
    if values and len(stated) == len(values):
        equal(draft, "BR-CO-10", "line_total", sum(stated, ZERO), "the sum of the lines")


def br_co_11(draft: Draft) -> None:
    """BT-107 = sum of document level allowances."""
    _adjustments(draft, "BR-CO-11", "allowance_total", charge=False)


def br_co_12(draft: Draft) -> None:
    """BT-108 = sum of document level charges."""
    _adjustments(draft, "BR-CO-12", "charge_total", charge=True)


def _adjustments(draft: Draft, rule: str, name: str, *, charge: bool) -> None:
    values = [
        decimal(row, "amount")
        for row in rows(draft, "allowance_charges")
        if row.get("charge") is charge
    ]
    stated = [value for value in values if value is not None]
    if not values or len(stated) < len(values):
        return
    total = sum(stated, ZERO)
    # ZUGFeRD 1.0 let writers put an allowance's sign into its amount; its total has none.
    if all(value <= 0 for value in stated) and (amount(draft, name) or ZERO) > 0:
        total = -total
    equal(draft, rule, name, total, "the sum of its parts")


def br_co_13(draft: Draft) -> None:
    """BT-109 = BT-106 − BT-107 + BT-108."""
    lines = amount(draft, "line_total")
    if lines is not None:
        total = lines - (amount(draft, "allowance_total") or ZERO)
        total += amount(draft, "charge_total") or ZERO
        equal(draft, "BR-CO-13", "tax_exclusive_amount", total, "lines − allowances + charges")


def br_co_14(draft: Draft) -> None:
    """BT-110 = sum of VAT category amounts."""
    values = [decimal(row, "tax") for row in rows(draft, "vat_breakdown")]
    stated: list[Decimal] = [value for value in values if value is not None]
    if values and len(stated) == len(values):
        equal(draft, "BR-CO-14", "tax_amount", sum(stated, ZERO), "the sum of the VAT categories")


def br_co_15(draft: Draft) -> None:
    """BT-112 = BT-109 + BT-110. Prose may leave the tax out, an e-invoice without it has none."""
    net, tax = amount(draft, "tax_exclusive_amount"), amount(draft, "tax_amount")
    if net is not None and (tax is not None or draft.structured):
        equal(draft, "BR-CO-15", "tax_inclusive_amount", net + (tax or ZERO), "net + VAT")


def br_co_16(draft: Draft) -> None:
    """BT-115 = BT-112 − BT-113 + BT-114. Profile MINIMUM cannot name what was prepaid, so there the
    difference is a question for a person as well. The XRechnung extension adds what is collected for
    others, and calls the rule BR-DEX-09.
    """
    total, others = amount(draft, "tax_inclusive_amount"), amount(draft, "third_party_amount")
    if total is None:
        return
    due = total - (amount(draft, "prepaid_amount") or ZERO)
    due += amount(draft, "rounding_amount") or ZERO
    if others is None:
        equal(draft, "BR-CO-16", "payable_amount", due, "total − prepaid + rounding")
    else:
        due += others
        equal(draft, "BR-DEX-09", "payable_amount", due, "total − prepaid + rounding + others'")


RULES: tuple[Rule, ...] = (
    br_co_10,
    br_co_11,
    br_co_12,
    br_co_13,
    br_co_14,
    br_co_15,
    br_co_16,
)
