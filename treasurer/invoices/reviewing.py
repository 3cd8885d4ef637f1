"""Owns reviewing: a person answers what held an invoice, and it goes on by itself or stays held.

Must never make a payment: the invoice is read and judged again, and then proposed like any other, with
the reviewer as the one who asked for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.documents.reading import Severity, reading_from_json
from treasurer.invoices import review_store, store
from treasurer.invoices.assessment import Assessment
from treasurer.invoices.judging import judge
from treasurer.invoices.model import (
    Invoice,
    InvoiceState,
    not_found,
    require_legal,
)
from treasurer.invoices.review import (
    InvoiceReview,
    checked_accepted,
    checked_reason,
    checked_statements,
)
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import Canonical
from treasurer.kernel.errors import Conflict, NotPermitted
from treasurer.kernel.ids import InvoiceId, NewId, OrganizationId
from treasurer.kernel.organization import Permission, Principal, PrincipalKind


class InvoiceReviews:
    def __init__(self, *, database: Database, jobs: JobQueue, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._new_id = new_id

    async def of_invoice(self, principal: Principal, invoice_id: InvoiceId) -> list[InvoiceReview]:
        """The reviews of one invoice, oldest first."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await review_store.of_invoice(connection, principal.organization_id, invoice_id)

    async def review(
        self,
        principal: Principal,
        invoice_id: InvoiceId,
        *,
        reason: str,
        accepted: Sequence[str] = (),
        stated: Mapping[str, str] | None = None,
    ) -> Invoice:
        """Answer all that holds an invoice in review; it is then read, judged and proposed again.

        `accepted` are codes of findings that the reviewer answers for, `stated` the values of fields,
        confirmed or corrected. It takes all at once: with something left unanswered nothing is stored.
        Raises NotPermitted REVIEWER_NOT_HUMAN, NotFound, InvalidInput (REASON_MISSING, NOT_ACCEPTABLE,
        NOT_STATABLE, STATED_VALUE), Conflict (INVOICE_NOT_IN_REVIEW, REVIEW_INCOMPLETE).
        """
        principal.require(Permission.INVOICES_SUBMIT)
        if principal.kind is not PrincipalKind.HUMAN:
            raise NotPermitted("REVIEWER_NOT_HUMAN", "only people review; sign in as a person")
        reason, codes = checked_reason(reason), checked_accepted(accepted)
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            invoice = await store.get(connection, organization_id, invoice_id, lock=True)
            stored = await store.reading(connection, organization_id, invoice_id)
            reading = reading_from_json(_reviewable(invoice, stored))
            review = InvoiceReview(
                id=self._new_id(),
                invoice_id=invoice_id,
                reviewer_id=principal.user_id,
                reason=reason,
                accepted=codes,
                statements=checked_statements(stated or {}, reading),
                reviewed_at=self._clock(),
            )
            await review_store.insert(connection, organization_id, review)
            assert invoice is not None
            assert stored is not None
            assessment = await judge(connection, organization_id, invoice, reading, lock=True)
            _require_answered(assessment)
            require_legal(invoice.state, InvoiceState.READING)
            await store.record(
                connection,
                organization_id,
                invoice_id,
                reading,
                # A credit note too: the job that reads it again has it reduce what it names.
                replace(assessment, state=InvoiceState.READING),
                read_by=stored["read_by"],
            )
            await self._go_on(connection, review, organization_id)
            found = await store.get(connection, organization_id, invoice_id)
        assert found is not None
        return found

    async def _go_on(
        self,
        connection: AsyncConnection,
        review: InvoiceReview,
        organization_id: OrganizationId,
    ) -> None:
        """Record the review and have the document read again: its text is not stored, so only then is it
        compared with others' by it.
        """
        payload: dict[str, Canonical] = {
            "review_id": str(review.id),
            "reason": review.reason,
            "accepted": list(review.accepted),
            "stated": {each.field: each.stated for each in review.statements},
            "read": {each.field: each.read for each in review.statements if each.read is not None},
        }
        event = AuditEvent(
            "invoice", review.invoice_id, "invoice.reviewed", payload, review.reviewer_id
        )
        await audit.append(
            connection, organization_id, [event], now=review.reviewed_at, new_id=self._new_id
        )
        await self._jobs.defer(
            connection,
            "read_invoice",
            organization_id=str(organization_id),
            invoice_id=str(review.invoice_id),
        )


def _reviewable(invoice: Invoice | None, stored: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The stored reading of an invoice that a person may review. Raises NotFound, Conflict."""
    if invoice is None:
        raise not_found()
    if invoice.state is not InvoiceState.NEEDS_REVIEW or stored is None:
        raise Conflict(
            "INVOICE_NOT_IN_REVIEW",
            f"the invoice is {invoice.state}; only one that needs review is reviewed",
        )
    return stored


def _require_answered(assessment: Assessment) -> None:
    """Raise Conflict unless nothing holds the invoice or credit note any more."""
    if assessment.state in (InvoiceState.READING, InvoiceState.CREDITED):
        return
    codes = dict.fromkeys(
        finding.code for finding in assessment.findings if finding.severity is not Severity.NOTE
    )
    held_by = ", ".join(codes) or "fields that are missing"
    raise Conflict(
        "REVIEW_INCOMPLETE",
        f"it is still held by {held_by}; accept what may be accepted, state the fields in question, "
        "or ask the seller for a sound document",
        held_by=held_by,
    )
