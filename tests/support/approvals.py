"""Payments that wait for people, written by SQL, and a gate that tells what it heard."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from policy.decision import ApprovalRequirement, RoleQuorum
from tests.support.clock import START, ManualClock
from tests.support.organization import TestOrganization
from tests.support.payees import payee_service
from treasurer.approvals.model import ApprovalRequest
from treasurer.approvals.service import ApprovalService
from treasurer.db.engine import Database
from treasurer.db.jobs import JobQueue
from treasurer.kernel.errors import Conflict
from treasurer.kernel.ids import OrganizationId, PaymentId, UserId
from treasurer.kernel.order import ExecutionOrder, OrderItem, Quote
from treasurer.notifications.service import Outbox

USDC = "0x5fbdb2315678afecb367f032d93f642f64180aa3"
WALLET = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
RECIPIENT = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"

ONE_APPROVER = ApprovalRequirement((RoleQuorum(("approver", "cfo"), 1),), 72 * 3600)
CFO_AND_ONE = ApprovalRequirement(
    (RoleQuorum(("approver", "cfo"), 1), RoleQuorum(("cfo",), 1)), 72 * 3600
)


@dataclass
class RecordingGate:
    """Notes each answer and moves the payment's row, as payments do."""

    heard: list[tuple[str, PaymentId]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    async def approved(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        actor: UserId,
        now: datetime,
    ) -> None:
        await self._move(connection, organization_id, payment_id, "approved")

    async def refused(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        reason: str,
        actor: UserId,
        now: datetime,
    ) -> None:
        self.reasons.append(reason)
        await self._move(connection, organization_id, payment_id, "denied")

    async def reopened(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        actor: UserId,
        now: datetime,
    ) -> None:
        self.heard.append(("reopened", payment_id))
        moved = await connection.execute(
            text(
                "UPDATE payments SET state = 'awaiting_approval' WHERE organization_id = :org"
                " AND id = :id AND state = 'approved'"
            ),
            {"org": organization_id, "id": payment_id},
        )
        if moved.rowcount != 1:
            raise Conflict("PAYMENT_UNDER_WAY", "the payment is reserved")

    async def expired(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        *,
        now: datetime,
    ) -> None:
        await self._move(connection, organization_id, payment_id, "expired")

    async def _move(
        self,
        connection: AsyncConnection,
        organization_id: OrganizationId,
        payment_id: PaymentId,
        state: str,
    ) -> None:
        self.heard.append((state, payment_id))
        await connection.execute(
            text(
                "UPDATE payments SET state = :state WHERE organization_id = :org AND id = :id"
                " AND state = 'awaiting_approval'"
            ),
            {"state": state, "org": organization_id, "id": payment_id},
        )


@dataclass(frozen=True)
class WaitingPayment:
    id: PaymentId
    invoice_id: UUID
    order: ExecutionOrder

    @property
    def digest(self) -> bytes:
        return self.order.digest


def job_queue() -> JobQueue:
    """Defers on the connection that it is given, so its own pool is never opened."""
    return JobQueue()


def approval_service(
    database: Database, gate: RecordingGate, clock: ManualClock
) -> ApprovalService:
    outbox = Outbox(queue=job_queue(), clock=clock, new_id=uuid7)
    return ApprovalService(
        database=database,
        gate=gate,
        outbox=outbox,
        jobs=job_queue(),
        clock=clock,
        new_id=uuid7,
    )


async def create_payment(
    database: Database,
    organization: TestOrganization,
    *,
    amount_minor: int = 4_150_000_000,
    state: str = "awaiting_approval",
    submitter: UserId | None = None,
    payee_name: str = "Halden Freight AS",
    payee_email: str | None = "accounts@halden.example",
    invoice_number: str = "HF-2101",
    explanation: str = "tiers: 4,150.00 USD lies in the tier up to 10,000.00 USD.",
) -> WaitingPayment:
    """A payment with its payee, address, document and invoice, submitted by the clerk."""
    payment_id, invoice_id = uuid7(), uuid7()
    payees = payee_service(database, ManualClock())
    payee = await payees.create(
        organization.clerk,
        code=f"V-{payment_id.hex[-12:].upper()}",
        name=payee_name,
        email=payee_email,
    )
    address = await payees.add_address(
        organization.clerk, payee.id, chain_id=31337, address="0x" + payment_id.hex + "00000000"
    )
    order = ExecutionOrder(
        organization_id=organization.id,
        chain_id=31337,
        token=USDC,
        token_decimals=6,
        items=(OrderItem(PaymentId(payment_id), RECIPIENT, amount_minor),),
        permitted_wallets=(WALLET,),
        quote=Quote("USD", amount_minor // 10_000, 2, 1, 1, ("par",), START, START),
        not_after=START + timedelta(days=7),
    )
    content = str(invoice_id).encode()
    row = {
        "org": organization.id,
        "payment": payment_id,
        "invoice": invoice_id,
        "payee": payee.id,
        "address": address.id,
        "sha": sha256(content).digest(),
        "content": content,
        "number": invoice_number,
        "submitter": submitter or organization.clerk.user_id,
        "state": state,
        "amount": amount_minor,
        "bytes": order.canonical_bytes(),
        "digest": order.digest,
        "explanation": explanation,
        "not_after": order.not_after,
        "now": START,
    }
    async with database.unit(organization.id) as connection:
        for statement in _CREATE:
            await connection.execute(text(statement), row)
    return WaitingPayment(PaymentId(payment_id), invoice_id, order)


_CREATE = (
    "INSERT INTO documents (organization_id, sha256, media_type, filename, content, received_at)"
    " VALUES (:org, :sha, 'text/plain', 'invoice.txt', :content, :now)",
    "INSERT INTO invoices (organization_id, id, state, channel, document_sha256, submitted_by,"
    " received_at, payee_id, invoice_number, currency, currency_decimals) VALUES (:org, :invoice,"
    " 'proposed', 'api', :sha, :submitter, :now, :payee, :number, 'USD', 2)",
    "INSERT INTO payments (organization_id, id, invoice_id, payee_id, payee_address_id, state,"
    " initiator_id, initiator_kind, asset, amount_minor, reporting_amount_minor, order_bytes,"
    " order_digest, not_after, explanation, created_at) VALUES (:org, :payment, :invoice, :payee,"
    " :address, :state, :submitter, 'human', 'USDC', :amount, :amount, :bytes, :digest,"
    " :not_after, :explanation, :now)",
)


async def open_request(
    database: Database,
    approvals: ApprovalService,
    organization: TestOrganization,
    payment: WaitingPayment,
    clock: ManualClock,
    *,
    requirement: ApprovalRequirement = ONE_APPROVER,
    requester: UserId | None = None,
    barred: tuple[UserId, ...] = (),
    inherit_votes: bool = False,
) -> ApprovalRequest:
    """Ask for `payment`, requested by the clerk, in a unit of its own."""
    async with database.unit(organization.id) as connection:
        return await approvals.open(
            connection,
            organization.id,
            payment_id=payment.id,
            order_digest=payment.digest,
            requirement=requirement,
            requester_id=requester or organization.clerk.user_id,
            now=clock(),
            barred=barred,
            inherit_votes=inherit_votes,
        )


async def payment_state(
    database: Database, organization: TestOrganization, payment_id: PaymentId
) -> str:
    async with database.unit(organization.id) as connection:
        row = await connection.execute(
            text("SELECT state FROM payments WHERE organization_id = :org AND id = :id"),
            {"org": organization.id, "id": payment_id},
        )
        return str(row.scalar_one())


async def rows(
    database: Database, organization: TestOrganization, table: str
) -> list[dict[str, object]]:
    """Everything in `table` that belongs to the organization, oldest id first."""
    async with database.unit(organization.id) as connection:
        found = await connection.execute(
            text(f"SELECT * FROM {table} WHERE organization_id = :org ORDER BY 2"),
            {"org": organization.id},
        )
        return [dict(row) for row in found.mappings()]
