"""Owns storing the documents that arrive together: one organization's, in one transaction.

Must never let two requests of one group be treated otherwise than one after the other: an equal key
answers with the first one's invoice, equal bytes are seen before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.db.pipeline import Pipelined
from treasurer.documents.reading import Severity
from treasurer.identity import idempotency as keys
from treasurer.invoices import store
from treasurer.invoices.duplicates import DOCUMENT_SEEN_BEFORE
from treasurer.invoices.model import (
    Invoice,
    InvoiceDocument,
    InvoiceFinding,
    InvoiceState,
    not_found,
)
from treasurer.kernel.clock import Clock
from treasurer.kernel.errors import TreasurerError
from treasurer.kernel.ids import InvoiceId, NewId, OrganizationId, UserId

ACCEPTED_STATUS = 202
"""What the first request with an idempotency key is answered, and so every repetition."""

_SEEN_BEFORE = InvoiceFinding(
    DOCUMENT_SEEN_BEFORE, "the very same document was submitted before", None, Severity.NOTE
)


@dataclass(frozen=True, slots=True)
class Submission:
    """A document that was looked at, and the id that its invoice gets unless its key has one."""

    invoice_id: InvoiceId
    document: InvoiceDocument
    channel: str
    submitted_by: UserId
    claim: keys.IdempotencyClaim | None


Outcome = Invoice | TreasurerError


class Receiving:
    """Stores groups of submissions. The transaction is the whole group's."""

    def __init__(self, *, database: Database, jobs: JobQueue, clock: Clock, new_id: NewId) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self._new_id = new_id

    async def store(
        self, organization_id: OrganizationId, submissions: Sequence[Submission]
    ) -> list[Outcome]:
        """An outcome for each: its invoice, the first one's of its key, or the key's refusal.

        Returns after the commit. What it raises has stored nothing of the group.
        """
        now = self._clock()
        async with self._database.pipeline(organization_id) as connection:
            claimed = await self._claim(connection, organization_id, submissions, now)
            fresh = [each for each in submissions if claimed.get(each.invoice_id) is None]
            made = await self._store(connection, organization_id, fresh, now)
        repeated = {
            InvoiceId(found.resource_id)
            for found in claimed.values()
            if isinstance(found, keys.Replay)
        }
        if earlier := sorted(repeated - made.keys()):
            async with self._database.unit(organization_id) as unit:
                made |= await store.get_all(unit, organization_id, earlier)
        outcomes: list[Outcome] = []
        for submission in submissions:
            found = claimed.get(submission.invoice_id)
            if isinstance(found, TreasurerError):
                outcomes.append(found)
            else:
                id_ = InvoiceId(found.resource_id) if found else submission.invoice_id
                outcomes.append(made.get(id_) or not_found())
        return outcomes

    async def _claim(
        self,
        connection: Pipelined,
        organization_id: OrganizationId,
        submissions: Sequence[Submission],
        now: datetime,
    ) -> dict[InvoiceId, keys.Replay | TreasurerError | None]:
        keyed = [
            (submission.claim, submission.invoice_id)
            for submission in submissions
            if submission.claim is not None
        ]
        found = await keys.claim(
            connection, organization_id, keyed, status=ACCEPTED_STATUS, now=now
        )
        return {id_: outcome for (_, id_), outcome in zip(keyed, found, strict=True)}

    async def _store(
        self,
        connection: Pipelined,
        organization_id: OrganizationId,
        submissions: Sequence[Submission],
        now: datetime,
    ) -> dict[InvoiceId, Invoice]:
        """Documents, invoices, audit events and jobs of those that are new."""
        if not submissions:
            return {}
        invoices = [_received(submission, now) for submission in submissions]
        await audit.append(
            connection,
            organization_id,
            [_event(submission) for submission in submissions],
            now=now,
            new_id=self._new_id,
        )
        organization = str(organization_id)
        await self._jobs.defer_many(
            connection,
            "read_invoice",
            [
                {"organization_id": organization, "invoice_id": str(invoice.id)}
                for invoice in invoices
            ],
        )
        # Last, because it is the one whose answer is waited for.
        seen = await store.receive(
            connection,
            organization_id,
            invoices,
            [submission.document.content for submission in submissions],
            seen_before=_SEEN_BEFORE,
            now=now,
        )
        return {
            invoice.id: replace(invoice, findings=seen[invoice.id])
            if invoice.id in seen
            else invoice
            for invoice in invoices
        }


def _received(submission: Submission, now: datetime) -> Invoice:
    document = submission.document
    return Invoice(
        id=submission.invoice_id,
        state=InvoiceState.RECEIVED,
        channel=submission.channel,
        document_sha256=document.sha256,
        media_type=document.media_type,
        filename=document.filename,
        submitted_by=submission.submitted_by,
        received_at=now,
        findings=(),
    )


def _event(submission: Submission) -> AuditEvent:
    document = submission.document
    return AuditEvent(
        "invoice",
        submission.invoice_id,
        "invoice.received",
        {
            "channel": submission.channel,
            "document_sha256": document.sha256.hex(),
            "bytes": len(document.content),
        },
        submission.submitted_by,
    )
