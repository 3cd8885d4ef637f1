"""slotted, signed or broadcast → cancelling. Owns giving a payment up whose slot is taken.

Must never void: the slot is used up on chain first, by its cancel or by the payment after all (I5).
"""

from collections.abc import Mapping, Sequence

from saga import store
from saga.context import SagaContext
from saga.journal import record
from saga.leases import Leased
from saga.transfer import Transfer, TransferState, require_legal
from treasurer.kernel.ids import TransferId


async def abandon(
    context: SagaContext,
    leased: Leased,
    transfers: Sequence[Transfer],
    before: TransferState,
    reasons: Mapping[TransferId, str],
) -> None:
    """Move those of `transfers` that have a reason; their payments' bytes are not sent again."""
    if not reasons:
        return
    require_legal(before, TransferState.CANCELLING)
    organization_id, now = leased.organization_id, context.clock()
    async with context.database.sets(organization_id) as connection:
        for reason in sorted(set(reasons.values())):
            ids = [id_ for id_, why in reasons.items() if why == reason]
            moved = await store.advance(
                connection,
                leased.only(ids),
                store.Move(before, TransferState.CANCELLING, now, reason=reason),
                now,
            )
            await record(
                context,
                connection,
                organization_id,
                "transfer.cancelling",
                [(t, {"reason": reason, "nonce": t.slot[0]}) for t in transfers if t.id in moved],
            )
    context.failpoint("abandon.committed")
