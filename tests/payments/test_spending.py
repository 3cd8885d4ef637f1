"""What limits are held against: in flight whatever its age, settled for 24 hours, by whole minutes."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.organization import TestOrganization, create_organization
from treasurer.db.engine import Database
from treasurer.payments import spending
from treasurer.payments.facts import Treasury

SETTLED_AT = datetime(2026, 11, 21, 9, 30, 45, tzinfo=UTC)


async def _treasury(database: Database, organization: TestOrganization, now: datetime) -> Treasury:
    async with database.unit(organization.id) as connection:
        return await spending.treasury(connection, organization.id, now)


@pytest.mark.parametrize(
    ("after", "counted"),
    [
        (timedelta(0), 84_000),
        (timedelta(hours=24), 84_000),
        # 09:30:45 lies in the minute 09:30, which counts whole until all of it is a day old.
        (timedelta(hours=24, seconds=14), 84_000),
        (timedelta(hours=24, seconds=15), 0),
    ],
)
async def test_a_settled_amount_counts_for_a_day(
    database: Database, organization: TestOrganization, after: timedelta, counted: int
) -> None:
    async with database.unit(organization.id) as connection:
        await spending.take_off(connection, organization.id, [84_000])
        await spending.land(connection, organization.id, [84_000], SETTLED_AT)
    found = await _treasury(database, organization, SETTLED_AT + after)
    assert (found.settled_24h_minor, found.in_flight_minor) == (counted, 0)


async def test_what_is_in_flight_counts_whatever_its_age(
    database: Database, organization: TestOrganization
) -> None:
    async with database.unit(organization.id) as connection:
        await spending.take_off(connection, organization.id, [500, 700])
    found = await _treasury(database, organization, SETTLED_AT + timedelta(days=400))
    assert (found.in_flight_minor, found.settled_24h_minor) == (1_200, 0)


async def test_what_came_back_counts_no_more(
    database: Database, organization: TestOrganization
) -> None:
    async with database.unit(organization.id) as connection:
        await spending.take_off(connection, organization.id, [500, 700])
        await spending.come_back(connection, organization.id, [500])
    found = await _treasury(database, organization, SETTLED_AT)
    assert found.in_flight_minor == 700


async def test_the_flight_is_never_negative(
    database: Database, organization: TestOrganization
) -> None:
    with pytest.raises(Exception, match="budgets_in_flight_minor_check"):
        async with database.unit(organization.id) as connection:
            await spending.come_back(connection, organization.id, [1])


@pytest.mark.parametrize(
    ("declared", "spent", "burn"),
    [
        (None, 0, None),
        (None, 90_000, 30_000),
        (40_000, 90_000, 40_000),
        (20_000, 90_000, 30_000),
        (0, 0, 0),
    ],
)
async def test_burn_is_the_greater_of_declared_and_observed(
    database: Database, declared: int | None, spent: int, burn: int | None
) -> None:
    organization = await create_organization(database, burn_minor=declared)
    if spent:
        async with database.unit(organization.id) as connection:
            await spending.take_off(connection, organization.id, [spent])
            await spending.land(connection, organization.id, [spent], SETTLED_AT)
    found = await _treasury(database, organization, SETTLED_AT + timedelta(days=89))
    assert found.burn_monthly_minor == burn


async def test_days_older_than_ninety_leave_the_burn(
    database: Database, organization: TestOrganization
) -> None:
    async with database.unit(organization.id) as connection:
        await spending.take_off(connection, organization.id, [90_000])
        await spending.land(connection, organization.id, [90_000], SETTLED_AT)
    found = await _treasury(database, organization, SETTLED_AT + timedelta(days=91))
    assert found.burn_monthly_minor is None
