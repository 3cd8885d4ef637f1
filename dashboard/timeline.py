"""Owns the words for recorded events. Must never hide one: an unknown kind shows its own name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.wording import words
from treasurer.reports.trail import TrailEvent

_TITLES: Mapping[str, str] = {
    "payment.proposed": "Proposed",
    "payment.approved": "Approved for payment",
    "payment.denied": "Denied",
    "payment.expired": "Expired",
    "payment.drifted": "Asked again, because something changed since people agreed",
    "payment.returned": "Transfer voided, to be decided again",
    "payment.needs_attention": "Needs attention",
    "payment.settled": "Settled",
    "approval.requested": "People were asked",
    "approval.voted": "Vote",
    "approval.approved": "Quorum reached",
    "approval.refused": "Refused",
    "approval.expired": "Nobody decided in time",
    "approval.superseded": "No longer asked: a newer question or a credit note came",
    "transfer.reserved": "Reserved: the policy decided bindingly, the money is held",
    "transfer.signed": "Signed",
    "transfer.included": "Included in a block",
    "transfer.reorganized": "Its block left the chain; sent again",
    "transfer.settled": "Final on chain and booked",
    "transfer.voided": "Transfer voided",
    "transfer.cancelling": "Given up; its slot is being used up",
    "transfer.attempt": "Signed again for the same slot",
    "transfer.resolution": "A person proposed how to resolve it",
    "transfer.resolution_confirmed": "A second person agreed",
    "transfer.resolution_rejected": "The proposal was rejected",
    "transfer.resolved": "Resolved",
    "payment.resumed": "Executing again",
    "transfer.quarantined": "Quarantined: chain and books disagree",
}
_STOPS = frozenset(
    {
        "payment.denied",
        "payment.expired",
        "payment.needs_attention",
        "approval.refused",
        "approval.expired",
        "transfer.voided",
        "transfer.cancelling",
        "transfer.quarantined",
        "transfer.reorganized",
    }
)
_GOOD = frozenset({"payment.approved", "payment.settled", "approval.approved", "transfer.settled"})
_DETAILS = ("reason", "answer", "block_number", "nonce", "transaction_hash")
_MOST_CHARACTERS = 400
_UNREADABLE = ("_id", "_minor", "digest", "_hash", "sha256")
"""Endings of what only programs read; it stands in the whole payload."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline. `details` are label and text."""

    at: datetime
    title: str
    actor: str
    tone: str
    details: tuple[tuple[str, str], ...]


def steps(events: tuple[TrailEvent, ...]) -> list[Step]:
    """The events as a reader follows them, in their order; what one said the next does not repeat."""
    told: set[tuple[str, str]] = set()
    found = []
    for event in events:
        details = _details(event.payload)
        found.append(
            Step(
                at=event.at,
                title=title(event),
                actor=event.actor.name if event.actor else "",
                tone=_tone(event),
                details=tuple(detail for detail in details if detail not in told),
            )
        )
        told.update(details)
    return found


def title(event: TrailEvent) -> str:
    """What happened, in a few words."""
    if event.kind == "approval.voted":
        return "Voted to approve" if event.payload.get("choice") == "approve" else "Rejected"
    own = words(event.kind.replace(".", " "))
    return _TITLES.get(event.kind, own[:1].upper() + own[1:])


def summary(payload: Mapping[str, Any]) -> str:
    """A payload on a line, for the audit list; the whole of it opens below."""
    parts = [
        f"{words(name)} {value}"
        for name, value in payload.items()
        if isinstance(value, str | int) and not name.endswith(_UNREADABLE)
    ]
    text = ", ".join(parts)
    return text if len(text) <= 160 else f"{text[:159]}…"


def _tone(event: TrailEvent) -> str:
    if event.kind in _STOPS or event.payload.get("choice") == "reject":
        return "stop"
    return "good" if event.kind in _GOOD else "plain"


def _details(payload: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    found = []
    for name in _DETAILS:
        value = payload.get(name)
        if value not in (None, ""):
            text = str(value)
            if name == "transaction_hash" and not text.startswith("0x"):
                text = f"0x{text}"
            found.append((words(name), text[:_MOST_CHARACTERS]))
    return tuple(found)
