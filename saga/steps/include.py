"""broadcast → included: a block holds one of the slot's transactions. Must never conclude from its
absence; a transfer without a receipt is sent again and looked up again.
"""

from collections.abc import Mapping, Sequence

from saga import attempts as attempt_store
from saga import store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.steps.broadcast import send_again
from saga.transfer import Transfer
from treasurer.chain.port import Receipt
from treasurer.kernel.errors import Transient
from treasurer.kernel.ids import TransferId


async def include(
    context: SagaContext, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Look up all own hashes of every slot; return the transfers found in a block."""
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.sets(organization_id) as connection:
        own = await attempt_store.hashes(connection, organization_id, [t.id for t in transfers])
    hashes = [(id_, hash_) for id_, found in own.items() for hash_ in found]
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
    included = await _persist(context, leased, transfers, mined)
    context.failpoint("include.committed")
    return included


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


async def _look_again(context: SagaContext, leased: Leased, reason: str) -> None:
    if not leased.fences:
        return
    async with context.database.sets(leased.organization_id) as connection:
        await store.delay(
            connection, leased, next_at=context.clock() + context.pace.poll, reason=reason
        )
