"""Owns the messages of an EDIFACT interchange: envelope, parts of an invoice, whose party a segment is.

Must never read a value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from treasurer.documents.draft import Draft
from treasurer.documents.edifact_segments import Segment

_ANY = "any"
_PARTY_ENDS = frozenset(
    {"TAX", "CUX", "PAT", "PYT", "TDT", "TOD", "LOC", "EQD", "PAC", "ALC", "EFI"}
)
"""Segments that begin a group behind the parties, or beside them."""


class Part(StrEnum):
    HEADER = "header"
    LINES = "lines"
    SUMMARY = "summary"


@dataclass(frozen=True, slots=True)
class Placed:
    """A segment with the part that it stands in, and the party (NAD) it belongs to."""

    segment: Segment
    part: Part
    party: str | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message, UNH to UNT. `release` is `D.14B`."""

    type: str
    release: str
    head: Segment
    placed: tuple[Placed, ...]

    def all(
        self, tag: str, qualifier: str | None = None, *, part: Part, party: str | None = _ANY
    ) -> list[Segment]:
        """Segments of that tag in that part, with that qualifier, of that party (None: of none)."""
        return [
            item.segment
            for item in self.placed
            if item.segment.tag == tag
            and item.part is part
            and (qualifier is None or item.segment.qualifier == qualifier)
            and (party in (_ANY, item.party))
        ]

    def one(
        self,
        draft: Draft,
        tag: str,
        qualifier: str | None = None,
        *,
        part: Part,
        name: str | None = None,
    ) -> Segment | None:
        """The one segment; a second rejects the document, even when equal."""
        found = self.all(tag, qualifier, part=part)
        return reject_second(draft, found, name)


def reject_second(draft: Draft, found: Sequence[Segment], name: str | None) -> Segment | None:
    """The first of `found`, None of none. Two, or a repetition inside one, reject the document."""
    if len(found) > 1 or (found and found[0].repeats):
        draft.reject(
            "DUPLICATE_ELEMENT",
            f"segment {found[-1].position} ({found[-1].tag}) names something that stands in segment "
            f"{found[0].position} already; ask for a corrected invoice",
            name,
        )
    return found[0] if found else None


def messages(segments: Sequence[Segment], draft: Draft) -> list[Message]:
    """The messages of an interchange. What the envelope says otherwise than what came is reviewed."""
    found: list[Message] = []
    body: list[Segment] = []
    head: Segment | None = None
    for segment in segments:
        if segment.tag == "UNH":
            if head is not None:
                _incomplete(draft)
            head, body = segment, []
        elif segment.tag == "UNT" and head is not None:
            if segment.get(1) != head.get(0):
                _incomplete(draft)
            found.append(_message(head, body))
            head = None
        elif head is not None:
            body.append(segment)
    if head is not None:
        _incomplete(draft)
        found.append(_message(head, body))
    end = segments[-1]
    count = end.get(0) if end.tag == "UNZ" else None
    if count is None or count.lstrip("0") != str(len(found)):
        _incomplete(draft)
    return found


def _incomplete(draft: Draft) -> None:
    draft.review(
        "EDIFACT_ENVELOPE", "the file's own count of its messages is another; ask for a new copy"
    )


def _message(head: Segment, body: Sequence[Segment]) -> Message:
    release = f"{head.get(1, 1) or ''}.{head.get(1, 2) or ''}"
    placed: list[Placed] = []
    part, party = Part.HEADER, None
    for segment in body:
        if segment.tag == "LIN":
            part = Part.LINES
        elif segment.tag == "UNS" and segment.qualifier == "S":
            part = Part.SUMMARY
        if segment.tag == "NAD":
            party = segment.qualifier
        elif segment.tag in _PARTY_ENDS or part is not Part.HEADER:
            party = None
        placed.append(Placed(segment, part, party))
    return Message(head.get(1, 0) or "", release, head, tuple(placed))
