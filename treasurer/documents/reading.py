"""Owns what a reading is: outcome, findings, fields and their evidence. Must never hold an amount
as a number: decimal strings only, exactly as the document means them.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

FieldValue: TypeAlias = "str | int | bool | list[FieldValue] | dict[str, FieldValue] | None"
"""Amounts and rates are decimal strings, dates ISO 8601, absent values None."""

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in ten-thousandths of the page's width and height, from its top left."""


def around(boxes: Iterable[Box]) -> Box | None:
    """The smallest box around all of `boxes`; None where there are none."""
    sides = list(zip(*boxes, strict=True))
    if not sides:
        return None
    lefts, tops, rights, bottoms = sides
    return min(lefts), min(tops), max(rights), max(bottoms)


EVIDENCE_CHARACTERS = 300
"""How much of what is printed there an evidence shows."""


class Outcome(StrEnum):
    """Speaks of the reading alone. Whether the invoice may be paid is the policy's question."""

    ACCEPTED = "accepted"
    REVIEW = "review"
    REJECTED = "rejected"


class Severity(StrEnum):
    """What a finding does to the outcome: nothing, at least review, rejected."""

    NOTE = "note"
    REVIEW = "review"
    REJECT = "reject"


class Source(StrEnum):
    """How `Evidence.location` is to be read."""

    XPATH = "xpath"
    PAGE = "page"
    LINE = "line"
    POINTER = "pointer"
    """A JSON pointer, RFC 6901."""
    SEGMENT = "segment"
    """A segment of EDIFACT, counted from 1: `segment 96, MOA`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person or a policy should know. `code` is stable, `message` says what to do."""

    code: str
    message: str
    field: str | None
    severity: Severity


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a field stands in the document. `text` is what is printed there, shortened.

    `page` counts from 1. `location` is an XPath (behind the file's name where it is one inside a
    PDF), a JSON pointer, `segment 96, MOA`, `row 2, column amount`, or `line 7` / `page 1, line 7`.
    """

    field: str
    source: Source
    location: str
    text: str
    page: int | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line as a person sees it. `number` counts from 1 on its page, or in a file without pages. On a
    page it is made of pieces, each with its box.
    """

    text: str
    number: int
    page: int | None = None
    pieces: tuple[tuple[str, Box], ...] = ()

    def box(self, prints: Callable[[str], bool]) -> Box | None:
        """Where on the page the line prints something: the one piece that does by itself, else the box
        around all of them. None in a file without pages.
        """
        for text, box in self.pieces:
            if prints(text):
                return box
        return around(box for _, box in self.pieces)

    def evidence(self, name: str, box: Box | None = None) -> Evidence:
        """This line as the evidence of a field."""
        shown = self.text[:EVIDENCE_CHARACTERS]
        if self.page is None:
            return Evidence(name, Source.LINE, f"line {self.number}", shown)
        location = f"page {self.page}, line {self.number}"
        return Evidence(name, Source.PAGE, location, shown, self.page, box)


@dataclass(frozen=True, slots=True)
class Part:
    """A document found inside another one: a mail's attachment, a row of a batch.

    `content` is what is received as a document of its own; `location` says where it stood, such as
    `attachment 2` or `row 7`. Name and media type are the sender's words.
    """

    content: bytes
    filename: str | None
    media_type: str
    location: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One document, read. Fields are named after EN 16931 terms; accepted means that every field a
    payment needs was read with evidence and nothing contradicts.

    `parts` are the documents of a container (a mail, a batch), which is no invoice itself: each is
    received and read by itself. They are no part of the record, only their names and hashes are.

    `printed` is what a person sees of a text or a PDF, for a second reader to read: hidden text and
    invisible characters are not in it. It is no part of the record: never stored, shown or compared.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    fields: Mapping[str, FieldValue]
    evidence: tuple[Evidence, ...]
    document_sha256: str
    format: str
    media_type: str
    printed: tuple[PrintedLine, ...] = field(default=(), compare=False, repr=False)
    parts: tuple[Part, ...] = field(default=(), compare=False, repr=False)

    def has(self, code: str) -> bool:
        """Whether a finding of that code was made."""
        return any(finding.code == code for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The storage shape: evidence keyed by field, enums as their values, no printed lines, of
        parts no content.
        """
        shape: dict[str, Any] = {
            "outcome": self.outcome.value,
            "findings": [
                {
                    "code": finding.code,
                    "severity": finding.severity.value,
                    "field": finding.field,
                    "message": finding.message,
                }
                for finding in self.findings
            ],
            "fields": dict(self.fields),
            "evidence": {
                item.field: {
                    "source": item.source.value,
                    "location": item.location,
                    "text": item.text,
                    "page": item.page,
                    "box": None if item.box is None else list(item.box),
                }
                for item in self.evidence
            },
            "document_sha256": self.document_sha256,
            "format": self.format,
            "media_type": self.media_type,
        }
        if self.parts:
            shape["parts"] = [
                {
                    "location": part.location,
                    "filename": part.filename,
                    "media_type": part.media_type,
                    "sha256": hashlib.sha256(part.content).hexdigest(),
                }
                for part in self.parts
            ]
        return shape


def reading_from_json(data: Mapping[str, Any]) -> Reading:
    """Inverse of `Reading.to_json`, without parts.

    Raises KeyError, TypeError or ValueError on another shape.
    """
    return Reading(
        outcome=Outcome(data["outcome"]),
        findings=tuple(
            Finding(item["code"], item["message"], item["field"], Severity(item["severity"]))
            for item in data["findings"]
        ),
        fields=data["fields"],
        evidence=tuple(
            Evidence(
                field=field,
                source=Source(item["source"]),
                location=item["location"],
                text=item["text"],
                page=item["page"],
                box=None if item["box"] is None else _box(item["box"]),
            )
            for field, item in data["evidence"].items()
        ),
        document_sha256=data["document_sha256"],
        format=data["format"],
        media_type=data["media_type"],
    )


def refusal(
    code: str,
    message: str,
    *,
    document_sha256: str,
    format: str = "unknown",
    media_type: str = "application/octet-stream",
) -> Reading:
    """A rejected reading without fields, for a document that could not be opened at all."""
    finding = Finding(code, message, None, Severity.REJECT)
    return Reading(Outcome.REJECTED, (finding,), {}, (), document_sha256, format, media_type)


def _box(values: list[int]) -> Box:
    left, top, right, bottom = values
    return left, top, right, bottom
