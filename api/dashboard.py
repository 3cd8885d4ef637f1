"""Owns the figures behind the dashboard, for programs: overview and the latest happenings."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from pydantic import BaseModel

from api.auth import Provided, requires
from api.payments import PaymentView, payment_view
from api.services import Services
from api.views import MOST_A_PAGE, Amount, Before, Instant, Most, Page, amount_of, page_of
from policy.approval_limit import free_up_to
from treasurer.kernel.errors import Conflict
from treasurer.kernel.ids import PaymentId
from treasurer.kernel.organization import Permission, Principal
from treasurer.ledger.model import Balance
from treasurer.payments import decision_store
from treasurer.payments.model import Payment, PaymentState, StoredDecision

router = APIRouter(prefix="/api/dashboard", tags=["treasury"])
Reader = Annotated[Principal, Depends(requires(Permission.TREASURY_READ))]


class BalanceView(BaseModel):
    """`available` is posted less held; negative stops outflows."""

    account: str
    posted: Amount
    held: Amount
    available: Amount


class Dashboard(BaseModel):
    """Null means unknown, never zero. `waiting_approvals` counts to 100 and no further."""

    as_of: Instant
    mode: str
    frozen: bool
    cash: Amount | None
    burn_rate_monthly: Amount | None
    runway_days: int | None
    balances: list[BalanceView]
    gas: list[BalanceView]
    bank: Amount
    in_flight: Amount
    settled_24h: Amount
    waiting_approvals: int
    approval_limit: Amount | None


class LogEntry(BaseModel):
    """A payment with the newest thing that the policy said about it."""

    payment: PaymentView
    outcome: str | None
    findings: list[dict[str, Any]]


@router.get("")
async def dashboard(caller: Reader, services: Provided) -> Dashboard:
    """The treasury as the policy sees it now."""
    overview = await services.cash.overview(caller)
    waiting = await services.approvals.page_open(caller, most=MOST_A_PAGE)

    def amount(minor: int | None) -> Amount | None:
        return None if minor is None else amount_of(minor, overview.reporting)

    return Dashboard(
        as_of=overview.as_of,
        mode="live" if overview.live else "dry_run",
        frozen=overview.frozen,
        cash=amount(overview.cash_minor),
        burn_rate_monthly=amount(overview.burn_monthly_minor),
        runway_days=overview.runway_days,
        balances=[_balance(balance) for balance in overview.balances],
        gas=[_balance(balance) for balance in overview.gas],
        bank=amount_of(overview.bank_minor, overview.reporting),
        in_flight=amount_of(overview.in_flight_minor, overview.reporting),
        settled_24h=amount_of(overview.settled_24h_minor, overview.reporting),
        waiting_approvals=len(waiting),
        approval_limit=amount(await _limit_minor(caller, services)),
    )


@router.get("/logs")
async def logs(
    caller: Reader,
    services: Provided,
    before: Before = None,
    most: Most = 20,
    state: PaymentState | None = None,
) -> Page[LogEntry]:
    """The latest payments with their decisions, newest first."""
    payments = await services.payments.page(
        caller, before=PaymentId(before) if before else None, most=most, state=state
    )
    async with services.database.unit(caller.organization_id) as connection:
        decisions = [
            await decision_store.of_payment(connection, caller.organization_id, payment.id)
            for payment in payments
        ]
    entries = [_entry(*each) for each in zip(payments, decisions, strict=True)]
    return page_of(entries, most, payments and payments[-1].id)


def _entry(payment: Payment, decisions: Sequence[StoredDecision]) -> LogEntry:
    newest = decisions[0] if decisions else None
    return LogEntry(
        payment=payment_view(payment),
        outcome=newest.outcome if newest else None,
        findings=orjson.loads(newest.decision)["findings"] if newest else [],
    )


async def _limit_minor(caller: Principal, services: Services) -> int | None:
    """What the active policy says; None before there is one, or when it sets no bound."""
    async with services.database.unit(caller.organization_id) as connection:
        try:
            policy_set = await services.policies.active(connection, caller.organization_id)
        except Conflict:
            return None
    return free_up_to(policy_set)


def _balance(balance: Balance) -> BalanceView:
    return BalanceView(
        account=balance.code,
        posted=amount_of(balance.posted_minor, balance.asset),
        held=amount_of(balance.held_minor, balance.asset),
        available=amount_of(balance.available_minor, balance.asset),
    )
