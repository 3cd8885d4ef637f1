"""Reads lists of bills as CSV: a header, then a bill a row. Must never let a shifted cell become an amount.

A list of one bill is an invoice. One of several is a container whose parts are lists of one bill each,
with the same header. Rows that bill one payee like amounts stay together in one part, which a person
looks at: a bill that is listed twice or split to stay below a limit looks like that. The columns stand in
`bill_columns.py`; delimiter is a comma, a semicolon or a tab, and cells are quoted as in RFC 4180.
"""

import csv
import io
import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations

from treasurer.documents.bill_columns import MARKS, Header, bill_header, plain, repeated
from treasurer.documents.bill_row import exact_amount, read_bill
from treasurer.documents.draft import Draft, Refused
from treasurer.documents.media import Document, Kind
from treasurer.documents.reading import Part
from treasurer.documents.unicode import deceptive

_HEADER_CHARACTERS = 10_000
_ALIKE = 10
"""Amounts are alike when they differ by less than a tenth of the larger."""

Row = tuple[int, list[str]]
"""A row's number, the header's being 1, and its cells."""


class CsvReader:
    """Not `structured`: such lists seldom have dates, and no payment hangs on one."""

    format = "csv"

    def claims(self, document: Document) -> bool:
        return document.kind is Kind.TEXT and _header(document) is not None

    def read(self, document: Document) -> Draft:
        header = _header(document)
        assert header is not None, "claims looked"
        if twice := repeated(header):
            names = ", ".join(name[:40] for name in twice[:4])
            raise Refused("CSV_HEADER", f"columns mean the same: {names}; keep one of them")
        rows = _rows(document, header)
        draft = Draft(self.format, structured=False)
        if len(rows) == 1:
            read_bill(draft, header, *rows[0])
            for code, message in deceptive(document.text or ""):
                draft.review(code, message)
            for name in ("due_date", "payable_amount", "iban"):
                draft.absent(name)
            return draft
        alike = _alike(header, rows)
        if len(alike) == len(rows):
            draft.review(
                "BILLS_ALIKE",
                "rows bill one payee like amounts: one bill twice, or split? Submit those that hold"
                " one by one",
            )
            return draft
        draft.parts += [_part(header, [row]) for row in rows if row[0] not in alike]
        if alike:
            draft.parts.append(_part(header, [row for row in rows if row[0] in alike]))
        return draft


def _header(document: Document) -> Header | None:
    first = re.split(r"[\r\n]", (document.text or "")[:_HEADER_CHARACTERS], maxsplit=1)[0]
    return bill_header(first) if len(first) < _HEADER_CHARACTERS else None


def _rows(document: Document, header: Header) -> list[Row]:
    """The rows with anything in them. Raises Refused when one cannot be told apart surely."""
    text = document.text or ""
    if "\x00" in text:
        raise Refused("CSV_BROKEN", "the list has NUL characters; export it again")
    rows: list[Row] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=header.delimiter, strict=True)
    try:
        for number, cells in enumerate(reader, start=1):
            if number == 1 or not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header.columns):
                raise Refused(
                    "CSV_RAGGED",
                    f"row {number} has {len(cells)} cells, the header {len(header.columns)}; "
                    "quote cells that hold the delimiter",
                )
            rows.append((number, cells))
            if len(rows) > document.limits.parts:
                raise Refused(
                    "TOO_MANY_DOCUMENTS",
                    f"the list has more than {document.limits.parts} bills; split it",
                )
    except csv.Error:
        raise Refused("CSV_BROKEN", "quotes in the list do not match; export it again") from None
    if not rows:
        raise Refused("CSV_EMPTY", "the list has a header and no bill; export it again")
    return rows


def _part(header: Header, rows: Sequence[Row]) -> Part:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=header.delimiter)
    writer.writerow(header.columns)
    writer.writerows(cells for _number, cells in rows)
    numbers = [str(number) for number, _cells in rows]
    location = f"row {numbers[0]}" if len(rows) == 1 else f"rows {', '.join(numbers)}"
    return Part(out.getvalue().encode("utf-8"), None, "text/csv", location)


def _alike(header: Header, rows: Sequence[Row]) -> set[int]:
    """Numbers of the rows that share a mark of the payee and nearly the amount with another one."""
    known = [(number, _marks(header, cells), _asked(header, cells)) for number, cells in rows]
    found: set[int] = set()
    for (first, marks, amount), (second, others, other) in combinations(known, 2):
        if amount is None or other is None or marks.isdisjoint(others):
            continue
        if abs(amount - other) * _ALIKE < max(abs(amount), abs(other)):
            found |= {first, second}
    return found


def _marks(header: Header, cells: Sequence[str]) -> set[tuple[str, str]]:
    named = zip(header.fields, map(plain, cells), strict=True)
    return {(field, text) for field, text in named if field in MARKS and text}


def _asked(header: Header, cells: Sequence[str]) -> Decimal | None:
    amount = exact_amount(cells[header.fields.index("payable_amount")])
    return None if amount is None or amount.value is None else Decimal(amount.value)
