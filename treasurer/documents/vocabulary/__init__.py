"""Owns the words by which invoices name their fields: one file a language and one line here.

A strong label names its field for certain; a weak one (`~`: Total, Date, Invoice) counts only where no
strong one stands. `other` are labels of what is no field, so that their values are not mistaken.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from treasurer.documents.vocabulary import (
    czech,
    dutch,
    english,
    french,
    german,
    italian,
    nordic,
    polish,
    portuguese,
    spanish,
)

LANGUAGES = (
    english, german, french, spanish, italian, dutch, polish, nordic, portuguese, czech,
)  # fmt: skip
"""Where languages share a phrase with different meaning, the first one named here is followed."""

OTHER = "other"
_WORD = re.compile(r"[^\W_]+|[#+]")


@dataclass(frozen=True, slots=True)
class Label:
    """`day_first` holds where every language of the phrase writes 03/11 for the third of November."""

    field: str
    strong: bool
    day_first: bool


def words_of(text: str) -> list[tuple[str, int]]:
    """The words of `text` as they are compared, without case and accents, each with its end."""
    return [(plain(match.group()), match.end()) for match in _WORD.finditer(text)]


def first_word(text: str) -> str | None:
    """The first of `words_of`, None where there is none."""
    match = _WORD.search(text)
    return None if match is None else plain(match.group())


@lru_cache(maxsize=4096)
def plain(word: str) -> str:
    """Without case and accents: upper-case print often drops them."""
    if word.isascii():
        return word.lower()
    # The masculine ordinal and the degree sign both abbreviate `number`: n°, nº.
    folded = word.replace("º", "").replace("°", "").casefold()
    folded = folded.replace("ł", "l").replace("ø", "o").replace("æ", "ae")
    return "".join(c for c in unicodedata.normalize("NFD", folded) if not unicodedata.combining(c))


def _vocabulary() -> dict[tuple[str, ...], Label]:
    known: dict[tuple[str, ...], Label] = {}
    for language in LANGUAGES:
        for field, phrases in language.WORDS.items():
            for phrase in phrases.split("|"):
                key = tuple(word for word, _end in words_of(phrase) if word)
                before = known.get(key)
                if before is None:
                    known[key] = Label(field, not phrase.startswith("~"), language.DAY_FIRST)
                elif (before.field == field and not language.DAY_FIRST) or (
                    before.field == field and before.day_first != language.DAY_FIRST
                ):
                    known[key] = Label(field, before.strong, False)
    return known


VOCABULARY = _vocabulary()
LONGEST = max(map(len, VOCABULARY))
"""In words."""
