"""Owns what an incident is. Pure; must never be closed by a program."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from treasurer.kernel.ids import UserId

IncidentId = NewType("IncidentId", UUID)


class IncidentKind(StrEnum):
    """What happened; in each case the money stands still or the books hold, and somebody has to look."""

    TRANSFER_QUARANTINED = "transfer.quarantined"
    """Chain and books contradict each other about a transfer."""
    PAID_AFTER_CANCEL = "transfer.paid_after_cancel"
    """A payment that people had reason to stop won against its cancel."""
    SIGNER_REFUSED = "signer.refused"
    """The signer did not sign what was approved."""
    PROVIDERS_CONTRADICT = "providers.contradict"
    """Two nodes tell different final chains."""
    HEAD_REFUSED = "audit.head_refused"
    """The signer found another history below an audit head."""
    FOREIGN_OUTFLOW = "wallet.foreign_outflow"
    """Tokens left a wallet in a transaction that none of our attempts made."""
    FINAL_BLOCK_CHANGED = "chain.final_block_changed"
    """A block that was final is another one: no deposit is booked from here on."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One that is open until a person closes it, about a transfer, a wallet or the organization."""

    id: IncidentId
    kind: IncidentKind
    subject_id: UUID
    message: str
    opened_at: datetime
    acknowledged_by: UserId | None
    acknowledged_at: datetime | None
    closed_by: UserId | None
    closed_at: datetime | None
    note: str
