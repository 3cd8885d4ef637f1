"""Owns writing final movements into the books. Must never write one twice, or without its audit event.

What left without us is an incident in the same commit: somebody else can sign for that wallet.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from treasurer.audit import store as audit
from treasurer.audit.model import AuditEvent
from treasurer.deposits.model import FOREIGN_OUTFLOW, Booking, Movement, OwnWallet, bookings
from treasurer.deposits.store import DepositStore
from treasurer.incidents.model import IncidentKind
from treasurer.incidents.store import open_incidents
from treasurer.kernel.digest import Canonical
from treasurer.kernel.ids import NewId, OrganizationId
from treasurer.kernel.money import format_minor
from treasurer.ledger import store as ledger
from treasurer.ledger.model import Balance, JournalEntry, Posting

log = structlog.get_logger("deposits")


async def book(
    store: DepositStore,
    organization_id: OrganizationId,
    moved: Sequence[Movement],
    *,
    wallets: Mapping[str, OwnWallet],
    now: datetime,
    new_id: NewId,
) -> int:
    """Book what `moved` says, in the caller's transaction; how many entries that made."""
    if not moved:
        return 0
    made = bookings(
        moved,
        wallets=wallets,
        own_hashes=await store.own_hashes({one.placed.transaction_hash for one in moved}),
        payees=await store.payees({one.sender for one in moved}),
    )
    arrivals = [(one.movement, one.deposit_to) for one in made if one.deposit_to is not None]
    fresh = await store.put_deposits(arrivals, state="booked", now=now)
    made = [one for one in made if one.deposit_to is None or one.movement.id in fresh]
    if not made:
        return 0
    connection = store.connection
    codes = {code.code: code for one in made for code in (one.debit, one.credit)}
    for code in codes.values():
        await ledger.open_account(connection, organization_id, code, new_id)
    # Locked by id before they move, as every writer of several does.
    accounts = await ledger.balances(connection, organization_id, list(codes.values()), lock=True)
    entries = [
        JournalEntry(
            one.kind,
            one.movement.id,
            (
                _posting(one, accounts[one.debit.code], one.movement.amount_minor),
                _posting(one, accounts[one.credit.code], -one.movement.amount_minor),
            ),
        )
        for one in made
    ]
    await ledger.post(connection, organization_id, entries, now=now, new_id=new_id)
    await audit.append(
        connection, organization_id, [_event(one) for one in made], now=now, new_id=new_id
    )
    foreign = [(one, one.incident_of) for one in made if one.incident_of is not None]
    await open_incidents(
        connection,
        organization_id,
        IncidentKind.FOREIGN_OUTFLOW,
        [(wallet_id, _outflow(one)) for one, wallet_id in foreign],
        now=now,
        new_id=new_id,
    )
    for one, wallet_id in foreign:
        log.error(
            FOREIGN_OUTFLOW,
            wallet_id=str(wallet_id),
            transaction_hash=one.movement.placed.transaction_hash.hex(),
            amount_minor=str(one.movement.amount_minor),
        )
    return len(made)


def _posting(one: Booking, account: Balance, amount_minor: int) -> Posting:
    return Posting(account.account_id, one.movement.asset.symbol, amount_minor)


def _outflow(one: Booking) -> str:
    movement = one.movement
    amount = format_minor(movement.amount_minor, movement.asset)
    return (
        f"{amount} left {movement.sender} for {movement.recipient} in 0x"
        f"{movement.placed.transaction_hash.hex()}, which is none of ours: freeze, and look who else"
        " can sign for this wallet"
    )


def _event(one: Booking) -> AuditEvent:
    """An incident is told of the wallet, an arrival of the deposit."""
    movement = one.movement
    payload: dict[str, Canonical] = {
        "token": movement.token,
        "asset": movement.asset.symbol,
        "amount_minor": str(movement.amount_minor),
        "sender": movement.sender,
        "recipient": movement.recipient,
        "block_number": movement.placed.block_number,
        "block_hash": movement.placed.block_hash.hex(),
        "transaction_hash": movement.placed.transaction_hash.hex(),
        "log_index": movement.placed.log.log_index,
        "payee_id": None if one.payee_id is None else str(one.payee_id),
    }
    if one.incident_of is not None:
        return AuditEvent("wallet", one.incident_of, FOREIGN_OUTFLOW, payload)
    return AuditEvent("deposit", movement.id, one.kind, payload)
