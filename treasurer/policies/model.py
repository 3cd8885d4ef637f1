"""Owns what a stored policy set is and which states follow. Pure; `policy` owns what it means."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from treasurer.kernel.ids import OrganizationId, PolicySetId, UserId


class PolicySetState(StrEnum):
    DRAFT = "draft"
    SIMULATED = "simulated"
    SIGNED_OFF = "signed_off"
    ACTIVE = "active"
    SUPERSEDED = "superseded"


LEGAL: dict[PolicySetState, frozenset[PolicySetState]] = {
    # The first set goes from nothing to active, and a lower limit does too: neither is ever a draft.
    PolicySetState.DRAFT: frozenset({PolicySetState.SIMULATED}),
    PolicySetState.SIMULATED: frozenset({PolicySetState.SIGNED_OFF}),
    PolicySetState.SIGNED_OFF: frozenset({PolicySetState.ACTIVE}),
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


SIGN_OFFS = 2
"""How many different people sign a set off before it may replace another; neither alone."""


@dataclass(frozen=True, slots=True)
class SignOff:
    """One person's word for a set, having seen the report of `backtest_digest`."""

    user_id: UserId
    backtest_digest: bytes
    signed_at: datetime
