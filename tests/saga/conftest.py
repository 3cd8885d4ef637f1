"""A chain for the saga's tests, and a fresh treasury on it for each."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.embedded import devchain
from tests.support.treasury import Treasury, open_treasury
from treasurer.db.engine import Database


@pytest.fixture(scope="session")
def chain_url() -> Iterator[str]:
    with devchain(block_time_s=0.1) as server:
        yield server.url


@pytest_asyncio.fixture
async def treasury(database: Database, chain_url: str, tmp_path: Path) -> AsyncIterator[Treasury]:
    async with open_treasury(database, chain_url, tmp_path / "signer") as opened:
        yield opened
