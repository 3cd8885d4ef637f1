"""Payments, facts and policy sets: a sound one of each, changed by keyword, and random ones."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from policy.change import Change
from policy.decision import Decision, Finding
from policy.facts import DuplicateFact, Facts, PayeeFact, PriceFact, RunwayFact, WindowFact
from policy.policy_set import PolicySet, load_policy_set
from policy.request import PaymentRequest
from policy.rule import Rule
from policy.verdict import Verdict, allows, denies
from treasurer.kernel.money import Asset

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
SAMPLES = Path(__file__).parents[2] / "samples" / "policies"
NORWICK_YAML = (SAMPLES / "norwick.yaml").read_text()
NEAR = DuplicateFact("HF-2101", "near", "same payee and amount within a week")
EXACT = DuplicateFact("HF-2101", "exact", "same number")


@cache
def norwick() -> PolicySet:
    """The demonstration's policy: 1,000 free, 10,000 one person, 25,000 two and the cap."""
    return load_policy_set(NORWICK_YAML)


def policy_with(old: str, new: str) -> PolicySet:
    """Norwick's policy with one passage of its text replaced."""
    assert NORWICK_YAML.count(old) == 1, old
    return load_policy_set(NORWICK_YAML.replace(old, new))


def payment(reporting_minor: int = 50_000, **changes: Any) -> PaymentRequest:
    """A payment of `reporting_minor` US cents in USDC at par, by an agent, to V-001."""
    request = PaymentRequest(
        organization_id="norwick",
        payment_id="payment-1",
        invoice_id="HF-2102",
        payee_id="V-001",
        initiator_id="intake",
        initiator_kind="agent",
        recipient="0x" + "11" * 20,
        chain_id=31337,
        token="0x" + "22" * 20,
        asset="USDC",
        decimals=6,
        amount_minor=reporting_minor * 10_000,
        reporting_currency="USD",
        reporting_amount_minor=reporting_minor,
        now=NOW,
    )
    return replace(request, **changes)


def facts(**changes: Any) -> Facts:
    """Facts under which any payment within the limits passes: rich, fresh, verified."""
    sound = Facts(
        as_of=NOW,
        payee=PayeeFact("verified", "verified", None),
        duplicates=(),
        spent_24h=WindowFact(0, NOW),
        available_minor=10**15,
        invoice_open_minor=10**15,
        runway=RunwayFact(10**12, 10**6, NOW),
        price=PriceFact("USDC", "USD", 1, 1, NOW, True),
        frozen=False,
    )
    return replace(sound, **changes)


def finding(decision: Decision, rule: str) -> Finding:
    """The one finding of `rule`."""
    (found,) = (finding for finding in decision.findings if finding.rule == rule)
    return found


@dataclass(frozen=True, slots=True)
class DenyPayee(Rule):
    """Denies one payee: a rule that a set may gain."""

    payee_id: str

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        if request.payee_id == self.payee_id:
            return denies(self.name, "PAYEE_BARRED", "The payee is barred."), ()
        return allows(self.name, "NO_OBJECTION", "No objection."), ()

    def describe(self, reporting: Asset) -> str:
        return f"{self.payee_id} is not paid."


@dataclass(frozen=True, slots=True)
class BrokenRule(Rule):
    """Raises, in everything it is asked."""

    def weigh(self, request: PaymentRequest, facts: Facts) -> Verdict:
        raise ZeroDivisionError

    def describe(self, reporting: Asset) -> str:
        return "Broken."

    def bounds(self, request: PaymentRequest, facts: Facts) -> tuple[int, ...]:
        raise ZeroDivisionError

    def changes(self, request: PaymentRequest, facts: Facts) -> tuple[Change, ...]:
        raise ZeroDivisionError


PROPERTY = settings(max_examples=60, deadline=None)
"""For every property over decisions: no deadline, because machines differ."""

_minor = st.one_of(
    st.integers(1, 4_000_000),
    st.sampled_from([1, 99_999, 100_000, 100_001, 1_000_000, 1_000_001, 2_500_000, 2_500_001]),
)
_odd_request = {
    "invoice_id": st.none(),
    "initiator_kind": st.sampled_from(["human", "service"]),
    "asset": st.sampled_from(["MNEE", "USDT"]),
    "chain_id": st.just(1),
    "reporting_currency": st.just("EUR"),
}
_age = st.sampled_from([60, 300, 301, 900, 901, 604_800, 604_801, -300, -301])
_as_of = _age.map(lambda seconds: NOW - timedelta(seconds=seconds))
_state = st.sampled_from(["verified", "pending"])
_rest = st.sampled_from([-3_600, 0, 3_600]).map(lambda seconds: NOW + timedelta(seconds=seconds))
_odd_facts = {
    "as_of": _as_of,
    "payee": st.builds(PayeeFact, _state, _state, st.none() | _rest),
    "duplicates": st.sampled_from([(NEAR,), (EXACT,), (NEAR, EXACT)]),
    "spent_24h": st.builds(
        WindowFact,
        st.sampled_from([100_000, 1_500_000, 2_400_000, 2_500_000]),
        st.just(NOW) | _as_of,
    ),
    "available_minor": st.integers(-5, 4 * 10**10),
    "invoice_open_minor": st.integers(0, 4 * 10**10),
    "runway": st.builds(
        RunwayFact,
        st.none() | st.integers(0, 10_000_000),
        st.none() | st.integers(0, 1_000_000),
        st.just(NOW) | _as_of,
    ),
    "price": st.builds(
        PriceFact,
        asset=st.sampled_from(["USDC", "USDC", "MNEE"]),
        reporting_currency=st.just("USD"),
        numerator=st.sampled_from([1, 999, 1001]),
        denominator=st.sampled_from([1, 1000]),
        as_of=st.just(NOW) | _as_of,
        in_peg_band=st.booleans(),
    ),
    "frozen": st.just(True),
}


@st.composite
def requests(draw: st.DrawFn) -> PaymentRequest:
    """Payments on and around the limits, rarely odd; reporting is rounded up from the token's."""
    reporting_minor = draw(_minor)
    odd = draw(st.sets(st.sampled_from(sorted(_odd_request)), max_size=1))
    return payment(
        reporting_minor,
        amount_minor=reporting_minor * 10_000 - draw(st.integers(0, 9_999)),
        **{name: draw(_odd_request[name]) for name in sorted(odd)},
    )


@st.composite
def known_facts(draw: st.DrawFn) -> Facts:
    """Sound facts of which up to two are odd, and none is missing."""
    odd = draw(st.sets(st.sampled_from(sorted(_odd_facts)), max_size=2))
    return facts(**{name: draw(_odd_facts[name]) for name in sorted(odd)})


NEEDED = ("payee", "duplicates", "spent_24h", "available_minor", "runway", "price", "frozen")
"""The facts without which Norwick's policy decides nothing (the invoice's: when there is one)."""


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """Known facts, some of which may then go missing."""
    lost = draw(st.sets(st.sampled_from((*NEEDED, "invoice_open_minor")), max_size=1))
    return replace(draw(known_facts()), **dict.fromkeys(lost))
