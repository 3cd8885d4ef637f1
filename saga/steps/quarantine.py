"""→ quarantined: chain and books contradict each other. Must never give back what is held."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from saga import store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.transfer import Transfer, TransferState, require_legal
from treasurer.incidents.model import IncidentKind
from treasurer.incidents.store import open_incidents
from treasurer.kernel.ids import TransferId


async def quarantine(
    context: SagaContext,
    leased: Leased,
    before: TransferState,
    reasons: Mapping[TransferId, str],
    transfers: Sequence[Transfer],
) -> None:
    """Set aside those of `transfers` that have a reason; people decide with evidence."""
    if not reasons:
        return
    async with context.database.sets(leased.organization_id) as connection:
        await quarantine_within(context, connection, leased, before, reasons, transfers)


async def quarantine_within(
    context: SagaContext,
    connection: AsyncConnection,
    leased: Leased,
    before: TransferState,
    reasons: Mapping[TransferId, str],
    transfers: Sequence[Transfer],
) -> None:
    """The same in the caller's transaction."""
    require_legal(before, TransferState.QUARANTINED)
    organization_id, now = leased.organization_id, context.clock()
    for transfer in transfers:
        if transfer.id not in reasons:
            continue
        reason = reasons[transfer.id]
        moved = await store.advance(
            connection,
            leased.only([transfer.id]),
            store.Move(before, TransferState.QUARANTINED, None, reason=reason),
            now,
        )
        if not moved:
            continue
        await context.outcomes.needs_attention(
            connection,
            organization_id,
            [item.payment_id for item in transfer.items],
            reason=reason,
            now=now,
        )
        await open_incidents(
            connection,
            organization_id,
            IncidentKind.TRANSFER_QUARANTINED,
            [(transfer.id, reason)],
            now=now,
            new_id=context.new_id,
        )
        await record(
            context,
            connection,
            organization_id,
            "transfer.quarantined",
            [(transfer, {"reason": reason})],
        )
