"""Who may stop an organization, who may let it go, and what is recorded of it."""

import asyncio
from datetime import timedelta

import pytest
from uuid_utils.compat import uuid7

from tests.support.clock import START
from tests.support.organization import TestOrganization, create_organization
from treasurer.audit import store as audit
from treasurer.db.engine import Database
from treasurer.identity.freeze import FreezeState, freeze, read_freeze, unfreeze
from treasurer.kernel.errors import InvalidInput, NotPermitted
from treasurer.kernel.organization import Principal, PrincipalKind, Role

THAWED = FreezeState(False, None, None, None)


async def frozen(
    database: Database, who: Principal, reason: str = "a laptop is gone"
) -> FreezeState:
    return await freeze(database, who, reason, now=START, new_id=uuid7)


async def thawed(database: Database, who: Principal, reason: str = "found again") -> FreezeState:
    return await unfreeze(database, who, reason, now=START + timedelta(hours=1), new_id=uuid7)


async def state(database: Database, organization: TestOrganization) -> FreezeState:
    async with database.unit(organization.id) as connection:
        return await read_freeze(connection, organization.id)


async def recorded(database: Database, organization: TestOrganization) -> list[tuple[object, ...]]:
    async with database.unit(organization.id) as connection:
        page = await audit.event_page(
            connection, organization.id, aggregate_id=organization.id, before=None, most=50
        )
    return [
        (event.kind, event.actor_id, event.payload["reason"])
        for event in page[::-1]
        if "frozen" in event.kind
    ]


async def test_a_cfo_stops_it_and_an_administrator_lets_it_go(
    database: Database, organization: TestOrganization
) -> None:
    assert await state(database, organization) == THAWED
    stopped = await frozen(database, organization.cfo, "  a laptop is gone ")
    assert (stopped.frozen, stopped.since, stopped.reason) == (True, START, "a laptop is gone")
    assert await state(database, organization) == stopped
    assert await thawed(database, organization.administrator) == THAWED
    assert await recorded(database, organization) == [
        ("organization.frozen", organization.cfo.user_id, "a laptop is gone"),
        ("organization.unfrozen", organization.administrator.user_id, "found again"),
    ]


@pytest.mark.parametrize("name", ["clerk", "approver", "auditor", "service", "agent"])
async def test_nobody_else_stops_it(
    database: Database, organization: TestOrganization, name: str
) -> None:
    with pytest.raises(NotPermitted, match="payments:freeze"):
        await frozen(database, getattr(organization, name))
    assert await state(database, organization) == THAWED


async def test_only_a_person_who_administrates_lets_it_go(
    database: Database, organization: TestOrganization
) -> None:
    await frozen(database, organization.administrator)
    with pytest.raises(NotPermitted, match="admin:all"):
        await thawed(database, organization.cfo)
    program = Principal(
        organization.id,
        organization.service.user_id,
        PrincipalKind.SERVICE,
        frozenset({Role.ADMINISTRATOR}),
    )
    with pytest.raises(NotPermitted, match="HUMAN_REQUIRED"):
        await thawed(database, program)
    assert (await state(database, organization)).frozen


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
async def test_a_reason_is_asked_for(
    database: Database, organization: TestOrganization, reason: str
) -> None:
    for turn in (frozen, thawed):
        with pytest.raises(InvalidInput, match="REASON_MISSING"):
            await turn(database, organization.administrator, reason)


async def test_many_at_once_are_one_freeze_and_the_first_reason_stays(
    database: Database, organization: TestOrganization
) -> None:
    await frozen(database, organization.cfo, "the first")
    states = await asyncio.gather(
        *(frozen(database, organization.administrator, f"number {n}") for n in range(5))
    )
    assert {each.reason for each in states} == {"the first"}
    await asyncio.gather(*(thawed(database, organization.administrator) for _ in range(5)))
    assert [kind for kind, _, _ in await recorded(database, organization)] == [
        "organization.frozen",
        "organization.unfrozen",
    ]


async def test_another_organization_goes_on(
    database: Database, organization: TestOrganization
) -> None:
    other = await create_organization(database)
    await frozen(database, organization.cfo)
    assert await state(database, other) == THAWED
