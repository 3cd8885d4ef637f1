"""Fixtures that every noun's tests share: a real database, a fresh organization, a clock.

Each module has a database of its own: pumps and turns take whatever is due, also what others left.
"""

import os
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.clock import ManualClock
from tests.support.database import Template, copied_database, postgres_server, template_database
from tests.support.organization import TestOrganization, create_organization
from treasurer.db.engine import Database, DatabaseUrls, open_database


@pytest.fixture(autouse=True)
def usual_recursion_limit() -> None:
    """Importing py_ecc, which web3 does, lifts the limit so far that deep input ends the process.

    Document readers run in children that never import it, and the worker puts the limit back.
    """
    sys.setrecursionlimit(1000)


@pytest.fixture(scope="session")
def migrated() -> Iterator[Template]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with (
        postgres_server() as server,
        template_database(server, f"test_{worker}_{os.getpid()}") as template,
    ):
        yield template


@pytest.fixture(scope="module")
def database_urls(migrated: Template) -> Iterator[DatabaseUrls]:
    with copied_database(migrated) as urls:
        yield urls


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    opened = open_database(database_urls, pool_size=20)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def organization(database: Database) -> TestOrganization:
    return await create_organization(database)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
