"""Owns a payment's whole story: events, transfers with their attempts, entries. Must never decide.

It reads across nouns by ids that the rows themselves carry, each by an index.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import JournalEntryId, OrganizationId, PaymentId, TransferId
from treasurer.kernel.money import Asset
from treasurer.reports.trail import TrailEvent, named

_MOST_EVENTS = 500

_TRANSFERS = text("""
    SELECT t.id, t.state, t.chain_id, t.sender, t.nonce, t.block_number, t.block_hash, t.reason,
           t.created_at, t.settled_at
    FROM transfer_items i
    JOIN transfers t ON t.organization_id = i.organization_id AND t.id = i.transfer_id
    WHERE i.organization_id = :organization_id AND i.payment_id = :payment_id
    ORDER BY t.id
""")
_ATTEMPTS = text("""
    SELECT transfer_id, number, kind, transaction_hash, max_fee_per_gas_wei, created_at
    FROM attempts
    WHERE organization_id = :organization_id AND transfer_id = ANY(CAST(:transfers AS uuid[]))
    ORDER BY transfer_id, number
""")
_EVENTS = text("""
    SELECT cursor, aggregate, aggregate_id, version, kind, actor_id, payload, occurred_at
    FROM audit_events
    WHERE organization_id = :organization_id AND aggregate_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY cursor LIMIT :most
""")
_REQUESTS = text("""
    SELECT id FROM approval_requests
    WHERE organization_id = :organization_id AND payment_id = :payment_id
""")
# By (kind, reference), which is the index: a reference alone would scan the journal.
_POSTINGS = text("""
    SELECT e.id, e.kind, e.posted_at, p.asset, p.amount_minor, a.code, a.decimals
    FROM journal_entries e
    JOIN postings p ON p.organization_id = e.organization_id AND p.entry_id = e.id
    JOIN ledger_accounts a ON a.organization_id = p.organization_id AND a.id = p.account_id
    WHERE e.organization_id = :organization_id
      AND ((e.kind = 'payment.settled' AND e.reference_id = :payment_id)
           OR (e.kind = 'transfer.fees' AND e.reference_id = ANY(CAST(:transfers AS uuid[]))))
    ORDER BY e.id, p.line
""")


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One signed transaction of a slot."""

    number: int
    kind: str
    transaction_hash: bytes
    max_fee_per_gas_wei: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TransferRow:
    """One nonce slot that carried, or carries, the payment."""

    id: TransferId
    state: str
    chain_id: int
    sender: str
    nonce: int | None
    block_number: int | None
    block_hash: bytes | None
    reason: str
    created_at: datetime
    settled_at: datetime | None
    attempts: tuple[AttemptRow, ...]


@dataclass(frozen=True, slots=True)
class Leg:
    """One posting: a debit is positive."""

    account: str
    asset: Asset
    amount_minor: int


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A balanced journal entry with its legs."""

    id: JournalEntryId
    kind: str
    posted_at: datetime
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that happened to one payment, oldest first."""

    events: tuple[TrailEvent, ...]
    transfers: tuple[TransferRow, ...]
    entries: tuple[EntryRow, ...]


async def read_story(
    connection: AsyncConnection, organization_id: OrganizationId, payment_id: PaymentId
) -> Story:
    """The story of a payment; an unknown one has an empty story."""
    key = {"organization_id": organization_id, "payment_id": payment_id}
    transfers = await transfers_of(connection, organization_id, payment_id)
    ids = [transfer.id for transfer in transfers]
    requests = [row.id for row in await connection.execute(_REQUESTS, key)]
    events = await connection.execute(
        _EVENTS,
        {
            "organization_id": organization_id,
            "ids": [payment_id, *requests, *ids],
            "most": _MOST_EVENTS,
        },
    )
    postings = await connection.execute(_POSTINGS, {**key, "transfers": ids})
    return Story(
        events=await named(connection, organization_id, events.mappings().all()),
        transfers=transfers,
        entries=_entries(postings.mappings().all()),
    )


async def transfers_of(
    connection: AsyncConnection, organization_id: OrganizationId, payment_id: PaymentId
) -> tuple[TransferRow, ...]:
    """The transfers that carry, or carried, a payment, with all their attempts, oldest first."""
    key = {"organization_id": organization_id, "payment_id": payment_id}
    transfers = (await connection.execute(_TRANSFERS, key)).mappings().all()
    ids = [row["id"] for row in transfers]
    of_transfers = {"organization_id": organization_id, "transfers": ids}
    attempts = (await connection.execute(_ATTEMPTS, of_transfers)).mappings().all()
    return tuple(_transfer(row, attempts) for row in transfers)


def _transfer(row: RowMapping, attempts: Sequence[RowMapping]) -> TransferRow:
    return TransferRow(
        id=TransferId(row["id"]),
        state=row["state"],
        chain_id=row["chain_id"],
        sender=row["sender"],
        nonce=row["nonce"],
        block_number=row["block_number"],
        block_hash=None if row["block_hash"] is None else bytes(row["block_hash"]),
        reason=row["reason"],
        created_at=row["created_at"],
        settled_at=row["settled_at"],
        attempts=tuple(
            AttemptRow(
                number=attempt["number"],
                kind=attempt["kind"],
                transaction_hash=bytes(attempt["transaction_hash"]),
                max_fee_per_gas_wei=int(attempt["max_fee_per_gas_wei"]),
                created_at=attempt["created_at"],
            )
            for attempt in attempts
            if attempt["transfer_id"] == row["id"]
        ),
    )


def _entries(rows: Sequence[RowMapping]) -> tuple[EntryRow, ...]:
    legs: dict[UUID, list[Leg]] = defaultdict(list)
    heads: dict[UUID, RowMapping] = {}
    for row in rows:
        heads[row["id"]] = row
        asset = Asset(row["asset"], row["decimals"])
        legs[row["id"]].append(Leg(row["code"], asset, int(row["amount_minor"])))
    return tuple(
        EntryRow(JournalEntryId(id_), head["kind"], head["posted_at"], tuple(legs[id_]))
        for id_, head in heads.items()
    )
