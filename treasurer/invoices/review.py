"""Owns what a person may answer when an invoice was held, and what the answers change. Pure.

Must never let an answer lift what speaks of deception, of a document that was here before, or of other
bank details: those name codes that stand in no list here, and so hold the invoice whatever is said. What
was read stays as it was read; what a person states stands beside it.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

from treasurer.documents.currencies import is_known
from treasurer.documents.reading import FieldValue, Reading, Severity
from treasurer.invoices.model import InvoiceFinding
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import InvoiceId, UserId
from treasurer.kernel.money import parse_decimal
from treasurer.purchases.model import MatchState

MOST_REASON_CHARACTERS = 1_000
_MOST_VALUE_CHARACTERS = 200

_BY_STATING = frozenset(
    {
        "MISSING_FIELD", "CONFLICTING_VALUES", "ONE_READER_ONLY", "READERS_DISAGREE", "INVALID_DATE",
        "AMBIGUOUS_DATE", "AMBIGUOUS_AMOUNT", "AMBIGUOUS_CURRENCY", "AMOUNT_DUE_UNCLEAR",
        "AMOUNT_UNREADABLE", "UNKNOWN_CURRENCY", "INVOICE_NUMBER", "DUE_BEFORE_ISSUE",
    }
)  # fmt: skip
"""Findings about one field, answered by stating that field."""

_STANDS_FOR = {"payee_code": "seller"}
"""Our own code for the payee answers where the seller was not read; the match still has to agree."""

PURCHASE_CODES = frozenset(
    f"PO_{state.value.upper()}"
    for state in MatchState
    if state not in (MatchState.NO_ORDER, MatchState.MATCHED)
)
_BY_ACCEPTING: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(PURCHASE_CODES, frozenset[str]()),
    "NEAR_DUPLICATE_INVOICE": frozenset(),
    "CORRECTED_INVOICE": frozenset(),
    "MODEL_ANSWER_INVALID": frozenset(),
    "AGENT_STEPS_EXHAUSTED": frozenset(),
    "AGENT_TIME_EXHAUSTED": frozenset(),
    "AGENT_TOKENS_EXHAUSTED": frozenset(),
    "OCR_READ": frozenset({"invoice_number", "currency", "payable_amount"}),
}
"""Findings that a person may answer for, with the fields that have to be stated besides."""

_OF_SUMS = "BR-"
"""Sums of EN 16931 that contradict each other: accepted only with the amount due stated."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One field as it was read (None: not at all) and as a person states it. Equal: confirmed."""

    field: str
    read: str | None
    stated: str


@dataclass(frozen=True, slots=True)
class InvoiceReview:
    """One person's answer to what held an invoice. `accepted` are codes of findings."""

    id: UUID
    invoice_id: InvoiceId
    reviewer_id: UserId
    reason: str
    accepted: tuple[str, ...]
    statements: tuple[Statement, ...]
    reviewed_at: datetime


@dataclass(frozen=True, slots=True)
class Answers:
    """What all reviews of an invoice say together; of a field the newest statement holds."""

    accepted: frozenset[str]
    stated: Mapping[str, str]

    def reading(self, reading: Reading) -> Reading:
        """`reading` with the stated values in place of the read ones; its findings as they were."""
        fields: dict[str, FieldValue] = {**reading.fields, **self.stated}
        return replace(reading, fields=fields)

    def finding(self, finding: InvoiceFinding) -> InvoiceFinding:
        """A note instead of a finding that was answered; any other as it is."""
        if finding.severity is Severity.REVIEW and self._answer(finding):
            return replace(finding, severity=Severity.NOTE)
        return finding

    def _answer(self, finding: InvoiceFinding) -> bool:
        if finding.code in _BY_STATING:
            return any(name in self.stated for name in answered_by_stating(finding))
        if finding.code not in self.accepted:
            return False
        needed = _BY_ACCEPTING.get(finding.code)
        if finding.code.startswith(_OF_SUMS):
            needed = frozenset({"payable_amount"})
        return needed is not None and needed <= set(self.stated)


def answers_of(reviews: Sequence[InvoiceReview]) -> Answers | None:
    """The answers of `reviews`, oldest first; None where nobody reviewed."""
    if not reviews:
        return None
    return Answers(
        frozenset(code for review in reviews for code in review.accepted),
        {
            statement.field: statement.stated
            for review in reviews
            for statement in review.statements
        },
    )


def acceptable(code: str) -> bool:
    """Whether a person may answer for findings of that code at all."""
    return code in _BY_ACCEPTING or code.startswith(_OF_SUMS)


def answered_by_stating(finding: InvoiceFinding) -> tuple[str, ...]:
    """The fields by stating one of which `finding` is answered; none where that does not do."""
    if finding.code not in _BY_STATING:
        return ()
    return tuple(name for name in _FIELDS if finding.field in (name, _STANDS_FOR.get(name)))


def statable() -> tuple[str, ...]:
    """The fields that a person may state, in the order of a form."""
    return tuple(_FIELDS)


def checked_reason(reason: str) -> str:
    """The reason without outer blanks. Raises InvalidInput REASON_MISSING or REASON_TOO_LONG."""
    reason = reason.strip()
    if not reason:
        raise InvalidInput(
            "REASON_MISSING", "say in a sentence why the invoice may go on; its approvers read it"
        )
    if len(reason) > MOST_REASON_CHARACTERS:
        raise InvalidInput(
            "REASON_TOO_LONG", f"a reason has at most {MOST_REASON_CHARACTERS} characters"
        )
    return reason


def checked_accepted(codes: Sequence[str]) -> tuple[str, ...]:
    """The codes, sorted, each once. Raises InvalidInput NOT_ACCEPTABLE."""
    for code in codes:
        if not acceptable(code):
            raise InvalidInput(
                "NOT_ACCEPTABLE",
                f"nobody may answer for {code[:60]}; ask the seller for a sound document",
                finding=code[:60],
            )
    return tuple(sorted(set(codes)))


def checked_statements(stated: Mapping[str, str], reading: Reading) -> tuple[Statement, ...]:
    """What is stated beside what was read. Raises InvalidInput NOT_STATABLE, STATED_VALUE."""
    return tuple(
        Statement(name, _read(reading.fields.get(name)), _checked(name, value))
        for name, value in sorted(stated.items())
    )


def _checked(name: str, value: str) -> str:
    if name not in _FIELDS:
        raise InvalidInput(
            "NOT_STATABLE",
            f"{name[:60]} is not stated by hand; only {', '.join(_FIELDS)} are",
            field=name[:60],
        )
    value = value.strip()
    plain = all(unicodedata.category(character)[0] != "C" for character in value)
    if not value or not plain or len(value) > _MOST_VALUE_CHARACTERS or not _FIELDS[name](value):
        raise InvalidInput(
            "STATED_VALUE",
            f"{name} cannot be {value[:40]!r}; write dates as 2026-11-20, amounts as 1234.56, "
            "currencies by their code",
            field=name,
        )
    return value


def _read(value: FieldValue) -> str | None:
    return value if isinstance(value, str) else None


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _is_amount(value: str) -> bool:
    try:
        return parse_decimal(value) > 0
    except InvalidInput:
        return False


def _is_text(value: str) -> bool:
    return bool(value)


_FIELDS: Mapping[str, Callable[[str], bool]] = {
    "invoice_number": _is_text,
    "payable_amount": _is_amount,
    "currency": is_known,
    "issue_date": _is_date,
    "due_date": _is_date,
    "purchase_order": _is_text,
    "payee_code": _is_text,
}
"""Where money goes is not among them: addresses and accounts come from the payee master alone."""
