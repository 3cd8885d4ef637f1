"""Owns how a stranger's document is shown: text as text, a PDF as pictures. Must never serve it live."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from dashboard.paper import MOST_PAGES, Papers
from dashboard.places import Piece, anchors_of, lines_of, spans_of
from dashboard.wording import plain
from treasurer.documents.limits import Limits
from treasurer.documents.unicode import visible
from treasurer.invoices.model import InvoiceDocument

_MOST_LINES = 2_000
_MOST_CHARACTERS = 200_000
_LINE = re.compile(r"line (\d{1,6})", re.ASCII)
_FIRST = (
    "seller",
    "invoice_number",
    "payable_amount",
    "currency",
    "due_date",
    "issue_date",
    "pay_to_address",
    "chain_id",
    "iban",
    "buyer",
    "purchase_order",
    "line_total",
    "tax_amount",
)
_TABLES = ("lines",)


class View(StrEnum):
    PAGES = "pages"
    TEXT = "text"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a field stands on a page, in ten-thousandths from its top left."""

    field: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page of a PDF with the marks on it."""

    number: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One extracted field. `where` is short for people, `path` whole; `printed` is what stands there.

    `anchor` is the place on this page that shows it.
    """

    name: str
    value: str
    where: str
    path: str
    printed: str
    anchor: str | None


@dataclass(frozen=True, slots=True)
class DocumentView:
    """What is shown of a document: sheets or lines; `cut` where there is more of it. `anchors` name by
    field the place on this page that shows it.
    """

    view: View
    sheets: tuple[Sheet, ...] = ()
    lines: tuple[tuple[Piece, ...], ...] = ()
    cut: bool = False
    anchors: Mapping[str, str] = field(default_factory=dict)


async def document_view(
    document: InvoiceDocument, reading: Mapping[str, Any] | None, papers: Papers
) -> DocumentView:
    """Look at the bytes, not at their declared type."""
    # Its XML library costs a tenth of the start of the process, and other pages do without.
    from treasurer.documents.media import Document, Kind

    found = Document(document.content, Limits())
    evidence = reading["evidence"] if reading else {}
    if found.kind is Kind.PDF:
        count = await papers.count(document.content, document.sha256)
        marks = _marks(evidence)
        sheets = tuple(
            Sheet(number, tuple(marks.get(number, ())))
            for number in range(1, min(count, MOST_PAGES) + 1)
        )
        if not sheets:
            return DocumentView(View.NOTHING)
        anchors = {mark.field: f"mark-{mark.field}" for sheet in sheets for mark in sheet.marks}
        return DocumentView(View.PAGES, sheets, cut=count > MOST_PAGES, anchors=anchors)
    if found.kind in (Kind.XML, Kind.JSON, Kind.TEXT):
        return _text_view(found.text or "", evidence, markup=found.kind is Kind.XML)
    return DocumentView(View.NOTHING)


def fields_of(reading: Mapping[str, Any], view: DocumentView) -> list[Field]:
    """The fields with a value, those that a payment needs first."""
    evidence = reading["evidence"]
    values = {
        name: value
        for name, value in reading["fields"].items()
        if name not in _TABLES and value not in (None, [], {})
    }
    names = [name for name in _FIRST if name in values]
    names += sorted(values.keys() - set(names))
    return [_field(name, values[name], evidence.get(name), view) for name in names]


def line_items(reading: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The invoice's lines, as far as they were read."""
    lines = reading["fields"].get("lines")
    return [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []


def _field(
    name: str, value: object, evidence: Mapping[str, Any] | None, view: DocumentView
) -> Field:
    if evidence is None:
        return Field(name, plain(value), "worked out", "", "", None)
    path = str(evidence["location"])
    return Field(
        name=name,
        value=plain(value),
        where=path.rpartition("/")[2] or path,
        path=path,
        printed=visible(str(evidence["text"])),
        anchor=view.anchors.get(name),
    )


def _text_view(
    text: str, evidence: Mapping[str, Mapping[str, Any]], *, markup: bool
) -> DocumentView:
    """The text in lines. A field's place is its line where the reader named one, else what stands there."""
    shown = visible(text[:_MOST_CHARACTERS])
    numbered = {
        name: f"line-{match[1]}"
        for name, each in evidence.items()
        if (match := _LINE.fullmatch(str(each["location"])))
    }
    spans = spans_of(shown, {name: each for name, each in evidence.items() if name not in numbered})
    lines = lines_of(shown, spans, markup=markup)
    return DocumentView(
        View.TEXT,
        lines=tuple(lines[:_MOST_LINES]),
        cut=len(text) > _MOST_CHARACTERS or len(lines) > _MOST_LINES,
        anchors={**anchors_of(spans), **numbered},
    )


def _marks(found: Mapping[str, Mapping[str, Any]]) -> dict[int, list[Mark]]:
    marks: dict[int, list[Mark]] = {}
    for name, evidence in found.items():
        if evidence["box"] is not None and evidence["page"] is not None:
            left, top, right, bottom = evidence["box"]
            mark = Mark(name, left, top, max(right - left, 1), max(bottom - top, 1))
            marks.setdefault(int(evidence["page"]), []).append(mark)
    return marks
