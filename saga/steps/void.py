"""reserved → void, and → void by a final revert or cancel of its own. Owns giving back what was held.

Must never void a slot that is not final: a missing receipt or a sent cancel proves nothing (I5).
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from saga import store
from saga.context import SagaContext
from saga.evidence import Verdict
from saga.journal import record
from saga.leases import Leased
from saga.transfer import Transfer, TransferState, require_legal
from treasurer.allowances import store as allowances
from treasurer.allowances.model import AllowanceState
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import OrganizationId, TransferId
from treasurer.ledger import store as ledger
from treasurer.payments import spending, windows
from treasurer.payments import store as payments
from treasurer.top_ups import store as top_ups
from treasurer.top_ups.model import TopUpState

LONGEST_WAIT = timedelta(hours=1)
_TRIES_THAT_COUNT = 10
"""After these the wait is the longest anyhow; four to the power of a day's tries is no length of time."""


async def void_reserved(
    context: SagaContext,
    connection: AsyncConnection,
    leased: Leased,
    transfers: Sequence[Transfer],
    reasons: Mapping[TransferId, str],
) -> None:
    """Drop reserved transfers: nothing was slotted, so nothing can come. Their payments may re-enter
    reserve with a fresh decision.
    """
    await _void(
        context,
        connection,
        leased,
        transfers,
        TransferState.RESERVED,
        reasons,
        wait=context.pace.retry,
    )


async def void_mined(
    context: SagaContext,
    connection: AsyncConnection,
    leased: Leased,
    before: TransferState,
    mined: Sequence[tuple[Transfer, bytes]],
    verdict: Verdict,
) -> None:
    """End transfers whose slot an own revert or cancel, named by its hash, used up in a final block; fees
    are booked apart.
    """
    for transfer, used_by in mined:
        # Both cost gas, so the next try waits longer each time, until the order expires.
        tries = 0
        for item in transfer.items[:1]:
            tries = await store.transfers_of(connection, leased.organization_id, item.payment_id)
        await _void(
            context,
            connection,
            leased,
            [transfer],
            before,
            {transfer.id: f"its transaction was {verdict.value}"},
            used_by=used_by,
            wait=min(context.pace.retry * 4 ** min(tries, _TRIES_THAT_COUNT), LONGEST_WAIT),
        )
    await _part(connection, leased, [transfer for transfer, _ in mined])


async def void_foreign(
    context: SagaContext, connection: AsyncConnection, leased: Leased, transfer: Transfer
) -> None:
    """End a quarantined transfer whose slot a final block gave to another transaction: ours never can be.

    Nothing of the wallet's gas is booked: what was spent there is not known to be ours.
    """
    await context.outcomes.resumed(
        connection,
        leased.organization_id,
        [item.payment_id for item in transfer.items],
        context.clock(),
    )
    await _void(
        context,
        connection,
        leased,
        [transfer],
        TransferState.QUARANTINED,
        {transfer.id: "another transaction used its slot up"},
        wait=LONGEST_WAIT,
    )
    await _part(connection, leased, [transfer])


async def end_own_orders(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    transfers: Sequence[Transfer],
    *,
    settled: bool,
    result: str = "",
) -> None:
    """End the allowances and top-ups that `transfers` carry; one that failed is proposed anew."""
    allowed = [t.allowance.allowance_id for t in transfers if t.allowance]
    filled = [t.top_up.order.top_up_id for t in transfers if t.top_up]
    moved = 0
    if allowed:
        after = AllowanceState.SETTLED if settled else AllowanceState.VOID
        moved += await allowances.move(
            connection, organization_id, allowed, AllowanceState.EXECUTING, after, result
        )
    if filled:
        end = TopUpState.SETTLED if settled else TopUpState.VOID
        moved += await top_ups.end(connection, organization_id, filled, end, result)
    if moved != len(allowed) + len(filled):
        raise InvariantViolated("OWN_ORDER_STATE", "a transfer's allowance or top-up moved on")


async def _part(connection: AsyncConnection, leased: Leased, transfers: Sequence[Transfer]) -> None:
    """Payments of a batch that used its slot up go alone from now on: one of them may have failed all."""
    ids = [
        item.payment_id for transfer in transfers if transfer.disperse for item in transfer.items
    ]
    if ids:
        await payments.set_alone(connection, leased.organization_id, ids)


async def _void(
    context: SagaContext,
    connection: AsyncConnection,
    leased: Leased,
    transfers: Sequence[Transfer],
    before: TransferState,
    reasons: Mapping[TransferId, str],
    *,
    wait: timedelta,
    used_by: bytes | None = None,
) -> None:
    require_legal(before, TransferState.VOID)
    organization_id, now = leased.organization_id, context.clock()
    items = [item for transfer in transfers for item in transfer.items]
    await spending.lock(connection, organization_id)
    await ledger.close_holds(
        connection, organization_id, [transfer.id for transfer in transfers], posted=False
    )
    await spending.come_back(
        connection, organization_id, [item.reporting_amount_minor for item in items]
    )
    await windows.come_back(connection, organization_id, [item.payment_id for item in items])
    for transfer in transfers:
        await store.advance(
            connection,
            leased.only([transfer.id]),
            store.Move(before, TransferState.VOID, next_at=None, reason=reasons[transfer.id]),
            now,
        )
        await end_own_orders(
            connection, organization_id, [transfer], settled=False, result=reasons[transfer.id]
        )
    if items:
        ended = (used_by, None) if used_by else None
        await store.close_items(
            connection, organization_id, {item.payment_id: ended for item in items}, settled=False
        )
        await context.outcomes.voided(
            connection,
            organization_id,
            [item.payment_id for item in items],
            now=now,
            next_at=now + wait,
        )
    await record(
        context,
        connection,
        organization_id,
        "transfer.voided",
        [(transfer, {"reason": reasons[transfer.id]}) for transfer in transfers],
    )
