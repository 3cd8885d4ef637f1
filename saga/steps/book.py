"""Owns the last commit of a transfer: holds, entries, payment and sums move together or not at all.

Must never book twice: terminal states absorb, and an entry's (kind, reference) is unique.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from saga import store
from saga.context import SagaContext
from saga.evidence import Verdict
from saga.journal import record
from saga.leases import Leased
from saga.steps.final import Final
from saga.steps.quarantine import quarantine_within
from saga.steps.void import end_own_orders, void_mined
from saga.transfer import Transfer, TransferItem, TransferState, require_legal
from treasurer.incidents.model import IncidentKind
from treasurer.incidents.store import open_incidents
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

log = structlog.get_logger("saga.book")


async def book(
    context: SagaContext, leased: Leased, before: TransferState, finals: Sequence[Final]
) -> list[Transfer]:
    """End transfers in `before` by their evidence, in one transaction; return those that ended."""
    if not finals:
        return []
    organization_id = leased.organization_id
    async with context.database.sets(organization_id) as connection:
        mine = await _take(context, connection, leased, before, finals)
        payment_ids = [item.payment_id for final in mine for item in final.transfer.items]
        # The order that all writers keep: payments, invoices, budget, balances.
        await payments.lock_settling(connection, organization_id, payment_ids)
        await spending.lock(connection, organization_id)
        if before is TransferState.QUARANTINED and mine:
            resumed = [item.payment_id for final in mine for item in final.transfer.items]
            await context.outcomes.resumed(connection, organization_id, resumed, context.clock())
        by = {v: [final for final in mine if final.evidence.verdict is v] for v in Verdict}
        if paid := by[Verdict.PAID]:
            await _settle(context, connection, organization_id, before, paid)
        for verdict in (Verdict.REVERTED, Verdict.CANCELLED):
            if ended := by[verdict]:
                await _book_fees(context, connection, organization_id, ended)
                await void_mined(
                    context,
                    connection,
                    leased,
                    before,
                    [(final.transfer, final.receipt.transaction_hash) for final in ended],
                    verdict,
                )
        if doubtful := by[Verdict.CONTRADICTION]:
            reasons = {final.transfer.id: final.evidence.reason for final in doubtful}
            await quarantine_within(
                context, connection, leased, before, reasons, [f.transfer for f in doubtful]
            )
    return [final.transfer for final in mine]


async def _take(
    context: SagaContext,
    connection: AsyncConnection,
    leased: Leased,
    before: TransferState,
    finals: Sequence[Final],
) -> list[Final]:
    """Those that are still ours, held until the commit: the paid ones as settled, others as found."""
    paid = [f.transfer.id for f in finals if f.evidence.verdict is Verdict.PAID]
    others = [f.transfer.id for f in finals if f.evidence.verdict is not Verdict.PAID]
    ours: set[TransferId] = set()
    if before is not TransferState.INCLUDED:
        blocks = {f.transfer.id: (f.receipt.block_number, f.receipt.block_hash) for f in finals}
        await store.found_in(connection, leased, blocks)
    if paid:
        require_legal(before, TransferState.SETTLED)
        move = store.Move(before, TransferState.SETTLED, None)
        ours |= await store.advance(connection, leased.only(paid), move, context.clock())
    if others:
        ours |= await store.lock(connection, leased.only(others), before)
    return [final for final in finals if final.transfer.id in ours]


async def _settle(
    context: SagaContext,
    connection: AsyncConnection,
    organization_id: OrganizationId,
    before: TransferState,
    paid: Sequence[Final],
) -> None:
    now = context.clock()
    if before is TransferState.CANCELLING:
        # Nothing is wrong with the books, but people had reason to stop this payment.
        await open_incidents(
            connection,
            organization_id,
            IncidentKind.PAID_AFTER_CANCEL,
            [(final.transfer.id, "it was paid although its cancel was sent") for final in paid],
            now=now,
            new_id=context.new_id,
        )
    items = [
        (final, item, log_index)
        for final in paid
        for item, log_index in zip(final.transfer.items, final.evidence.log_indexes, strict=True)
    ]
    accounts = await _accounts(context, connection, organization_id, paid)
    await ledger.close_holds(
        connection, organization_id, [final.transfer.id for final in paid], posted=True
    )
    entries, settled = _payment_entries(context, accounts, items)
    entries += _top_up_entries(context, accounts, paid)
    entries += _fee_entries(context, accounts, paid)
    await ledger.post(connection, organization_id, entries, now=now, new_id=context.new_id)
    if items:
        await spending.land(
            connection, organization_id, [item.reporting_amount_minor for _, item, _ in items], now
        )
        await windows.land(
            connection, organization_id, [item.payment_id for _, item, _ in items], now
        )
        await store.close_items(
            connection,
            organization_id,
            {item.payment_id: (f.receipt.transaction_hash, index) for f, item, index in items},
            settled=True,
        )
        await context.outcomes.settled(connection, organization_id, settled, now)
    await end_own_orders(
        connection, organization_id, [final.transfer for final in paid], settled=True
    )
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
                    "fee_wei": str(final.receipt.fee_wei),
                    "after_cancel": before is TransferState.CANCELLING,
                },
            )
            for final in paid
        ],
    )


def _payment_entries(
    context: SagaContext,
    accounts: dict[str, Balance],
    items: Sequence[tuple[Final, TransferItem, int]],
) -> tuple[list[JournalEntry], dict[PaymentId, tuple[bytes, int]]]:
    """An entry a payment; and of each its transaction's hash and the wallet's balance after it."""
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
    return entries, settled


def _top_up_entries(
    context: SagaContext, accounts: dict[str, Balance], finals: Sequence[Final]
) -> list[JournalEntry]:
    """Gas money leaves one own wallet and arrives in another by the same entry."""
    native, entries = context.rail.native, []
    for transfer in [final.transfer for final in finals]:
        if transfer.top_up is None:
            continue
        source = accounts[wallet_account(transfer.wallet_id, native).code]
        filled = accounts[wallet_account(transfer.top_up.recipient_wallet_id, native).code]
        amount = transfer.top_up.order.amount_wei
        postings = (
            Posting(filled.account_id, native.symbol, amount),
            Posting(source.account_id, native.symbol, -amount),
        )
        entries.append(JournalEntry("top_up.settled", transfer.top_up.order.top_up_id, postings))
    return entries


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
                Posting(expense, native.symbol, final.receipt.fee_wei),
                Posting(
                    accounts[wallet_account(final.transfer.wallet_id, native).code].account_id,
                    native.symbol,
                    -final.receipt.fee_wei,
                ),
            ),
        )
        for final in finals
        if final.receipt.fee_wei
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
        touched = [wallet_account(final.transfer.wallet_id, native), network_fees(native)]
        if final.transfer.top_up is not None:
            touched.append(wallet_account(final.transfer.top_up.recipient_wallet_id, native))
        else:
            asset = _token(context, final.transfer)
            touched += [
                wallet_account(final.transfer.wallet_id, asset),
                supplier_expense(asset),
            ]
        codes |= {code.code: code for code in touched}
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
