"""Owns withdrawing a payment whose invoice a credit note reduced. Must never touch one that has begun.

What was approved is what is signed: another amount needs another order, another digest and another
approval. So the old payment ends, its invoice is ready again, and intake proposes it over what is left.
A payment that is executing goes on; the credit note then reduces the payee's next invoice.
"""

from sqlalchemy import text

from treasurer.approvals import store as approvals
from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.kernel.clock import Clock
from treasurer.kernel.ids import InvoiceId, NewId, OrganizationId, PaymentId
from treasurer.payments import store
from treasurer.payments.model import PaymentState, require_legal

EXPLANATION = "A credit note reduced the invoice; it is proposed anew over what is left."

# Request before payment, as a vote locks them: else a vote and this would wait for each other.
_LOCK_REQUEST = text("""
    SELECT r.id FROM payments p
    JOIN approval_requests r ON r.organization_id = p.organization_id AND r.payment_id = p.id
     AND r.state = 'open'
    WHERE p.organization_id = :organization_id AND p.invoice_id = :invoice_id
    ORDER BY r.id FOR NO KEY UPDATE OF r
""")
# Payment before invoice: the order of locks that all writers keep.
_LOCK = text("""
    SELECT id, state FROM payments
    WHERE organization_id = :organization_id AND invoice_id = :invoice_id
      AND state IN ('proposed', 'awaiting_approval', 'approved')
    ORDER BY id FOR UPDATE
""")
_WITHDRAW = text("""
    WITH released AS (
        UPDATE allocations SET state = 'released'
        WHERE organization_id = :organization_id AND payment_id = :payment_id AND state = 'live')
    UPDATE invoices SET state = 'reading'
    WHERE organization_id = :organization_id AND id = :invoice_id AND state = 'proposed'
""")


class Recomputing:
    """Serves the job that a credit note to a proposed invoice defers."""

    def __init__(self, *, database: Database, jobs: JobQueue, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._new_id = new_id

    async def recompute(
        self, organization_id: OrganizationId, invoice_id: InvoiceId
    ) -> PaymentId | None:
        """End the invoice's waiting payment and have the invoice read again; the payment that ended,
        None if none waits. Safe to repeat.
        """
        async with self._database.unit(organization_id) as connection:
            now = self._clock()
            parameters = {"organization_id": organization_id, "invoice_id": invoice_id}
            await connection.execute(_LOCK_REQUEST, parameters)
            row = (await connection.execute(_LOCK, parameters)).one_or_none()
            if row is None:
                return None
            payment_id, before = PaymentId(row.id), PaymentState(row.state)
            require_legal(before, PaymentState.DENIED)
            await store.move(
                connection,
                organization_id,
                payment_id,
                before,
                PaymentState.DENIED,
                explanation=EXPLANATION,
            )
            await connection.execute(_WITHDRAW, parameters | {"payment_id": payment_id})
            events = [
                AuditEvent("payment", payment_id, "payment.denied", {"explanation": EXPLANATION}),
                AuditEvent(
                    "invoice",
                    invoice_id,
                    "invoice.returned",
                    {"payment_id": str(payment_id), "state": "reading", "reason": "credit_note"},
                ),
            ]
            events += [
                AuditEvent(
                    "approval_request",
                    request_id,
                    "approval.superseded",
                    {"payment_id": str(payment_id), "by": "credit_note"},
                )
                for request_id in await approvals.supersede(
                    connection, organization_id, payment_id, now
                )
            ]
            await audit.append(connection, organization_id, events, now=now, new_id=self._new_id)
            await self._jobs.defer(
                connection,
                "read_invoice",
                organization_id=str(organization_id),
                invoice_id=str(invoice_id),
            )
        return payment_id
