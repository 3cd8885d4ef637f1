"""Owns the SQL of top-ups. Must never move one from a state that the caller did not name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import OrganizationId, TopUpId, WalletId
from treasurer.top_ups.model import REST_AFTER_VOID, WINDOW, TopUp, TopUpState

_INSERT = text("""
    INSERT INTO top_ups (organization_id, id, order_bytes, recipient_wallet_id, amount_wei,
        policy_digest, state, proposed_at)
    VALUES (:organization_id, :id, :order_bytes, :wallet_id, :amount_wei, :policy_digest,
        'executing', :now)
""")
_RECENT = text("""
    SELECT recipient_wallet_id, amount_wei, state, state = 'executing' OR (
        state = 'void' AND proposed_at > :rest) AS rests
    FROM top_ups WHERE organization_id = :organization_id
      AND (proposed_at > :since OR state = 'executing')
""")
_MOVE = text("""
    UPDATE top_ups SET state = :after, result = :result
    WHERE organization_id = :organization_id AND id = ANY(:ids) AND state = 'executing'
    RETURNING id
""")


@dataclass(frozen=True, slots=True)
class Recent:
    """What the last 24 hours sent, in wei, and the wallets that must not get more for now."""

    sent_wei: int
    resting: frozenset[WalletId]


async def insert(
    connection: AsyncConnection, top_up: TopUp, policy_digest: bytes, now: datetime
) -> None:
    """Store one with the digest of the policy set that permitted it."""
    order = top_up.order
    await connection.execute(
        _INSERT,
        {
            "organization_id": order.organization_id,
            "id": order.top_up_id,
            "order_bytes": order.canonical_bytes(),
            "wallet_id": top_up.recipient_wallet_id,
            "amount_wei": order.amount_wei,
            "policy_digest": policy_digest,
            "now": now,
        },
    )


async def recent(
    connection: AsyncConnection, organization_id: OrganizationId, now: datetime
) -> Recent:
    """What counts against the cap: all that may have left; a void one did not."""
    rows = (
        await connection.execute(
            _RECENT,
            {
                "organization_id": organization_id,
                "since": now - WINDOW,
                "rest": now - REST_AFTER_VOID,
            },
        )
    ).all()
    return Recent(
        sent_wei=sum(int(row.amount_wei) for row in rows if row.state != TopUpState.VOID),
        resting=frozenset(WalletId(row.recipient_wallet_id) for row in rows if row.rests),
    )


async def end(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    ids: Sequence[TopUpId],
    after: TopUpState,
    result: str = "",
) -> int:
    """End those of `ids` that execute; return how many did."""
    rows = await connection.execute(
        _MOVE,
        {
            "organization_id": organization_id,
            "ids": list(ids),
            "after": after.value,
            "result": result,
        },
    )
    return len(rows.all())
