"""Rules about VAT categories (UNCL 5305): rates, amounts, and what lines and breakdown say of each."""

from collections import defaultdict
from decimal import Decimal

from treasurer.documents.draft import Draft
from treasurer.documents.reading import FieldValue
from treasurer.documents.rules.rule import ARITHMETIC, CENT, ZERO, Rule, amount, decimal, rows
from treasurer.documents.rules.totals import counted_lines

_FAMILY = {"Z": "BR-Z", "E": "BR-E", "AE": "BR-AE", "K": "BR-IC", "G": "BR-G", "O": "BR-O"}
"""Zero rated, exempt, reverse charge, intra-community, export, outside the scope: no VAT is due."""
_TOLERANCE = Decimal(1)
"""The schematron lets both sides differ by less than one unit, because rounding by line is allowed."""


def br_co_17(draft: Draft) -> None:
    """Tax of a category = its base × its rate, within the schematron's tolerance."""
    for row in rows(draft, "vat_breakdown"):
        base, rate, tax = (decimal(row, key) for key in ("taxable", "rate", "tax"))
        if base is None or rate is None or tax is None:
            continue
        expected = ARITHMETIC.quantize(base * rate / 100, CENT)
        if abs(expected - tax) >= _TOLERANCE:
            draft.review(
                "BR-CO-17",
                f"VAT of {tax} on {base} at {rate} % should be {expected}; ask the seller",
                "vat_breakdown",
            )


def untaxed_categories(draft: Draft) -> None:
    """BR-Z-05, BR-E-05, … : lines without VAT have the rate 0. BR-Z-09, … : nor has their total any."""
    for rule, group in (("05", "lines"), ("09", "vat_breakdown")):
        for row in rows(draft, group):
            family = _FAMILY.get(_category(row))
            number = decimal(row, "vat_rate" if group == "lines" else "tax")
            if family is not None and number not in (None, ZERO):
                draft.review(
                    f"{family}-{rule}",
                    f"VAT category {_category(row)} bears no VAT, but {number} is stated",
                    group,
                )


def br_s_05(draft: Draft) -> None:
    """Lines of the standard category have a rate above 0."""
    for row in rows(draft, "lines"):
        rate = decimal(row, "vat_rate")
        if _category(row) == "S" and rate is not None and rate <= 0:
            draft.review(
                "BR-S-05", "a line of VAT category S has no rate above 0; ask the seller", "lines"
            )
            return


def category_bases(draft: Draft) -> None:
    """BR-S-08, BR-Z-08, … : base of a category = its lines − allowances + charges."""
    stated = rows(draft, "vat_breakdown")
    lines = counted_lines(draft)
    if not stated or not lines or len(lines) != len(rows(draft, "lines")):
        return
    adjusted = any(amount(draft, name) for name in ("allowance_total", "charge_total"))
    if adjusted and not rows(draft, "allowance_charges"):
        # EDIFACT's own allowances are read as totals only, so nothing can be said of categories.
        return
    sums: dict[tuple[str, Decimal], Decimal] = defaultdict(lambda: ZERO)
    for row in lines:
        net = decimal(row, "net_amount")
        if net is None or not _category(row):
            return
        sums[_key(_category(row), decimal(row, "vat_rate"))] += net
    for row in rows(draft, "allowance_charges"):
        value = decimal(row, "amount")
        if value is None or not _category(row):
            return
        sums[_key(_category(row), decimal(row, "vat_rate"))] += value if row["charge"] else -value
    for row in stated:
        base, code = decimal(row, "taxable"), _category(row)
        expected = sums.get(_key(code, decimal(row, "rate")), ZERO)
        if base is not None and code and abs(base - expected) >= _TOLERANCE:
            draft.review(
                f"{_FAMILY.get(code, f'BR-{code}')}-08",
                f"the base of VAT category {code} is {base}, but its lines come to {expected}",
                "vat_breakdown",
            )


def exemption_reason(draft: Draft) -> None:
    """BR-E-10, BR-AE-10, …: why no VAT is due. It changes no amount, so this is a note."""
    for row in rows(draft, "vat_breakdown"):
        family = _FAMILY.get(_category(row))
        if family not in (None, "BR-Z") and "exemption" in row and row["exemption"] is None:
            draft.note(
                f"{family}-10", "no reason is given why no VAT is due; ask for one", "vat_breakdown"
            )


def _key(category: str, rate: Decimal | None) -> tuple[str, Decimal]:
    """Untaxed categories have one base whatever rate is written, which is 0 or none."""
    return category, ZERO if category in _FAMILY else rate or ZERO


def _category(row: dict[str, FieldValue]) -> str:
    value = row.get("vat_category", row.get("category"))
    return value if isinstance(value, str) else ""


RULES: tuple[Rule, ...] = (
    br_co_17,
    untaxed_categories,
    br_s_05,
    category_bases,
    exemption_reason,
)
