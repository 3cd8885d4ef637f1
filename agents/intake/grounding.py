"""Owns what a model's answer is worth: nothing that is not printed, nothing against the rules. Pure.

Must never let a model's value replace one that the rules read, nor make a reading more acceptable:
an answer can confirm, and it can ask for a person.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from treasurer.documents.accounts import valid_iban
from treasurer.documents.amounts import find_amounts
from treasurer.documents.currencies import from_printed
from treasurer.documents.dates import find_date
from treasurer.documents.reading import (
    Evidence,
    FieldValue,
    Finding,
    Outcome,
    Reading,
    Severity,
    Source,
)
from treasurer.invoices.numbers import number_key
from treasurer.payees.model import normal_vat_id
from treasurer.payees.names import name_key


@dataclass(frozen=True, slots=True)
class Grounded:
    """A model's value with the line of the document that prints it."""

    field: str
    text: str
    line: int
    line_text: str


def ground(
    values: Mapping[str, str], visible_text: str
) -> tuple[tuple[Grounded, ...], tuple[Finding, ...]]:
    """Keep the values that the visible text prints, whole; a finding for each other one."""
    lines = [" ".join(line.split()) for line in visible_text.splitlines()]
    kept: list[Grounded] = []
    findings: list[Finding] = []
    for field, value in values.items():
        plain = " ".join(value.split())
        # `40.00` is not printed where `840.00` is.
        whole = re.compile(rf"(?<![\w.,]){re.escape(plain)}(?![\w]|[.,]\d)", re.IGNORECASE)
        line = next((number for number, text in enumerate(lines, 1) if whole.search(text)), None)
        if line is None:
            findings.append(
                _review("UNGROUNDED_VALUE", f"the model's {field} is not printed there", field)
            )
        else:
            kept.append(Grounded(field, plain, line, lines[line - 1]))
    return tuple(kept), tuple(findings)


def reconcile(reading: Reading, grounded: Sequence[Grounded]) -> Reading:
    """The rules' reading with the model's agreement or doubt.

    A value that the rules did not find is put in for the reviewer, who is then asked for: one reader
    alone is not enough to pay by.
    """
    fields: dict[str, FieldValue] = dict(reading.fields)
    evidence = list(reading.evidence)
    findings: list[Finding] = []
    for value in grounded:
        meant = _MEANINGS[value.field](value.text)
        known = fields.get(value.field)
        if meant is None:
            continue
        if known is None:
            fields[value.field] = meant
            evidence.append(
                Evidence(value.field, Source.LINE, f"line {value.line}", value.line_text[:300])
            )
            findings.append(
                _review("ONE_READER_ONLY", f"only the model found {value.field}", value.field)
            )
        elif not _same(value.field, str(known), meant):
            findings.append(
                _review(
                    "READERS_DISAGREE",
                    f"rules and model read different values for {value.field}; compare with the page",
                    value.field,
                )
            )
    return with_findings(replace(reading, fields=fields, evidence=tuple(evidence)), findings)


def with_findings(reading: Reading, findings: Sequence[Finding]) -> Reading:
    """`reading` with further findings; its outcome can only become graver."""
    outcome = reading.outcome
    if outcome is Outcome.ACCEPTED and any(
        finding.severity is not Severity.NOTE for finding in findings
    ):
        outcome = Outcome.REVIEW
    known = reading.findings
    return replace(
        reading,
        outcome=outcome,
        findings=(*known, *(finding for finding in findings if finding not in known)),
    )


def _amount(text: str) -> str | None:
    found = find_amounts(text)
    return found[0].value if len(found) == 1 else None


def _date(text: str) -> str | None:
    return find_date(text, day_first=False)[0]


def _same_amount(left: str, right: str) -> bool:
    return Decimal(left) == Decimal(right)


_MEANINGS: Mapping[str, Callable[[str], str | None]] = {
    "seller": str,
    "seller_vat_id": normal_vat_id,
    "invoice_number": str,
    "issue_date": _date,
    "due_date": _date,
    "currency": from_printed,
    "payable_amount": _amount,
    "iban": valid_iban,
    "pay_to_address": str,
}
"""What a printed value means, None where that is not certain: then it says nothing."""

_KEYS: Mapping[str, Callable[[str], str]] = {
    "seller": name_key,
    "seller_vat_id": normal_vat_id,
    "invoice_number": number_key,
    "pay_to_address": str.lower,
}


def _same(field: str, left: str, right: str) -> bool:
    if field == "payable_amount":
        return _same_amount(left, right)
    key = _KEYS.get(field, str)
    return key(left) == key(right)


def _review(code: str, message: str, field: str) -> Finding:
    return Finding(code, message, field, Severity.REVIEW)
