"""included → settled, or back to broadcast, or void, or quarantined. Must never settle what is not final
and canonical.
"""

from collections.abc import Mapping, Sequence

from saga import attempts as attempt_store
from saga import store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.steps.book import book
from saga.steps.final import Standing, look
from saga.transfer import AttemptKind, Transfer, TransferState
from treasurer.kernel.errors import OutcomeUnknown, Transient
from treasurer.kernel.ids import TransferId


async def settle(
    context: SagaContext, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Settle what is final; return the transfers that ended."""
    organization_id, ids = leased.organization_id, [transfer.id for transfer in transfers]
    async with context.database.sets(organization_id) as connection:
        hashes = await attempt_store.hashes(connection, organization_id, ids)
    standings = [
        _standing(transfer, transfer.block, hashes[transfer.id])
        for transfer in transfers
        if transfer.block is not None
    ]
    try:
        looked = await look(context, standings)
    except (Transient, OutcomeUnknown) as error:
        await _wait(context, leased, ids, error.message)
        return []
    await _wait(context, leased, looked.waiting, "included, not yet final")
    for id_, unread in looked.unread.items():
        await _wait(context, leased, [id_], unread.message)
    await _back_to_broadcast(context, leased, transfers, looked.vanished)
    ended = await book(context, leased, TransferState.INCLUDED, looked.finals)
    context.failpoint("settle.committed")
    return ended


def _standing(
    transfer: Transfer, block: tuple[int, bytes], hashes: Mapping[bytes, AttemptKind]
) -> Standing:
    """Its cancel is known as such here too: people may have asked to look again at a cancelled slot."""
    cancels = frozenset(hash_ for hash_, kind in hashes.items() if kind is AttemptKind.CANCEL)
    return Standing(transfer, *block, frozenset(hashes) - cancels, cancels)


async def _wait(
    context: SagaContext, leased: Leased, ids: Sequence[TransferId], reason: str
) -> None:
    if not ids:
        return
    async with context.database.sets(leased.organization_id) as connection:
        await store.delay(
            connection, leased.only(ids), next_at=context.clock() + context.pace.poll, reason=reason
        )


async def _back_to_broadcast(
    context: SagaContext,
    leased: Leased,
    transfers: Sequence[Transfer],
    vanished: Sequence[TransferId],
) -> None:
    if not vanished:
        return
    now = context.clock()
    async with context.database.sets(leased.organization_id) as connection:
        moved = await store.advance(
            connection,
            leased.only(vanished),
            store.Move(
                TransferState.INCLUDED,
                TransferState.BROADCAST,
                now,
                reason="its block is no longer canonical",
            ),
            now,
        )
        await record(
            context,
            connection,
            leased.organization_id,
            "transfer.reorganized",
            [(t, {"block_number": t.block_number}) for t in transfers if t.id in moved],
        )
