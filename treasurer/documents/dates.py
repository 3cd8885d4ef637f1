"""Owns the reading of printed dates. Must never choose between day and month."""

import re
from datetime import date

_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)", re.ASCII)
_XML = re.compile(r"(\d{4}-\d{2}-\d{2})(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)
_DOTTED = re.compile(r"(?<!\d)(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})(?!\d)", re.ASCII)
_SLASHED = re.compile(r"(?<!\d)(\d{1,2})([/-])(\d{1,2})\2(\d{4})(?!\d)", re.ASCII)
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})[/.](\d{1,2})[/.](\d{1,2})(?!\d)", re.ASCII)
_NAMED_DAY_FIRST = re.compile(
    r"(?<!\d)(\d{1,2})(?:\.|st|nd|rd|th|er)?[\s-]+([^\W\d_]{3,10})\.?,?[\s-]+(\d{4})(?!\d)"
)
_NAMED_MONTH_FIRST = re.compile(
    r"([^\W\d_]{3,10})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?!\d)"
)

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january januar janv janvier",
            "feb february februar févr fevr février fevrier",
            "mar march mär märz mrz mars",
            "apr april avr avril",
            "may mai",
            "jun june juni juin",
            "jul july juli juil juillet",
            "aug august août aout",
            "sep sept september septembre",
            "oct october okt oktober octobre",
            "nov november novembre",
            "dec december dez dezember déc décembre decembre",
        ),
        start=1,
    )
    for name in names.split()
}


def xml_date(text: str) -> str | None:
    """The ISO date of an `xs:date`, whose zone is dropped: an invoice is dated where it is issued."""
    match = _XML.fullmatch(text)
    return _valid(*map(int, match[1].split("-"))) if match else None


def find_date(text: str, *, day_first: bool) -> tuple[str | None, bool]:
    """The first date in `text` as ISO, and whether one is there that cannot be read surely.

    `day_first` says that the label's language writes 03/11 for the third of November.
    """
    if match := _ISO.search(text) or _YEAR_FIRST.search(text):
        found = _valid(int(match[1]), int(match[2]), int(match[3]))
    elif match := _DOTTED.search(text):
        year = int(match[3]) if len(match[3]) == 4 else 2000 + int(match[3])
        found = _valid(year, int(match[2]), int(match[1]))
    elif match := _SLASHED.search(text):
        found = _slashed(int(match[1]), int(match[3]), int(match[4]), day_first=day_first)
    elif (match := _NAMED_DAY_FIRST.search(text)) and match[2].lower() in _MONTHS:
        found = _valid(int(match[3]), _MONTHS[match[2].lower()], int(match[1]))
    elif (match := _NAMED_MONTH_FIRST.search(text)) and match[1].lower() in _MONTHS:
        found = _valid(int(match[3]), _MONTHS[match[1].lower()], int(match[2]))
    else:
        return None, False
    return found, found is None


def _slashed(first: int, second: int, year: int, *, day_first: bool) -> str | None:
    if day_first or first > 12:
        return _valid(year, second, first)
    if second > 12 or first == second:
        return _valid(year, first, second)
    return None


def _valid(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
