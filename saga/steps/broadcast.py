"""signed → broadcast, the pivot. The only place that sends. Must never send unpersisted bytes (I3).

No answer of a provider is proof. Unless it refused for a stated reason, the bytes may be out, and
from here on only the chain says what happened.
"""

from collections.abc import Sequence

import structlog

from saga import attempts as attempt_store
from saga import conditions, store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.transfer import Transfer, TransferState
from treasurer.chain.port import BroadcastOutcome
from treasurer.kernel.ids import TransferId

_NOT_OUT = frozenset({BroadcastOutcome.REJECTED, BroadcastOutcome.UNDERPRICED})
log = structlog.get_logger("saga.broadcast")


async def broadcast(context: SagaContext, leased: Leased) -> list[TransferId]:
    """Send the stored bytes for the first time; return those that may now be out."""
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.unit(organization_id) as connection:
        transfers = await store.lock_leased(connection, leased, TransferState.SIGNED)
        stopped = await conditions.stopped(connection, organization_id, transfers, now)
        held = leased.only(list(stopped.reasons))
        if held.fences:
            await store.delay(
                connection,
                held,
                next_at=now + context.pace.retry,
                reason="; ".join(sorted(set(stopped.reasons.values()))),
            )
        ready = [transfer for transfer in transfers if transfer.id not in stopped.reasons]
    if not ready:
        return []
    raws = await _raw_bytes(context, [transfer.id for transfer in ready], leased)
    outcomes = await context.chain.broadcast_many([raws[transfer.id] for transfer in ready])
    context.failpoint("broadcast.sent")
    return await _record_outcomes(context, leased, ready, outcomes)


async def send_again(context: SagaContext, leased: Leased, ids: Sequence[TransferId]) -> None:
    """Give the provider the same bytes once more: it may have lost them, and they cannot pay twice."""
    raws = await _raw_bytes(context, ids, leased)
    outcomes = await context.chain.broadcast_many([raws[id_] for id_ in ids])
    for transfer_id, outcome in zip(ids, outcomes, strict=True):
        log.info("transfer.sent_again", transfer_id=str(transfer_id), outcome=outcome.value)


async def _raw_bytes(
    context: SagaContext, ids: Sequence[TransferId], leased: Leased
) -> dict[TransferId, bytes]:
    async with context.database.unit(leased.organization_id) as connection:
        found = await attempt_store.of_transfers(connection, leased.organization_id, ids)
    return {transfer_id: attempts[-1].raw for transfer_id, attempts in found.items()}


async def _record_outcomes(
    context: SagaContext,
    leased: Leased,
    transfers: Sequence[Transfer],
    outcomes: Sequence[BroadcastOutcome],
) -> list[TransferId]:
    organization_id, now = leased.organization_id, context.clock()
    out = {t.id: o for t, o in zip(transfers, outcomes, strict=True) if o not in _NOT_OUT}
    kept_back = [t.id for t in transfers if t.id not in out]
    async with context.database.unit(organization_id) as connection:
        ours = await store.lock_leased(connection, leased.only(list(out)), TransferState.SIGNED)
        if ours:
            await store.advance(
                connection,
                organization_id,
                {transfer.id: None for transfer in ours},
                store.Move(
                    TransferState.SIGNED,
                    TransferState.BROADCAST,
                    now + context.pace.poll,
                    sent_at=now,
                ),
                now,
            )
            await record(
                context,
                connection,
                organization_id,
                "transfer.broadcast",
                [(transfer, {"answer": out[transfer.id].value}) for transfer in ours],
            )
        if kept_back:
            await store.delay(
                connection,
                leased.only(kept_back),
                next_at=now + context.pace.retry,
                reason="the provider refused the bytes; they are sent again",
            )
    context.failpoint("broadcast.committed")
    return [transfer.id for transfer in ours]
