"""Fixtures of the API: the application for a fresh organization."""

from collections.abc import AsyncIterator

import pytest_asyncio
from redis.asyncio import Redis

from tests.support.api import ApiWorld, open_world
from tests.support.clock import ManualClock
from tests.support.identity import new_valkey, valkey_url
from tests.support.organization import TestOrganization, create_organization
from treasurer.db.engine import Database

__all__ = ["valkey_url"]


@pytest_asyncio.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Redis]:
    client = new_valkey(valkey_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def organization(database: Database) -> TestOrganization:
    """Burns 10,000.00 USD a month, so that the runway is known and long enough."""
    return await create_organization(database, burn_minor=1_000_000)


@pytest_asyncio.fixture
async def world(
    database: Database, valkey: Redis, organization: TestOrganization, clock: ManualClock
) -> AsyncIterator[ApiWorld]:
    async with open_world(database, valkey, organization, clock) as opened:
        yield opened
