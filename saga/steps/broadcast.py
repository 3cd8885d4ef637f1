"""signed → broadcast, the pivot. The only place that sends. Must never send unpersisted bytes (I3).

No answer of a provider is proof. Unless it refused for a stated reason, the bytes may be out, and
from here on only the chain says what happened.
"""

from collections.abc import Sequence

import structlog

from saga import attempts as attempt_store
from saga import conditions, store
from saga.context import Resign, SagaContext
from saga.leases import Leased
from saga.steps.abandon import abandon
from saga.transfer import NextAttempt, Transfer, TransferState
from treasurer.chain.fees import bumped
from treasurer.chain.port import BroadcastOutcome
from treasurer.kernel.errors import OutcomeUnknown, Transient
from treasurer.kernel.ids import TransferId

_NOT_OUT = frozenset({BroadcastOutcome.REJECTED, BroadcastOutcome.UNDERPRICED})
log = structlog.get_logger("saga.broadcast")


async def broadcast(
    context: SagaContext, resign: Resign, leased: Leased, transfers: Sequence[Transfer]
) -> list[Transfer]:
    """Send the stored bytes for the first time; return those that may now be out."""
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.sets(organization_id) as connection:
        checked = await conditions.check(connection, leased, TransferState.SIGNED, now)
        ready = [transfer for transfer in transfers if transfer.id in checked.clear]
        raws = await attempt_store.newest_raw(connection, organization_id, [t.id for t in ready])
    await abandon(context, leased, transfers, TransferState.SIGNED, checked.reasons)
    if not ready:
        return []
    outcomes = await context.chain.broadcast_many([raws[transfer.id] for transfer in ready])
    context.failpoint("broadcast.sent")
    await _raise_fees(context, resign, leased, _of(ready, outcomes, BroadcastOutcome.UNDERPRICED))
    return await _record_outcomes(context, leased, ready, outcomes)


def _of(
    transfers: Sequence[Transfer],
    outcomes: Sequence[BroadcastOutcome],
    wanted: BroadcastOutcome,
) -> list[Transfer]:
    return [t for t, outcome in zip(transfers, outcomes, strict=True) if outcome is wanted]


async def _raise_fees(
    context: SagaContext, resign: Resign, leased: Leased, transfers: Sequence[Transfer]
) -> None:
    """Some nodes take nothing below the base fee into their pool: what they refuse for long is bumped, as
    is what waits in a pool.
    """
    if not transfers:
        return
    organization_id, old = leased.organization_id, context.clock() - context.pace.bump
    async with context.database.sets(organization_id) as connection:
        history = await attempt_store.history(
            connection, organization_id, [transfer.id for transfer in transfers]
        )
    try:
        quote = await context.chain.fees()
    except (Transient, OutcomeUnknown):
        return
    wanted = [
        NextAttempt(transfer, newest.number + 1, transfer.attempt_kind, terms)
        for transfer in transfers
        if (newest := history[transfer.id][-1]).created_at < old
        and (terms := bumped(newest.fees, quote, context.fees.caps)) is not None
    ]
    await resign(leased, TransferState.SIGNED, wanted)


async def send_again(context: SagaContext, leased: Leased, ids: Sequence[TransferId]) -> None:
    """Give the provider the same bytes once more: it may have lost them, and they cannot pay twice."""
    async with context.database.sets(leased.organization_id) as connection:
        raws = await attempt_store.newest_raw(connection, leased.organization_id, ids)
    outcomes = await context.chain.broadcast_many([raws[id_] for id_ in ids])
    for transfer_id, outcome in zip(ids, outcomes, strict=True):
        log.info("transfer.sent_again", transfer_id=str(transfer_id), outcome=outcome.value)


async def _record_outcomes(
    context: SagaContext,
    leased: Leased,
    transfers: Sequence[Transfer],
    outcomes: Sequence[BroadcastOutcome],
) -> list[Transfer]:
    organization_id, now = leased.organization_id, context.clock()
    out = {t.id: o for t, o in zip(transfers, outcomes, strict=True) if o not in _NOT_OUT}
    kept_back = [t.id for t in transfers if t.id not in out]
    async with context.database.sets(organization_id) as connection:
        moved = await store.advance(
            connection,
            leased.only(out),
            store.Move(
                TransferState.SIGNED, TransferState.BROADCAST, now + context.pace.poll, sent_at=now
            ),
            now,
        )
        ours = [transfer for transfer in transfers if transfer.id in moved]
        if kept_back:
            await store.delay(
                connection,
                leased.only(kept_back),
                next_at=now + context.pace.retry,
                reason="the provider refused the bytes; they are sent again",
            )
    context.failpoint("broadcast.committed")
    return ours
