"""Owns making every stored decision again (I10). Must never read a fact that is not stored with it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from policy.decision import decision_from_json
from policy.engine import evaluate
from policy.facts import facts_from_json
from policy.policy_set import PolicySet, parse_policy_set
from policy.request import request_from_json
from treasurer.audit.reconciliation.examination import Stream
from treasurer.audit.reconciliation.model import Check, Violation
from treasurer.audit.reconciliation.scene import Scene
from treasurer.kernel.digest import digest
from treasurer.kernel.errors import InvalidInput

REPLAYS = Check(
    "I10.replays",
    "Every decision, made again from its stored request, facts and policy, is the same bytes.",
)
_DECISIONS = text("""
    SELECT id, payment_id, stage, outcome, policy_digest, request, facts, facts_digest, decision
    FROM decisions WHERE organization_id = :organization_id AND id > :after
    ORDER BY id LIMIT :most
""")
_POLICY = text("""
    SELECT document FROM policy_sets
    WHERE organization_id = :organization_id AND digest = :digest LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One decision's bytes, and the policy set that it names, if that is still there and whole."""

    id: UUID
    payment_id: UUID
    outcome: str
    request: bytes
    facts: bytes
    facts_digest: bytes
    decision: bytes
    policy_set: PolicySet | None


async def decisions(scene: Scene) -> AsyncIterator[Sequence[StoredDecision]]:
    """All decisions, oldest first. An organization has few policy sets: each is compiled once."""
    compiled: dict[bytes, PolicySet | None] = {}
    async for page in scene.pages(_DECISIONS):
        for name in {bytes(row.policy_digest) for row in page} - compiled.keys():
            compiled[name] = await _policy_set(scene, name)
        yield [_stored(row, compiled) for row in page]


def replays(_: Scene, stored: StoredDecision) -> Iterator[Violation]:
    """Byte for byte, and the outcome column says what the bytes say."""
    if stored.policy_set is None:
        yield _about(stored, "POLICY_SET_MISSING")
        return
    if digest(stored.facts) != stored.facts_digest:
        yield _about(stored, "FACTS_CHANGED")
    try:
        again = evaluate(
            request_from_json(stored.request), facts_from_json(stored.facts), stored.policy_set
        )
        same = decision_from_json(stored.decision).to_json() == stored.decision
    except (InvalidInput, ValueError, KeyError, TypeError):
        yield _about(stored, "DECISION_UNREADABLE")
        return
    if not same or again.to_json() != stored.decision or again.outcome.name != stored.outcome:
        yield _about(stored, "DECISION_DOES_NOT_REPLAY")


DECISIONS = Stream(decisions, ((REPLAYS, replays),))


async def _policy_set(scene: Scene, name: bytes) -> PolicySet | None:
    rows = await scene.rows(_POLICY, digest=name)
    if not rows or digest(bytes(rows[0].document)) != name:
        return None
    try:
        return parse_policy_set(bytes(rows[0].document))
    except InvalidInput:
        return None


def _stored(row: Row[Any], compiled: dict[bytes, PolicySet | None]) -> StoredDecision:
    return StoredDecision(
        id=row.id,
        payment_id=row.payment_id,
        outcome=row.outcome,
        request=bytes(row.request),
        facts=bytes(row.facts),
        facts_digest=bytes(row.facts_digest),
        decision=bytes(row.decision),
        policy_set=compiled[bytes(row.policy_digest)],
    )


def _about(stored: StoredDecision, code: str) -> Violation:
    return Violation(
        REPLAYS.id, code, {"decision_id": str(stored.id), "payment_id": str(stored.payment_id)}
    )
