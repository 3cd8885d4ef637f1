"""Owns proving that a stored decision is what its own facts and policy give (I10).

Must never repair one.
"""

from dataclasses import dataclass
from datetime import datetime

from policy.engine import evaluate
from policy.facts import facts_from_json
from policy.policy_set import PolicySet, parse_policy_set
from policy.request import request_from_json
from treasurer.db.engine import Database
from treasurer.kernel.errors import InvalidInput, NotFound
from treasurer.kernel.ids import PaymentId
from treasurer.kernel.organization import Permission, Principal
from treasurer.payments import decision_store
from treasurer.payments.model import StoredDecision
from treasurer.policies import store as policies


@dataclass(frozen=True, slots=True)
class Verified:
    """One stored decision and what is wrong with it; "" if its replay gives the same bytes."""

    stage: str
    outcome: str
    decided_at: datetime
    policy_digest: str
    fault: str


class DecisionVerification:
    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def verify(self, principal: Principal, payment_id: PaymentId) -> list[Verified]:
        """Replay a payment's newest decisions, newest first. Raises NotFound when it has none."""
        principal.require(Permission.TREASURY_READ)
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            stored = await decision_store.of_payment(connection, organization_id, payment_id)
            documents = {
                digest: await policies.document_of(connection, organization_id, digest)
                for digest in {one.policy_digest for one in stored}
            }
        if not stored:
            raise NotFound("PAYMENT_UNKNOWN", "there is no decision about a payment of that id")
        return [
            Verified(
                one.stage,
                one.outcome,
                one.decided_at,
                one.policy_digest.hex(),
                _fault(one, documents[one.policy_digest]),
            )
            for one in stored
        ]


def _fault(stored: StoredDecision, document: bytes | None) -> str:
    if document is None:
        return "its policy set is not stored"
    try:
        policy_set = parse_policy_set(document)
        if policy_set.digest != stored.policy_digest:
            return "its policy set is not what its digest names"
        return _difference(stored, policy_set)
    except InvalidInput as error:
        return f"it cannot be read: {error.message}"


def _difference(stored: StoredDecision, policy_set: PolicySet) -> str:
    request = request_from_json(stored.request)
    facts = facts_from_json(stored.facts)
    if request.to_json() != stored.request or facts.to_json() != stored.facts:
        return "its request or its facts are not in the spelling that was stored"
    replayed = evaluate(request, facts, policy_set)
    if replayed.to_json() != stored.decision:
        return f"the replay gives other bytes: {replayed.outcome.name}: {replayed.explanation}"
    return "" if replayed.outcome.name == stored.outcome else "its outcome column says another word"
