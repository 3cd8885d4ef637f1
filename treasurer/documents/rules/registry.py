"""Owns the list of rule families. Their order decides only the order of findings."""

from treasurer.documents.rules import dates, direction, fields, national, payment, totals, vat
from treasurer.documents.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *fields.RULES,
    *direction.RULES,
    *dates.RULES,
    *totals.RULES,
    *vat.RULES,
    *payment.RULES,
    *national.RULES,
)
