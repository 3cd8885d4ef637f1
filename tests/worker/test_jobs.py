"""Jobs run for as long as the worker does, whatever the queue does meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import psycopg
import pytest
from procrastinate import App, PsycopgConnector

from treasurer.db.engine import DatabaseUrls, conninfo
from treasurer.kernel.ids import InvoiceId, OrganizationId
from worker.jobs import register, run_jobs

FETCH = "procrastinate_fetch_job_v2"


@asynccontextmanager
async def _running(queue: App) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(run_jobs(queue, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, 20)


def _as_owner(urls: DatabaseUrls, statement: str) -> None:
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as connection:
        connection.execute(statement)


async def _until_no_worker(urls: DatabaseUrls) -> None:
    """The queue's worker gives its place back when it ends."""
    deadline = time.monotonic() + 20
    with psycopg.connect(conninfo(urls.owner), autocommit=True) as connection:
        while connection.execute("SELECT FROM procrastinate_workers").fetchone() is not None:
            assert time.monotonic() < deadline, "the queue's worker goes on"
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("interruptions", [0, 2])
async def test_a_queue_that_failed_runs_its_jobs_when_it_is_back(
    database_urls: DatabaseUrls, interruptions: int
) -> None:
    done: asyncio.Queue[tuple[UUID, UUID]] = asyncio.Queue()

    async def read(organization_id: OrganizationId, invoice_id: InvoiceId) -> None:
        done.put_nowait((organization_id, invoice_id))

    async def never(*_: object) -> None:
        raise AssertionError

    queue = App(connector=PsycopgConnector(conninfo=conninfo(database_urls.system)))
    register(
        queue,
        read_invoice=read,
        recompute_payment=never,
        send_notification=never,
        remind=never,
        escalate=never,
    )

    async def runs_a_job() -> None:
        organization_id, invoice_id = uuid4(), uuid4()
        await queue.configure_task("read_invoice").defer_async(
            organization_id=str(organization_id), invoice_id=str(invoice_id)
        )
        assert await asyncio.wait_for(done.get(), 20) == (organization_id, invoice_id)

    async with queue.open_async(), _running(queue):
        await runs_a_job()
        for _ in range(interruptions):
            _as_owner(database_urls, f"ALTER FUNCTION {FETCH} RENAME TO {FETCH}_away")
            await _until_no_worker(database_urls)
            _as_owner(database_urls, f"ALTER FUNCTION {FETCH}_away RENAME TO {FETCH}")
            await runs_a_job()
