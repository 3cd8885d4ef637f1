"""Double entry under random work: sums stay zero, balances follow postings and holds (I7, I8)."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from uuid_utils.compat import uuid7

from tests.support.clock import START
from tests.support.organization import TestOrganization, create_organization
from treasurer.db.engine import Database
from treasurer.kernel.errors import InvariantViolated
from treasurer.kernel.ids import AccountId, HoldId, TransferId, WalletId
from treasurer.kernel.money import Asset
from treasurer.ledger import store
from treasurer.ledger.model import (
    Hold,
    JournalEntry,
    Posting,
    opening_equity,
    supplier_expense,
    wallet_account,
)

USDC = Asset("USDC", 6)
WALLET = wallet_account(WalletId(uuid7()), USDC)
CODES = (WALLET, supplier_expense(USDC), opening_equity(USDC))

steps = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.integers(1, 10**9)),
        st.tuples(st.just("hold"), st.integers(1, 10**9)),
        st.tuples(st.just("settle"), st.integers(0, 5)),
        st.tuples(st.just("void"), st.integers(0, 5)),
    ),
    max_size=12,
)


def entry(debit: AccountId, credit: AccountId, amount: int) -> JournalEntry:
    return JournalEntry(
        "test", uuid7(), (Posting(debit, "USDC", amount), Posting(credit, "USDC", -amount))
    )


def test_an_entry_that_does_not_sum_to_zero_cannot_be_made() -> None:
    account = AccountId(uuid7())
    with pytest.raises(InvariantViolated, match="UNBALANCED_ENTRY"):
        JournalEntry("test", uuid7(), (Posting(account, "USDC", 1), Posting(account, "ETH", -1)))


async def test_opening_an_account_that_is_there_waits_for_nobody(
    database: Database, organization: TestOrganization
) -> None:
    """Writers of several accounts lock them by id; who opens them one by one would cross their way."""
    async with database.unit(organization.id) as connection:
        ids = [await store.open_account(connection, organization.id, c, uuid7) for c in CODES]
    async with database.unit(organization.id) as first, database.unit(organization.id) as second:
        await store.balances(first, organization.id, CODES, lock=True)
        await second.execute(text("SET LOCAL lock_timeout = '1s'"))
        again = [await store.open_account(second, organization.id, c, uuid7) for c in CODES]
    assert again == ids


async def test_two_open_the_same_account_at_once(
    database: Database, organization: TestOrganization
) -> None:
    async def opened() -> AccountId:
        async with database.unit(organization.id) as connection:
            id_ = await store.open_account(connection, organization.id, WALLET, uuid7)
            await connection.execute(text("SELECT pg_sleep(0.05)"))
            return id_

    assert len(set(await asyncio.gather(*(opened() for _ in range(8))))) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
async def test_balances_follow_every_step(database: Database, work: list[tuple[str, int]]) -> None:
    organization = await create_organization(database)
    posted = held = 0
    live: list[tuple[TransferId, int]] = []
    async with database.unit(organization.id) as connection:
        ids = [await store.open_account(connection, organization.id, c, uuid7) for c in CODES]
    for kind, value in work:
        async with database.unit(organization.id) as connection:
            if kind == "post":
                made = [entry(ids[1], ids[0], value)]
                await store.post(connection, organization.id, made, now=START, new_id=uuid7)
                posted -= value
            elif kind == "hold":
                hold = Hold(HoldId(uuid7()), ids[0], TransferId(uuid7()), None, value)
                await store.place_holds(connection, organization.id, [hold], START)
                live.append((hold.transfer_id, value))
                held += value
            elif live:
                transfer_id, amount = live.pop(value % len(live))
                for _ in range(2):  # closing twice changes nothing
                    await store.close_holds(
                        connection, organization.id, [transfer_id], posted=kind == "settle"
                    )
                held -= amount
    async with database.unit(organization.id) as connection:
        balance = (await store.balances(connection, organization.id, CODES))[WALLET.code]
        sums = await connection.execute(text("SELECT sum(amount_minor) FROM postings"))
        total = sums.scalar_one()
    assert (balance.posted_minor, balance.held_minor) == (posted, held)
    assert balance.available_minor == posted - held
    assert total in (None, 0)


async def test_the_database_itself_refuses_an_unbalanced_entry(
    database: Database, organization: TestOrganization
) -> None:
    with pytest.raises(DBAPIError, match="UNBALANCED_ENTRY"):
        async with database.unit(organization.id) as connection:
            account = await store.open_account(connection, organization.id, WALLET, uuid7)
            await connection.execute(
                text("INSERT INTO journal_entries VALUES (:o, :e, 'test', :e, NULL, :now)"),
                {"o": organization.id, "e": (entry_id := uuid7()), "now": START},
            )
            await connection.execute(
                text("INSERT INTO postings VALUES (:o, :e, 0, :a, 'USDC', 1)"),
                {"o": organization.id, "e": entry_id, "a": account},
            )


async def test_a_fact_is_booked_once(database: Database, organization: TestOrganization) -> None:
    async with database.unit(organization.id) as connection:
        ids = [await store.open_account(connection, organization.id, c, uuid7) for c in CODES]
        fact = entry(ids[1], ids[0], 5)
        await store.post(connection, organization.id, [fact], now=START, new_id=uuid7)
    with pytest.raises(DBAPIError, match="duplicate key"):
        async with database.unit(organization.id) as connection:
            await store.post(connection, organization.id, [fact], now=START, new_id=uuid7)


@pytest.mark.parametrize("table", ["postings", "journal_entries"])
async def test_the_app_role_cannot_change_what_is_booked(
    database: Database, organization: TestOrganization, table: str
) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with database.unit(organization.id) as connection:
            await connection.execute(text(f"DELETE FROM {table}"))
