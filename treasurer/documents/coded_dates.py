"""Owns dates that name their own format, as CII and EDIFACT write them (UNTDID 2379).

Must never complete one: a month or a week is no date.
"""

import re
from datetime import date

from treasurer.documents.dates import xml_date

_DATE_FORMATS = {
    "2": r"(?P<d>\d{2})(?P<m>\d{2})(?P<y>\d{2})",
    "3": r"(?P<m>\d{2})(?P<d>\d{2})(?P<y>\d{2})",
    "4": r"(?P<d>\d{2})(?P<m>\d{2})(?P<y>\d{4})",
    "101": r"(?P<y>\d{2})(?P<m>\d{2})(?P<d>\d{2})",
    "102": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
    "201": r"(?P<y>\d{2})(?P<m>\d{2})(?P<d>\d{2})\d{4}",
    "203": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})\d{4}",
    "204": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})\d{6}",
    "205": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})\d{4}[+-]\d{4}",
    "304": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})\d{6}[A-Z]{3}",
}
_ISO_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})T[0-9:.]+(?:Z|[+-]\d{2}:\d{2})?", re.ASCII)


def coded_date(text: str, code: str | None) -> str | None:
    """The ISO date of `text` in the format `code`, None where it is no day of the calendar.

    Without a code, CCYYMMDD and the spellings of XML are read, which only mean one thing.
    """
    if code is None:
        time = _ISO_TIME.fullmatch(text)
        return xml_date(time[1] if time else text) or coded_date(text, "102")
    pattern = _DATE_FORMATS.get(code)
    match = re.fullmatch(pattern, text, re.ASCII) if pattern else None
    if match is None:
        return None
    year = int(match["y"])
    try:
        found = date(year if year > 99 else 2000 + year, int(match["m"]), int(match["d"]))
    except ValueError:
        return None
    return found.isoformat()
