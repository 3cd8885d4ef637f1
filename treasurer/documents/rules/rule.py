"""Owns what a rule is and how rules read fields. Must never round but as the schematron does."""

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TypeAlias

from treasurer.documents.draft import Draft
from treasurer.documents.reading import FieldValue

Rule: TypeAlias = Callable[[Draft], None]
"""Looks at the fields alone and adds findings; the ids are those of EN 16931 where it has one."""

ARITHMETIC = Context(prec=60, rounding=ROUND_HALF_UP)
CENT = Decimal("0.01")
ZERO = Decimal(0)


def amount(draft: Draft, name: str) -> Decimal | None:
    """The field as an exact number, None when absent."""
    value = draft.text(name)
    return None if value is None else Decimal(value)


def rows(draft: Draft, name: str) -> list[dict[str, FieldValue]]:
    """The rows of a repeated group, none when absent."""
    value = draft.fields.get(name)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def decimal(row: dict[str, FieldValue], key: str) -> Decimal | None:
    """A number of a row, None when absent."""
    value = row.get(key)
    return Decimal(value) if isinstance(value, str) else None


def equal(draft: Draft, rule: str, name: str, expected: Decimal, meaning: str) -> None:
    """Both sides rounded half-up to two decimals, as the schematron of EN 16931 does."""
    stated = amount(draft, name)
    if stated is None:
        return
    left, right = (ARITHMETIC.quantize(value, CENT) for value in (stated, expected))
    if left != right:
        draft.review(rule, f"{name} is {left}, but {meaning} is {right}; ask the seller", name)
