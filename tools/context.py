"""Owns what a tool may use: whose behalf it acts on and the services behind the doors.

Injected by whoever starts a run; a model never sees it and cannot name a tenant.
"""

from dataclasses import dataclass
from typing import Protocol

from treasurer.documents.reading import Reading
from treasurer.invoices.assessment import Assessment
from treasurer.invoices.matching import Match
from treasurer.invoices.model import Invoice, InvoiceDocument, InvoiceFinding
from treasurer.kernel.ids import InvoiceId, PaymentId
from treasurer.kernel.organization import Principal


class DocumentReader(Protocol):
    """Reads a stranger's bytes in a child process; blocks until it is done."""

    def read_document(
        self, content: bytes, *, filename: str | None = None, media_type: str | None = None
    ) -> Reading: ...


class InvoiceDoors(Protocol):
    """What of the invoice service an agent may use; receiving documents is not among it."""

    async def get(self, principal: Principal, invoice_id: InvoiceId) -> Invoice: ...

    async def document(self, principal: Principal, invoice_id: InvoiceId) -> InvoiceDocument: ...

    async def match(self, principal: Principal, reading: Reading) -> Match: ...

    async def assess(
        self, principal: Principal, invoice_id: InvoiceId, reading: Reading
    ) -> Assessment: ...

    async def record_reading(
        self, principal: Principal, invoice_id: InvoiceId, reading: Reading, *, read_by: str
    ) -> Invoice: ...

    async def set_aside(
        self, principal: Principal, invoice_id: InvoiceId, finding: InvoiceFinding
    ) -> Invoice: ...


class ProposedPayment(Protocol):
    """What an agent learns of a payment that it proposed."""

    @property
    def id(self) -> PaymentId: ...

    @property
    def state(self) -> str: ...

    @property
    def order_digest(self) -> bytes: ...


class PaymentProposals(Protocol):
    """The one choke point. There is no other method that an agent could reach."""

    async def propose(self, principal: Principal, invoice_id: InvoiceId) -> ProposedPayment: ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """One run's doors. `principal` is the agent's own, in the organization of the run."""

    principal: Principal
    invoices: InvoiceDoors
    payments: PaymentProposals
    documents: DocumentReader
