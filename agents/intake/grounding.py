"""Owns what a model's answer is worth: nothing that is not printed, nothing against the rules. Pure.

Must never let a model's value replace one that the rules read, nor make a reading more acceptable:
an answer can confirm, and it can ask for a person. To ask, it has to point at something printed: what
stands nowhere says nothing about the document, so it is dropped and noted, as if nobody had answered.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from treasurer.documents.accounts import find_ibans, valid_iban
from treasurer.documents.amounts import find_amounts, same_value
from treasurer.documents.currencies import from_printed
from treasurer.documents.dates import find_date
from treasurer.documents.reading import (
    Box,
    Evidence,
    FieldValue,
    Finding,
    Outcome,
    PrintedLine,
    Reading,
    Severity,
)
from treasurer.invoices.numbers import number_key
from treasurer.payees.model import normal_vat_id
from treasurer.payees.names import name_key


@dataclass(frozen=True, slots=True)
class Grounded:
    """A model's value with the line of the document that prints it, and on a page its box."""

    field: str
    text: str
    line: PrintedLine
    box: Box | None = None

    @property
    def evidence(self) -> Evidence:
        """Where the value stands, as the rules tell it of theirs."""
        return self.line.evidence(self.field, self.box)


def ground(
    values: Mapping[str, str], printed: Sequence[PrintedLine]
) -> tuple[tuple[Grounded, ...], tuple[Finding, ...]]:
    """Keep the values that the document visibly prints; a note for each other one."""
    kept: list[Grounded] = []
    findings: list[Finding] = []
    for field, value in values.items():
        plain = " ".join(value.split())
        grounded = _grounded(field, plain, printed)
        if grounded is None:
            message = f"the model's {field} is printed nowhere; it was not used"
            findings.append(Finding("UNGROUNDED_VALUE", message, field, Severity.NOTE))
        else:
            kept.append(grounded)
    return tuple(kept), tuple(findings)


def _grounded(field: str, plain: str, printed: Sequence[PrintedLine]) -> Grounded | None:
    """The first line that prints these characters, else the first that prints the same value in another
    spelling. On a page it has a box: a value that cannot be pointed at is not grounded.
    """
    for prints in (_whole(plain), _otherwise(field, plain)):
        for line in printed:
            if prints(line.text):
                box = line.box(prints)
                if box is not None or line.page is None:
                    return Grounded(field, plain, line, box)
    return None


def _whole(plain: str) -> Callable[[str], bool]:
    """Whether a text prints these characters; `40.00` is not printed where `840.00` is."""
    whole = re.compile(rf"(?<![\w.,]){re.escape(plain)}(?![\w]|[.,]\d)", re.IGNORECASE)
    return lambda text: whole.search(" ".join(text.split())) is not None


def _otherwise(field: str, plain: str) -> Callable[[str], bool]:
    """Whether a text prints the same value in another spelling: models tidy what they copy, and a doubt
    about `1.250,00` must not be lost because it was written as `1250.00`.
    """
    meant, spellings = _MEANINGS[field](plain), _SPELLINGS.get(field)
    if meant is None or spellings is None:
        return lambda text: False
    return lambda text: any(_same(field, meant, spelt) for spelt in spellings(text))


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
            evidence.append(value.evidence)
            findings.append(
                _review("ONE_READER_ONLY", f"only the model found {value.field}", value.field)
            )
        elif not _same(value.field, str(known), meant):
            findings.append(
                _review(
                    "READERS_DISAGREE",
                    f"rules and model read different values for {value.field}, the model's in "
                    f"{value.evidence.location}; compare with the page",
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
    combined = dict.fromkeys((*reading.findings, *findings))
    return replace(reading, outcome=outcome, findings=tuple(combined))


def _amount(text: str) -> str | None:
    found = find_amounts(text)
    return found[0].value if len(found) == 1 else None


def _date(text: str) -> str | None:
    return find_date(text, day_first=False)[0]


def _printed_amounts(line: str) -> list[str]:
    return [amount.value for amount in find_amounts(line) if amount.value is not None]


def _printed_dates(line: str) -> list[str]:
    found = _date(line)
    return [] if found is None else [found]


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

_SPELLINGS: Mapping[str, Callable[[str], Sequence[str]]] = {
    "issue_date": _printed_dates,
    "due_date": _printed_dates,
    "payable_amount": _printed_amounts,
    "iban": find_ibans,
}
"""What a line prints of a field that has many spellings of one value."""

_KEYS: Mapping[str, Callable[[str], str]] = {
    "seller": name_key,
    "seller_vat_id": normal_vat_id,
    "invoice_number": number_key,
    "pay_to_address": str.lower,
}


def _same(field: str, left: str, right: str) -> bool:
    if field == "payable_amount":
        return same_value(left, right)
    key = _KEYS.get(field, str)
    return key(left) == key(right)


def _review(code: str, message: str, field: str) -> Finding:
    return Finding(code, message, field, Severity.REVIEW)
