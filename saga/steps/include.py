"""broadcast → included: a block holds one of the slot's transactions. Must never conclude from its
absence; a transfer without a receipt is sent again and looked up again.
"""

from saga import attempts as attempt_store
from saga import store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.steps.broadcast import send_again
from saga.transfer import Transfer, TransferState
from treasurer.chain.port import Receipt
from treasurer.kernel.errors import Transient
from treasurer.kernel.ids import TransferId


async def include(context: SagaContext, leased: Leased) -> list[TransferId]:
    """Look up all own hashes of every slot; return the transfers found in a block."""
    organization_id, now = leased.organization_id, context.clock()
    ids = list(leased.fences)
    async with context.database.unit(organization_id) as connection:
        transfers = await store.read(connection, organization_id, ids)
        attempts = await attempt_store.of_transfers(connection, organization_id, ids)
    hashes = [
        (id_, attempt.transaction_hash) for id_, found in attempts.items() for attempt in found
    ]
    try:
        receipts = await context.chain.receipts_of([hash_ for _, hash_ in hashes])
    except Transient as error:
        await _look_again(context, leased, error.message)
        return []
    mined = {
        id_: receipt
        for (id_, _), receipt in zip(hashes, receipts, strict=True)
        if receipt is not None
    }
    missing = [transfer for transfer in transfers if transfer.id not in mined]
    overdue = [t.id for t in missing if t.sent_at and now - t.sent_at > context.pace.rebroadcast]
    if overdue:
        await send_again(context, leased, overdue)
    await _look_again(context, leased.only([t.id for t in missing]), "not yet in a block")
    included = await _persist(context, leased.only(list(mined)), mined)
    context.failpoint("include.committed")
    return included


async def _persist(
    context: SagaContext, leased: Leased, mined: dict[TransferId, Receipt]
) -> list[TransferId]:
    if not mined:
        return []
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.unit(organization_id) as connection:
        ours = await store.lock_leased(connection, leased, TransferState.BROADCAST)
        blocks = {t.id: (mined[t.id].block_number, mined[t.id].block_hash) for t in ours}
        await store.advance(
            connection,
            organization_id,
            dict(blocks),
            store.Move(TransferState.BROADCAST, TransferState.INCLUDED, now + context.pace.poll),
            now,
        )
        await record(
            context,
            connection,
            organization_id,
            "transfer.included",
            [(transfer, _block(transfer, mined)) for transfer in ours],
        )
    return [transfer.id for transfer in ours]


def _block(transfer: Transfer, mined: dict[TransferId, Receipt]) -> dict[str, str | int]:
    receipt = mined[transfer.id]
    return {
        "transaction_hash": receipt.transaction_hash.hex(),
        "block_number": receipt.block_number,
        "block_hash": receipt.block_hash.hex(),
    }


async def _look_again(context: SagaContext, leased: Leased, reason: str) -> None:
    if not leased.fences:
        return
    async with context.database.unit(leased.organization_id) as connection:
        await store.delay(
            connection, leased, next_at=context.clock() + context.pace.poll, reason=reason
        )
