"""Jobs run for as long as the worker does, whatever the queue does meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Job

from treasurer.db.engine import DatabaseUrls, conninfo
from treasurer.kernel.ids import InvoiceId, OrganizationId
from worker.jobs import OnInvoice, Patience, register, run_jobs

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


def test_a_job_is_tried_for_five_days() -> None:
    waits: list[timedelta] = []
    began = datetime.now(UTC)
    while decision := Patience().get_retry_decision(
        exception=RuntimeError("no agent"), job=_job(attempts=len(waits))
    ):
        assert decision.retry_at is not None
        waits.append(decision.retry_at - began)
    whole = [round(wait.total_seconds(), -1) for wait in waits]
    assert (whole[0], whole[5], max(whole)) == (0, 60, 3600)
    assert timedelta(days=5) <= sum(waits, timedelta()) < timedelta(days=5, hours=2)


def _job(attempts: int) -> Job:
    return Job(
        id=1,
        queue="default",
        lock=None,
        queueing_lock=None,
        task_name="read_invoice",
        attempts=attempts,
    )


async def _never(*_: object) -> None:
    raise AssertionError


def _queue(urls: DatabaseUrls, read: OnInvoice) -> App:
    queue = App(connector=PsycopgConnector(conninfo=conninfo(urls.system)))
    register(
        queue,
        read_invoice=read,
        recompute_payment=_never,
        send_notification=_never,
        remind=_never,
        escalate=_never,
    )
    return queue


async def _put(queue: App) -> tuple[UUID, UUID]:
    organization_id, invoice_id = uuid4(), uuid4()
    await queue.configure_task("read_invoice").defer_async(
        organization_id=str(organization_id), invoice_id=str(invoice_id)
    )
    return organization_id, invoice_id


async def test_a_job_that_breaks_is_tried_again(database_urls: DatabaseUrls) -> None:
    tried: asyncio.Queue[tuple[UUID, UUID]] = asyncio.Queue()
    faults_to_come = [RuntimeError("no agent")]

    async def read(organization_id: OrganizationId, invoice_id: InvoiceId) -> None:
        fault = faults_to_come.pop() if faults_to_come else None
        tried.put_nowait((organization_id, invoice_id))
        if fault is not None:
            raise fault

    queue = _queue(database_urls, read)
    async with queue.open_async(), _running(queue):
        job = await _put(queue)
        assert [await asyncio.wait_for(tried.get(), 20) for _ in range(2)] == [job, job]


async def test_a_queue_that_failed_runs_its_jobs_when_it_is_back(
    database_urls: DatabaseUrls,
) -> None:
    done: asyncio.Queue[tuple[UUID, UUID]] = asyncio.Queue()

    async def read(organization_id: OrganizationId, invoice_id: InvoiceId) -> None:
        done.put_nowait((organization_id, invoice_id))

    queue = _queue(database_urls, read)
    async with queue.open_async(), _running(queue):
        for _ in range(2):
            job = await _put(queue)
            assert await asyncio.wait_for(done.get(), 20) == job
            _as_owner(database_urls, f"ALTER FUNCTION {FETCH} RENAME TO {FETCH}_away")
            await _until_no_worker(database_urls)
            _as_owner(database_urls, f"ALTER FUNCTION {FETCH}_away RENAME TO {FETCH}")
        job = await _put(queue)
        assert await asyncio.wait_for(done.get(), 20) == job
