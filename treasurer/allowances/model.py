"""Owns what an allowance is and how it ends. Pure; must never be unlimited or one person's word."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treasurer.kernel.allowance_order import AllowanceOrder
from treasurer.kernel.ids import AllowanceId, UserId


class AllowanceState(StrEnum):
    """Proposed by one person, confirmed by another, then on its way in a transfer until that ends."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    EXECUTING = "executing"
    SETTLED = "settled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Allowance:
    """One proposal with the order whose bytes the signer gets. `result` says how it ended."""

    id: AllowanceId
    order: AllowanceOrder
    state: AllowanceState
    proposed_by: UserId
    proposed_at: datetime
    confirmed_by: UserId | None
    result: str
