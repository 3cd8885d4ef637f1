"""Owns where in a document's text a field stands. Pure; must never parse: the text was read already.

An element is found by its path, a segment or a value by being there exactly once. What is not found
with certainty gets no place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LEAST_CHARACTERS = 3
"""A shorter value stands in a document by chance."""

_TOKEN = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    r"|<(?P<close>/?)(?P<name>[^\s/>\"'<=!?]+)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>",
    re.DOTALL,
)
_STEP = re.compile(r"(?:[^:\[]+:)?(?P<local>[^:\[]+)(?:\[(?P<position>\d+)\])?")
_SOFT_BREAK = re.compile(r">(?=<)")
_LONG_LINE = 160


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line; `mark` is its id on the page where a field stands there."""

    text: str
    mark: str | None


@dataclass(slots=True)
class _Open:
    """An element whose end was not seen yet, with the names of the children that were."""

    name: str
    path: str
    start: int
    tag_end: int
    children: dict[str, int] = field(default_factory=dict)
    spelt: dict[str, str] = field(default_factory=dict)


Span = tuple[int, int]


def spans_of(text: str, evidence: Mapping[str, Mapping[str, Any]]) -> dict[str, Span]:
    """By field, the characters of `text` where it stands. Fields of one element share its span."""
    elements = _elements(text) if any(e["source"] == "xpath" for e in evidence.values()) else {}
    found: dict[str, Span] = {}
    for name, each in evidence.items():
        span = (
            elements.get(_canonical(str(each["location"])))
            if each["source"] == "xpath"
            else _only_occurrence(text, str(each["text"]))
        )
        if span is not None:
            found[name] = span
    return found


def lines_of(text: str, spans: Mapping[str, Span], *, markup: bool) -> list[tuple[Piece, ...]]:
    """The text in lines, cut at the spans, whose pieces are marked `place-N` in order.

    Long lines of markup are broken between two tags, for the eye alone.
    """
    marks = {span: f"place-{i}" for i, span in enumerate(sorted(set(spans.values())), start=1)}
    lines: list[tuple[Piece, ...]] = []
    waiting = sorted(marks)
    for start, end in _line_bounds(text, markup=markup):
        pieces: list[Piece] = []
        position = start
        while waiting and waiting[0][0] < end:
            span = waiting.pop(0)
            if span[0] < position:
                continue
            pieces.append(Piece(text[position : span[0]], None))
            position = min(span[1], end)
            pieces.append(Piece(text[span[0] : position], marks[span]))
        pieces.append(Piece(text[position:end], None))
        lines.append(tuple(piece for piece in pieces if piece.text))
    return lines


def anchors_of(spans: Mapping[str, Span]) -> dict[str, str]:
    """By field, the mark that `lines_of` gives its span."""
    marks = {span: f"place-{i}" for i, span in enumerate(sorted(set(spans.values())), start=1)}
    return {name: marks[span] for name, span in spans.items()}


def _line_bounds(text: str, *, markup: bool) -> list[Span]:
    bounds: list[Span] = []
    start = 0
    for line in text.splitlines(keepends=True):
        end = start + len(line.rstrip("\r\n"))
        cuts = [start]
        if markup and end - start > _LONG_LINE:
            cuts += [match.end() for match in _SOFT_BREAK.finditer(text, start, end)]
        bounds += zip(cuts, [*cuts[1:], end], strict=True)
        start += len(line)
    return bounds


def _only_occurrence(text: str, value: str) -> Span | None:
    if len(value) < _LEAST_CHARACTERS:
        return None
    first = text.find(value)
    if first < 0 or text.find(value, first + 1) >= 0:
        return None
    return first, first + len(value)


def _elements(text: str) -> dict[str, Span]:
    """By canonical path: a value's element whole, of one with elements inside its start tag."""
    found: dict[str, Span] = {}
    root = _Open("", "", 0, 0)
    stack = [root]
    for match in _TOKEN.finditer(text):
        name = match["name"]
        if name is None:
            continue
        if match["close"]:
            ended = stack.pop() if len(stack) > 1 else root
            if ended.name != name:
                return found
            found[ended.path] = (
                (ended.start, ended.tag_end) if ended.children else (ended.start, match.end())
            )
            continue
        parent = stack[-1]
        local = name.rpartition(":")[2]
        # Two spellings of one local name are two namespaces: which one is meant cannot be told here.
        known = parent.spelt.setdefault(local, name)
        position = parent.children[local] = parent.children.get(local, 0) + 1
        path = f"{parent.path}/{local}[{position}]" if known == name else f"{parent.path}/?"
        if match.group().endswith("/>"):
            found[path] = match.span()
        else:
            stack.append(_Open(name, path, match.start(), match.end()))
    return found


def _canonical(location: str) -> str:
    """`/Invoice/cbc:ID` as `/Invoice[1]/ID[1]`; an attribute stands in its element."""
    steps = location.partition("/@")[0].split("/")[1:]
    path = ""
    for step in steps:
        match = _STEP.fullmatch(step)
        if match is None:
            return ""
        path += f"/{match['local']}[{match['position'] or 1}]"
    return path
