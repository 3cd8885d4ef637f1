"""Owns the reading of printed dates in many languages. Must never choose between day and month.

What settles `03/11/2026` is evidence: another date of the document that can only be read one way, or
a label's language that writes the day first.
"""

import re
from collections.abc import Iterable
from datetime import date

from treasurer.documents.vocabulary import plain

_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)", re.ASCII)
_XML = re.compile(r"(\d{4}-\d{2}-\d{2})(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)
_DOTTED = re.compile(r"(?<!\d)(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4}|\d{2})(?!\d)", re.ASCII)
_SLASHED = re.compile(r"(?<![\d/])(\d{1,2})([/-])(\d{1,2})\2(\d{4}|\d{2})(?![\d/])", re.ASCII)
_YEAR_FIRST = re.compile(
    r"(?<!\d)(\d{4})(?:[/.]|\s?年\s?)(\d{1,2})(?:[/.]|\s?月\s?)(\d{1,2})(?!\d)", re.ASCII
)
_NAMED_DAY_FIRST = re.compile(
    r"(?<!\d)(\d{1,2})(?:\.|st|nd|rd|th|er|º|°)?[\s/-]*(?:(?:de|of|den)\s+)?([^\W\d_]{3,12})\.?,?"
    r"[\s/-]*(?:(?:de|del)\s+)?(\d{4}|(?<=[-/])\d{2})(?!\d)"
)
_NAMED_MONTH_FIRST = re.compile(
    r"([^\W\d_]{3,12})\.?[\s-]+(\d{1,2})(?:st|nd|rd|th)?\s?,?[\s-]+(\d{4})(?!\d)"
)

_MONTHS = {
    plain(name): number
    for number, names in enumerate(
        (
            "jan january januar januari janv janvier enero ene gennaio gen stycznia styczeń januára"
            " ledna leden janeiro januára",
            "feb february februar februari févr fevr février fevrier febrero febbraio lutego luty"
            " února únor fevereiro fev februára",
            "mar march mär märz mrz mars marzo maart mrt marca marzec března březen março marts mart"
            " marz maerz",
            "apr april avr avril abril aprile kwietnia kwiecień dubna duben abr apríla",
            "may mai mayo maggio mag mei maja maj května květen maio mája kwi",
            "jun june juni juin junio giugno giu czerwca czerwiec června červen junho júna",
            "jul july juli juil juillet julio luglio lug lipca lipiec července červenec julho júla",
            "aug august août aout agosto ago augustus sierpnia sierpień srpna srpen augusti augusta",
            "sep sept september septembre septiembre settembre set września wrzesień září setembro"
            " septembra",
            "oct october okt oktober octobre octubre ottobre ott października październik října říjen"
            " outubro out októbra",
            "nov november novembre noviembre listopada listopad novembro novembra",
            "dec december dez dezember déc décembre decembre diciembre dic dicembre grudnia grudzień"
            " prosince prosinec dezembro decembra",
        ),
        start=1,
    )
    for name in names.split()
}


def xml_date(text: str) -> str | None:
    """The ISO date of an `xs:date`, whose zone is dropped: an invoice is dated where it is issued."""
    match = _XML.fullmatch(text)
    return _valid(*map(int, match[1].split("-"))) if match else None


def written_day_first(texts: Iterable[str]) -> bool | None:
    """Whether slashed dates in `texts` can only be read with the day first (True) or with the month
    first (False); None without such a date, or where they contradict each other.
    """
    orders = set()
    for text in texts:
        for match in _SLASHED.finditer(text):
            first, second = int(match[1]), int(match[3])
            if 12 < first <= 31 and second <= 12:
                orders.add(True)
            elif 12 < second <= 31 and first <= 12:
                orders.add(False)
    return orders.pop() if len(orders) == 1 else None


def find_date(text: str, *, day_first: bool | None) -> tuple[str | None, bool]:
    """The first date in `text` as ISO, and whether one is there that cannot be read surely.

    `day_first` says how 03/11 is to be read; None where nothing tells.
    """
    if match := _ISO.search(text) or _YEAR_FIRST.search(text):
        found = _valid(int(match[1]), int(match[2]), int(match[3]))
    elif match := _DOTTED.search(text):
        found = _valid(_year(match[3]), int(match[2]), int(match[1]))
    elif match := _SLASHED.search(text):
        found = _slashed(int(match[1]), int(match[3]), _year(match[4]), day_first=day_first)
    elif (match := _NAMED_DAY_FIRST.search(text)) and plain(match[2]) in _MONTHS:
        found = _valid(_year(match[3]), _MONTHS[plain(match[2])], int(match[1]))
    elif (match := _NAMED_MONTH_FIRST.search(text)) and plain(match[1]) in _MONTHS:
        found = _valid(int(match[3]), _MONTHS[plain(match[1])], int(match[2]))
    else:
        return None, False
    return found, found is None


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


def _slashed(first: int, second: int, year: int, *, day_first: bool | None) -> str | None:
    if first > 12 or first == second:
        return _valid(year, second, first)
    if second > 12:
        return _valid(year, first, second)
    if day_first is None:
        return None
    return _valid(year, second, first) if day_first else _valid(year, first, second)


def _valid(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
