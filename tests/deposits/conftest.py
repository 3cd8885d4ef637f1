"""Books on each node that the contract suites run on."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.chain import LAUNCHERS, NODES
from tests.support.deposits import Books, open_books
from treasurer.chain.finality import Depth
from treasurer.db.engine import Database


@pytest.fixture(scope="module", params=NODES)
def chain_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with LAUNCHERS[request.param]() as url:
        yield url


@pytest_asyncio.fixture
async def books(database: Database, chain_url: str) -> AsyncIterator[Books]:
    async with open_books(database, chain_url) as opened:
        yield opened


@pytest_asyncio.fixture
async def patient(database: Database, chain_url: str) -> AsyncIterator[Books]:
    """Books that take a block for final when four others stand upon it."""
    async with open_books(database, chain_url, Depth(4)) as opened:
        yield opened
