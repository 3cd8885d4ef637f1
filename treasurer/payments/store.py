"""Owns the SQL of payments. Must never move a payment from a state that the caller did not name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.db import keyset
from treasurer.kernel.ids import (
    DecisionId,
    InvoiceId,
    OrganizationId,
    PayeeAddressId,
    PayeeId,
    PaymentId,
    UserId,
)
from treasurer.kernel.money import Asset
from treasurer.kernel.order import parse_order
from treasurer.kernel.organization import PrincipalKind
from treasurer.payments import allocation_store
from treasurer.payments.model import Payment, PaymentState

COLUMNS = """p.id, p.organization_id, p.invoice_id, i.invoice_number, p.payee_id,
    y.code AS payee_code, y.name AS payee_name, p.payee_address_id, p.state, p.initiator_id,
    p.initiator_kind, p.asset, p.amount_minor, p.reporting_amount_minor, p.order_bytes,
    p.order_digest, p.not_after, p.explanation, p.transaction_hash, p.settled_at,
    p.balance_after_minor, p.created_at"""
JOINS = """FROM payments p
    JOIN payees y ON y.organization_id = p.organization_id AND y.id = p.payee_id
    LEFT JOIN invoices i ON i.organization_id = p.organization_id AND i.id = p.invoice_id"""
"""What `payment_of` needs, and where it comes from; for other statements about payments as well."""

_INSERT = text("""
    INSERT INTO payments (organization_id, id, invoice_id, payee_id, payee_address_id, state,
        initiator_id, initiator_kind, asset, amount_minor, reporting_amount_minor, order_bytes,
        order_digest, not_after, created_at, category)
    VALUES (:organization_id, :id, :invoice_id, :payee_id, :payee_address_id, 'proposed',
        :initiator_id, :initiator_kind, :asset, :amount_minor, :reporting_amount_minor,
        :order_bytes, :order_digest, :not_after, :now, (
            SELECT category FROM payees WHERE organization_id = :organization_id AND id = :payee_id))
""")
_ONE = text(f"SELECT {COLUMNS} {JOINS} WHERE p.organization_id = :organization_id AND p.id = :id")
_PAGE = text(f"""
    SELECT {COLUMNS} {JOINS} WHERE p.organization_id = :organization_id
    {keyset.newest_first("p")}
""")
_OF_INVOICE = text(f"""
    SELECT {COLUMNS} {JOINS} WHERE p.organization_id = :organization_id
      AND p.invoice_id = :invoice_id ORDER BY p.id DESC
""")
# Other reservers skip what one has taken; a vote or a withdrawal waits for it.
_LOCK_DUE = text("""
    SELECT id FROM payments WHERE organization_id = :organization_id AND id = ANY(:ids)
      AND state IN ('proposed', 'approved') AND next_at <= :now ORDER BY id FOR UPDATE SKIP LOCKED
""")
_LOCK_INVOICES = text("""
    SELECT id FROM invoices WHERE organization_id = :organization_id AND id IN (
        SELECT invoice_id FROM payments
        WHERE organization_id = :organization_id AND id = ANY(:ids))
    ORDER BY id FOR UPDATE
""")
_MOVE = text("""
    UPDATE payments SET state = :after, explanation = coalesce(:explanation, explanation),
        decision_id = coalesce(:decision_id, decision_id), next_at = :next_at
    WHERE organization_id = :organization_id AND id = :id AND state = :before
""")
_MOVE_MANY = text("""
    UPDATE payments SET state = :after, next_at = :next_at
    WHERE organization_id = :organization_id AND id = ANY(:ids) AND state = :before
""")
_SET_ALONE = text("""
    UPDATE payments SET alone = true WHERE organization_id = :organization_id AND id = ANY(:ids)
""")
_PUT_OFF = text("""
    UPDATE payments p SET next_at = :next_at, reserve_attempts = p.reserve_attempts + 1,
        explanation = l.reason
    FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS l (id, reason)
    WHERE p.organization_id = :organization_id AND p.id = l.id
      AND p.state IN ('proposed', 'approved')
""")
_LOCK_SETTLING = text("""
    SELECT id FROM payments WHERE organization_id = :organization_id AND id = ANY(:ids)
    ORDER BY id FOR UPDATE
""")
_EXECUTE = text("""
    UPDATE payments p SET state = 'executing', next_at = NULL, decision_id = m.decision_id,
        explanation = m.explanation
    FROM unnest(CAST(:ids AS uuid[]), CAST(:decisions AS uuid[]), CAST(:explanations AS text[]))
         AS m (id, decision_id, explanation)
    WHERE p.organization_id = :organization_id AND p.id = m.id AND p.state = 'approved'
""")
_SETTLE = text("""
    UPDATE payments p SET state = 'settled', settled_at = :now, next_at = NULL,
        transaction_hash = m.transaction_hash, balance_after_minor = m.balance_after
    FROM unnest(CAST(:ids AS uuid[]), CAST(:hashes AS bytea[]), CAST(:balances AS numeric[]))
         AS m (id, transaction_hash, balance_after)
    WHERE p.organization_id = :organization_id AND p.id = m.id AND p.state = 'executing'
""")


@dataclass(frozen=True, slots=True)
class NewPayment:
    """What `insert` stores; the order's canonical bytes carry amount, recipient and token."""

    id: PaymentId
    invoice_id: InvoiceId
    payee_id: PayeeId
    payee_address_id: PayeeAddressId
    initiator_id: UserId
    initiator_kind: PrincipalKind
    asset: Asset
    amount_minor: int
    reporting_amount_minor: int
    order_bytes: bytes
    order_digest: bytes
    not_after: datetime
    allocated_minor: int


async def insert(
    connection: AsyncConnection, organization_id: OrganizationId, new: NewPayment, now: datetime
) -> None:
    """Store a proposed payment and its allocation to the invoice."""
    await connection.execute(
        _INSERT,
        {
            "organization_id": organization_id,
            "id": new.id,
            "invoice_id": new.invoice_id,
            "payee_id": new.payee_id,
            "payee_address_id": new.payee_address_id,
            "initiator_id": new.initiator_id,
            "initiator_kind": new.initiator_kind.value,
            "asset": new.asset.symbol,
            "amount_minor": new.amount_minor,
            "reporting_amount_minor": new.reporting_amount_minor,
            "order_bytes": new.order_bytes,
            "order_digest": new.order_digest,
            "not_after": new.not_after,
            "now": now,
        },
    )
    await allocation_store.insert(
        connection, organization_id, new.id, new.invoice_id, new.allocated_minor
    )


async def get(
    connection: AsyncConnection, organization_id: OrganizationId, payment_id: PaymentId
) -> Payment | None:
    rows = await connection.execute(_ONE, {"organization_id": organization_id, "id": payment_id})
    row = rows.mappings().one_or_none()
    return payment_of(row) if row else None


async def page(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    *,
    before: PaymentId | None,
    most: int,
    state: PaymentState | None,
) -> list[Payment]:
    """Newest first, keyset by id."""
    rows = await connection.execute(
        _PAGE, keyset.keys(organization_id, before=before, most=most, state=state)
    )
    return [payment_of(row) for row in rows.mappings()]


async def of_invoice(
    connection: AsyncConnection, organization_id: OrganizationId, invoice_id: InvoiceId
) -> list[Payment]:
    """Payments of one invoice, newest first."""
    rows = await connection.execute(
        _OF_INVOICE, {"organization_id": organization_id, "invoice_id": invoice_id}
    )
    return [payment_of(row) for row in rows.mappings()]


async def lock_due(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    ids: Sequence[PaymentId],
    now: datetime,
) -> list[PaymentId]:
    """Lock those of `ids` that wait for reserve, are due and not taken by another worker, then their
    invoices: the first of the locks in the order that all writers keep.
    """
    rows = await connection.execute(
        _LOCK_DUE, {"organization_id": organization_id, "ids": list(ids), "now": now}
    )
    locked = [PaymentId(row[0]) for row in rows]
    if locked:
        await connection.execute(
            _LOCK_INVOICES, {"organization_id": organization_id, "ids": locked}
        )
    return locked


async def lock_settling(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> None:
    """Lock payments that are about to end, then their invoices, waiting for other holders."""
    parameters = {"organization_id": organization_id, "ids": list(ids)}
    await connection.execute(_LOCK_SETTLING, parameters)
    await connection.execute(_LOCK_INVOICES, parameters)


async def put_off(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    reasons: Mapping[PaymentId, str],
    *,
    next_at: datetime,
) -> None:
    """Keep payments where they are, with the reason, until `next_at`."""
    if reasons:
        await connection.execute(
            _PUT_OFF,
            {
                "organization_id": organization_id,
                "ids": list(reasons),
                "reasons": list(reasons.values()),
                "next_at": next_at,
            },
        )


async def set_alone(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> None:
    """From now on each of `ids` has a transaction of its own: the batch they were in failed."""
    await connection.execute(_SET_ALONE, {"organization_id": organization_id, "ids": list(ids)})


async def move(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    payment_id: PaymentId,
    before: PaymentState,
    after: PaymentState,
    *,
    explanation: str | None = None,
    decision_id: DecisionId | None = None,
    next_at: datetime | None = None,
) -> bool:
    """Move one payment; False when it was not in `before`."""
    result = await connection.execute(
        _MOVE,
        {
            "organization_id": organization_id,
            "id": payment_id,
            "before": before.value,
            "after": after.value,
            "explanation": explanation,
            "decision_id": decision_id,
            "next_at": next_at,
        },
    )
    return result.rowcount == 1


async def move_many(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    ids: Sequence[PaymentId],
    before: PaymentState,
    after: PaymentState,
    *,
    next_at: datetime | None = None,
) -> int:
    """Move all of `ids` that are in `before`; return how many were."""
    result = await connection.execute(
        _MOVE_MANY,
        {
            "organization_id": organization_id,
            "ids": list(ids),
            "before": before.value,
            "after": after.value,
            "next_at": next_at,
        },
    )
    return int(result.rowcount)


async def execute(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    decided: Mapping[PaymentId, tuple[DecisionId, str]],
) -> int:
    """Move approved payments to executing with their binding decisions; return how many moved."""
    result = await connection.execute(
        _EXECUTE,
        {
            "organization_id": organization_id,
            "ids": list(decided),
            "decisions": [decision_id for decision_id, _ in decided.values()],
            "explanations": [explanation for _, explanation in decided.values()],
        },
    )
    return int(result.rowcount)


async def settle(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    settled: Mapping[PaymentId, tuple[bytes, int]],
    now: datetime,
) -> None:
    """Settle executing payments: (transaction hash, wallet balance after) each."""
    await connection.execute(
        _SETTLE,
        {
            "organization_id": organization_id,
            "ids": list(settled),
            "hashes": [hash_ for hash_, _ in settled.values()],
            "balances": [balance for _, balance in settled.values()],
            "now": now,
        },
    )


def payment_of(row: RowMapping) -> Payment:
    """The payment of a row that has `COLUMNS`."""
    order = parse_order(bytes(row["order_bytes"]))
    invoice_id: UUID | None = row["invoice_id"]
    balance = row["balance_after_minor"]
    return Payment(
        id=PaymentId(row["id"]),
        organization_id=OrganizationId(row["organization_id"]),
        invoice_id=InvoiceId(invoice_id) if invoice_id else None,
        invoice_number=row["invoice_number"],
        payee_id=PayeeId(row["payee_id"]),
        payee_code=row["payee_code"],
        payee_name=row["payee_name"],
        payee_address_id=PayeeAddressId(row["payee_address_id"]),
        recipient=order.items[0].recipient,
        state=PaymentState(row["state"]),
        initiator_id=UserId(row["initiator_id"]),
        initiator_kind=PrincipalKind(row["initiator_kind"]),
        asset=Asset(row["asset"], order.token_decimals),
        amount_minor=int(row["amount_minor"]),
        reporting_amount_minor=int(row["reporting_amount_minor"]),
        order_bytes=bytes(row["order_bytes"]),
        order_digest=bytes(row["order_digest"]),
        not_after=row["not_after"],
        explanation=row["explanation"],
        transaction_hash=bytes(row["transaction_hash"]) if row["transaction_hash"] else None,
        settled_at=row["settled_at"],
        balance_after_minor=int(balance) if balance is not None else None,
        created_at=row["created_at"],
    )
