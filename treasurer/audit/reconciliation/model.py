"""Owns what a reconciliation says: checks, violations, in-flight items, the report. Pure.

Must never call something checked that was not: what cannot be seen at rest is named with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from treasurer.kernel.clock import iso
from treasurer.kernel.digest import Canonical

MOST_KEPT = 50
"""Violations of one check that are kept in full; all of them are counted."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold. `id` begins with the invariant of design section 7 that it is of."""

    id: str
    says: str


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where a check does not hold: whom it is about, and the numbers that disagree."""

    check: str
    code: str
    about: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InFlight:
    """What explains a difference between ledger and chain at the report's block, base units.

    `transfer_id` is a deposit's own id where it is one. `why` is "mined, not yet booked" (negative: it
    left already) or "booked in a later block".
    """

    wallet_id: str
    transfer_id: str
    asset: str
    amount_minor: int
    why: str


Found: TypeAlias = Violation | InFlight


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one check. `failed` says why it could not be made; then nothing is proven."""

    check: Check
    count: int
    violations: tuple[Violation, ...]
    failed: str | None = None

    @property
    def holds(self) -> bool:
        return self.count == 0 and self.failed is None


@dataclass(frozen=True, slots=True)
class Report:
    """One reconciliation of one organization, as of final block `block_number`."""

    started_at: datetime
    finished_at: datetime
    block_number: int
    results: tuple[Result, ...]
    in_flight: tuple[InFlight, ...]
    unchecked: Mapping[str, str]

    @property
    def violations(self) -> int:
        return sum(result.count for result in self.results)

    @property
    def failed(self) -> int:
        return sum(result.failed is not None for result in self.results)

    @property
    def clean(self) -> bool:
        """Every check was made and none found anything."""
        return all(result.holds for result in self.results)

    def document(self) -> dict[str, Canonical]:
        """As stored and shown: numbers as digits, because JSON readers round them."""
        return {
            "started_at": iso(self.started_at),
            "finished_at": iso(self.finished_at),
            "block_number": self.block_number,
            "clean": self.clean,
            "violations": self.violations,
            "checks": [_result_document(result) for result in self.results],
            "in_flight": [
                {
                    "wallet_id": item.wallet_id,
                    "transfer_id": item.transfer_id,
                    "asset": item.asset,
                    "amount_minor": str(item.amount_minor),
                    "why": item.why,
                }
                for item in self.in_flight
            ],
            "unchecked": dict(self.unchecked),
        }


def _result_document(result: Result) -> dict[str, Canonical]:
    return {
        "id": result.check.id,
        "says": result.check.says,
        "holds": result.holds,
        "failed": result.failed,
        "count": result.count,
        "violations": [
            {
                "code": violation.code,
                "about": dict(violation.about),
                "numbers": {name: str(number) for name, number in violation.numbers.items()},
            }
            for violation in result.violations
        ],
    }
