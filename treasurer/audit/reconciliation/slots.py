"""Owns reading transfers as the auditor sees them: rows, signed bytes, and what the chain says of each.

Must never ask the engine. A transfer's rows come by one statement, so they are of one instant; the
chain is asked afterwards, so it knows at least what the rows rest on.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from treasurer.audit.reconciliation.scene import Scene
from treasurer.chain.port import Receipt
from treasurer.chain.tokens import TokenTransfer, decode_transfers

_SLOTS = text("""
    SELECT t.id, t.wallet_id, t.chain_id, t.sender, t.token, t.disperse, t.state, t.nonce,
        t.call_digest, t.block_number, t.block_hash,
        coalesce(l.order_bytes, u.order_bytes) AS own_order,
        (SELECT jsonb_agg(jsonb_build_object('payment_id', i.payment_id, 'recipient', i.recipient,
            'amount', CAST(i.amount_minor AS text), 'digest', encode(i.order_digest, 'hex'),
            'hash', encode(i.transaction_hash, 'hex'), 'log_index', i.log_index,
            'order', encode(p.order_bytes, 'hex')) ORDER BY i.position)
         FROM transfer_items i
         JOIN payments p ON p.organization_id = i.organization_id AND p.id = i.payment_id
         WHERE i.organization_id = t.organization_id AND i.transfer_id = t.id)
            AS items,
        (SELECT jsonb_agg(jsonb_build_object('number', a.number, 'kind', a.kind,
            'hash', encode(a.transaction_hash, 'hex'), 'digest', encode(a.call_digest, 'hex'),
            'raw', encode(a.raw, 'hex')) ORDER BY a.number)
         FROM attempts a WHERE a.organization_id = t.organization_id AND a.transfer_id = t.id)
            AS attempts
    FROM transfers t
    LEFT JOIN allowances l ON l.organization_id = t.organization_id AND l.id = t.allowance_id
    LEFT JOIN top_ups u ON u.organization_id = t.organization_id AND u.id = t.top_up_id
    WHERE t.organization_id = :organization_id AND t.id > :after ORDER BY t.id LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class Item:
    """One payment of a transfer; `log` is (transaction hash, log index) once settled."""

    payment_id: UUID
    recipient: str
    amount_minor: int
    order_digest: bytes
    order_bytes: bytes
    log: tuple[bytes, int] | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """Signed bytes as stored, with the receipt that the chain shows for their hash now."""

    number: int
    kind: str
    transaction_hash: bytes
    call_digest: bytes
    raw: bytes
    receipt: Receipt | None


@dataclass(frozen=True, slots=True)
class Slot:
    """A transfer and the evidence about it."""

    id: UUID
    wallet_id: UUID
    chain_id: int
    sender: str
    token: str
    disperse: str | None
    state: str
    nonce: int | None
    call_digest: bytes | None
    block: tuple[int, bytes] | None
    items: tuple[Item, ...]
    attempts: tuple[Attempt, ...]
    own_order: bytes | None
    """Of an allowance or a top-up, which have no items."""
    final_number: int
    """The youngest final block when the chain was asked, after the rows were read."""

    @property
    def mined(self) -> list[Attempt]:
        """The attempts that a final block holds: at most one, because they share a nonce."""
        return [
            attempt
            for attempt in self.attempts
            if attempt.receipt is not None and attempt.receipt.block_number <= self.final_number
        ]

    def outgoing(self, attempt: Attempt) -> list[TokenTransfer]:
        """What left the wallet by the token's own logs in that attempt's transaction."""
        if attempt.receipt is None:
            return []
        moved = decode_transfers(attempt.receipt, self.token)
        return [transfer for transfer in moved if transfer.sender == self.sender]


async def slots(scene: Scene) -> AsyncIterator[Sequence[Slot]]:
    """All transfers of the organization, oldest first."""
    async for page in scene.pages(_SLOTS):
        hashes = [bytes.fromhex(one["hash"]) for row in page for one in row.attempts or ()]
        found = await scene.chain.receipts_of(hashes) if hashes else []
        receipts = dict(zip(hashes, found, strict=True))
        final = (await scene.chain.finalized()).number
        yield [_slot(row, receipts, max(final, scene.block.number)) for row in page]


def _slot(row: Row[Any], receipts: dict[bytes, Receipt | None], final_number: int) -> Slot:
    return Slot(
        id=row.id,
        wallet_id=row.wallet_id,
        chain_id=row.chain_id,
        sender=row.sender,
        token=row.token,
        disperse=row.disperse,
        state=row.state,
        nonce=row.nonce,
        call_digest=bytes(row.call_digest) if row.call_digest else None,
        block=(row.block_number, bytes(row.block_hash)) if row.block_hash else None,
        items=tuple(_item(one) for one in row.items or ()),
        attempts=tuple(_attempt(one, receipts) for one in row.attempts or ()),
        own_order=bytes(row.own_order) if row.own_order else None,
        final_number=final_number,
    )


def _item(one: dict[str, Any]) -> Item:
    return Item(
        payment_id=UUID(one["payment_id"]),
        recipient=one["recipient"],
        amount_minor=int(one["amount"]),
        order_digest=bytes.fromhex(one["digest"]),
        order_bytes=bytes.fromhex(one["order"]),
        log=(bytes.fromhex(one["hash"]), one["log_index"])
        if one["log_index"] is not None
        else None,
    )


def _attempt(one: dict[str, Any], receipts: dict[bytes, Receipt | None]) -> Attempt:
    hash_ = bytes.fromhex(one["hash"])
    return Attempt(
        number=one["number"],
        kind=one["kind"],
        transaction_hash=hash_,
        call_digest=bytes.fromhex(one["digest"]),
        raw=bytes.fromhex(one["raw"]),
        receipt=receipts[hash_],
    )
