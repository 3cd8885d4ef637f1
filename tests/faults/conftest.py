"""A database of the laboratory's own: its pumps claim whatever is due, so no other test may live here."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog

from tests.support.database import migrated_database, postgres_server
from treasurer.db.engine import Database, DatabaseUrls, open_database


@pytest.fixture(scope="session")
def laboratory_urls() -> Iterator[DatabaseUrls]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with (
        postgres_server() as server,
        migrated_database(server, f"faults_{worker}_{os.getpid()}") as urls,
    ):
        yield urls


@pytest_asyncio.fixture(scope="session")
async def laboratory(laboratory_urls: DatabaseUrls) -> AsyncIterator[Database]:
    opened = open_database(laboratory_urls, pool_size=20)
    yield opened
    await opened.close()


@pytest.fixture
def quiet() -> Iterator[None]:
    """An engine that fails logs its trace; thousands of them tell nothing and take their time."""
    structlog.configure(processors=[_drop])
    yield
    structlog.reset_defaults()


def _drop(*_: object) -> dict[str, object]:
    raise structlog.DropEvent
