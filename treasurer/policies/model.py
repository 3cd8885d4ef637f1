"""Owns what a stored policy set is and which states follow. Pure; `policy` owns what it means."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from policy.decision import Outcome
from policy.policy_set import PolicySet
from policy.rules.tiers import Tiers
from treasurer.kernel.ids import OrganizationId, PolicySetId, UserId
from treasurer.kernel.money import Asset


class PolicySetState(StrEnum):
    DRAFT = "draft"
    ACTIVE = "active"
    SUPERSEDED = "superseded"


LEGAL: dict[PolicySetState, frozenset[PolicySetState]] = {
    PolicySetState.DRAFT: frozenset({PolicySetState.ACTIVE}),
    PolicySetState.ACTIVE: frozenset({PolicySetState.SUPERSEDED}),
    PolicySetState.SUPERSEDED: frozenset(),
}
"""A superseded set never comes back: the same text would be a new version."""


@dataclass(frozen=True, slots=True)
class StoredPolicySet:
    """One version. `document` is the canonical JSON, `digest` its SHA-256."""

    id: PolicySetId
    organization_id: OrganizationId
    version: int
    digest: bytes
    document: bytes
    state: PolicySetState
    created_by: UserId
    created_at: datetime
    activated_by: UserId | None
    activated_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApprovalLimit:
    """Up to here, inclusively, payments go without asking: base units, or None for any amount."""

    amount_minor: int | None
    reporting: Asset


def approval_limit(policy_set: PolicySet) -> ApprovalLimit:
    """What the tiers alone say; other rules may still ask or deny below it. 0: every one is asked.

    Tiers are monotone, so those that pay without asking come first.
    """
    (tiers,) = (rule for rule in policy_set.rules if isinstance(rule, Tiers))
    free = sum(1 for ruling in tiers.rulings if ruling.outcome is Outcome.ALLOW)
    if free > len(tiers.bounds_minor):
        return ApprovalLimit(None, policy_set.reporting)
    limit_minor = tiers.bounds_minor[free - 1] if free else 0
    return ApprovalLimit(limit_minor, policy_set.reporting)
