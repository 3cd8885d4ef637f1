"""Owns one decision: facts in, decision out, and the exact bytes that are stored of it.

Must never fetch a fact: all that counts is in the situation.

Proposal and reserve both decide through here, so that what was said to people is what binds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from policy.background import NetworkFact
from policy.decision import Decision, Outcome
from policy.engine import evaluate
from policy.policy_set import PolicySet
from policy.scopes import Window
from treasurer.kernel.ids import DecisionId, NewId, OrganizationId, PaymentId
from treasurer.ledger.model import Balance
from treasurer.payments import decision_store
from treasurer.payments.facts import (
    Candidate,
    Treasury,
    cash_minor,
    local_time,
    policy_facts,
    policy_request,
    window_keys,
)
from treasurer.payments.windows import Sums, grown
from treasurer.prices.feed import Price


@dataclass(frozen=True, slots=True)
class Situation:
    """All but the payment itself: policy, treasury, sums, balances and prices, at one instant.

    `network` is None where it was never read, or the policy set looks at none.
    `sums` hold at least those of the windows that the payments to be decided count in.
    """

    policy_set: PolicySet
    policy_since: datetime
    treasury: Treasury
    balances: Sequence[Balance]
    prices: Mapping[str, Price]
    now: datetime
    sums: Sums
    network: NetworkFact | None

    def keys(self, candidate: Candidate) -> tuple[tuple[Window, str], ...]:
        """The sums that `candidate` counts in."""
        return window_keys(candidate, self.policy_set, self.treasury.reporting, self.now)

    def available_minor(self, asset: str) -> int:
        """What all wallets can spend of `asset`, in its base units."""
        return sum(b.available_minor for b in self.balances if b.asset.symbol == asset)

    def after(self, candidate: Candidate, balances: Sequence[Balance]) -> "Situation":
        """The situation once `candidate` is in flight: the next decision must see it."""
        treasury = replace(
            self.treasury,
            in_flight_minor=self.treasury.in_flight_minor
            + candidate.payment.reporting_amount_minor,
        )
        sums = grown(self.sums, self.keys(candidate), candidate.payment.reporting_amount_minor)
        return replace(self, treasury=treasury, balances=balances, sums=sums)


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision and the exact bytes it was made from."""

    payment_id: PaymentId
    decision: Decision
    request: bytes
    facts: bytes

    @property
    def ends(self) -> bool:
        """Denied for good: trying again with the same request would deny again."""
        return self.decision.outcome is Outcome.DENY and not self.decision.retriable


def decide(candidate: Candidate, situation: Situation, available_minor: int) -> Decided:
    """Evaluate the policy set on this payment. `available_minor` is what its wallet can spend."""
    request = policy_request(candidate, situation.treasury.reporting, situation.now)
    facts = policy_facts(
        candidate,
        situation.treasury,
        policy_since=situation.policy_since,
        sums={
            key[0]: situation.sums[key]
            for key in situation.keys(candidate)
            if key in situation.sums
        },
        local=local_time(situation.policy_set.zone, situation.now),
        cash=cash_minor(situation.treasury, situation.balances, situation.prices),
        available_minor=available_minor,
        price=situation.prices.get(candidate.payment.asset.symbol),
        now=situation.now,
        network=situation.network,
    )
    decision = evaluate(request, facts, situation.policy_set)
    return Decided(candidate.payment.id, decision, request.to_json(), facts.to_json())


async def store_decisions(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    decided: Sequence[Decided],
    situation: Situation,
    *,
    stage: str,
    new_id: NewId,
) -> dict[PaymentId, DecisionId]:
    """Store decisions with request, facts and policy version; return their ids by payment."""
    new = [
        decision_store.NewDecision(
            id=DecisionId(new_id()),
            payment_id=one.payment_id,
            outcome=one.decision.outcome.name,
            request=one.request,
            facts=one.facts,
            decision=one.decision.to_json(),
        )
        for one in decided
    ]
    if new:
        await decision_store.insert(
            connection,
            organization_id,
            new,
            stage=stage,
            policy_digest=situation.policy_set.digest,
            now=situation.now,
        )
    return {one.payment_id: one.id for one in new}
