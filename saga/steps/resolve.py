"""quarantined → settled, void or broadcast, when two people agree and the chain bears them out.

Must never believe the people alone: what final blocks do not show is not booked.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from saga import attempts as attempt_store
from saga import leases, store
from saga.context import SagaContext
from saga.evidence import Evidence, Verdict
from saga.journal import record
from saga.leases import Leased
from saga.steps.book import book
from saga.steps.final import Final, Standing, look
from saga.steps.include import mined_receipts
from saga.steps.stuck import examine_stuck
from saga.steps.void import void_foreign
from saga.transfer import Attempt, AttemptKind, Transfer, TransferState
from treasurer.chain.port import Receipt
from treasurer.chain.tokens import ExpectedItem, match_items
from treasurer.db.turns import each
from treasurer.kernel.errors import OutcomeUnknown, Transient
from treasurer.kernel.ids import OrganizationId
from treasurer.transfers import store as resolutions
from treasurer.transfers.model import Resolution, ResolutionId, ResolutionOutcome

_QUARANTINED = TransferState.QUARANTINED
log = structlog.get_logger("saga.resolve")


async def resolve_confirmed(context: SagaContext) -> int:
    """Act on everything that two people agreed on; return how much was ended."""
    async with context.database.claims() as connection:
        waiting = await resolutions.confirmed(connection)
    return await each("resolve", waiting, partial(resolve, context))


async def resolve(
    context: SagaContext, organization_id: OrganizationId, resolution_id: ResolutionId
) -> bool:
    """Act on a confirmed resolution; False while the chain does not answer and it is tried again."""
    claimed = await _claim(context, organization_id, resolution_id)
    if claimed is None:
        return False
    leased, found, transfer, history = claimed
    context.failpoint("resolve.claimed")
    try:
        result = await _act(context, leased, found, transfer, history)
    except (Transient, OutcomeUnknown) as error:
        log.warning("resolution.waits", transfer_id=str(transfer.id), reason=error.message)
        await _leave(context, leased, resolution_id)
        return False
    context.failpoint("resolve.acted")
    if result is None:
        # Another worker has the transfer by now, and with it the claim.
        return False
    async with context.database.sets(organization_id) as connection:
        await _end(context, connection, found, transfer, result)
    context.failpoint("resolve.committed")
    return True


async def _claim(
    context: SagaContext, organization_id: OrganizationId, resolution_id: ResolutionId
) -> tuple[Leased, Resolution, Transfer, Sequence[Attempt]] | None:
    """Take the transfer, and say in the same commit that the saga acts: nobody rejects from here on."""
    now = context.clock()
    async with context.database.sets(organization_id) as connection:
        found = await resolutions.lock(connection, organization_id, resolution_id)
        if found is None or found.confirmed_at is None:
            return None
        leased = await leases.take(
            connection, organization_id, found.transfer_id, now=now, lease_s=context.pace.lease_s
        )
        transfers = await store.load(connection, leased, _QUARANTINED)
        if not transfers:
            if await resolutions.is_quarantined(connection, organization_id, found.transfer_id):
                return None
            # Whoever acted died before the answer was written down.
            await resolutions.end(
                connection, organization_id, found.id, result="done, see the transfer", now=now
            )
            return None
        await resolutions.claim(connection, organization_id, resolution_id, now)
        history = await attempt_store.history(connection, organization_id, list(leased.fences))
    (transfer,) = transfers
    return leased, found, transfer, history.get(transfer.id, [])


async def _leave(context: SagaContext, leased: Leased, resolution_id: ResolutionId) -> None:
    """Nothing was done, so people may still reject; unless another worker acts meanwhile."""
    async with context.database.sets(leased.organization_id) as connection:
        await resolutions.lock(connection, leased.organization_id, resolution_id)
        if await store.lock(connection, leased, _QUARANTINED):
            await resolutions.leave(connection, leased.organization_id, resolution_id)


async def _end(
    context: SagaContext,
    connection: AsyncConnection,
    found: Resolution,
    transfer: Transfer,
    result: str,
) -> None:
    await resolutions.end(
        connection, transfer.organization_id, found.id, result=result, now=context.clock()
    )
    await record(
        context,
        connection,
        transfer.organization_id,
        "transfer.resolved",
        [(transfer, {"outcome": found.outcome.value, "result": result})],
    )


async def _act(
    context: SagaContext,
    leased: Leased,
    found: Resolution,
    transfer: Transfer,
    attempts: Sequence[Attempt],
) -> str | None:
    """Do what was asked if the chain shows it; the result in a sentence, None if the lease was lost."""
    if found.outcome is ResolutionOutcome.BROADCAST:
        return await _look_again(context, leased, transfer)
    # The counts are read first: what they passed is in a block by now, if it is ours.
    foreign = (
        found.outcome is ResolutionOutcome.VOID
        and transfer.id in (await examine_stuck(context, leased, [transfer])).foreign
    )
    receipt = await _receipt(context, transfer, attempts)
    final = await _final(context, transfer, attempts, receipt) if receipt else None
    if found.outcome is ResolutionOutcome.SETTLED:
        paid = final and _paid(final)
        if not paid:
            return "not done: no final block holds a transaction of its own that paid every item"
        ended = await book(context, leased, _QUARANTINED, [paid])
        return "settled: a final block holds its payment" if ended else None
    if final is not None:
        if final.evidence.verdict in (Verdict.REVERTED, Verdict.CANCELLED):
            ended = await book(context, leased, _QUARANTINED, [final])
            return f"void: its transaction was {final.evidence.verdict.value}" if ended else None
        return "not done: a final block holds a transaction of its own that did not revert"
    if receipt is not None or not foreign or not await context.chain.denied(_hashes(attempts)):
        return "not done: no final block has used its slot up yet"
    async with context.database.sets(leased.organization_id) as connection:
        if not await store.lock(connection, leased, _QUARANTINED):
            return None
        await void_foreign(context, connection, leased, transfer)
    return "void: another transaction used its slot up"


async def _look_again(context: SagaContext, leased: Leased, transfer: Transfer) -> str | None:
    async with context.database.sets(leased.organization_id) as connection:
        if not await store.lock(connection, leased, _QUARANTINED):
            return None
        now = context.clock()
        await context.outcomes.resumed(
            connection, leased.organization_id, [i.payment_id for i in transfer.items], now
        )
        move = store.Move(_QUARANTINED, TransferState.BROADCAST, now, reason="looked at again")
        await store.advance(connection, leased, move, now)
    return "the chain is looked at again"


async def _receipt(
    context: SagaContext, transfer: Transfer, attempts: Sequence[Attempt]
) -> Receipt | None:
    return (await mined_receipts(context, {transfer.id: _hashes(attempts)})).get(transfer.id)


def _hashes(attempts: Sequence[Attempt]) -> list[bytes]:
    return [attempt.transaction_hash for attempt in attempts]


async def _final(
    context: SagaContext, transfer: Transfer, attempts: Sequence[Attempt], receipt: Receipt
) -> Final | None:
    kinds = {
        kind: frozenset(a.transaction_hash for a in attempts if a.kind is kind)
        for kind in AttemptKind
    }
    looked = await look(
        context,
        [
            Standing(
                transfer,
                receipt.block_number,
                receipt.block_hash,
                kinds[transfer.attempt_kind],
                kinds[AttemptKind.CANCEL],
            )
        ],
    )
    for error in looked.unread.values():
        raise error
    return looked.finals[0] if looked.finals else None


def _paid(final: Final) -> Final | None:
    """As settled, if the token's logs show every item; what else moved is what people looked at."""
    if final.evidence.verdict is Verdict.PAID:
        return final
    if (
        final.transfer.allowance
        or final.evidence.verdict is not Verdict.CONTRADICTION
        or not final.receipt.succeeded
    ):
        return None
    transfer = final.transfer
    match = match_items(
        final.receipt,
        token=transfer.token,
        sender=transfer.sender,
        items=[ExpectedItem(item.recipient, item.amount_minor) for item in transfer.items],
    )
    if match.contradiction:
        return None
    return replace(final, evidence=Evidence(Verdict.PAID, match.log_indexes))
