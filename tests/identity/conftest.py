"""Fixtures of identity: a service over the real database and a real Valkey."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.support.clock import ManualClock
from tests.support.identity import identity_service, new_valkey, valkey_url
from treasurer.db.engine import Database
from treasurer.identity.service import IdentityService

__all__ = ["valkey_url"]


@pytest_asyncio.fixture
async def valkey(valkey_url: str) -> AsyncIterator[Redis]:
    client = new_valkey(valkey_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def identity(database: Database, valkey: Redis, clock: ManualClock) -> IdentityService:
    return identity_service(database, valkey, clock)
