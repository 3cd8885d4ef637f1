"""Owns the worker process: jobs, the pump, the sealer and the clockwork. Must never serve requests.

Any number of workers may run; they share the work by leases, row locks and the queue.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence

import structlog
from procrastinate import App

from saga.context import SagaContext
from saga.engine import Pump
from saga.steps.allow import allow_confirmed
from saga.steps.resolve import resolve_confirmed
from saga.steps.top_up import top_up_low
from treasurer.audit.port import HeadSigner
from treasurer.bootstrap import (
    Core,
    open_chain,
    open_core,
    open_deposits,
    open_notifications,
    open_queue,
    open_reconciliation,
    open_signer,
    saga_context,
)
from treasurer.chain.pinning import require_network
from treasurer.chain.port import Chain
from treasurer.db.turns import each
from treasurer.documents.extraction import DocumentReaders
from treasurer.documents.limits import Limits
from treasurer.documents.ocr import Tesseract
from treasurer.settings import Settings
from worker.auditor import Nightly, reconcile_nightly
from worker.deposits import follow_all
from worker.heads import sign_heads
from worker.intake import IntakeRunner
from worker.jobs import register, retry_stalled, run_jobs
from worker.networks import read_network
from worker.sealer import seal_all

Work = Callable[[], Awaitable[int]]
"""One turn; how much was done."""

log = structlog.get_logger("worker")


async def run(settings: Settings, ready: Callable[[], None]) -> None:
    """Work until SIGTERM or SIGINT. `ready` is called once the network's pins were verified."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    core = open_core(settings, pool_size=10)
    chain, signer = open_chain(core), open_signer(core)
    notifications = open_notifications(core)
    documents = DocumentReaders(limits=Limits(), workers=2, ocr=Tesseract.find())
    intake = IntakeRunner(core, documents)
    queue = open_queue(core)
    register(
        queue,
        read_invoice=intake.read_invoice,
        recompute_payment=core.recomputing.recompute,
        send_notification=notifications.deliver,
        remind=core.deadlines.remind,
        escalate=core.deadlines.escalate,
    )
    try:
        await require_network(chain, core.network)
        context = saga_context(core, chain)
        pump = Pump(context, signer)
        async with queue.open_async():
            ready()
            async with asyncio.TaskGroup() as group:
                group.create_task(pump.run(stop))
                for seconds, what, work in _clockwork(core, queue, chain, signer, context):
                    group.create_task(_every(seconds, stop, what, work))
                group.create_task(
                    reconcile_nightly(
                        core.database,
                        lambda: open_reconciliation(core, chain),
                        Nightly(core.settings.reconcile_at_hour_utc),
                        core.clock,
                        stop,
                    )
                )
                if settings.imap_url is not None:
                    # Imported here: few have one.
                    from worker.mailbox import MailboxRound

                    mailbox = MailboxRound(core)
                    group.create_task(_every(settings.imap_poll_s, stop, "mailbox", mailbox.look))
                group.create_task(run_jobs(queue, stop))
    finally:
        documents.close()
        await signer.close()
        await chain.close()
        await core.close()


def _clockwork(
    core: Core, queue: App, chain: Chain, signer: HeadSigner, context: SagaContext
) -> Sequence[tuple[float, str, Work]]:
    """What is done again and again, with the seconds between two turns."""
    deposits, coins = open_deposits(core, chain)
    return (
        (0.5, "seal", lambda: seal_all(core.database, core.audit)),
        (5.0, "heads", lambda: sign_heads(core.database, core.audit, signer, core.incidents)),
        (2.0, "deposits", lambda: follow_all(core.database, deposits, core.incidents)),
        (10.0, "coins", lambda: follow_all(core.database, coins, core.incidents)),
        (
            2.0,
            "network",
            lambda: read_network(core.database, chain, core.rail.chain_id, core.clock),
        ),
        (2.0, "expire", lambda: _expire(core)),
        (2.0, "resolve", lambda: resolve_confirmed(context)),
        (2.0, "allow", lambda: allow_confirmed(context)),
        (5.0, "top_up", lambda: top_up_low(context)),
        (10.0, "stalled", lambda: retry_stalled(queue)),
    )


async def _every(seconds: float, stop: asyncio.Event, name: str, work: Work) -> None:
    """Repeat `work`; a failure is logged and tried again at the next turn."""
    while not stop.is_set():
        try:
            await work()
        except Exception:
            log.exception(f"{name}.failed")
        try:
            await asyncio.wait_for(stop.wait(), seconds)
        except TimeoutError:
            continue


async def _expire(core: Core) -> int:
    due = await core.approvals.organizations_due()
    return await each("expire", [(id_,) for id_ in due], core.approvals.expire_due)
