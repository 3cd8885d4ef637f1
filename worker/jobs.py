"""Owns the jobs: what each deferred name does. Must never be the only guard against doing it twice.

A slow worker's job may be retried while it still runs, so every handler is safe to repeat.
"""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from procrastinate import App, BaseRetryStrategy, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from treasurer.approvals.deadlines import ESCALATE_JOB, REMIND_JOB
from treasurer.invoices.service import RECOMPUTE_JOB
from treasurer.kernel.ids import ApprovalRequestId, InvoiceId, OrganizationId
from treasurer.notifications.model import NotificationId
from treasurer.notifications.service import SEND_JOB

OnInvoice = Callable[[OrganizationId, InvoiceId], Awaitable[object]]
AboutRequest = Callable[[OrganizationId, ApprovalRequestId], Awaitable[object]]
SendNotification = Callable[[OrganizationId, NotificationId], Awaitable[object]]
STALLED_AFTER_S = 30
"""A worker's heartbeat comes every ten seconds; one that is silent for longer is dead."""

_LONGEST_WAIT_S = 3600
_MOST_TRIES = 130
"""Five days: a little more than an hour until a wait is the longest one, then one each hour."""
_PAUSE_S = 1.0
"""Between a worker of the queue that ended and the next one."""

log = structlog.get_logger("worker.jobs")


class Patience(BaseRetryStrategy):
    """Tries a job again after 2 s, 4 s and so on up to an hour, for five days, as mails are.

    What it waits for is often a person: a disk that is full, an agent's account that was closed. A
    reading that is given up leaves its invoice `received`, and nobody asks again.
    """

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if job.attempts >= _MOST_TRIES:
            return None
        wait_s = min(2 ** (job.attempts + 1), _LONGEST_WAIT_S)
        log.warning(
            "job.put_off",
            job_id=job.id,
            task=job.task_name,
            tries=job.attempts + 1,
            wait_s=wait_s,
            reason=repr(exception),
        )
        return RetryDecision(retry_in={"seconds": wait_s})


def register(
    app: App,
    *,
    read_invoice: OnInvoice,
    recompute_payment: OnInvoice,
    send_notification: SendNotification,
    remind: AboutRequest,
    escalate: AboutRequest,
) -> None:
    """Bind the names that the services defer to what this process does for them."""
    retry = Patience()

    @app.task(name="read_invoice", retry=retry)
    async def _read_invoice(organization_id: str, invoice_id: str) -> None:
        await read_invoice(OrganizationId(UUID(organization_id)), InvoiceId(UUID(invoice_id)))

    @app.task(name=REMIND_JOB, retry=retry)
    async def _remind(organization_id: str, request_id: str) -> None:
        await remind(OrganizationId(UUID(organization_id)), ApprovalRequestId(UUID(request_id)))

    @app.task(name=ESCALATE_JOB, retry=retry)
    async def _escalate(organization_id: str, request_id: str) -> None:
        await escalate(OrganizationId(UUID(organization_id)), ApprovalRequestId(UUID(request_id)))

    @app.task(name=RECOMPUTE_JOB, retry=retry)
    async def _recompute_payment(organization_id: str, invoice_id: str) -> None:
        await recompute_payment(OrganizationId(UUID(organization_id)), InvoiceId(UUID(invoice_id)))

    @app.task(name=SEND_JOB, retry=retry)
    async def _send_notifications(organization_id: str, notification_ids: list[str]) -> None:
        """One that breaks does not keep the others; the job is repeated for it."""
        broken: list[Exception] = []
        for id_ in notification_ids:
            try:
                await send_notification(
                    OrganizationId(UUID(organization_id)), NotificationId(UUID(id_))
                )
            except Exception as error:
                broken.append(error)
        if broken:
            raise ExceptionGroup("some mails could not be tried", broken)


async def run_jobs(queue: App, stop: asyncio.Event) -> None:
    """Run what is on the queue until `stop`.

    The library's worker ends for good when the queue fails it, as after half a minute without a
    database; then another one begins.
    """
    stopped = asyncio.create_task(stop.wait())
    while not stop.is_set():
        worker = asyncio.create_task(
            queue.run_worker_async(
                concurrency=4,
                fetch_job_polling_interval=0.2,
                listen_notify=False,
                install_signal_handlers=False,
                delete_jobs="successful",
                shutdown_graceful_timeout=10,
            )
        )
        await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
        worker.cancel()
        await asyncio.wait({worker})
        if not stop.is_set():
            error = None if worker.cancelled() else worker.exception()
            log.error("jobs.interrupted", reason=str(error))
            await asyncio.wait({stopped}, timeout=_PAUSE_S)
    stopped.cancel()


async def retry_stalled(app: App) -> int:
    """Put the jobs of dead workers back on the queue; return how many."""
    stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_AFTER_S)
    retried = 0
    for job in stalled:
        try:
            await app.job_manager.retry_job(job)
            retried += 1
        except ConnectorException:
            # Another worker was faster, or an equal job waits already.
            log.info("job.not_retried", job_id=job.id)
    return retried
