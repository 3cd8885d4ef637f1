"""Owns what the CFO reads first beside the figures of `treasurer.cash`. Must never decide or count far.

What waits, what was paid, where money lies, and how the audit chain stands.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from treasurer.kernel.ids import ApprovalRequestId, OrganizationId, PaymentId, WalletId
from treasurer.kernel.money import Asset
from treasurer.kernel.order import parse_order
from treasurer.payments import store as payments
from treasurer.payments.model import Payment
from treasurer.reports.trail import ChainState, chain_state

OUTFLOW_DAYS = 30
"""How many days the outflows go back, today included."""

MOST_WAITING = 100
"""Waiting approvals are counted up to here."""

_LATEST = 8

_WALLETS = text("""
    SELECT id, chain_id, address, label, state FROM wallets
    WHERE organization_id = :organization_id ORDER BY id
""")
_BANKS = text("""
    SELECT name, currency, decimals, amount_minor, as_of FROM bank_balances
    WHERE organization_id = :organization_id ORDER BY name
""")
_OUTFLOWS = text("""
    SELECT day, amount_minor, payments FROM outflow_days
    WHERE organization_id = :organization_id AND day > :since ORDER BY day
""")
_WAITING = text("""
    SELECT r.id, r.payment_id, r.expires_at, p.asset, p.order_bytes, y.code, y.name,
           i.invoice_number
    FROM (SELECT organization_id, id, payment_id, expires_at FROM approval_requests
          WHERE organization_id = :organization_id AND state = 'open' AND expires_at > :now
          ORDER BY expires_at, id LIMIT :most) r
    JOIN payments p ON p.organization_id = r.organization_id AND p.id = r.payment_id
    JOIN payees y ON y.organization_id = p.organization_id AND y.id = p.payee_id
    LEFT JOIN invoices i ON i.organization_id = p.organization_id AND i.id = p.invoice_id
    ORDER BY r.expires_at, r.id
""")


@dataclass(frozen=True, slots=True)
class WalletPlace:
    """Where a wallet's balances lie. `address` is lower-case 0x."""

    id: WalletId
    label: str
    state: str
    chain_id: int
    address: str


@dataclass(frozen=True, slots=True)
class BankBalance:
    """A declared or imported balance, as of its own instant."""

    name: str
    asset: Asset
    amount_minor: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class DayOutflow:
    """What left on one UTC day, in the reporting currency's base units; 0 on a quiet day."""

    day: date
    amount_minor: int
    payments: int


@dataclass(frozen=True, slots=True)
class WaitingApproval:
    """An open request with what it is about. `amount_minor` comes from the order's own bytes."""

    id: ApprovalRequestId
    payment_id: PaymentId
    payee_code: str
    payee_name: str
    invoice_number: str | None
    asset: Asset
    amount_minor: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Briefing:
    """`waiting` expires soonest first, at most MOST_WAITING; `latest` payments are newest first."""

    wallets: tuple[WalletPlace, ...]
    banks: tuple[BankBalance, ...]
    outflows: tuple[DayOutflow, ...]
    waiting: tuple[WaitingApproval, ...]
    latest: tuple[Payment, ...]
    chain: ChainState


async def read_briefing(
    connection: AsyncConnection, organization_id: OrganizationId, *, now: datetime
) -> Briefing:
    """Everything in the caller's transaction."""
    key = {"organization_id": organization_id}
    wallets = await connection.execute(_WALLETS, key)
    banks = await connection.execute(_BANKS, key)
    return Briefing(
        wallets=tuple(
            WalletPlace(WalletId(row.id), row.label, row.state, row.chain_id, row.address)
            for row in wallets
        ),
        banks=tuple(
            BankBalance(
                row.name, Asset(row.currency, row.decimals), int(row.amount_minor), row.as_of
            )
            for row in banks
        ),
        outflows=await _outflows(connection, organization_id, now.date()),
        waiting=await read_waiting(connection, organization_id, now),
        latest=tuple(
            await payments.page(connection, organization_id, before=None, most=_LATEST, state=None)
        ),
        chain=await chain_state(connection, organization_id),
    )


async def read_waiting(
    connection: AsyncConnection, organization_id: OrganizationId, now: datetime
) -> tuple[WaitingApproval, ...]:
    """Open requests whose time is not over, the most urgent first."""
    rows = await connection.execute(
        _WAITING, {"organization_id": organization_id, "now": now, "most": MOST_WAITING}
    )
    waiting = []
    for row in rows.mappings():
        order = parse_order(bytes(row["order_bytes"]))
        waiting.append(
            WaitingApproval(
                id=ApprovalRequestId(row["id"]),
                payment_id=PaymentId(row["payment_id"]),
                payee_code=row["code"],
                payee_name=row["name"],
                invoice_number=row["invoice_number"],
                asset=Asset(row["asset"], order.token_decimals),
                amount_minor=sum(item.amount_minor for item in order.items),
                expires_at=row["expires_at"],
            )
        )
    return tuple(waiting)


async def _outflows(
    connection: AsyncConnection, organization_id: OrganizationId, today: date
) -> tuple[DayOutflow, ...]:
    since = today - timedelta(days=OUTFLOW_DAYS)
    rows = await connection.execute(_OUTFLOWS, {"organization_id": organization_id, "since": since})
    known = {row.day: (int(row.amount_minor), int(row.payments)) for row in rows}
    days = [since + timedelta(days=number) for number in range(1, OUTFLOW_DAYS + 1)]
    return tuple(DayOutflow(day, *known.get(day, (0, 0))) for day in days)
