"""The first activation, drafts, history, and that the active set is what its digest names."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text
from uuid_utils.compat import uuid7

from policy.approval_limit import free_up_to
from policy.policy_set import load_policy_set
from tests.support.approvals import rows
from tests.support.clock import ManualClock
from tests.support.database import run_as_owner
from tests.support.organization import TestOrganization, create_organization
from treasurer.db.engine import Database, DatabaseUrls
from treasurer.kernel.errors import (
    Conflict,
    InvalidInput,
    InvariantViolated,
    NotFound,
    NotPermitted,
)
from treasurer.kernel.ids import PolicySetId
from treasurer.policies.model import PolicySetState
from treasurer.policies.service import PolicyService

_SAMPLES = Path(__file__).parents[2] / "samples" / "policies"
NORWICK = (_SAMPLES / "norwick.yaml").read_text()
LOWER = NORWICK.replace("up_to: 1000.00 USD", "up_to: 500.00 USD")


@pytest.fixture
def policies(database: Database, clock: ManualClock) -> PolicyService:
    return PolicyService(database=database, clock=clock, new_id=uuid7)


async def test_without_a_set_nothing_is_active(
    database: Database, organization: TestOrganization, policies: PolicyService
) -> None:
    async with database.unit(organization.id) as connection:
        with pytest.raises(Conflict) as missing:
            await policies.active(connection, organization.id)
    assert missing.value.code == "POLICY_MISSING"


async def test_the_administrator_activates_the_first(
    database: Database, organization: TestOrganization, policies: PolicyService, clock: ManualClock
) -> None:
    stored = await policies.activate_first(organization.administrator, NORWICK)
    compiled = load_policy_set(NORWICK)
    assert (stored.version, stored.state) == (1, PolicySetState.ACTIVE)
    assert (stored.digest, stored.document) == (compiled.digest, compiled.canonical)
    assert (stored.activated_by, stored.activated_at) == (
        organization.administrator.user_id,
        clock(),
    )
    async with database.unit(organization.id) as connection:
        active = await policies.active(connection, organization.id)
        assert active == compiled
        # The second time nothing is compiled again.
        assert await policies.active(connection, organization.id) is active
    (event,) = await rows(database, organization, "audit_events")
    assert (event["kind"], event["actor_id"], event["payload"]) == (
        "policy.activated",
        organization.administrator.user_id,
        {"version": 1, "digest": compiled.digest.hex()},
    )


async def test_only_an_administrator_activates(
    organization: TestOrganization, policies: PolicyService
) -> None:
    for principal in (organization.cfo, organization.clerk, organization.agent):
        with pytest.raises(NotPermitted):
            await policies.activate_first(principal, NORWICK)


async def test_the_second_needs_a_sign_off(
    database: Database, organization: TestOrganization, policies: PolicyService
) -> None:
    first = await policies.activate_first(organization.administrator, NORWICK)
    assert await policies.activate_first(organization.administrator, NORWICK) == first
    with pytest.raises(Conflict) as refused:
        await policies.activate_first(organization.administrator, LOWER)
    assert refused.value.code == "POLICY_SIGN_OFF_REQUIRED"
    assert refused.value.data == {"active_version": 1}
    draft = await policies.draft(organization.cfo, LOWER)
    assert (draft.version, draft.state, draft.activated_at) == (2, PolicySetState.DRAFT, None)
    async with database.unit(organization.id) as connection:
        active = await policies.active(connection, organization.id)
    assert active.digest == first.digest


async def test_ten_first_activations_at_once_are_one(
    organization: TestOrganization, policies: PolicyService
) -> None:
    answers = await asyncio.gather(
        *(
            policies.activate_first(organization.administrator, yaml_text)
            for yaml_text in [NORWICK, LOWER] * 5
        ),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert len(refused) == 5
    assert len(await policies.history(organization.cfo)) == 1


async def test_drafts_count_up_at_once_and_pages_walk_down(
    organization: TestOrganization, policies: PolicyService
) -> None:
    drafts = await asyncio.gather(*(policies.draft(organization.cfo, NORWICK) for _ in range(7)))
    assert sorted(draft.version for draft in drafts) == [1, 2, 3, 4, 5, 6, 7]
    first = await policies.history(organization.clerk, most=3)
    rest = await policies.history(organization.clerk, before=first[-1].version)
    assert [stored.version for stored in first + rest] == [7, 6, 5, 4, 3, 2, 1]
    assert await policies.get(organization.clerk, first[0].id) == first[0]


async def test_what_does_not_compile_is_not_kept(
    database: Database, organization: TestOrganization, policies: PolicyService
) -> None:
    with pytest.raises(InvalidInput) as fault:
        await policies.draft(organization.cfo, NORWICK.replace("cooling_off: 24 h", "cooling: 1 h"))
    assert fault.value.code == "POLICY_INVALID"
    with pytest.raises(InvalidInput) as currency:
        await policies.draft(organization.cfo, NORWICK.replace("USD", "EUR"))
    assert currency.value.code == "POLICY_REPORTING_CURRENCY"
    assert await rows(database, organization, "policy_sets") == []


async def test_a_policy_that_nobody_could_meet_is_not_activated(
    database: Database, organization: TestOrganization, policies: PolicyService
) -> None:
    async with database.unit(organization.id) as connection:
        await connection.execute(
            text("UPDATE users SET state = 'disabled' WHERE organization_id = :org AND id = :id"),
            {"org": organization.id, "id": organization.cfo.user_id},
        )
    with pytest.raises(Conflict) as understaffed:
        await policies.activate_first(organization.administrator, NORWICK)
    assert understaffed.value.code == "POLICY_UNDERSTAFFED"
    assert "1 of cfo more" in understaffed.value.message
    single = (_SAMPLES / "single-person.yaml").read_text()
    stored = await policies.activate_first(organization.administrator, single)
    assert stored.state is PolicySetState.ACTIVE


async def test_a_tampered_document_stops(
    database: Database,
    database_urls: DatabaseUrls,
    organization: TestOrganization,
    policies: PolicyService,
) -> None:
    """The app role cannot edit a set (tests/policies/test_life.py); the tables' owner could."""
    await policies.activate_first(organization.administrator, NORWICK)
    other = load_policy_set(LOWER).canonical.decode().replace("'", "''")
    run_as_owner(
        database_urls,
        organization.id,
        "ALTER TABLE policy_sets DISABLE TRIGGER policy_sets_fixed",
        f"UPDATE policy_sets SET document = convert_to('{other}', 'UTF8')",
        "ALTER TABLE policy_sets ENABLE TRIGGER policy_sets_fixed",
    )
    async with database.unit(organization.id) as connection:
        with pytest.raises(InvariantViolated) as tampered:
            await policies.active(connection, organization.id)
    assert tampered.value.code == "POLICY_DIGEST"


async def test_another_organizations_set_is_not_there(
    database: Database, organization: TestOrganization, policies: PolicyService
) -> None:
    stored = await policies.activate_first(organization.administrator, NORWICK)
    stranger = await create_organization(database)
    with pytest.raises(NotFound) as unknown:
        await policies.get(stranger.cfo, stored.id)
    assert unknown.value.code == "POLICY_UNKNOWN"
    with pytest.raises(NotFound):
        await policies.get(organization.cfo, PolicySetId(uuid7()))
    assert await policies.history(stranger.cfo) == []


def test_the_limit_is_the_last_tier_that_asks_nobody() -> None:
    assert free_up_to(load_policy_set(NORWICK)) == 100_000
    asked = NORWICK.replace("    then: pay without asking", "    then: ask 1 of approver or cfo", 1)
    assert free_up_to(load_policy_set(asked)) == 0
    tiers = NORWICK[NORWICK.index("tiers:") : NORWICK.index("# An approval that")]
    free = NORWICK.replace(tiers, "tiers:\n  - up_to: any amount\n    then: pay without asking\n")
    assert free_up_to(load_policy_set(free)) is None
