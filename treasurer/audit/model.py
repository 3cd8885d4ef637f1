"""Owns what an audit event is and how the chain is hashed. Pure; must never drop a field from a hash.

The chain covers salted commitments to the content, so that erasing a person's data (payload and
salt) leaves every hash verifiable.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from treasurer.kernel.audit_head import follow
from treasurer.kernel.clock import iso
from treasurer.kernel.digest import Canonical, canonical_json, digest
from treasurer.kernel.ids import UserId

GENESIS_HASH = bytes(32)
"""What the first seal of an organization follows."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One fact about one aggregate. `actor_id` is None where the system acts on its own."""

    aggregate: str
    aggregate_id: UUID
    kind: str
    payload: Mapping[str, Canonical]
    actor_id: UserId | None = None


@dataclass(frozen=True, slots=True)
class SealedEvent:
    """A stored event with its seal, as the verifier reads it. Erased content is None."""

    sequence: int
    event_id: UUID
    aggregate: str
    aggregate_id: UUID
    version: int
    kind: str
    occurred_at: datetime
    commitment: bytes
    hash: bytes
    salt: bytes | None
    actor_id: UUID | None
    payload: Mapping[str, Canonical] | None


def commitment(salt: bytes, actor_id: UUID | None, payload: Mapping[str, Canonical]) -> bytes:
    """SHA-256 over salt, actor and payload: 32 bytes that reveal nothing once the salt is gone."""
    content = {"actor_id": str(actor_id) if actor_id else None, "payload": payload}
    return digest(salt + canonical_json(content))


def seal_content(event: SealedEvent) -> bytes:
    """What a seal covers: all of the event but its erasable content."""
    return canonical_json(
        {
            "sequence": event.sequence,
            "event_id": str(event.event_id),
            "aggregate": event.aggregate,
            "aggregate_id": str(event.aggregate_id),
            "version": event.version,
            "kind": event.kind,
            "occurred_at": iso(event.occurred_at),
            "commitment": event.commitment.hex(),
        }
    )


def seal_hash(previous: bytes, event: SealedEvent) -> bytes:
    """SHA-256 over the previous seal and the event's `seal_content`."""
    return follow(previous, seal_content(event))


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first place where the chain does not hold, and why."""

    sequence: int
    reason: str


class ChainVerifier:
    """Checks seals in order, in constant memory for each aggregate seen. Feed it from sequence 1."""

    def __init__(self) -> None:
        self.sequence = 0
        self.hash = GENESIS_HASH
        self._versions: dict[UUID, int] = {}

    def check(self, events: Iterable[SealedEvent]) -> ChainFault | None:
        """Return the first fault, or None when all of `events` continue the chain."""
        for event in events:
            fault = self._fault(event)
            if fault:
                return ChainFault(event.sequence, fault)
            self.sequence, self.hash = event.sequence, event.hash
            self._versions[event.aggregate_id] = event.version
        return None

    def _fault(self, event: SealedEvent) -> str | None:
        if event.sequence != self.sequence + 1:
            return f"follows sequence {self.sequence}: a seal is missing"
        if event.version != self._versions.get(event.aggregate_id, 0) + 1:
            return f"{event.aggregate} {event.aggregate_id} skips to version {event.version}"
        if event.salt is not None and event.payload is not None:
            expected = commitment(event.salt, event.actor_id, event.payload)
            if expected != event.commitment:
                return "the content was changed after it was recorded"
        if seal_hash(self.hash, event) != event.hash:
            return "the seal does not follow from the one before"
        return None
