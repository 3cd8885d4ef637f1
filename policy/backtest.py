"""Owns what a policy set would have decided on a stored past. Must never invent a fact: it is unknown.

Replays stored decisions in their order, each with its stored facts; only sums of windows are simulated
again, along the path that the new set makes: what it lets pass counts, also where people are asked,
who are taken to agree as far as they did. A payment counts from the minute of its decision.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from policy.assessment import Assessment, weigh
from policy.background import LocalTimeFact, ScopedSum
from policy.decision import Outcome
from policy.facts import Facts, WindowFact
from policy.policy_set import PolicySet
from policy.request import PaymentRequest
from policy.scopes import Period, Scope, Window, first_minute, key_of

_Key = tuple[Window, str]
_DAY = Window(Scope.ORGANIZATION, Period.DAY)


class Fate(StrEnum):
    """What becomes of a payment, by one decision."""

    PAID = "paid"
    HELD = "held"
    DENIED = "denied"
    WAITS = "waits"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Replayed:
    """One stored decision: what it was made from and what it said. `binding`: made at reserve."""

    request: PaymentRequest
    facts: Facts
    before: Fate
    binding: bool


@dataclass(slots=True)
class _Entry:
    minute: datetime
    amount_minor: int


@dataclass(slots=True)
class _Sum:
    entries: deque[_Entry] = field(default_factory=deque)
    total_minor: int = 0

    def at(self, first: datetime) -> int:
        while self.entries and self.entries[0].minute < first:
            gone = self.entries.popleft()
            self.total_minor -= gone.amount_minor
            gone.amount_minor = 0
        return self.total_minor


class Replay:
    """Goes through the past once. `began` is when the new set is taken to have become active.

    `local_time` gives the clocks of the set's zone, whose rules are no business of a pure function.
    """

    def __init__(
        self,
        policy_set: PolicySet,
        began: datetime,
        local_time: Callable[[str | None, datetime], LocalTimeFact | None],
    ) -> None:
        self._set = policy_set
        self._began = began
        self._local_time = local_time
        self._windows = tuple(dict.fromkeys((_DAY, *policy_set.windows)))
        self._periods = {window.period for window in self._windows}
        self._sums: dict[_Key, _Sum] = {}
        self._counted: dict[str, list[tuple[_Sum, _Entry]]] = {}

    def remember(self, past: Replayed) -> None:
        """Count a payment that went out before the backtest begins."""
        self._count(past.request, self._keys(past.request, past.facts))

    def decide(self, past: Replayed) -> tuple[Fate, str]:
        """What the new set says, and why. Asking again about a payment replaces its earlier count."""
        request = past.request
        self._forget(request.payment_id)
        keys = self._keys(request, past.facts)
        assessment = weigh(request, self._facts(request, past.facts, keys), self._set)
        fate = _fate(assessment, past.before)
        if past.binding and fate in (Fate.PAID, Fate.HELD, Fate.UNKNOWN):
            # What is not known is taken to go out: the sums of others shall not look too small.
            self._count(request, keys)
        return fate, _reason(assessment, fate)

    def _facts(self, request: PaymentRequest, facts: Facts, keys: Sequence[_Key]) -> Facts:
        firsts = {period: first_minute(period, request.now) for period in self._periods}
        sums = []
        for key in keys:
            total, window = self._sums.get(key), key[0]
            minor = total.at(firsts[window.period]) if total else 0
            sums.append(ScopedSum(window, minor, request.now))
        return replace(
            facts,
            spent_24h=WindowFact(sums[0].sum_minor, request.now),
            windows=tuple(sums),
            policy_since=self._began,
            local_time=self._local_time(self._set.zone, request.now),
        )

    def _keys(self, request: PaymentRequest, facts: Facts) -> list[_Key]:
        category = None if facts.payee is None else facts.payee.category
        keys = ((window, key_of(window.scope, request, category)) for window in self._windows)
        return [(window, key) for window, key in keys if key is not None]

    def _count(self, request: PaymentRequest, keys: Sequence[_Key]) -> None:
        minute = request.now.replace(second=0, microsecond=0)
        places = []
        for key in keys:
            total = self._sums.setdefault(key, _Sum())
            entry = _Entry(minute, request.reporting_amount_minor)
            total.entries.append(entry)
            total.total_minor += entry.amount_minor
            places.append((total, entry))
        self._counted[request.payment_id] = places

    def _forget(self, payment_id: str) -> None:
        for total, entry in self._counted.pop(payment_id, ()):
            total.total_minor -= entry.amount_minor
            entry.amount_minor = 0


def fate_of(outcome: Outcome, retriable: bool) -> Fate:
    """What becomes of a payment by an outcome."""
    if outcome is Outcome.ALLOW:
        return Fate.PAID
    if outcome is Outcome.REQUIRE_APPROVAL:
        return Fate.HELD
    return Fate.WAITS if retriable else Fate.DENIED


def _fate(assessment: Assessment, before: Fate) -> Fate:
    """Unknown where nothing but a fact that was not stored stands against a payment that had passed."""
    fate = fate_of(assessment.outcome, assessment.retriable)
    if fate is not Fate.WAITS or before is Fate.WAITS:
        return fate
    denials = {r.code for r, _ in assessment.verdicts if r.outcome is Outcome.DENY}
    return Fate.UNKNOWN if denials == {"FACT_MISSING"} else fate


def _reason(assessment: Assessment, fate: Fate) -> str:
    """The rules that spoke for the outcome."""
    if fate is Fate.PAID:
        return ""
    spoken = [
        r.rule for r, _ in assessment.verdicts if r.outcome is assessment.outcome and r.decides
    ]
    return ", ".join(sorted(spoken))
