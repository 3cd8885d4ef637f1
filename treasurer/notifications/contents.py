"""Owns the SQL that gathers what a mail says, at the moment when it is sent.

Must never tell of a payment what its order does not say: terms come from the approved bytes.
"""

from datetime import datetime

from sqlalchemy import TextClause, text
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from policy.codec import as_fields
from policy.decision import requirement_from
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import ApprovalRequestId, InvoiceId, PaymentId, UserId
from treasurer.kernel.money import Asset
from treasurer.kernel.order import parse_order
from treasurer.notifications.model import (
    ApprovalQuestion,
    Content,
    DocumentFault,
    InvoiceNotice,
    Notification,
    NotificationKind,
    PaymentRefusal,
    PaymentTerms,
    Remittance,
    ReviewNote,
)

_TERMS = """p.id AS payment_id, p.state AS payment_state, p.asset, p.order_bytes, p.order_digest,
    p.explanation, p.transaction_hash, p.settled_at, o.name AS organization_name,
    y.name AS payee_name, y.code AS payee_code, i.invoice_number"""
_PAYMENT = """payments p
    JOIN organizations o ON o.id = p.organization_id
    JOIN payees y ON y.organization_id = p.organization_id AND y.id = p.payee_id
    LEFT JOIN invoices i ON i.organization_id = p.organization_id AND i.id = p.invoice_id"""

_QUESTION = text(f"""
    SELECT {_TERMS}, r.id AS request_id, r.requirement, r.expires_at, a.id AS approver_id,
           q.name AS requester_name, coalesce((
               SELECT jsonb_agg(jsonb_build_object('name', h.name, 'reason', w.reason, 'accepted',
                          w.accepted, 'stated', w.stated) ORDER BY w.id)
               FROM invoice_reviews w
               JOIN users h ON h.organization_id = w.organization_id AND h.id = w.reviewer_id
               WHERE w.organization_id = p.organization_id AND w.invoice_id = p.invoice_id), '[]')
           AS reviews
    FROM approval_requests r
    JOIN {_PAYMENT} ON p.organization_id = r.organization_id AND p.id = r.payment_id
     AND p.order_digest = r.order_digest
    JOIN users a ON a.organization_id = r.organization_id AND lower(a.email) = lower(:recipient)
     AND a.state = 'active' AND a.kind = 'human'
    JOIN users q ON q.organization_id = r.organization_id AND q.id = r.requester_id
    WHERE r.organization_id = :organization_id AND r.id = :subject_id AND r.state = 'open'
      AND r.expires_at > :now
""")
_REFUSAL = text(f"""
    SELECT {_TERMS}, n.name AS rejected_by, n.reason
    FROM {_PAYMENT}
    LEFT JOIN LATERAL (
        SELECT u.name, v.reason FROM approval_requests r
        JOIN votes v ON v.organization_id = r.organization_id AND v.approval_request_id = r.id
         AND v.choice = 'reject'
        JOIN users u ON u.organization_id = v.organization_id AND u.id = v.user_id
        WHERE r.organization_id = p.organization_id AND r.payment_id = p.id
          AND r.state = 'refused'
        ORDER BY r.id DESC LIMIT 1) n ON true
    WHERE p.organization_id = :organization_id AND p.id = :subject_id
      AND p.state IN ('denied', 'expired')
""")
_REMITTANCE = text(f"""
    SELECT {_TERMS} FROM {_PAYMENT}
    WHERE p.organization_id = :organization_id AND p.id = :subject_id AND p.state = 'settled'
""")
_INVOICE = text("""
    SELECT i.id AS invoice_id, i.state, i.findings, i.invoice_number, i.received_at,
           o.name AS organization_name, d.filename
    FROM invoices i
    JOIN organizations o ON o.id = i.organization_id
    JOIN documents d ON d.organization_id = i.organization_id AND d.sha256 = i.document_sha256
    WHERE i.organization_id = :organization_id AND i.id = :subject_id
      AND i.state IN ('needs_review', 'rejected', 'duplicate')
""")
_STATEMENTS: dict[NotificationKind, TextClause] = {
    NotificationKind.APPROVAL_REQUESTED: _QUESTION,
    NotificationKind.APPROVAL_REMINDER: _QUESTION,
    NotificationKind.APPROVAL_ESCALATED: _QUESTION,
    NotificationKind.PAYMENT_REFUSED: _REFUSAL,
    NotificationKind.PAYMENT_SETTLED: _REMITTANCE,
    NotificationKind.INVOICE_NEEDS_REVIEW: _INVOICE,
    NotificationKind.INVOICE_REJECTED: _INVOICE,
}


async def gather(
    connection: AsyncConnection, notification: Notification, now: datetime
) -> Content | None:
    """What the mail has to say at `now`, or None where its news no longer holds.

    A request that was decided meanwhile asks nobody, and a person who left is asked nothing.
    """
    rows = await connection.execute(
        _STATEMENTS[notification.kind],
        {
            "organization_id": notification.organization_id,
            "subject_id": notification.subject_id,
            "recipient": notification.recipient,
            "now": now,
        },
    )
    row = rows.mappings().one_or_none()
    if row is None:
        return None
    match notification.kind:
        case (
            NotificationKind.APPROVAL_REQUESTED
            | NotificationKind.APPROVAL_REMINDER
            | NotificationKind.APPROVAL_ESCALATED
        ):
            return _question(row)
        case NotificationKind.PAYMENT_REFUSED:
            return PaymentRefusal(
                terms=_terms(row),
                state=row["payment_state"],
                explanation=row["explanation"],
                rejected_by=row["rejected_by"],
                reason=row["reason"],
            )
        case NotificationKind.PAYMENT_SETTLED:
            return Remittance(
                terms=_terms(row),
                transaction_hash=bytes(row["transaction_hash"]),
                settled_at=row["settled_at"],
            )
        case NotificationKind.INVOICE_NEEDS_REVIEW | NotificationKind.INVOICE_REJECTED:
            return _notice(row)


def _terms(row: RowMapping) -> PaymentTerms:
    order = parse_order(bytes(row["order_bytes"]))
    if order.digest != bytes(row["order_digest"]):
        raise InvariantViolated(
            "ORDER_DIGEST", f"payment {row['payment_id']} carries another order than its digest"
        )
    (item,) = order.items
    return PaymentTerms(
        payment_id=PaymentId(row["payment_id"]),
        organization_name=row["organization_name"],
        payee_name=row["payee_name"],
        payee_code=row["payee_code"],
        invoice_number=row["invoice_number"],
        asset=Asset(row["asset"], order.token_decimals),
        amount_minor=item.amount_minor,
        chain_id=order.chain_id,
        token=order.token,
        recipient=item.recipient,
        not_after=order.not_after,
        order_digest=order.digest,
    )


def _question(row: RowMapping) -> ApprovalQuestion:
    requirement = requirement_from(as_fields(row["requirement"], "requirement"))
    if requirement is None:
        raise InvariantViolated("APPROVAL_REQUIREMENT", f"{row['request_id']} asks for nothing")
    return ApprovalQuestion(
        request_id=ApprovalRequestId(row["request_id"]),
        approver_id=UserId(row["approver_id"]),
        terms=_terms(row),
        requirement=requirement,
        explanation=row["explanation"],
        requester_name=row["requester_name"],
        expires_at=row["expires_at"],
        reviews=tuple(
            ReviewNote(
                review["name"],
                review["reason"],
                tuple(review["accepted"]),
                {name: values["stated"] for name, values in sorted(review["stated"].items())},
            )
            for review in row["reviews"]
        ),
    )


def _notice(row: RowMapping) -> InvoiceNotice:
    return InvoiceNotice(
        invoice_id=InvoiceId(row["invoice_id"]),
        organization_name=row["organization_name"],
        filename=row["filename"],
        invoice_number=row["invoice_number"],
        state=row["state"],
        faults=tuple(DocumentFault(f["code"], f["message"]) for f in row["findings"]),
        received_at=row["received_at"],
    )
