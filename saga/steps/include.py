"""broadcast → included: a block holds one of the slot's transactions. Must never conclude from its
absence; a transfer without a receipt is sent again and looked up again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from saga import attempts as attempt_store
from saga import conditions, store
from saga.context import Resign, SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.steps.abandon import abandon
from saga.steps.broadcast import send_again
from saga.steps.quarantine import quarantine
from saga.steps.stuck import FOREIGN, examine_stuck
from saga.transfer import Attempt, AttemptKind, NextAttempt, Transfer, TransferState
from treasurer.chain.fees import bumped
from treasurer.chain.port import Receipt
from treasurer.kernel.errors import OutcomeUnknown, Transient
from treasurer.kernel.ids import TransferId

_BROADCAST = TransferState.BROADCAST


async def include(
    context: SagaContext, resign: Resign, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Look up all own hashes of every slot; return the transfers found in a block."""
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.sets(organization_id) as connection:
        own = await attempt_store.hashes(connection, organization_id, [t.id for t in transfers])
    try:
        mined = await mined_receipts(context, own)
    except (Transient, OutcomeUnknown) as error:
        await _look_again(context, leased, error.message)
        return []
    included = await _persist(context, leased, transfers, mined)
    context.failpoint("include.committed")
    missing = [transfer for transfer in transfers if transfer.id not in mined]
    overdue = [t for t in missing if t.sent_at and now - t.sent_at > context.pace.rebroadcast]
    if overdue:
        await _press(context, resign, leased.only([t.id for t in overdue]), overdue, now)
    late = {transfer.id for transfer in overdue}
    soon = [transfer.id for transfer in missing if transfer.id not in late]
    await _look_again(context, leased.only(soon), "not yet in a block")
    await _look_again(
        context, leased.only(late), "not yet in a block, sent again", wait=context.pace.retry
    )
    return included


async def mined_receipts(
    context: SagaContext, own: Mapping[TransferId, Collection[bytes]]
) -> dict[TransferId, Receipt]:
    """The receipt of the one transaction of each slot that a block holds, as far as is known."""
    hashes = [(id_, hash_) for id_, found in own.items() for hash_ in found]
    receipts = await context.chain.receipts_of([hash_ for _, hash_ in hashes])
    return {
        id_: receipt
        for (id_, _), receipt in zip(hashes, receipts, strict=True)
        if receipt is not None
    }


async def _press(
    context: SagaContext,
    resign: Resign,
    leased: Leased,
    overdue: Sequence[Transfer],
    now: datetime,
) -> None:
    """Send again what waits too long, at higher fees where it is its wallet's turn, or give it up."""
    ids = [transfer.id for transfer in overdue]
    async with context.database.sets(leased.organization_id) as connection:
        checked = await conditions.check(connection, leased, _BROADCAST, now)
        history = await attempt_store.history(connection, leased.organization_id, ids)
    lost = {id_: stop.reason for id_, stop in checked.stops.items() if stop.lasting}
    for id_, attempts in history.items():
        if any(attempt.kind is AttemptKind.CANCEL for attempt in attempts):
            lost[id_] = "its cancel was signed"
    await abandon(context, leased, overdue, _BROADCAST, lost)
    waiting = [transfer for transfer in overdue if transfer.id not in lost]
    try:
        stuck = await examine_stuck(context, leased, waiting)
        # The counts were read first: what they passed is in a block by now, if it is ours.
        seen = await mined_receipts(
            context, {id_: [a.transaction_hash for a in history[id_]] for id_ in stuck.foreign}
        )
        quote = await context.chain.fees()
    except (Transient, OutcomeUnknown):
        await send_again(context, leased, [transfer.id for transfer in waiting])
        return
    foreign = [t for t in waiting if t.id in stuck.foreign and t.id not in seen]
    await quarantine(context, leased, _BROADCAST, {t.id: FOREIGN for t in foreign}, overdue)
    wanted = [
        NextAttempt(transfer, newest.number + 1, transfer.attempt_kind, terms)
        for transfer in waiting
        if transfer.id in stuck.first
        and transfer.id in checked.clear
        and _is_old(newest := history[transfer.id][-1], now, context)
        and (terms := bumped(newest.fees, quote, context.fees.caps)) is not None
    ]
    await resign(leased, _BROADCAST, wanted)
    again = [t.id for t in waiting if t.id not in stuck.passed and t.id not in stuck.foreign]
    await send_again(context, leased, again)


def _is_old(attempt: Attempt, now: datetime, context: SagaContext) -> bool:
    return now - attempt.created_at > context.pace.bump


async def _persist(
    context: SagaContext,
    leased: Leased,
    transfers: Sequence[Transfer],
    mined: Mapping[TransferId, Receipt],
) -> list[Transfer]:
    if not mined:
        return []
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.sets(organization_id) as connection:
        blocks = {id_: (r.block_number, r.block_hash) for id_, r in mined.items()}
        moved = await store.include(connection, leased, blocks, now + context.pace.poll)
        ours = [transfer for transfer in transfers if transfer.id in moved]
        await record(
            context,
            connection,
            organization_id,
            "transfer.included",
            [(transfer, _block(mined[transfer.id])) for transfer in ours],
        )
    return ours


def _block(receipt: Receipt) -> dict[str, str | int]:
    return {
        "transaction_hash": receipt.transaction_hash.hex(),
        "block_number": receipt.block_number,
        "block_hash": receipt.block_hash.hex(),
    }


async def _look_again(
    context: SagaContext, leased: Leased, reason: str, *, wait: timedelta | None = None
) -> None:
    if not leased.fences:
        return
    next_at = context.clock() + (context.pace.poll if wait is None else wait)
    async with context.database.sets(leased.organization_id) as connection:
        await store.delay(connection, leased, next_at=next_at, reason=reason)
