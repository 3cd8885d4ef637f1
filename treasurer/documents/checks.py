"""Applies the rules to a draft. Must never repair: what contradicts itself is reported."""

from decimal import localcontext

from treasurer.documents.draft import Draft
from treasurer.documents.rules.registry import RULES
from treasurer.documents.rules.rule import ARITHMETIC


def check(draft: Draft) -> None:
    """Apply every rule."""
    with localcontext(ARITHMETIC):
        for rule in RULES:
            rule(draft)
