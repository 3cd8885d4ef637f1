"""Owns a reading under construction: readers put fields and findings, checks add to them.

Must never hold a field without its evidence, and never lower a finding that was made.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from treasurer.documents.reading import (
    EVIDENCE_CHARACTERS,
    Evidence,
    FieldValue,
    Finding,
    Outcome,
    Part,
    PrintedLine,
    Reading,
    Severity,
    Source,
)

_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What JSON readers or PostgreSQL refuse; shown as U+FFFD."""

MAX_FINDINGS = 200
PRINTED_CHARACTERS = 1_000_000
"""Several times what a model's budget lets it read; what lies beyond is not handed on."""


class Refused(Exception):
    """The document cannot be read at all: ends the reading as rejected with this one finding."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(slots=True)
class Draft:
    """Filled by one reader, then checked, then finished. `structured` says that the format names
    its fields itself, so that a missing one is the document's fault and not the reader's. A draft
    with `parts` is a container's: the checks of an invoice are not applied to it.
    """

    format: str
    structured: bool
    fields: dict[str, FieldValue] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    printed: list[PrintedLine] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def put(self, name: str, value: FieldValue, evidence: Evidence) -> None:
        """Record `value` as read at `evidence`, which is filed under `name`."""
        self.fields[name] = value
        if evidence.field == name and len(evidence.text) <= EVIDENCE_CHARACTERS:
            self.evidence[name] = evidence
        else:
            shown = evidence.text[:EVIDENCE_CHARACTERS]
            self.evidence[name] = replace(evidence, field=name, text=shown)

    def put_xpath(self, name: str, value: FieldValue, path: str, text: str | None = None) -> None:
        """Record a value of an XML document; `text` defaults to the value."""
        shown = text if text is not None else (value if isinstance(value, str) else "")
        self.put(name, value, Evidence(name, Source.XPATH, path, shown))

    def absent(self, name: str) -> None:
        """State that the document has no such field, for consumers that expect the key."""
        self.fields.setdefault(name, None)

    def text(self, name: str) -> str | None:
        """The field as text, None when absent or not text."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    def note(self, code: str, message: str, name: str | None = None) -> None:
        self.add(Finding(code, message, name, Severity.NOTE))

    def review(self, code: str, message: str, name: str | None = None) -> None:
        self.add(Finding(code, message, name, Severity.REVIEW))

    def reject(self, code: str, message: str, name: str | None = None) -> None:
        self.add(Finding(code, message, name, Severity.REJECT))

    def add(self, finding: Finding) -> None:
        """Record `finding`, once."""
        if finding in self.findings:
            return
        # A document must not fill the database with findings. The first of each severity is always
        # kept, so that the outcome stays right.
        if len(self.findings) >= MAX_FINDINGS and any(
            known.severity is finding.severity for known in self.findings
        ):
            return
        self.findings.append(finding)

    def finish(self, *, document_sha256: str, media_type: str) -> Reading:
        """The immutable reading; its outcome is the gravest finding's."""
        severities = {finding.severity for finding in self.findings}
        if Severity.REJECT in severities:
            outcome = Outcome.REJECTED
        elif Severity.REVIEW in severities:
            outcome = Outcome.REVIEW
        else:
            outcome = Outcome.ACCEPTED
        return Reading(
            outcome=outcome,
            findings=tuple(
                finding
                if _UNSTORABLE.search(finding.message) is None
                else replace(finding, message=_storable_text(finding.message))
                for finding in self.findings
            ),
            fields={name: _storable(value) for name, value in self.fields.items()},
            evidence=tuple(
                item
                if _UNSTORABLE.search(item.text) is None
                else replace(item, text=_storable_text(item.text))
                for item in self.evidence.values()
            ),
            document_sha256=document_sha256,
            format=self.format,
            media_type=media_type,
            printed=tuple(_within(self.printed, PRINTED_CHARACTERS)),
            parts=tuple(self.parts),
        )


def _within(lines: list[PrintedLine], characters: int) -> Iterator[PrintedLine]:
    """The first lines, as many as have that many characters together."""
    for line in lines:
        characters -= len(line.text)
        if characters < 0:
            return
        if _UNSTORABLE.search(line.text) is None:
            yield line
            continue
        yield replace(
            line,
            text=_storable_text(line.text),
            pieces=tuple((_storable_text(text), box) for text, box in line.pieces),
        )


def _storable_text(text: str) -> str:
    return text if text.isprintable() else _UNSTORABLE.sub("\ufffd", text)


def _storable(value: FieldValue) -> FieldValue:
    match value:
        case str():
            return _storable_text(value)
        case list():
            return [_storable(item) for item in value]
        case dict():
            return {_storable_text(key): _storable(item) for key, item in value.items()}
        case _:
            return value
