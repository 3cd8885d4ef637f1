"""Finds the label that a piece of text begins with, and parts it from its value.

Must never know a single supplier; the words are those of `vocabulary`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from treasurer.documents.unicode import visible
from treasurer.documents.vocabulary import LONGEST, VOCABULARY, Label, first_word, words_of

SEGMENT_CHARACTERS = 400
"""No label and value together are longer; a longer line is prose, and is cut before matching."""

_HEAD_CHARACTERS = 90
_PERCENT = re.compile(r"(?<![\w.,])\d{1,2}(?:[.,]\d{1,4})?\s?%")
_BETWEEN = re.compile(r"[\s.\-'’/°º&]{0,10}")
_PART_OF_WORD = re.compile(r"[-'’](?=[^\W_])")
_AFTER = re.compile(
    r"[°º]?(?P<qualifier>(?:\s*\([^()]{0,60}\)|\s*\*|\s*\d{1,2}(?:[.,]\d{1,4})?\s?%"
    r"|\s+(?:in\s+)?[A-Z]{3}(?=\s*(?::|$)))*)"
    r"\s*(?P<mark>[:=#]|\.{2,}|\.(?=\s|:|$))*\s*"
)
_FIRST_WORDS = frozenset(key[0] for key in VOCABULARY)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A label at the beginning of a segment, what stands in brackets behind it, and the rest.

    `marked` tells that a colon or the like parts label and rest.
    """

    label: Label
    qualifier: str
    marked: bool
    rest: str


@lru_cache(maxsize=4096)
def match_label(segment: str) -> Labelled | None:
    """The longest label that `segment` begins with. Invisible characters cannot hide a label."""
    text = segment.strip()[:SEGMENT_CHARACTERS]
    shown = visible(text)
    found = _longest(shown)
    if found is None:
        return None
    label, end, percent = found
    after = _AFTER.match(shown, end)
    if after is None:
        raise AssertionError("every part of the pattern may be empty")
    rest = shown[after.end() :]
    if shown != text:
        # Keep the deceptive characters of the value, so that whoever reads it sees them.
        rest = text[len(text) - _tail_length(text, rest) :]
    qualifier = f"{percent} {after['qualifier']}".strip()
    return Labelled(label, qualifier, after["mark"] is not None, rest)


def _longest(shown: str) -> tuple[Label, int, str] | None:
    """The label, where it ends, and the percentages within it: `zzgl. 19 % MwSt`."""
    head = shown[:_HEAD_CHARACTERS]
    percents = _PERCENT.findall(head) if "%" in head else []
    if percents:
        head = _PERCENT.sub(lambda match: " " * len(match.group()), head)
    if first_word(head) not in _FIRST_WORDS:
        return None
    words = words_of(head)[:LONGEST]
    if not _BETWEEN.fullmatch(head[: _start(head, words[0][1])].lstrip("•*-–·● ")):
        return None
    best: tuple[Label, int] | None = None
    key: tuple[str, ...] = ()
    for position, (word, end) in enumerate(words):
        if position and not _BETWEEN.fullmatch(head[words[position - 1][1] : _start(head, end)]):
            break
        if word:
            key = (*key, word)
        label = VOCABULARY.get(key)
        if label is not None and not _PART_OF_WORD.match(shown, end):
            best = label, end
    if best is None:
        return None
    label, end = best
    within = [text for text in percents if shown.find(text) < end]
    return label, end, " ".join(within)


def _start(text: str, end: int) -> int:
    """Where the word that ends at `end` begins."""
    start = end
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "#+"):
        start -= 1
    return start


def _tail_length(text: str, shown_rest: str) -> int:
    """How many characters at the end of `text` show as `shown_rest`, invisible ones before included."""
    for start in range(len(text)):
        if visible(text[start:]) == shown_rest:
            return len(text) - start
    return 0
