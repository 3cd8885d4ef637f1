"""Owns the last commit of a transfer: holds, entries, payment and sums move together or not at all.

Must never book twice: terminal states absorb, and an entry's (kind, reference) is unique.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from saga import store
from saga.context import SagaContext
from saga.evidence import Evidence, Verdict
from saga.journal import record
from saga.leases import Leased
from saga.steps.void import void_reverted
from saga.transfer import Transfer, TransferState
from treasurer.chain.port import Receipt
from treasurer.kernel.ids import OrganizationId, PaymentId, TransferId
from treasurer.kernel.money import Asset
from treasurer.ledger import store as ledger
from treasurer.ledger.model import (
    AccountCode,
    Balance,
    JournalEntry,
    Posting,
    network_fees,
    supplier_expense,
    wallet_account,
)
from treasurer.payments import spending, windows
from treasurer.payments import store as payments


@dataclass(frozen=True, slots=True)
class Final:
    """A transfer whose block is final, with its receipt and what that proves."""

    transfer: Transfer
    receipt: Receipt
    evidence: Evidence

    @property
    def fee_wei(self) -> int:
        return self.receipt.gas_used * self.receipt.effective_gas_price_wei


async def book(context: SagaContext, leased: Leased, finals: Sequence[Final]) -> list[Transfer]:
    """End transfers by their evidence, in one transaction; return those that ended."""
    if not finals:
        return []
    organization_id = leased.organization_id
    async with context.database.unit(organization_id) as connection:
        mine = await _take(context, connection, leased, finals)
        payment_ids = [item.payment_id for final in mine for item in final.transfer.items]
        # The order that all writers keep: payments, invoices, budget, balances.
        await payments.lock_settling(connection, organization_id, payment_ids)
        await spending.lock(connection, organization_id)
        paid, reverted, doubtful = (
            [final for final in mine if final.evidence.verdict is verdict] for verdict in Verdict
        )
        if paid:
            await _settle(context, connection, organization_id, paid)
        if reverted:
            await _book_fees(context, connection, organization_id, reverted)
            await void_reverted(context, connection, leased, [f.transfer for f in reverted])
        if doubtful:
            await _quarantine(context, connection, leased, doubtful)
    return [final.transfer for final in mine]


async def _take(
    context: SagaContext, connection: AsyncConnection, leased: Leased, finals: Sequence[Final]
) -> list[Final]:
    """Those that are still ours, held until the commit: the paid ones as settled, others as found."""
    paid = [f.transfer.id for f in finals if f.evidence.verdict is Verdict.PAID]
    others = [f.transfer.id for f in finals if f.evidence.verdict is not Verdict.PAID]
    ours: set[TransferId] = set()
    if paid:
        move = store.Move(TransferState.INCLUDED, TransferState.SETTLED, None)
        ours |= await store.advance(connection, leased.only(paid), move, context.clock())
    if others:
        ours |= await store.lock(connection, leased.only(others), TransferState.INCLUDED)
    return [final for final in finals if final.transfer.id in ours]


async def _settle(
    context: SagaContext,
    connection: AsyncConnection,
    organization_id: OrganizationId,
    paid: Sequence[Final],
) -> None:
    now = context.clock()
    items = [
        (final, item, log_index)
        for final in paid
        for item, log_index in zip(final.transfer.items, final.evidence.log_indexes, strict=True)
    ]
    accounts = await _accounts(context, connection, organization_id, paid)
    await ledger.close_holds(
        connection, organization_id, [final.transfer.id for final in paid], posted=True
    )
    running = {code: balance.posted_minor for code, balance in accounts.items()}
    entries: list[JournalEntry] = []
    settled: dict[PaymentId, tuple[bytes, int]] = {}
    for final, item, _ in items:
        asset = _token(context, final.transfer)
        wallet = wallet_account(final.transfer.wallet_id, asset).code
        running[wallet] -= item.amount_minor
        entries.append(
            JournalEntry(
                "payment.settled",
                item.payment_id,
                (
                    Posting(
                        accounts[supplier_expense(asset).code].account_id,
                        asset.symbol,
                        item.amount_minor,
                    ),
                    Posting(accounts[wallet].account_id, asset.symbol, -item.amount_minor),
                ),
            )
        )
        settled[item.payment_id] = (final.receipt.transaction_hash, running[wallet])
    entries += _fee_entries(context, accounts, paid)
    await ledger.post(connection, organization_id, entries, now=now, new_id=context.new_id)
    await spending.land(
        connection, organization_id, [item.reporting_amount_minor for _, item, _ in items], now
    )
    await windows.land(connection, organization_id, [item.payment_id for _, item, _ in items], now)
    await store.close_items(
        connection,
        organization_id,
        {item.payment_id: (f.receipt.transaction_hash, index) for f, item, index in items},
        settled=True,
    )
    await context.outcomes.settled(connection, organization_id, settled, now)
    await record(
        context,
        connection,
        organization_id,
        "transfer.settled",
        [
            (
                final.transfer,
                {
                    "transaction_hash": final.receipt.transaction_hash.hex(),
                    "log_indexes": list(final.evidence.log_indexes),
                    "fee_wei": str(final.fee_wei),
                },
            )
            for final in paid
        ],
    )


async def _book_fees(
    context: SagaContext,
    connection: AsyncConnection,
    organization_id: OrganizationId,
    finals: Sequence[Final],
) -> None:
    accounts = await _accounts(context, connection, organization_id, finals)
    await ledger.post(
        connection,
        organization_id,
        _fee_entries(context, accounts, finals),
        now=context.clock(),
        new_id=context.new_id,
    )


def _fee_entries(
    context: SagaContext, accounts: dict[str, Balance], finals: Sequence[Final]
) -> list[JournalEntry]:
    native = context.rail.native
    expense = accounts[network_fees(native).code].account_id
    return [
        JournalEntry(
            "transfer.fees",
            final.transfer.id,
            (
                Posting(expense, native.symbol, final.fee_wei),
                Posting(
                    accounts[wallet_account(final.transfer.wallet_id, native).code].account_id,
                    native.symbol,
                    -final.fee_wei,
                ),
            ),
        )
        for final in finals
        if final.fee_wei
    ]


async def _accounts(
    context: SagaContext,
    connection: AsyncConnection,
    organization_id: OrganizationId,
    finals: Sequence[Final],
) -> dict[str, Balance]:
    """The accounts that settling touches, locked in the order of their ids; opened if missing."""
    codes: dict[str, AccountCode] = {}
    native = context.rail.native
    for final in finals:
        asset = _token(context, final.transfer)
        for code in (
            wallet_account(final.transfer.wallet_id, asset),
            wallet_account(final.transfer.wallet_id, native),
            supplier_expense(asset),
            network_fees(native),
        ):
            codes[code.code] = code
    wanted = list(codes.values())
    found = await ledger.balances(connection, organization_id, wanted, lock=True)
    missing = [code for code in wanted if code.code not in found]
    if missing:
        for code in missing:
            await ledger.open_account(connection, organization_id, code, context.new_id)
        found = await ledger.balances(connection, organization_id, wanted, lock=True)
    return found


def _token(context: SagaContext, transfer: Transfer) -> Asset:
    return context.rail.asset_at(transfer.token)


async def _quarantine(
    context: SagaContext,
    connection: AsyncConnection,
    leased: Leased,
    doubtful: Sequence[Final],
) -> None:
    """The chain contradicts the transfer: keep every hold, and let people look."""
    organization_id, now = leased.organization_id, context.clock()
    for final in doubtful:
        await store.advance(
            connection,
            leased.only([final.transfer.id]),
            store.Move(
                TransferState.INCLUDED,
                TransferState.QUARANTINED,
                None,
                reason=final.evidence.reason,
            ),
            now,
        )
    for final in doubtful:
        await context.outcomes.needs_attention(
            connection,
            organization_id,
            [item.payment_id for item in final.transfer.items],
            reason=final.evidence.reason,
            now=now,
        )
    await record(
        context,
        connection,
        organization_id,
        "transfer.quarantined",
        [(final.transfer, {"reason": final.evidence.reason}) for final in doubtful],
    )
