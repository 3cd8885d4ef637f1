"""Owns the checks that are one SQL statement: every row that it finds is a violation.

Must never span two statements, because between them the pump goes on; one statement sees one instant.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from treasurer.audit.reconciliation.model import Check, Found, Violation
from treasurer.audit.reconciliation.scene import Scene

MOST_ROWS = 1000
"""Of one statement: more of the same teach nothing, and memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Query:
    """`sql` selects what contradicts the check, with its numbers, and names :organization_id."""

    id: str
    says: str
    code: str
    sql: str

    @property
    def checks(self) -> Sequence[Check]:
        return [Check(self.id, self.says)]

    async def find(self, scene: Scene) -> AsyncIterator[Found]:
        for row in await scene.rows(text(f"{self.sql} LIMIT {MOST_ROWS}")):
            yield violation(self.id, self.code, row)


def violation(check: str, code: str, row: Row[Any]) -> Violation:
    """Integers are the numbers that disagree, all else names what they are about."""
    about: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for name, value in row._mapping.items():
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            numbers[str(name)] = int(value)
        elif isinstance(value, bytes):
            about[str(name)] = value.hex()
        elif isinstance(value, UUID | str):
            about[str(name)] = str(value)
        elif value is not None:
            about[str(name)] = f"{value}"
    return Violation(check, code, about, numbers)
