"""Owns the SQL of decisions. Must never change one: the table takes inserts alone (I10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import DecisionId, OrganizationId, PaymentId
from treasurer.payments.model import StoredDecision

_INSERT = text("""
    INSERT INTO decisions (organization_id, id, payment_id, stage, outcome, policy_digest, request,
                           facts, facts_digest, decision, decided_at)
    SELECT :organization_id, d.id, d.payment_id, :stage, d.outcome, :policy_digest, d.request,
           d.facts, sha256(d.facts), d.decision, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:payments AS uuid[]), CAST(:outcomes AS text[]),
                CAST(:requests AS bytea[]), CAST(:facts AS bytea[]), CAST(:decisions AS bytea[]))
         AS d (id, payment_id, outcome, request, facts, decision)
""")
_OF_PAYMENT = text("""
    SELECT stage, outcome, policy_digest, request, facts, decision, decided_at FROM decisions
    WHERE organization_id = :organization_id AND payment_id = :payment_id ORDER BY id DESC LIMIT 20
""")


@dataclass(frozen=True, slots=True)
class NewDecision:
    id: DecisionId
    payment_id: PaymentId
    outcome: str
    request: bytes
    facts: bytes
    decision: bytes


async def insert(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    decisions: Sequence[NewDecision],
    *,
    stage: str,
    policy_digest: bytes,
    now: datetime,
) -> None:
    """Store decisions with the exact bytes of request, facts and answer."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "stage": stage,
            "policy_digest": policy_digest,
            "now": now,
            "ids": [decision.id for decision in decisions],
            "payments": [decision.payment_id for decision in decisions],
            "outcomes": [decision.outcome for decision in decisions],
            "requests": [decision.request for decision in decisions],
            "facts": [decision.facts for decision in decisions],
            "decisions": [decision.decision for decision in decisions],
        },
    )


async def of_payment(
    connection: AsyncConnection, organization_id: OrganizationId, payment_id: PaymentId
) -> list[StoredDecision]:
    """The newest decisions of a payment, newest first."""
    rows = await connection.execute(
        _OF_PAYMENT, {"organization_id": organization_id, "payment_id": payment_id}
    )
    return [
        StoredDecision(
            stage=row["stage"],
            outcome=row["outcome"],
            policy_digest=bytes(row["policy_digest"]),
            request=bytes(row["request"]),
            facts=bytes(row["facts"]),
            decision=bytes(row["decision"]),
            decided_at=row["decided_at"],
        )
        for row in rows.mappings()
    ]
