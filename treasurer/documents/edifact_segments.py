"""Owns the syntax of UN/EDIFACT (ISO 9735): separators, release character, segments, binary objects.

Must never guess a separator, nor join what a segment keeps apart.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from treasurer.documents.draft import Refused
from treasurer.documents.reading import Evidence, Source

_TAG = re.compile(r"[A-Z]{3}", re.ASCII)
_MOST_SEGMENTS = 200_000
_ENCODINGS = {
    "UNOA": "ascii", "UNOB": "ascii", "UNOC": "iso8859-1", "UNOD": "iso8859-2", "UNOE": "iso8859-5",
    "UNOF": "iso8859-7", "UNOG": "iso8859-3", "UNOH": "iso8859-4", "UNOI": "iso8859-6",
    "UNOJ": "iso8859-8", "UNOK": "iso8859-9", "UNOW": "utf-8", "UNOY": "utf-8",
}  # fmt: skip
"""Syntax identifiers of UNB (0001)."""
for _encoding in _ENCODINGS.values():
    # The child that reads can open no file later, and Python loads codecs from files.
    codecs.lookup(_encoding)


@dataclass(frozen=True, slots=True)
class Separators:
    """As UNA declares them, else the standard's. `repetition` is a blank where there is none."""

    component: str = ":"
    element: str = "+"
    decimal: str = "."
    release: str = "?"
    repetition: str = " "
    terminator: str = "'"


@dataclass(frozen=True, slots=True)
class Segment:
    """`elements` hold components, release characters removed. `position` counts from 1 in the file."""

    tag: str
    elements: tuple[tuple[str, ...], ...]
    position: int
    raw: str
    repeats: bool

    def get(self, element: int, component: int = 0) -> str | None:
        """The component, counted from 0 after the tag; None when absent or empty."""
        try:
            return " ".join(self.elements[element][component].split()) or None
        except IndexError:
            return None

    @property
    def qualifier(self) -> str | None:
        """What says which of its kind a segment is: `9` of `MOA+9:801.78`."""
        return self.get(0)

    def evidence(self, name: str) -> Evidence:
        """This segment as the evidence of a field."""
        location = f"segment {self.position}, {self.tag}"
        return Evidence(name, Source.SEGMENT, location, self.raw)


def looks_like_edifact(text: str) -> bool:
    """An interchange begins with UNA or UNB."""
    start = text[:200].lstrip("\ufeff \t\r\n")
    return re.match(r"UNA[^\w\s]{2}|UNB[^\w\s]UN[A-Z]{2}", start) is not None


def decoded(content: bytes) -> str | None:
    """The text in the character set that UNB names; None where another one was used after all."""
    match = re.search(rb"UNB.(UN[A-Z]{2})", content[:400])
    encoding = _ENCODINGS.get(match[1].decode("ascii")) if match else None
    if encoding is None:
        return None
    try:
        return content.removeprefix(b"\xef\xbb\xbf").decode(encoding)
    except UnicodeDecodeError:
        return None


def segments(text: str) -> tuple[Separators, list[Segment]]:
    """All segments in order. Raises Refused EDIFACT_BROKEN for what is no EDIFACT."""
    text = text.lstrip("\ufeff \t\r\n")
    separators = Separators()
    if text.startswith("UNA"):
        declared = text[3:9]
        marks = declared.replace(" ", "")
        if len(declared) < 6 or len(set(marks)) < len(marks) or " " in (*declared[:3], declared[5]):
            raise _broken("its separators (UNA) are not different characters")
        separators = Separators(*declared)
        text = text[9:]
    found = list(_split(text, separators))
    if not found:
        raise _broken("it holds no segment")
    return separators, found


def _split(text: str, separators: Separators) -> Iterator[Segment]:
    release, terminator = map(re.escape, (separators.release, separators.terminator))
    plain = rf"[^{terminator}]*{terminator}"
    released = rf"(?:{release}.|[^{release}{terminator}])*{terminator}"
    whole = re.compile(plain if separators.release == " " else released, re.DOTALL)
    start, position = _past_blanks(text, 0), 0
    while start < len(text):
        match = whole.match(text, start)
        if match is None:
            raise _broken(f"after segment {position} it breaks off")
        position += 1
        if position > _MOST_SEGMENTS:
            raise Refused("TOO_MANY_LINES", "the interchange has too many segments for an invoice")
        segment = _segment(match.group()[:-1], position, separators)
        yield segment
        start = match.end()
        if segment.tag == "UNO":
            start = _after_object(text, start, segment)
        start = _past_blanks(text, start)


def _past_blanks(text: str, start: int) -> int:
    """Line ends between segments are no content."""
    while start < len(text) and text[start].isspace():
        start += 1
    return start


def _after_object(text: str, start: int, segment: Segment) -> int:
    """Behind a binary object (UNO … UNP), whose bytes are no segments and are never opened."""
    length = segment.get(3)
    size = int(length) if length is not None and re.fullmatch(r"[0-9]{1,9}", length) else 0
    if text.startswith("UNP", start + size):
        return start + size
    found = text.find("UNP", start)
    if found < 0:
        raise _broken("an object (UNO) has no end (UNP)")
    return found


def _segment(raw: str, position: int, separators: Separators) -> Segment:
    parts = _parts(raw, separators.element, separators.release)
    tag = parts[0][:3]
    if _TAG.fullmatch(tag) is None:
        raise _broken(f"segment {position} has no tag")
    elements: list[tuple[str, ...]] = []
    repeats = False
    for part in parts[1:]:
        chosen = part
        if separators.repetition != " ":
            chosen, *others = _parts(part, separators.repetition, separators.release)
            repeats = repeats or bool(others)
        components = _parts(chosen, separators.component, separators.release)
        elements.append(tuple(_released(text, separators.release) for text in components))
    return Segment(tag, tuple(elements), position, raw, repeats)


def _parts(text: str, separator: str, release: str) -> list[str]:
    """Split where `separator` is not released; release characters stay for the next level."""
    if release == " " or release not in text:
        return text.split(separator)
    parts, current, position = [], "", 0
    while position < len(text):
        character = text[position]
        if character == release:
            current += text[position : position + 2]
            position += 2
            continue
        if character == separator:
            parts.append(current)
            current = ""
        else:
            current += character
        position += 1
    return [*parts, current]


def _released(text: str, release: str) -> str:
    if release == " ":
        return text
    return re.sub(rf"{re.escape(release)}(.)", r"\1", text, flags=re.DOTALL)


def _broken(why: str) -> Refused:
    return Refused("EDIFACT_BROKEN", f"the EDIFACT file cannot be read: {why}; send it again")
