"""Owns the characters that make people and programs read different things.

Must never remove one silently: a stripped character is still a finding.
"""

import re
import unicodedata
from functools import lru_cache

BIDI_CONTROL = "BIDI_CONTROL"
INVISIBLE_UNICODE = "INVISIBLE_UNICODE"
CONTROL_CHARACTER = "CONTROL_CHARACTER"

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Zero-width space and joiners, word joiner and invisible operators, byte order mark inside text,
# Mongolian vowel separator, Hangul fillers, Braille blank, tag characters, variation selectors.
_INVISIBLE = (
    "\u200b-\u200d\u2060-\u2065\ufeff\u180b-\u180e\u115f\u1160\u3164\uffa0\u2800\u034f"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef"
)
_CONTROL = "\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f"

_CLASSES = (
    (
        BIDI_CONTROL,
        re.compile(f"[{_BIDI}]"),
        "the document carries characters that reverse the direction of text; compare it by eye",
    ),
    (
        INVISIBLE_UNICODE,
        re.compile(f"[{_INVISIBLE}]"),
        "the document carries invisible characters; compare what is printed with what was read",
    ),
    (
        CONTROL_CHARACTER,
        re.compile(f"[{_CONTROL}]"),
        "the document carries control characters; ask the sender for a clean copy",
    ),
)
_ANY = re.compile(f"[{_BIDI}{_INVISIBLE}{_CONTROL}]")
_NON_ASCII_DIGIT = re.compile(r"(?![0-9])\d")

_IMITATING = frozenset({"CYRILLIC", "GREEK", "CHEROKEE", "ARMENIAN", "COPTIC", "LISU"})


def deceptive(text: str) -> list[tuple[str, str]]:
    """Code and message for each class of deceptive character in `text`, in a fixed order."""
    if _ANY.search(text) is None:
        return []
    return [(code, message) for code, pattern, message in _CLASSES if pattern.search(text)]


def visible(text: str) -> str:
    """`text` without the characters that `deceptive` reports, for showing and for matching."""
    return text if text.isascii() and text.isprintable() else _visible(text)


@lru_cache(maxsize=4096)
def _visible(text: str) -> str:
    return _ANY.sub("", text)


def has_non_ascii_digit(text: str) -> bool:
    """Whether `text` has a decimal digit of another script, which `Decimal` would accept."""
    return _NON_ASCII_DIGIT.search(text) is not None


def may_mix_scripts(text: str) -> bool:
    """Whether `text` has a letter of a script that imitates Latin: then `mixes_scripts` is worth asking."""
    return not text.isascii() and any(
        _script(character) in _IMITATING for character in text if character.isalpha()
    )


def mixes_scripts(text: str) -> bool:
    """Whether one word of `text` has letters of Latin and of a script that imitates them (TR39)."""
    for word in text.split():
        scripts = {_script(character) for character in word if character.isalpha()}
        if "LATIN" in scripts and scripts & _IMITATING:
            return True
    return False


@lru_cache(maxsize=1024)
def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]
