"""reserved → slotted, or void. Owns nonces: must never give one out before all conditions hold.

A slot that is given out must be used or cancelled on chain; a reserved transfer can still be dropped
without a trace. So what can stop a payment is asked here once more.
"""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from saga import conditions, store
from saga.conditions import DRY_RUN
from saga.context import SagaContext
from saga.leases import Leased
from saga.steps.void import void_reserved
from saga.transfer import Transfer, TransferState
from treasurer.kernel.ids import WalletId
from treasurer.payments import wallets


async def slot(
    context: SagaContext, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Give every reserved transfer its nonce and full unsigned intent; return those slotted."""
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.sets(organization_id) as connection:
        ours = leased.only(await store.lock(connection, leased, TransferState.RESERVED))
        checked = await conditions.check(connection, ours, TransferState.RESERVED, now)
        if rehearsed := checked.rehearsed:
            await store.delay(
                connection,
                ours.only(rehearsed),
                next_at=now + context.pace.retry,
                reason=DRY_RUN.reason,
            )
        killed = [t for t in transfers if t.id in checked.stops.keys() - rehearsed]
        if killed:
            await void_reserved(context, connection, ours, killed, checked.reasons)
        kept = [transfer for transfer in transfers if transfer.id in checked.clear]
        slotted = await _give_nonces(context, connection, kept)
    context.failpoint("slot.committed")
    return slotted


async def _give_nonces(
    context: SagaContext, connection: AsyncConnection, transfers: Sequence[Transfer]
) -> list[Transfer]:
    if not transfers:
        return []
    organization_id, now = transfers[0].organization_id, context.clock()
    by_wallet: dict[WalletId, list[Transfer]] = defaultdict(list)
    for transfer in transfers:
        by_wallet[transfer.wallet_id].append(transfer)
    nonces = await wallets.take_nonces(
        connection, organization_id, {id_: len(group) for id_, group in by_wallet.items()}
    )
    slotted = [
        transfer.in_slot(nonce)
        for wallet_id, group in by_wallet.items()
        for transfer, nonce in zip(group, nonces[wallet_id], strict=True)
    ]
    await store.slot(connection, organization_id, slotted, now)
    return slotted
