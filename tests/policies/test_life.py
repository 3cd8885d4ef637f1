"""A draft becomes the active set: simulated, signed off by two people, activated by a fresh backtest."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from policy.approval_limit import free_up_to, with_limit
from policy.policy_set import load_policy_set
from tests.policies.test_policies import LOWER, NORWICK
from tests.support.approvals import rows
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization
from treasurer.db.engine import Database
from treasurer.kernel.errors import Conflict, InvalidInput, NotPermitted
from treasurer.kernel.organization import PrincipalKind
from treasurer.policies.life import PolicyLife
from treasurer.policies.model import PolicySetState, StoredPolicySet
from treasurer.policies.service import PolicyService

HIGHER = NORWICK.replace("up_to: 1000.00 USD", "up_to: 2000.00 USD")
REPORT = b'{"a":"report"}'


@pytest.fixture
def policies(database: Database, clock: ManualClock) -> PolicyService:
    return PolicyService(database=database, clock=clock, new_id=uuid7)


@pytest.fixture
def life(database: Database, policies: PolicyService, clock: ManualClock) -> PolicyLife:
    return PolicyLife(database=database, policies=policies, clock=clock, new_id=uuid7)


@pytest.fixture
async def draft(organization: TestOrganization, policies: PolicyService) -> StoredPolicySet:
    await policies.activate_first(organization.administrator, NORWICK)
    return await policies.draft(organization.cfo, HIGHER)


async def simulate(
    life: PolicyLife, organization: TestOrganization, draft: StoredPolicySet, report: bytes = REPORT
) -> bytes:
    """The digest of a backtest kept for the draft."""
    from treasurer.kernel.digest import digest

    kept = await life.simulated(organization.cfo, draft.digest, report)
    assert kept is not None and kept.id == draft.id
    return digest(report)


async def test_a_draft_goes_all_the_way(
    database: Database,
    organization: TestOrganization,
    policies: PolicyService,
    life: PolicyLife,
    draft: StoredPolicySet,
) -> None:
    seen = await simulate(life, organization, draft)
    first = await life.sign_off(organization.cfo, draft.id, seen)
    assert first.state is PolicySetState.SIMULATED
    second = await life.sign_off(organization.administrator, draft.id, seen)
    assert second.state is PolicySetState.SIGNED_OFF
    active = await life.activate(organization.cfo, draft.id, seen)
    assert (active.state, active.activated_by) == (
        PolicySetState.ACTIVE,
        organization.cfo.user_id,
    )
    states = [stored.state for stored in await policies.history(organization.clerk)]
    assert states == [PolicySetState.ACTIVE, PolicySetState.SUPERSEDED]
    async with database.unit(organization.id) as connection:
        assert (await policies.active(connection, organization.id)).digest == draft.digest
    kinds = [event["kind"] for event in await rows(database, organization, "audit_events")]
    assert sorted(kinds) == sorted(
        ["policy.activated", "policy.drafted", "policy.simulated", "policy.signed_off",
         "policy.signed_off", "policy.superseded", "policy.activated"]
    )  # fmt: skip


async def test_one_person_is_one_sign_off(
    organization: TestOrganization, life: PolicyLife, draft: StoredPolicySet
) -> None:
    seen = await simulate(life, organization, draft)
    answers = await asyncio.gather(
        *(life.sign_off(organization.cfo, draft.id, seen) for _ in range(10))
    )
    assert {answer.state for answer in answers} == {PolicySetState.SIMULATED}
    assert len(await life.sign_offs(organization.auditor, draft.id)) == 1
    with pytest.raises(Conflict) as alone:
        await life.activate(organization.cfo, draft.id, seen)
    assert alone.value.code == "POLICY_NOT_SIGNED_OFF"
    assert "by 1 of 2 people" in alone.value.message


async def test_without_a_backtest_nobody_signs(
    organization: TestOrganization, life: PolicyLife, draft: StoredPolicySet
) -> None:
    with pytest.raises(Conflict) as unseen:
        await life.sign_off(organization.cfo, draft.id, b"\0" * 32)
    assert unseen.value.code == "POLICY_NOT_SIMULATED"
    await simulate(life, organization, draft)
    with pytest.raises(Conflict) as other:
        await life.sign_off(organization.cfo, draft.id, b"\0" * 32)
    assert other.value.code == "BACKTEST_UNKNOWN"


async def test_a_backtest_lasts_a_day(
    organization: TestOrganization, life: PolicyLife, draft: StoredPolicySet, clock: ManualClock
) -> None:
    seen = await simulate(life, organization, draft)
    for person in (organization.cfo, organization.administrator):
        await life.sign_off(person, draft.id, seen)
    clock.advance(hours=24, seconds=1)
    with pytest.raises(Conflict) as old:
        await life.activate(organization.cfo, draft.id, seen)
    assert old.value.code == "BACKTEST_OLD"
    fresh = await simulate(life, organization, draft, b'{"another":"report"}')
    active = await life.activate(organization.cfo, draft.id, fresh)
    assert active.state is PolicySetState.ACTIVE


async def test_who_may_not(
    organization: TestOrganization, life: PolicyLife, draft: StoredPolicySet
) -> None:
    seen = await simulate(life, organization, draft)
    machine = replace(organization.cfo, kind=PrincipalKind.SERVICE)
    for principal in (organization.clerk, organization.approver, organization.agent, machine):
        with pytest.raises(NotPermitted):
            await life.sign_off(principal, draft.id, seen)
        with pytest.raises(NotPermitted):
            await life.change_limit(principal, 1)


async def test_a_set_is_never_edited(
    database: Database, organization: TestOrganization, draft: StoredPolicySet
) -> None:
    for change in ("document = 'x'", "digest = sha256('x')", "version = 9"):
        with pytest.raises(DBAPIError, match="POLICY_SET_FIXED"):
            async with database.unit(organization.id) as connection:
                await connection.execute(text(f"UPDATE policy_sets SET {change}"))


async def test_a_lower_limit_is_in_force_at_once(
    organization: TestOrganization, policies: PolicyService, life: PolicyLife
) -> None:
    await policies.activate_first(organization.administrator, NORWICK)
    lowered = await life.change_limit(organization.cfo, 50_000)
    assert lowered.state is PolicySetState.ACTIVE
    assert lowered.digest == load_policy_set(LOWER).digest
    # The same again changes nothing.
    assert await life.change_limit(organization.cfo, 50_000) == lowered
    with pytest.raises(NotPermitted) as refused:
        await life.change_limit(organization.administrator, 1)
    assert refused.value.code == "CFO_REQUIRED"


async def test_a_higher_limit_is_a_draft(
    database: Database, organization: TestOrganization, policies: PolicyService, life: PolicyLife
) -> None:
    await policies.activate_first(organization.administrator, NORWICK)
    raised = await life.change_limit(organization.cfo, 200_000)
    assert (raised.state, raised.digest) == (PolicySetState.DRAFT, load_policy_set(HIGHER).digest)
    async with database.unit(organization.id) as connection:
        assert free_up_to(await policies.active(connection, organization.id)) == 100_000


async def test_one_person_is_told_what_cannot_be(
    database: Database, organization: TestOrganization, policies: PolicyService, life: PolicyLife
) -> None:
    await policies.activate_first(organization.administrator, NORWICK)
    assert await life.cannot_have(organization.cfo) == []
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE users SET state = 'disabled' WHERE id = :id"),
            {"id": organization.administrator.user_id},
        )
    (limits, approvals) = await life.cannot_have(organization.cfo)
    assert limits.startswith("1 of your people may sign off a policy and 2 are needed")
    assert "cannot approve it" in approvals
    with pytest.raises(Conflict) as refused:
        await life.change_limit(organization.cfo, 200_000)
    assert refused.value.code == "POLICY_ONE_PERSON"
    assert (await life.change_limit(organization.cfo, 1)).state is PolicySetState.ACTIVE


@pytest.mark.parametrize(
    ("limit_minor", "tiers"),
    [
        (1, [("0.01 USD", "pay without asking"), ("10000.00 USD", 1), ("25000.00 USD", 2)]),
        (0, [("10000.00 USD", 1), ("25000.00 USD", 2)]),
        (1_000_000, [("10000.00 USD", "pay without asking"), ("25000.00 USD", 2)]),
        (1_000_001, [("10000.01 USD", "pay without asking"), ("25000.00 USD", 2)]),
        (2_500_000, [("25000.00 USD", "pay without asking")]),
    ],
)
def test_a_limit_changes_the_tiers_alone(limit_minor: int, tiers: list[tuple[str, object]]) -> None:
    import json

    before = load_policy_set(NORWICK)
    after = with_limit(before, limit_minor)
    assert free_up_to(after) == limit_minor
    old, new = json.loads(before.canonical), json.loads(after.canonical)
    found = [
        (tier["up_to"], tier["then"] if "pay" in tier["then"] else 1 + tier["then"].count(" and "))
        for tier in new.pop("tiers")
    ]
    assert found == tiers
    old.pop("tiers")
    assert new == old


def test_a_limit_of_nothing_needs_tiers_that_ask() -> None:
    free = with_limit(load_policy_set(NORWICK), 2_500_000)
    with pytest.raises(InvalidInput) as refused:
        with_limit(free, 0)
    assert refused.value.code == "POLICY_NO_TIER"
