"""Deposits on real nodes: seen at once, booked once and only when final, forgotten when they vanish."""

import asyncio

import pytest
from sqlalchemy import text

from tests.support.anvil import anvil
from tests.support.chain import needs_anvil
from tests.support.deposits import PAYEE, STRANGER, Books, open_books
from tests.support.embedded import address
from treasurer.chain.finality import Depth
from treasurer.db.engine import Database

ARRIVED = "SELECT kind, payload->>'amount_minor' FROM audit_events WHERE aggregate = 'deposit'"


OPEN = "SELECT subject_id, message FROM incidents WHERE kind = '{}' AND closed_at IS NULL"


async def test_a_refund_and_a_strangers_money(books: Books) -> None:
    await books.follow()
    wallet = books.wallets[0].address
    books.send(PAYEE, wallet, 250_000)
    books.send(STRANGER, wallet, 70)
    books.mine()
    assert await books.follow() == 0
    assert sorted(await books.states()) == [("seen", 70), ("seen", 250_000)]
    assert await books.balances() == {}, "seen is not booked"
    books.mine(2)
    assert await books.follow() == 2
    expected = {
        "wallet 0": 250_070,
        "income:supplier-refunds:USDC": -250_000,
        "liability:suspense:USDC": -70,
    }
    assert await books.balances() == expected
    assert sorted(await books.states()) == [("booked", 70), ("booked", 250_000)]
    books.mine(3)
    assert await books.follow() == 0
    assert await books.balances() == expected
    assert sorted(await books.rows(ARRIVED)) == [
        ("deposit.booked", "250000"),
        ("deposit.booked", "70"),
    ]
    (on_chain,) = await books.chain.token_balances(books.token, [wallet])
    assert on_chain == 250_070


async def test_what_the_opening_entry_took_in_is_no_deposit(books: Books) -> None:
    first = books.wallets[0]
    books.send(STRANGER, first.address, 5)
    books.mine(4)
    async with books.database.unit(books.organization.id) as connection:
        await connection.execute(
            text("UPDATE wallets SET opened_block = :at WHERE id = :id"),
            {"at": (await books.chain.head()).number, "id": first.id},
        )
    await books.follow()
    assert await books.follow() == 0
    assert await books.states() == []


async def test_a_transfer_of_nothing_accuses_nobody(books: Books) -> None:
    await books.follow()
    books.send(STRANGER, books.wallets[0].address, 0)
    books.mine(4)
    assert await books.follow() == 0
    assert (await books.states(), await books.balances()) == ([], {})


async def test_many_workers_book_once(books: Books) -> None:
    await books.follow()
    books.give_gas(books.wallets[0].address)
    for amount in range(1, 6):
        books.send(STRANGER, books.wallets[amount % 2].address, amount)
    books.mine()
    books.send(books.accounts[0], address(9), 2)
    books.mine(4)
    passes = await asyncio.gather(*(books.follow() for _ in range(6)))
    assert sorted(passes) == [0, 0, 0, 0, 0, 6]
    assert await books.balances() == {
        "wallet 0": 4,
        "wallet 1": 9,
        "liability:suspense:USDC": -13,
    }


@pytest.mark.parametrize("depth", [1, 3])
async def test_a_deposit_that_vanishes_is_never_booked(patient: Books, depth: int) -> None:
    patient.mine(4)
    await patient.follow()
    await patient.follow()
    snapshot = patient.rpc("evm_snapshot")
    patient.send(STRANGER, patient.wallets[0].address, 900)
    patient.mine(depth)
    await patient.follow()
    assert await patient.states() == [("seen", 900)]
    patient.rpc("evm_revert", snapshot)
    # Another chain as long as the old one, so that only hashes tell.
    patient.send(STRANGER, address(9), depth)
    patient.mine(depth)
    await patient.follow()
    assert await patient.states() == []
    patient.mine(6)
    assert await patient.follow() == 0
    assert await patient.balances() == {}
    assert await patient.rows("SELECT stopped FROM index_cursors") == [("",)]


@pytest.mark.parametrize("depth", [1, 3])
async def test_a_deposit_that_moves_to_another_block_is_booked_once(
    patient: Books, depth: int
) -> None:
    patient.mine(4)
    await patient.follow()
    await patient.follow()
    wallet = patient.wallets[0].address
    snapshot = patient.rpc("evm_snapshot")
    patient.send(STRANGER, wallet, 77)
    patient.mine(depth)
    await patient.follow()
    (before,) = await patient.rows("SELECT block_hash FROM deposits")
    patient.rpc("evm_revert", snapshot)
    patient.send(PAYEE, address(9), 1)
    patient.mine()
    patient.send(STRANGER, wallet, 77)
    patient.mine(depth)
    await patient.follow()
    (after,) = await patient.rows("SELECT block_hash FROM deposits")
    assert after != before
    patient.mine(5)
    assert await patient.follow() == 1
    assert await patient.follow() == 0
    assert await patient.balances() == {"wallet 0": 77, "liability:suspense:USDC": -77}
    assert await patient.states() == [("booked", 77)]


@needs_anvil
@pytest.mark.parametrize("depth", [1, 3])
async def test_a_reorganisation_by_the_node_itself(database: Database, depth: int) -> None:
    with anvil() as url:
        async with open_books(database, url, Depth(4)) as books:
            books.mine(4)
            await books.follow()
            await books.follow()
            books.send(STRANGER, books.wallets[0].address, 31)
            books.mine(depth)
            await books.follow()
            assert await books.states() == [("seen", 31)]
            books.rpc("anvil_reorg", depth, [])
            await books.follow()
            assert await books.states() == []
            books.send(STRANGER, books.wallets[0].address, 32)
            books.mine(6)
            assert await books.follow() == 1
            assert await books.balances() == {"wallet 0": 32, "liability:suspense:USDC": -32}


async def test_a_final_block_that_changes_stops_the_booking(books: Books) -> None:
    await books.follow()
    snapshot = books.rpc("evm_snapshot")
    books.send(STRANGER, books.wallets[0].address, 44)
    books.mine(4)
    assert await books.follow() == 1
    books.rpc("evm_revert", snapshot)
    books.send(STRANGER, address(9), 45)
    books.mine(6)
    assert await books.follow() == 0
    assert await books.follow() == 0
    ((stopped,),) = await books.rows("SELECT stopped FROM index_cursors")
    assert str(stopped).endswith("was final and is now another one")
    kinds = await books.rows("SELECT kind FROM audit_events WHERE aggregate = 'chain'")
    assert kinds == [("chain.final_block_changed",)]
    ((subject, message),) = await books.rows(OPEN.format("chain.final_block_changed"))
    assert (subject, message) == (
        books.organization.id,
        f"chain 31337: {stopped}; no deposit is booked",
    )
    assert await books.balances() == {"wallet 0": 44, "liability:suspense:USDC": -44}


async def test_the_whole_range_is_paged(books: Books) -> None:
    await books.follow()
    wallet = books.wallets[1].address
    for amount in (3, 4):
        books.send(STRANGER, wallet, amount)
        books.mine(20)
    assert await books.follow() == 2
    assert await books.balances() == {"wallet 1": 7, "liability:suspense:USDC": -7}


async def test_money_that_leaves_without_us_is_booked_and_told(books: Books) -> None:
    await books.follow()
    thief, (first, second) = books.accounts[0], books.wallets
    books.send(STRANGER, first.address, 1_000)
    books.give_gas(first.address)
    stolen = books.send(thief, address(9), 300)
    moved = books.send(thief, second.address, 200)
    books.mine(4)
    assert await books.follow() == 3
    assert await books.balances() == {
        "wallet 0": 500,
        "wallet 1": 200,
        "liability:suspense:USDC": -700,
    }
    incidents = await books.rows(
        "SELECT aggregate_id, kind, payload->>'transaction_hash' FROM audit_events"
        " WHERE aggregate = 'wallet' AND kind <> 'wallet.enrolled' ORDER BY version"
    )
    assert incidents == [
        (first.id, "wallet.foreign_outflow", stolen[2:]),
        (first.id, "wallet.foreign_outflow", moved[2:]),
    ]
    # One for a wallet while it is open; the audit log has each.
    ((subject, message),) = await books.rows(OPEN.format("wallet.foreign_outflow"))
    assert subject == first.id
    assert str(message).startswith(
        f"0.0003 USDC left {first.address} for {address(9)} in {stolen}, which is none of ours"
    )
