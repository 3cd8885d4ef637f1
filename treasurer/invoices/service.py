"""Owns the use cases of invoices: receiving documents, showing them, recording what was read.

Must never believe a reader about payee or duplicates: both are found here, under the payee's lock,
so that of two documents of one invoice only the first that is read can be proposed.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.db.engine import Database, is_unreachable
from treasurer.db.jobs import JobQueue
from treasurer.documents.limits import Limits
from treasurer.documents.reading import Reading
from treasurer.identity import idempotency as keys
from treasurer.invoices import credits, store
from treasurer.invoices.assessment import Assessment, proposal_digest
from treasurer.invoices.duplicates import EXACT
from treasurer.invoices.joining import Bounds, Joiner
from treasurer.invoices.judging import judge, match_payee
from treasurer.invoices.matching import Match
from treasurer.invoices.model import (
    UNREAD,
    Invoice,
    InvoiceDocument,
    InvoiceFinding,
    InvoiceState,
    not_found,
    require_legal,
)
from treasurer.invoices.receiving import Receiving, Submission
from treasurer.invoices.submission import require_channel, submitted_document
from treasurer.kernel.clock import Clock
from treasurer.kernel.digest import Canonical
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.ids import InvoiceId, NewId, OrganizationId
from treasurer.kernel.organization import Permission, Principal
from treasurer.notifications.model import NotificationKind
from treasurer.notifications.service import Outbox

PAGE_MOST = 200

RECOMPUTE_JOB = "recompute_payment"
"""What a credit note to a proposed invoice defers; payments do it."""

_NEWS: Mapping[InvoiceState, NotificationKind] = {
    InvoiceState.NEEDS_REVIEW: NotificationKind.INVOICE_NEEDS_REVIEW,
    InvoiceState.DUPLICATE: NotificationKind.INVOICE_REJECTED,
    InvoiceState.REJECTED: NotificationKind.INVOICE_REJECTED,
}
"""What the submitter of an invoice is told that intake does not take further."""


class InvoiceService:
    def __init__(
        self,
        *,
        database: Database,
        jobs: JobQueue,
        outbox: Outbox,
        clock: Clock,
        new_id: NewId,
        limits: Limits,
        bounds: Bounds | None = None,
    ) -> None:
        self._database = database
        self._storing = Receiving(database=database, jobs=jobs, clock=clock, new_id=new_id)
        self._receiving = Joiner(
            self._storing.store,
            bounds=bounds or Bounds(),
            nobodys_fault=is_unreachable,
        )
        self._outbox = outbox
        self._jobs = jobs
        self._clock = clock
        self._new_id = new_id
        self._limits = limits

    async def receive(
        self,
        principal: Principal,
        *,
        content: bytes,
        filename: str | None,
        media_type: str | None,
        channel: str,
        idempotency: keys.IdempotencyClaim | None = None,
    ) -> Invoice:
        """Store a document as a received invoice, with its job and audit event, in one transaction.

        With a claimed idempotency key, a repetition returns the first request's invoice as it stands
        now and stores nothing. Documents that come while others are being stored share the next
        transaction. Raises InvalidInput DOCUMENT_EMPTY, DOCUMENT_TOO_LARGE or IDEMPOTENCY_MISMATCH,
        Conflict IDEMPOTENCY_IN_PROGRESS, and Transient INTAKE_FULL when too much waits.
        """
        principal.require(Permission.INVOICES_SUBMIT)
        require_channel(channel)
        document = submitted_document(
            content, filename=filename, media_type=media_type, limits=self._limits
        )
        return await self._receiving.call(
            principal.organization_id,
            Submission(
                InvoiceId(self._new_id()), document, channel, principal.user_id, idempotency
            ),
            len(content),
        )

    async def drain(self) -> None:
        """Return when everything that was taken in is stored."""
        await self._receiving.drain()

    async def get(self, principal: Principal, invoice_id: InvoiceId) -> Invoice:
        """One invoice. Raises NotFound."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return _required(await store.get(connection, principal.organization_id, invoice_id))

    async def page(
        self,
        principal: Principal,
        before: InvoiceId | None = None,
        most: int = 50,
        state: InvoiceState | None = None,
    ) -> list[Invoice]:
        """Newest first; the next page is `before` the last id of this one."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.page(
                connection,
                principal.organization_id,
                before=before,
                most=max(1, min(most, PAGE_MOST)),
                state=state,
            )

    async def document(self, principal: Principal, invoice_id: InvoiceId) -> InvoiceDocument:
        """The bytes as received: a stranger's, so never serve them inline. Raises NotFound."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            found = await store.document(connection, principal.organization_id, invoice_id)
        if found is None:
            raise not_found()
        return found

    async def reading(
        self, principal: Principal, invoice_id: InvoiceId
    ) -> Mapping[str, Any] | None:
        """What was read, with evidence, in `Reading.to_json`'s shape and with `read_by`; None before."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await store.reading(connection, principal.organization_id, invoice_id)

    async def match(self, principal: Principal, reading: Reading) -> Match:
        """Whom in the payee master `reading` means. Advisory, as `assess`."""
        principal.require(Permission.TREASURY_READ)
        async with self._database.unit(principal.organization_id) as connection:
            return await match_payee(connection, principal.organization_id, reading)

    async def assess(
        self, principal: Principal, invoice_id: InvoiceId, reading: Reading
    ) -> Assessment:
        """What recording `reading` would lead to now. Advisory: `record_reading` decides again."""
        principal.require(Permission.TREASURY_READ)
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            invoice = _required(await store.get(connection, organization_id, invoice_id))
            return await judge(connection, organization_id, invoice, reading, lock=False)

    async def record_reading(
        self, principal: Principal, invoice_id: InvoiceId, reading: Reading, *, read_by: str
    ) -> Invoice:
        """Store what was read and move the invoice: needs_review, duplicate, rejected, unpacked, or
        `reading` when it is ready to be proposed. An invoice that has left `reading` is returned as it
        is, so that a repeated job changes nothing. `read_by` names the reader for the audit log.
        """
        principal.require(Permission.INVOICES_SUBMIT)
        organization_id = principal.organization_id
        async with self._database.unit(organization_id) as connection:
            invoice = _required(await store.get(connection, organization_id, invoice_id, lock=True))
            if invoice.state not in UNREAD:
                return invoice
            if reading.document_sha256 != invoice.document_sha256.hex():
                raise InvalidInput(
                    "READING_OF_ANOTHER_DOCUMENT", "record a reading of the invoice's own document"
                )
            assessment = await judge(connection, organization_id, invoice, reading, lock=True)
            if invoice.state is InvoiceState.RECEIVED:
                require_legal(invoice.state, InvoiceState.READING)
            if assessment.state is not InvoiceState.READING:
                require_legal(InvoiceState.READING, assessment.state)
            await credits.release(connection, organization_id, [invoice_id])
            await store.record(
                connection, organization_id, invoice_id, reading, assessment, read_by=read_by
            )
            payload: dict[str, Canonical] = {
                "state": assessment.state.value,
                "read_by": read_by,
                "findings": [finding.code for finding in assessment.findings],
                "proposal_digest": proposal_digest(invoice_id, reading, assessment),
            }
            await self._record(connection, principal, invoice_id, "invoice.read", payload)
            if assessment.state is InvoiceState.UNPACKED:
                await self._unpack(connection, organization_id, invoice, reading)
            await self._credit(connection, principal, invoice_id, assessment.state)
            await self._announce(connection, principal, invoice_id, assessment.state)
            return _required(await store.get(connection, organization_id, invoice_id))

    async def set_aside(
        self, principal: Principal, invoice_id: InvoiceId, finding: InvoiceFinding
    ) -> Invoice:
        """Stop a read invoice that could not be proposed: duplicate when `finding` says so, else
        needs_review. An invoice that has left `reading` is returned as it is.
        """
        principal.require(Permission.INVOICES_SUBMIT)
        organization_id = principal.organization_id
        state = InvoiceState.DUPLICATE if finding.code in EXACT else InvoiceState.NEEDS_REVIEW
        async with self._database.unit(organization_id) as connection:
            invoice = _required(await store.get(connection, organization_id, invoice_id, lock=True))
            if invoice.state is not InvoiceState.READING:
                return invoice
            require_legal(invoice.state, state)
            await credits.release(connection, organization_id, [invoice_id])
            await store.set_aside(connection, organization_id, invoice_id, state, finding)
            payload: dict[str, Canonical] = {"state": state.value, "findings": [finding.code]}
            await self._record(connection, principal, invoice_id, "invoice.set_aside", payload)
            await self._announce(connection, principal, invoice_id, state)
            return _required(await store.get(connection, organization_id, invoice_id))

    async def _credit(
        self,
        connection: AsyncConnection,
        principal: Principal,
        invoice_id: InvoiceId,
        state: InvoiceState,
    ) -> None:
        """Let credit notes reduce a ready invoice. A credit note that names a live invoice reduces it
        now, or has its payment withdrawn, by a job, and proposed anew over what is left.
        """
        organization_id = principal.organization_id
        if state is InvoiceState.CREDITED:
            target = await credits.named(connection, organization_id, invoice_id)
            if target is None:
                return
            invoice_id, state = target
            if state is InvoiceState.PROPOSED:
                await self._jobs.defer(
                    connection,
                    RECOMPUTE_JOB,
                    organization_id=str(organization_id),
                    invoice_id=str(invoice_id),
                )
        if state is not InvoiceState.READING:
            return
        invoice = _required(await store.get(connection, organization_id, invoice_id))
        credited = await credits.apply(connection, organization_id, invoice, self._clock())
        if credited.notes:
            payload: dict[str, Canonical] = {
                "amount_minor": str(credited.amount_minor),
                "credit_notes": credited.notes,
            }
            await self._record(connection, principal, invoice_id, "invoice.credited", payload)

    async def _unpack(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        container: Invoice,
        reading: Reading,
    ) -> None:
        """Receive the documents of a mail or a batch, on its channel and for its submitter, in the
        transaction that ends the container.
        """
        submissions = [
            Submission(
                InvoiceId(self._new_id()),
                submitted_document(
                    part.content,
                    filename=part.filename,
                    media_type=part.media_type,
                    limits=self._limits,
                ),
                container.channel,
                container.submitted_by,
                None,
                {"container_id": str(container.id), "location": part.location},
            )
            for part in reading.parts
        ]
        await self._storing.store_within(connection, organization_id, submissions)

    async def _announce(
        self,
        connection: AsyncConnection,
        principal: Principal,
        invoice_id: InvoiceId,
        state: InvoiceState,
    ) -> None:
        """Mail the submitter, in the transaction that ends the invoice, what is to be done about it."""
        kind = _NEWS.get(state)
        if kind is not None:
            await self._outbox.announce(connection, principal.organization_id, kind, [invoice_id])

    async def _record(
        self,
        connection: AsyncConnection,
        principal: Principal,
        invoice_id: InvoiceId,
        kind: str,
        payload: Mapping[str, Canonical],
    ) -> None:
        await audit.append(
            connection,
            principal.organization_id,
            [AuditEvent("invoice", invoice_id, kind, payload, principal.user_id)],
            now=self._clock(),
            new_id=self._new_id,
        )


def _required(invoice: Invoice | None) -> Invoice:
    if invoice is None:
        raise not_found()
    return invoice
