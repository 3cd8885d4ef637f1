"""reserved → slotted, or void. Owns nonces: must never give one out before all conditions hold.

A slot that is given out must be used or cancelled on chain; a reserved transfer can still be dropped
without a trace. So what can stop a payment is asked here once more.
"""

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncConnection

from saga import conditions, store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.steps.void import void_reserved
from saga.transfer import Transfer, TransferState
from treasurer.kernel.digest import Canonical
from treasurer.kernel.ids import TransferId, WalletId
from treasurer.payments import wallets


async def slot(context: SagaContext, leased: Leased) -> list[TransferId]:
    """Give every reserved transfer its nonce and full unsigned intent; return those slotted."""
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.unit(organization_id) as connection:
        transfers = await store.lock_leased(connection, leased, TransferState.RESERVED)
        stopped = await conditions.stopped(connection, organization_id, transfers, now)
        if stopped.dry_run:
            ids = [transfer.id for transfer in transfers]
            await store.delay(
                connection,
                leased.only(ids),
                next_at=now + context.pace.retry,
                reason="dry run: everything but signing",
            )
            return []
        killed = [transfer for transfer in transfers if transfer.id in stopped.reasons]
        if killed:
            await void_reserved(context, connection, organization_id, killed, stopped.reasons)
        kept = [transfer for transfer in transfers if transfer.id not in stopped.reasons]
        slotted = await _give_nonces(context, connection, kept)
    context.failpoint("slot.committed")
    return slotted


async def _give_nonces(
    context: SagaContext, connection: AsyncConnection, transfers: list[Transfer]
) -> list[TransferId]:
    if not transfers:
        return []
    organization_id, now = transfers[0].organization_id, context.clock()
    by_wallet: dict[WalletId, list[Transfer]] = defaultdict(list)
    for transfer in transfers:
        by_wallet[transfer.wallet_id].append(transfer)
    slots: dict[TransferId, tuple[int, bytes]] = {}
    events: list[tuple[Transfer, Mapping[str, Canonical]]] = []
    for wallet_id in sorted(by_wallet):
        group = by_wallet[wallet_id]
        nonces = await wallets.take_nonces(connection, organization_id, wallet_id, len(group))
        for transfer, nonce in zip(group, nonces, strict=True):
            call_digest = transfer.with_nonce(nonce).unsigned().call_digest
            slots[transfer.id] = (nonce, call_digest)
            events.append((transfer, {"nonce": nonce, "call_digest": call_digest.hex()}))
    await store.slot(connection, organization_id, slots, now)
    await record(context, connection, organization_id, "transfer.slotted", events)
    return list(slots)
