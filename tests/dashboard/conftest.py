"""Fixtures of the pages: a served application with its organization, and one Chromium."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Browser
from redis.asyncio import Redis

from tests.support.browser import Dashboard, chromium, open_dashboard
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
async def dashboard(
    database: Database, valkey: Redis, organization: TestOrganization, clock: ManualClock
) -> AsyncIterator[Dashboard]:
    async with open_dashboard(database, valkey, organization, clock) as opened:
        yield opened


@pytest_asyncio.fixture
async def bare(
    database: Database, valkey: Redis, organization: TestOrganization, clock: ManualClock
) -> AsyncIterator[Dashboard]:
    """An organization before anything was set up."""
    async with open_dashboard(database, valkey, organization, clock, set_up=False) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as launched:
        yield launched
