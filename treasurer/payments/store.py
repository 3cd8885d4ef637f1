"""Owns the SQL of payments, allocations and decisions. Must never move a payment from a state that
the caller did not name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.background import SanctionsFact, history_of
from treasurer.kernel.errors import InvariantViolated
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
from treasurer.payments.facts import Candidate
from treasurer.payments.model import Payment, PaymentState, StoredDecision

_COLUMNS = """p.id, p.organization_id, p.invoice_id, i.invoice_number, p.payee_id,
    y.code AS payee_code, y.name AS payee_name, p.payee_address_id, p.state, p.initiator_id,
    p.initiator_kind, p.asset, p.amount_minor, p.reporting_amount_minor, p.order_bytes,
    p.order_digest, p.not_after, p.explanation, p.transaction_hash, p.settled_at,
    p.balance_after_minor, p.created_at"""
_JOINS = """FROM payments p
    JOIN payees y ON y.organization_id = p.organization_id AND y.id = p.payee_id
    LEFT JOIN invoices i ON i.organization_id = p.organization_id AND i.id = p.invoice_id"""

_INSERT = text("""
    INSERT INTO payments (organization_id, id, invoice_id, payee_id, payee_address_id, state,
        initiator_id, initiator_kind, asset, amount_minor, reporting_amount_minor, order_bytes,
        order_digest, not_after, created_at, category)
    VALUES (:organization_id, :id, :invoice_id, :payee_id, :payee_address_id, 'proposed',
        :initiator_id, :initiator_kind, :asset, :amount_minor, :reporting_amount_minor,
        :order_bytes, :order_digest, :not_after, :now, (
            SELECT category FROM payees WHERE organization_id = :organization_id AND id = :payee_id))
""")
_ALLOCATE = text("""
    INSERT INTO allocations (organization_id, payment_id, invoice_id, amount_minor, state)
    VALUES (:organization_id, :payment_id, :invoice_id, :amount_minor, 'live')
""")
_ONE = text(f"SELECT {_COLUMNS} {_JOINS} WHERE p.organization_id = :organization_id AND p.id = :id")
_PAGE = text(f"""
    SELECT {_COLUMNS} {_JOINS} WHERE p.organization_id = :organization_id
      AND (CAST(:before AS uuid) IS NULL OR p.id < :before)
      AND (CAST(:state AS text) IS NULL OR p.state = :state)
    ORDER BY p.id DESC LIMIT :most
""")
_OF_INVOICE = text(f"""
    SELECT {_COLUMNS} {_JOINS} WHERE p.organization_id = :organization_id
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
_CANDIDATES = text(f"""
    SELECT {_COLUMNS}, p.reserve_attempts, p.alone, y.state AS payee_state, d.address,
        d.state AS address_state,
        greatest(d.cooling_off_until, y.cooling_off_until) AS cooling_off_until, d.changed_by,
        i.currency_decimals, i.purchase_state, i.submitted_by,
        coalesce(i.findings, '[]') AS invoice_findings, y.created_at AS payee_since,
        d.created_at AS address_since, coalesce(p.category, '') AS category,
        ARRAY(SELECT r.role FROM user_roles r WHERE r.organization_id = p.organization_id
              AND r.user_id = p.initiator_id ORDER BY r.role) AS initiator_roles,
        ARRAY(SELECT e.label FROM sanctions_entries e WHERE e.organization_id = p.organization_id
              AND (e.kind = 'address' AND e.key = d.address
                   OR e.kind = 'name' AND e.key = y.name_key) ORDER BY e.label) AS sanctions_hits,
        coalesce((SELECT jsonb_agg(jsonb_build_object('reviewer_id', w.reviewer_id, 'accepted',
                      w.accepted, 'stated', w.stated) ORDER BY w.id) FROM invoice_reviews w
                  WHERE w.organization_id = p.organization_id AND w.invoice_id = p.invoice_id),
                 '[]') AS reviews,
        l.loaded_at AS sanctions_as_of, h.paid_minor, h.to_address,
        i.open_amount_minor - coalesce((
            SELECT sum(a.amount_minor) FROM allocations a
            WHERE a.organization_id = p.organization_id AND a.invoice_id = p.invoice_id
              AND a.payment_id <> p.id AND a.state = 'live'), 0) AS invoice_open_minor
    {_JOINS}
    JOIN payee_addresses d ON d.organization_id = p.organization_id AND d.id = p.payee_address_id
    LEFT JOIN sanctions_lists l ON l.organization_id = p.organization_id
    CROSS JOIN LATERAL (
        SELECT array_agg(x.reporting_amount_minor) AS paid_minor,
            count(*) FILTER (WHERE x.payee_address_id = p.payee_address_id) AS to_address
        FROM (SELECT s.reporting_amount_minor, s.payee_address_id FROM payments s
              WHERE s.organization_id = p.organization_id AND s.payee_id = p.payee_id
                AND s.state = 'settled' ORDER BY s.settled_at DESC LIMIT 50) x) h
    WHERE p.organization_id = :organization_id AND p.id = ANY(:ids) ORDER BY p.id
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
_SETTLE_ALLOCATIONS = text("""
    WITH settled AS (
        UPDATE allocations SET state = 'settled'
        WHERE organization_id = :organization_id AND payment_id = ANY(:ids) AND state = 'live'
        RETURNING invoice_id, amount_minor),
    sums AS (SELECT invoice_id, sum(amount_minor) AS amount FROM settled GROUP BY invoice_id)
    UPDATE invoices i SET open_amount_minor = i.open_amount_minor - s.amount,
        state = CASE WHEN i.open_amount_minor = s.amount THEN 'paid' ELSE i.state END
    FROM sums s WHERE i.organization_id = :organization_id AND i.id = s.invoice_id
    RETURNING i.id, i.state
""")
_RELEASE_ALLOCATIONS = text("""
    WITH released AS (
        UPDATE allocations SET state = 'released'
        WHERE organization_id = :organization_id AND payment_id = ANY(:ids) AND state = 'live'
        RETURNING invoice_id)
    UPDATE invoices i SET state = 'needs_review' FROM released r
    WHERE i.organization_id = :organization_id AND i.id = r.invoice_id AND i.state = 'proposed'
    RETURNING i.id
""")
_INSERT_DECISIONS = text("""
    INSERT INTO decisions (organization_id, id, payment_id, stage, outcome, policy_digest, request,
                           facts, facts_digest, decision, decided_at)
    SELECT :organization_id, d.id, d.payment_id, :stage, d.outcome, :policy_digest, d.request,
           d.facts, sha256(d.facts), d.decision, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:payments AS uuid[]), CAST(:outcomes AS text[]),
                CAST(:requests AS bytea[]), CAST(:facts AS bytea[]), CAST(:decisions AS bytea[]))
         AS d (id, payment_id, outcome, request, facts, decision)
""")
_DECISIONS = text("""
    SELECT stage, outcome, policy_digest, request, facts, decision, decided_at FROM decisions
    WHERE organization_id = :organization_id AND payment_id = :payment_id ORDER BY id DESC LIMIT 20
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


@dataclass(frozen=True, slots=True)
class NewDecision:
    id: DecisionId
    payment_id: PaymentId
    outcome: str
    request: bytes
    facts: bytes
    decision: bytes


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
    await connection.execute(
        _ALLOCATE,
        {
            "organization_id": organization_id,
            "payment_id": new.id,
            "invoice_id": new.invoice_id,
            "amount_minor": new.allocated_minor,
        },
    )


async def get(
    connection: AsyncConnection, organization_id: OrganizationId, payment_id: PaymentId
) -> Payment | None:
    rows = await connection.execute(_ONE, {"organization_id": organization_id, "id": payment_id})
    row = rows.mappings().one_or_none()
    return _payment(row) if row else None


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
        _PAGE,
        {
            "organization_id": organization_id,
            "before": before,
            "most": most,
            "state": state.value if state else None,
        },
    )
    return [_payment(row) for row in rows.mappings()]


async def of_invoice(
    connection: AsyncConnection, organization_id: OrganizationId, invoice_id: InvoiceId
) -> list[Payment]:
    """Payments of one invoice, newest first."""
    rows = await connection.execute(
        _OF_INVOICE, {"organization_id": organization_id, "invoice_id": invoice_id}
    )
    return [_payment(row) for row in rows.mappings()]


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


async def candidates(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> list[Candidate]:
    """The payments with all rows that their facts come from, in one query."""
    rows = await connection.execute(
        _CANDIDATES, {"organization_id": organization_id, "ids": list(ids)}
    )
    return [_candidate(row) for row in rows.mappings()]


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
) -> list[tuple[InvoiceId, str]]:
    """Settle executing payments: (transaction hash, wallet balance after) each. Closes their
    allocations and returns the invoices touched with their states.
    """
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
    rows = await connection.execute(
        _SETTLE_ALLOCATIONS, {"organization_id": organization_id, "ids": list(settled)}
    )
    return [(InvoiceId(row[0]), row[1]) for row in rows]


async def release_allocations(
    connection: AsyncConnection, organization_id: OrganizationId, ids: Sequence[PaymentId]
) -> list[InvoiceId]:
    """Give the invoices of ended payments back their open amount; return those that went to review."""
    rows = await connection.execute(
        _RELEASE_ALLOCATIONS, {"organization_id": organization_id, "ids": list(ids)}
    )
    return [InvoiceId(row.id) for row in rows]


async def insert_decisions(
    connection: AsyncConnection,
    organization_id: OrganizationId,
    decisions: Sequence[NewDecision],
    *,
    stage: str,
    policy_digest: bytes,
    now: datetime,
) -> None:
    """Store decisions with the exact bytes of request, facts and answer."""
    await connection.execute(
        _INSERT_DECISIONS,
        {
            "organization_id": organization_id,
            "stage": stage,
            "policy_digest": policy_digest,
            "now": now,
            "ids": [decision.id for decision in decisions],
            "payments": [decision.payment_id for decision in decisions],
            "outcomes": [decision.outcome for decision in decisions],
            "requests": [decision.request for decision in decisions],
            "facts": [decision.facts for decision in decisions],
            "decisions": [decision.decision for decision in decisions],
        },
    )


async def decisions_of(
    connection: AsyncConnection, organization_id: OrganizationId, payment_id: PaymentId
) -> list[StoredDecision]:
    """The newest decisions of a payment, newest first."""
    rows = await connection.execute(
        _DECISIONS, {"organization_id": organization_id, "payment_id": payment_id}
    )
    return [
        StoredDecision(
            stage=row["stage"],
            outcome=row["outcome"],
            policy_digest=bytes(row["policy_digest"]),
            request=bytes(row["request"]),
            facts=bytes(row["facts"]),
            decision=bytes(row["decision"]),
            decided_at=row["decided_at"],
        )
        for row in rows.mappings()
    ]


def _payment(row: RowMapping) -> Payment:
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


def _candidate(row: RowMapping) -> Candidate:
    payment = _payment(row)
    order = parse_order(payment.order_bytes)
    if order.digest != payment.order_digest:
        raise InvariantViolated(
            "ORDER_CHANGED", f"payment {payment.id} carries another order than its digest"
        )
    open_minor, decimals = row["invoice_open_minor"], row["currency_decimals"]
    return Candidate(
        payment=payment,
        order=order,
        payee_state=row["payee_state"],
        address=row["address"],
        address_state=row["address_state"],
        cooling_off_until=row["cooling_off_until"],
        address_changed_by=UserId(row["changed_by"]),
        invoice_open_minor=int(open_minor) if open_minor is not None else None,
        invoice_decimals=int(decimals) if decimals is not None else None,
        invoice_findings=row["invoice_findings"],
        purchase_state=row["purchase_state"],
        submitted_by=UserId(row["submitted_by"]) if row["submitted_by"] else None,
        reviews=row["reviews"],
        reserve_attempts=row["reserve_attempts"],
        payee_since=row["payee_since"],
        address_since=row["address_since"],
        category=row["category"],
        initiator_roles=tuple(row["initiator_roles"]),
        history=history_of(list(map(int, row["paid_minor"] or ())), row["to_address"]),
        sanctions=SanctionsFact(tuple(row["sanctions_hits"]), row["sanctions_as_of"])
        if row["sanctions_as_of"]
        else None,
        alone=row["alone"],
    )
