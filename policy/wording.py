"""Owns the plain English of a decision. Must never decide, and never name a number that no rule saw."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from policy.assessment import Assessment
from policy.decision import Finding, Outcome
from policy.request import PaymentRequest
from policy.requirement import in_words
from policy.verdict import Value, Verdict
from treasurer.kernel.clock import iso
from treasurer.kernel.money import Asset, format_minor


class Words:
    """Amounts of one decision in words; the same few amounts occur in most of its findings."""

    __slots__ = ("_reporting", "_shown", "_token")

    def __init__(self, request: PaymentRequest, reporting: Asset) -> None:
        self._token = Asset(request.asset, request.decimals)
        self._reporting = reporting
        self._shown: dict[tuple[int, bool], str] = {}

    def token(self, amount_minor: int) -> str:
        """An amount of the payment's asset, for people."""
        return self._amount(amount_minor, True)

    def reporting(self, amount_minor: int) -> str:
        """An amount of the reporting currency, for people."""
        return self._amount(amount_minor, False)

    def finding(self, verdict: Verdict) -> Finding:
        """The verdict for people and for the record: instants as RFC 3339, spans as seconds."""
        ruling, values = verdict
        numbers: dict[str, int | str] = {}
        shown: dict[str, str] = {}
        for name, value in zip(ruling.names, values, strict=True):
            numbers[name] = plain = _plain(value)
            if isinstance(plain, int) and name.endswith("_minor"):
                shown[name] = self._amount(plain, name.endswith("_token_minor"))
            else:
                shown[name] = str(plain)
        return Finding(
            rule=ruling.rule,
            code=ruling.code,
            outcome=ruling.outcome,
            message=ruling.wording.format_map(shown),
            numbers=numbers,
            retriable=ruling.retriable,
            requirement=ruling.requirement,
        )

    def _amount(self, amount_minor: int, of_token: bool) -> str:
        key = (amount_minor, of_token)
        if key not in self._shown:
            self._shown[key] = format_minor(
                amount_minor, self._token if of_token else self._reporting
            )
        return self._shown[key]


def explained(assessment: Assessment, findings: Sequence[Finding], deciding: Sequence[bool]) -> str:
    """What was decided, by which rules and on which numbers. `deciding` marks the findings that bore.

    The rules that merely did not object are named; their numbers stand in the findings.
    """
    outcome = assessment.outcome
    reasons = " ".join(
        f"{finding.message} ({finding.rule})"
        for finding, bore in zip(findings, deciding, strict=True)
        if bore and finding.outcome is outcome
    )
    if outcome is Outcome.DENY:
        head = "Denied for now; it is tried again." if assessment.retriable else "Denied."
        return f"{head} {reasons}"
    silent = [finding.rule for finding, bore in zip(findings, deciding, strict=True) if not bore]
    objections = f"No objection from: {', '.join(silent)}." if silent else "No other rule spoke."
    if assessment.requirement is None:
        return f"Allowed without asking. {reasons} {objections}"
    return f"Needs approval by {in_words(assessment.requirement)}. {reasons} {objections}"


def consequence(assessment: Assessment) -> str:
    """Completes "It would …"."""
    if assessment.outcome is Outcome.ALLOW:
        return "pass without approval"
    if assessment.requirement is not None:
        return f"need approval by {in_words(assessment.requirement)}"
    return "be denied for now" if assessment.retriable else "be denied"


def _plain(value: Value) -> int | str:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, timedelta):
        return value // timedelta(seconds=1)
    return value
