"""Owns the SQL of transfers and their items. Must never write a row whose lease was lost.

Every write names the fence that the caller claimed with; a worker that was stopped past its lease
finds its rows gone and changes nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from saga.leases import Leased
from saga.transfer import Transfer, TransferItem, TransferState
from treasurer.kernel.allowance_order import parse_allowance_order
from treasurer.kernel.ids import OrganizationId, PaymentId, TransferId, WalletId
from treasurer.kernel.signing import EndedSlot
from treasurer.kernel.top_up_order import parse_top_up_order
from treasurer.kernel.transaction import FeeTerms
from treasurer.top_ups.model import TopUp

_LEASED = text("""
    SELECT t.id, t.organization_id, t.wallet_id, t.chain_id, t.sender, t.token, t.disperse,
        t.state, t.nonce, t.gas_limit, t.max_fee_per_gas_wei,
        t.max_priority_fee_per_gas_wei, t.call_digest, t.block_number, t.block_hash, t.tries,
        t.sent_at, t.created_at, i.payment_id, i.recipient, i.amount_minor,
        i.reporting_amount_minor, i.order_digest, a.order_bytes AS allowance,
        u.order_bytes AS top_up, u.recipient_wallet_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS l (id, fence)
    JOIN transfers t
      ON t.organization_id = :organization_id AND t.id = l.id AND t.fence = l.fence
    LEFT JOIN transfer_items i ON i.organization_id = :organization_id AND i.transfer_id = t.id
    LEFT JOIN allowances a ON a.organization_id = :organization_id AND a.id = t.allowance_id
    LEFT JOIN top_ups u ON u.organization_id = :organization_id AND u.id = t.top_up_id
    WHERE t.state = :state ORDER BY t.id, i.position
""")
_LOCK_LEASED = text("""
    SELECT t.id FROM transfers t
    JOIN unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS l (id, fence)
      ON l.id = t.id AND l.fence = t.fence
    WHERE t.organization_id = :organization_id AND t.state = :state
    ORDER BY t.id FOR UPDATE OF t
""")
_INSERT = text("""
    INSERT INTO transfers (organization_id, id, wallet_id, chain_id, sender, token, disperse, state,
        gas_limit, max_fee_per_gas_wei, max_priority_fee_per_gas_wei, next_at, created_at,
        allowance_id, top_up_id)
    SELECT :organization_id, t.id, t.wallet_id, t.chain_id, t.sender, t.token, t.disperse,
        'reserved',
        t.gas_limit, t.max_fee, t.priority_fee, :now, :now, t.allowance_id, t.top_up_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:wallets AS uuid[]), CAST(:chains AS bigint[]),
                CAST(:senders AS text[]), CAST(:tokens AS text[]), CAST(:disperses AS text[]),
                CAST(:gas_limits AS bigint[]), CAST(:max_fees AS numeric[]),
                CAST(:priority_fees AS numeric[]), CAST(:allowances AS uuid[]),
                CAST(:top_ups AS uuid[]))
         AS t (id, wallet_id, chain_id, sender, token, disperse, gas_limit, max_fee,
               priority_fee, allowance_id, top_up_id)
""")
_INSERT_ITEMS = text("""
    INSERT INTO transfer_items (organization_id, transfer_id, position, payment_id, recipient,
        amount_minor, reporting_amount_minor, order_digest, state, chain_id)
    SELECT :organization_id, i.transfer_id, i.position, i.payment_id, i.recipient, i.amount,
        i.reporting_amount, i.digest, 'live', i.chain_id
    FROM unnest(CAST(:transfers AS uuid[]), CAST(:positions AS smallint[]),
                CAST(:payments AS uuid[]), CAST(:recipients AS text[]),
                CAST(:amounts AS numeric[]), CAST(:reporting AS numeric[]),
                CAST(:digests AS bytea[]), CAST(:chains AS bigint[]))
         AS i (transfer_id, position, payment_id, recipient, amount, reporting_amount, digest,
               chain_id)
""")
_ORDERS = text("""
    SELECT i.transfer_id, p.order_bytes FROM transfer_items i
    JOIN payments p ON p.organization_id = :organization_id AND p.id = i.payment_id
    WHERE i.organization_id = :organization_id AND i.transfer_id = ANY(:ids)
    ORDER BY i.transfer_id, i.position
""")
_SLOT = text("""
    UPDATE transfers t SET state = 'slotted', nonce = s.nonce, call_digest = s.call_digest,
        next_at = :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:nonces AS bigint[]), CAST(:digests AS bytea[]))
         AS s (id, nonce, call_digest)
    WHERE t.organization_id = :organization_id AND t.id = s.id AND t.state = 'reserved'
""")
_ADVANCE = text("""
    UPDATE transfers t SET state = :after, next_at = :next_at, reason = :reason, tries = 0,
        sent_at = coalesce(t.sent_at, :sent_at),
        block_number = CASE WHEN :after <> 'broadcast' THEN t.block_number END,
        block_hash = CASE WHEN :after <> 'broadcast' THEN t.block_hash END,
        lease_until = CASE WHEN :keep_lease THEN t.lease_until END,
        settled_at = CASE WHEN :after = 'settled' THEN CAST(:now AS timestamptz) END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS l (id, fence)
    WHERE t.organization_id = :organization_id AND t.id = l.id AND t.fence = l.fence
      AND t.state = :before
    RETURNING t.id
""")
_INCLUDE = text("""
    UPDATE transfers t SET state = 'included', next_at = :next_at, reason = '', tries = 0,
        block_number = l.block_number, block_hash = l.block_hash, lease_until = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[]),
                CAST(:block_numbers AS bigint[]), CAST(:block_hashes AS bytea[]))
         AS l (id, fence, block_number, block_hash)
    WHERE t.organization_id = :organization_id AND t.id = l.id AND t.fence = l.fence
      AND t.state = 'broadcast'
    RETURNING t.id
""")
_FOUND_IN = text("""
    UPDATE transfers t SET block_number = l.block_number, block_hash = l.block_hash
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[]),
                CAST(:block_numbers AS bigint[]), CAST(:block_hashes AS bytea[]))
         AS l (id, fence, block_number, block_hash)
    WHERE t.organization_id = :organization_id AND t.id = l.id AND t.fence = l.fence
      AND t.state NOT IN ('settled', 'void')
""")
_DELAY = text("""
    UPDATE transfers t SET next_at = :next_at, reason = :reason, tries = t.tries + 1,
        lease_until = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS integer[])) AS l (id, fence)
    WHERE t.organization_id = :organization_id AND t.id = l.id AND t.fence = l.fence
      AND t.state NOT IN ('settled', 'void', 'quarantined')
""")
_LIVE_SLOTS = text("""
    SELECT w.id, w.next_nonce, t.nonce, t.state FROM wallets w
    LEFT JOIN transfers t ON t.organization_id = :organization_id AND t.wallet_id = w.id AND t.live
    WHERE w.organization_id = :organization_id AND w.id = ANY(:wallets)
""")
_IN_BATCHES = text("""
    SELECT t.wallet_id, t.token, sum(i.amount_minor) AS amount FROM transfers t
    JOIN transfer_items i ON i.organization_id = :organization_id AND i.transfer_id = t.id
    WHERE t.organization_id = :organization_id AND t.live AND t.disperse IS NOT NULL
    GROUP BY t.wallet_id, t.token
""")
_TRANSFERS_OF = text("""
    SELECT count(*) FROM transfer_items
    WHERE organization_id = :organization_id AND payment_id = :payment_id
""")
_ENDED_SLOTS = text("""
    SELECT DISTINCT n.transfer_id, t.sender, t.nonce, i.transaction_hash FROM transfer_items n
    JOIN transfer_items i ON i.organization_id = :organization_id AND i.payment_id = n.payment_id
      AND i.state = 'void'
    JOIN transfers t ON t.organization_id = :organization_id AND t.id = i.transfer_id
    WHERE n.organization_id = :organization_id AND n.transfer_id = ANY(:ids)
      AND t.nonce IS NOT NULL
""")
_CLOSE_ITEMS = text("""
    UPDATE transfer_items i SET state = :state, transaction_hash = c.hash, log_index = c.log_index
    FROM unnest(CAST(:payments AS uuid[]), CAST(:hashes AS bytea[]), CAST(:logs AS integer[]))
         AS c (payment_id, hash, log_index)
    WHERE i.organization_id = :organization_id AND i.payment_id = c.payment_id
      AND i.state = 'live'
""")


async def load(connection: AsyncConnection, leased: Leased, state: TransferState) -> list[Transfer]:
    """Read those transfers that are still ours and still in `state`."""
    rows = await connection.execute(_LEASED, _scope(leased) | {"state": state.value})
    found: dict[UUID, Transfer] = {}
    for row in rows.all():
        other = found.get(row.id)
        items = (*(other.items if other else ()), *([_item(row)] if row.payment_id else ()))
        found[row.id] = _transfer(row, items)
    return list(found.values())


async def lock(
    connection: AsyncConnection, leased: Leased, state: TransferState
) -> set[TransferId]:
    """Hold those transfers that are still ours and still in `state` until the commit."""
    rows = await connection.execute(_LOCK_LEASED, _scope(leased) | {"state": state.value})
    return set(rows.scalars())


async def insert(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    transfers: Sequence[Transfer],
    now: datetime,
) -> None:
    """Store reserved transfers with their items."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "now": now,
            "ids": [transfer.id for transfer in transfers],
            "wallets": [transfer.wallet_id for transfer in transfers],
            "chains": [transfer.chain_id for transfer in transfers],
            "senders": [transfer.sender for transfer in transfers],
            "tokens": [transfer.token for transfer in transfers],
            "disperses": [transfer.disperse for transfer in transfers],
            "gas_limits": [transfer.fees.gas_limit for transfer in transfers],
            "max_fees": [transfer.fees.max_fee_per_gas_wei for transfer in transfers],
            "priority_fees": [t.fees.max_priority_fee_per_gas_wei for t in transfers],
            "allowances": [t.allowance.allowance_id if t.allowance else None for t in transfers],
            "top_ups": [t.top_up.order.top_up_id if t.top_up else None for t in transfers],
        },
    )
    items = [
        (transfer, position, item)
        for transfer in transfers
        for position, item in enumerate(transfer.items)
    ]
    await connection.execute(
        _INSERT_ITEMS,
        {
            "organization_id": organization_id,
            "transfers": [transfer.id for transfer, _, _ in items],
            "positions": [position for _, position, _ in items],
            "payments": [item.payment_id for _, _, item in items],
            "recipients": [item.recipient for _, _, item in items],
            "amounts": [item.amount_minor for _, _, item in items],
            "reporting": [item.reporting_amount_minor for _, _, item in items],
            "digests": [item.order_digest for _, _, item in items],
            "chains": [transfer.chain_id for transfer, _, _ in items],
        },
    )


async def orders(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[TransferId]
) -> dict[TransferId, list[bytes]]:
    """The approved bytes of each transfer's payments, in the order of its items."""
    rows = await connection.execute(_ORDERS, {"organization_id": organization_id, "ids": list(ids)})
    found: dict[TransferId, list[bytes]] = defaultdict(list)
    for row in rows:
        found[TransferId(row[0])].append(bytes(row[1]))
    return found


async def slot(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    slotted: Sequence[Transfer],
    now: datetime,
) -> None:
    """Give reserved transfers, which the caller holds, their nonces and call digests."""
    await connection.execute(
        _SLOT,
        {
            "organization_id": organization_id,
            "now": now,
            "ids": [transfer.id for transfer in slotted],
            "nonces": [transfer.slot[0] for transfer in slotted],
            "digests": [transfer.slot[1] for transfer in slotted],
        },
    )


@dataclass(frozen=True, slots=True)
class Move:
    """A transition of a set. Going back to broadcast forgets the block."""

    before: TransferState
    after: TransferState
    next_at: datetime | None
    keep_lease: bool = False
    reason: str = ""
    sent_at: datetime | None = None


async def advance(
    connection: AsyncConnection, leased: Leased, move: Move, now: datetime
) -> set[TransferId]:
    """Move those transfers that are still ours and in `move.before`; return which moved."""
    rows = await connection.execute(
        _ADVANCE,
        _scope(leased)
        | {
            "now": now,
            "before": move.before.value,
            "after": move.after.value,
            "next_at": move.next_at,
            "keep_lease": move.keep_lease,
            "reason": move.reason,
            "sent_at": move.sent_at,
        },
    )
    return set(rows.scalars())


async def include(
    connection: AsyncConnection,
    leased: Leased,
    blocks: Mapping[TransferId, tuple[int, bytes]],
    next_at: datetime,
) -> set[TransferId]:
    """Record the block, as (number, hash), of broadcast transfers that are still ours; return which."""
    rows = await connection.execute(
        _INCLUDE,
        {
            "organization_id": leased.organization_id,
            "next_at": next_at,
            "ids": list(blocks),
            "fences": [leased.fences[id_] for id_ in blocks],
            "block_numbers": [number for number, _ in blocks.values()],
            "block_hashes": [hash_ for _, hash_ in blocks.values()],
        },
    )
    return set(rows.scalars())


async def found_in(
    connection: AsyncConnection, leased: Leased, blocks: Mapping[TransferId, tuple[int, bytes]]
) -> None:
    """Record the final block, as (number, hash), of transfers that end without having been included."""
    await connection.execute(
        _FOUND_IN,
        {
            "organization_id": leased.organization_id,
            "ids": list(blocks),
            "fences": [leased.fences[id_] for id_ in blocks],
            "block_numbers": [number for number, _ in blocks.values()],
            "block_hashes": [hash_ for _, hash_ in blocks.values()],
        },
    )


async def delay(
    connection: AsyncConnection, leased: Leased, *, next_at: datetime, reason: str
) -> None:
    """Leave transfers where they are and look again at `next_at`; gives their leases back. What was set
    aside meanwhile keeps its reason, which people read.
    """
    await connection.execute(_DELAY, _scope(leased) | {"next_at": next_at, "reason": reason})


async def live_slots(
    connection: AsyncConnection, organization_id: OrganizationId, wallet_ids: Sequence[WalletId]
) -> dict[WalletId, tuple[int, dict[int, TransferState]]]:
    """Each wallet's next nonce, and the state of every slot that has not ended, by nonce."""
    rows = await connection.execute(
        _LIVE_SLOTS, {"organization_id": organization_id, "wallets": list(wallet_ids)}
    )
    found: dict[WalletId, tuple[int, dict[int, TransferState]]] = {}
    for wallet_id, next_nonce, nonce, state in rows:
        _, slots = found.setdefault(WalletId(wallet_id), (next_nonce, {}))
        if nonce is not None:
            slots[nonce] = TransferState(state)
    return found


async def in_batches(
    connection: AsyncConnection, organization_id: OrganizationId
) -> dict[tuple[WalletId, str], int]:
    """What batches that have not ended move, by wallet and token, in base units."""
    rows = await connection.execute(_IN_BATCHES, {"organization_id": organization_id})
    return {(WalletId(row.wallet_id), row.token): int(row.amount) for row in rows}


async def transfers_of(
    connection: AsyncConnection, organization_id: OrganizationId, payment_id: PaymentId
) -> int:
    """How many transfers were ever made for a payment, the void ones included."""
    row = await connection.execute(
        _TRANSFERS_OF, {"organization_id": organization_id, "payment_id": payment_id}
    )
    return int(row.scalar_one())


async def ended_slots(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[TransferId]
) -> dict[TransferId, list[EndedSlot]]:
    """The void slots that payments of these transfers had before, and what used each up."""
    rows = await connection.execute(
        _ENDED_SLOTS, {"organization_id": organization_id, "ids": list(ids)}
    )
    found: dict[TransferId, list[EndedSlot]] = defaultdict(list)
    for transfer_id, sender, nonce, hash_ in rows:
        found[TransferId(transfer_id)].append(EndedSlot(sender, nonce, hash_ and bytes(hash_)))
    return found


async def close_items(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    logs: Mapping[PaymentId, tuple[bytes, int | None] | None],
    *,
    settled: bool,
) -> None:
    """Settle items by (transaction hash, log index), or void them, by the hash of what used their slot up
    if it is an own one. A log settles one item (I6).
    """
    await connection.execute(
        _CLOSE_ITEMS,
        {
            "organization_id": organization_id,
            "state": "settled" if settled else "void",
            "payments": list(logs),
            "hashes": [log[0] if log else None for log in logs.values()],
            "logs": [log[1] if log else None for log in logs.values()],
        },
    )


def _scope(leased: Leased) -> dict[str, object]:
    return {
        "organization_id": leased.organization_id,
        "ids": list(leased.fences),
        "fences": list(leased.fences.values()),
    }


def _transfer(row: Row[Any], items: tuple[TransferItem, ...]) -> Transfer:
    return Transfer(
        id=TransferId(row.id),
        organization_id=OrganizationId(row.organization_id),
        wallet_id=WalletId(row.wallet_id),
        chain_id=row.chain_id,
        sender=row.sender,
        token=row.token,
        disperse=row.disperse,
        state=TransferState(row.state),
        nonce=row.nonce,
        fees=FeeTerms(
            gas_limit=row.gas_limit,
            max_fee_per_gas_wei=int(row.max_fee_per_gas_wei),
            max_priority_fee_per_gas_wei=int(row.max_priority_fee_per_gas_wei),
        ),
        call_digest=bytes(row.call_digest) if row.call_digest else None,
        block_number=row.block_number,
        block_hash=bytes(row.block_hash) if row.block_hash else None,
        tries=row.tries,
        sent_at=row.sent_at,
        created_at=row.created_at,
        items=items,
        allowance=parse_allowance_order(bytes(row.allowance)) if row.allowance else None,
        top_up=(
            TopUp(parse_top_up_order(bytes(row.top_up)), WalletId(row.recipient_wallet_id))
            if row.top_up
            else None
        ),
    )


def _item(row: Row[Any]) -> TransferItem:
    return TransferItem(
        payment_id=PaymentId(row.payment_id),
        recipient=row.recipient,
        amount_minor=int(row.amount_minor),
        reporting_amount_minor=int(row.reporting_amount_minor),
        order_digest=bytes(row.order_digest),
    )
