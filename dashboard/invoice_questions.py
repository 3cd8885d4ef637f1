"""Owns what a reviewer is asked about a held invoice: boxes to tick and fields to state. Pure.

Must never tick a box or fill a field that nobody asked about: an answer is the reviewer's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.forms import PostedForm
from treasurer.documents.reading import Severity
from treasurer.invoices.model import Invoice, InvoiceFinding, InvoiceState
from treasurer.invoices.review import acceptable, answered_by_stating, statable


@dataclass(frozen=True, slots=True)
class Box:
    """A finding that a person may answer for."""

    finding: InvoiceFinding
    ticked: bool


@dataclass(frozen=True, slots=True)
class Blank:
    """A field to state: what was read, and what stands in the form now. `asked`: a finding is about it."""

    name: str
    read: str
    value: str
    asked: bool


@dataclass(frozen=True, slots=True)
class Questions:
    """`final` are findings that nobody may answer for: with one of them there is no form."""

    boxes: tuple[Box, ...]
    blanks: tuple[Blank, ...]
    final: tuple[InvoiceFinding, ...]
    reason: str


def questions_of(
    invoice: Invoice, reading: Mapping[str, Any] | None, form: PostedForm | None
) -> Questions | None:
    """The questions of an invoice in review, with the answers of a form that was sent back; None where
    none is asked.
    """
    if invoice.state is not InvoiceState.NEEDS_REVIEW or reading is None:
        return None
    holding = [each for each in invoice.findings if each.severity is Severity.REVIEW]
    ticked = form.texts("accepted") if form else []
    asked = {name for each in holding for name in answered_by_stating(each)}
    by_code = {each.code: each for each in holding if acceptable(each.code)}
    return Questions(
        boxes=tuple(Box(each, each.code in ticked) for each in by_code.values()),
        blanks=tuple(_blank(name, reading["fields"], name in asked, form) for name in statable()),
        final=tuple(
            each for each in holding if not acceptable(each.code) and not answered_by_stating(each)
        ),
        reason=form.text("reason") if form else "",
    )


def _blank(name: str, fields: Mapping[str, Any], asked: bool, form: PostedForm | None) -> Blank:
    found = fields.get(name)
    read = found if isinstance(found, str) else ""
    return Blank(
        name, read, form.text(f"stated_{name}") if form else (read if asked else ""), asked
    )
