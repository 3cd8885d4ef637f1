"""Owns what people may say of a quarantined transfer. Pure; must never be one person's word."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from treasurer.kernel.ids import TransferId, UserId

ResolutionId = NewType("ResolutionId", UUID)


class ResolutionOutcome(StrEnum):
    """What two people ask for. The chain has to bear it out, or nothing is changed."""

    SETTLED = "settled"
    """Its own transaction is final and paid every item, whatever else moved in that block."""
    VOID = "void"
    """Its slot was used up in a final block, and not by a payment of ours."""
    BROADCAST = "broadcast"
    """Look at the chain again as if it had just been sent."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """One proposal and what came of it. `result` says why the chain did not bear it out.

    From `claimed_at` on the saga acts on it, and it can be rejected no more.
    """

    id: ResolutionId
    transfer_id: TransferId
    outcome: ResolutionOutcome
    reason: str
    proposed_by: UserId
    proposed_at: datetime
    confirmed_by: UserId | None
    confirmed_at: datetime | None
    claimed_at: datetime | None
    ended_at: datetime | None
    result: str


@dataclass(frozen=True, slots=True)
class QuarantinedTransfer:
    """A transfer that waits for people, with the open proposal, if there is one."""

    id: TransferId
    sender: str
    nonce: int | None
    reason: str
    payment_ids: tuple[UUID, ...]
    created_at: datetime
    open: Resolution | None
