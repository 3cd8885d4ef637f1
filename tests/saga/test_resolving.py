"""A quarantine ends by two people and the chain: neither suffices alone."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import cast

import pytest
from uuid_utils.compat import uuid7

from saga.context import Pace
from saga.steps.reserve import reserve
from saga.steps.resolve import resolve_confirmed
from tests.support.embedded import JsonRpc, signed
from tests.support.payees import HALDEN_ADDRESS
from tests.support.treasury import Treasury
from treasurer.chain.errors import ChainTimeout
from treasurer.chain.port import Chain, Receipt
from treasurer.embedded.devchain.accounts import development_account
from treasurer.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from treasurer.kernel.ids import TransferId
from treasurer.transfers.model import ResolutionOutcome
from treasurer.transfers.service import TransferService

IMPATIENT = replace(
    Pace(),
    poll=timedelta(0),
    retry=timedelta(milliseconds=20),
    rebroadcast=timedelta(0),
    bump=timedelta(hours=1),
)


def service(treasury: Treasury) -> TransferService:
    return TransferService(database=treasury.database, clock=treasury.clock, new_id=uuid7)


async def only_transfer(treasury: Treasury) -> TransferId:
    ((id_,),) = await treasury.rows("SELECT id FROM transfers")
    return TransferId(id_)


async def quarantined(treasury: Treasury) -> TransferId:
    """A settled-looking payment that somebody quarantined: its transaction is final and paid."""
    payment = await treasury.propose("HF-1", 640_000_000)
    await reserve(treasury.context(), treasury.organization.id, [payment.id])
    await pump_to(treasury, "included")
    await treasury.execute("UPDATE transfers SET state = 'quarantined', next_at = NULL")
    await treasury.execute("UPDATE payments SET state = 'needs_attention'")
    return await only_transfer(treasury)


async def pump_to(treasury: Treasury, state: str) -> None:
    pump, deadline = treasury.pump(pace=IMPATIENT), time.monotonic() + 30
    while await treasury.rows("SELECT state FROM transfers") != [(state,)]:
        await pump.pass_once()
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def resolved(treasury: Treasury) -> str:
    """What came of the confirmed resolution, once the chain has final blocks."""
    deadline = time.monotonic() + 30
    context = treasury.context(pace=IMPATIENT)
    while not await resolve_confirmed(context):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    ((result,),) = await treasury.rows("SELECT result FROM transfer_resolutions")
    return str(result)


async def test_two_people_settle_what_a_final_block_shows(treasury: Treasury) -> None:
    transfer_id, transfers = await quarantined(treasury), service(treasury)
    before = await treasury.token_balance(HALDEN_ADDRESS)
    people = treasury.organization
    await transfers.propose(people.cfo, transfer_id, ResolutionOutcome.SETTLED, "seen in a block")
    assert await resolve_confirmed(treasury.context()) == 0
    confirmed = await transfers.confirm(people.approver, transfer_id)
    assert confirmed.confirmed_by == people.approver.user_id
    with JsonRpc(treasury.chain_url) as rpc:
        for _ in range(3):
            rpc("evm_mine")
    assert await resolved(treasury) == "settled: a final block holds its payment"
    assert await treasury.rows("SELECT state FROM transfers") == [("settled",)]
    assert await treasury.rows("SELECT state FROM payments") == [("settled",)]
    assert await treasury.rows("SELECT DISTINCT state FROM holds") == [("posted",)]
    assert await treasury.token_balance(HALDEN_ADDRESS) == before


async def test_people_cannot_void_what_the_chain_paid(treasury: Treasury) -> None:
    transfer_id, transfers = await quarantined(treasury), service(treasury)
    people = treasury.organization
    await transfers.propose(people.cfo, transfer_id, ResolutionOutcome.VOID, "let us pay again")
    await transfers.confirm(people.approver, transfer_id)
    with JsonRpc(treasury.chain_url) as rpc:
        for _ in range(3):
            rpc("evm_mine")
    assert (await resolved(treasury)).startswith("not done")
    assert await treasury.rows("SELECT state FROM transfers") == [("quarantined",)]
    assert await treasury.rows("SELECT state FROM payments") == [("needs_attention",)]
    assert await treasury.rows("SELECT DISTINCT state FROM holds") == [("placed",)]


async def test_a_slot_that_a_stranger_used_is_quarantined_and_may_be_voided(
    treasury: Treasury,
) -> None:
    """Somebody else has the key: his transaction takes the slot before ours was ever sent."""
    payment = await treasury.propose("HF-1", 640_000_000)
    await reserve(treasury.context(), treasury.organization.id, [payment.id])
    own = treasury.wallet.address
    index = next(i for i in count(20) if development_account(i).address.lower() == own)
    raw, _ = signed(index, await treasury.chain.nonce(own), to=HALDEN_ADDRESS)
    with JsonRpc(treasury.chain_url) as rpc:
        rpc("eth_sendRawTransaction", raw)
        for _ in range(4):
            rpc("evm_mine")
    await pump_to(treasury, "quarantined")
    transfer_id, transfers = await only_transfer(treasury), service(treasury)
    assert await treasury.rows("SELECT kind, subject_id FROM incidents") == [
        ("transfer.quarantined", transfer_id)
    ]
    people = treasury.organization
    await transfers.propose(people.cfo, transfer_id, ResolutionOutcome.VOID, "a foreign payment")
    await transfers.confirm(people.approver, transfer_id)
    assert await resolved(treasury) == "void: another transaction used its slot up"
    assert await treasury.rows("SELECT state FROM payments") == [("approved",)]
    assert await treasury.rows("SELECT DISTINCT state FROM holds") == [("voided",)]


async def test_nobody_resolves_alone_and_no_program_does(treasury: Treasury) -> None:
    transfer_id, transfers = await quarantined(treasury), service(treasury)
    people = treasury.organization
    settled = ResolutionOutcome.SETTLED
    with pytest.raises(NotPermitted, match="HUMAN_REQUIRED"):
        await transfers.propose(people.agent, transfer_id, settled, "I saw it")
    with pytest.raises(NotPermitted, match="PERMISSION_MISSING"):
        await transfers.propose(people.clerk, transfer_id, settled, "I saw it")
    with pytest.raises(InvalidInput, match="RESOLUTION_REASON"):
        await transfers.propose(people.cfo, transfer_id, settled, " ")
    await transfers.propose(people.cfo, transfer_id, settled, "I saw it")
    with pytest.raises(Conflict, match="RESOLUTION_OPEN"):
        await transfers.propose(people.approver, transfer_id, settled, "I saw it")
    with pytest.raises(NotPermitted, match="SECOND_PERSON_REQUIRED"):
        await transfers.confirm(people.cfo, transfer_id)
    await transfers.reject(people.approver, transfer_id)
    with pytest.raises(NotFound, match="TRANSFER_UNKNOWN"):
        await transfers.confirm(people.approver, transfer_id)
    await treasury.execute("UPDATE transfers SET state = 'broadcast'")
    with pytest.raises(Conflict, match="TRANSFER_NOT_QUARANTINED"):
        await transfers.propose(people.cfo, transfer_id, settled, "I saw it")


class Died(BaseException):
    """The worker went away here."""


async def test_what_the_saga_began_to_act_on_is_rejected_no_more(treasury: Treasury) -> None:
    transfer_id, transfers = await quarantined(treasury), service(treasury)
    people = treasury.organization
    with JsonRpc(treasury.chain_url) as rpc:
        for _ in range(3):
            rpc("evm_mine")
    await transfers.propose(people.cfo, transfer_id, ResolutionOutcome.SETTLED, "seen in a block")
    await transfers.confirm(people.approver, transfer_id)

    def die(name: str) -> None:
        if name == "resolve.claimed":
            raise Died

    with pytest.raises(Died):
        await resolve_confirmed(treasury.context(pace=IMPATIENT, failpoint=die))
    with pytest.raises(Conflict, match="RESOLUTION_ACTED_ON"):
        await transfers.reject(people.approver, transfer_id)
    await treasury.execute("UPDATE transfers SET lease_until = NULL")
    assert await resolved(treasury) == "settled: a final block holds its payment"
    assert await treasury.rows("SELECT state FROM transfers") == [("settled",)]


async def test_a_death_after_the_deed_still_ends_the_row(treasury: Treasury) -> None:
    transfer_id, transfers = await quarantined(treasury), service(treasury)
    people = treasury.organization
    await transfers.propose(people.cfo, transfer_id, ResolutionOutcome.BROADCAST, "look again")
    await transfers.confirm(people.approver, transfer_id)

    def die(name: str) -> None:
        if name == "resolve.acted":
            raise Died

    with pytest.raises(Died):
        await resolve_confirmed(treasury.context(pace=IMPATIENT, failpoint=die))
    assert await resolve_confirmed(treasury.context(pace=IMPATIENT)) == 0
    assert await treasury.rows("SELECT result FROM transfer_resolutions") == [
        ("done, see the transfer",)
    ]
    with pytest.raises(NotFound, match="TRANSFER_UNKNOWN"):
        await transfers.reject(people.approver, transfer_id)


async def test_while_the_chain_is_silent_people_may_still_reject(treasury: Treasury) -> None:
    transfer_id, transfers = await quarantined(treasury), service(treasury)
    people = treasury.organization
    await transfers.propose(people.cfo, transfer_id, ResolutionOutcome.SETTLED, "seen in a block")
    await transfers.confirm(people.approver, transfer_id)
    silent = treasury.context(pace=IMPATIENT)
    silent = replace(silent, chain=cast("Chain", Silent()))
    assert await resolve_confirmed(silent) == 0
    await transfers.reject(people.approver, transfer_id)
    assert await treasury.rows("SELECT result FROM transfer_resolutions") == [("rejected",)]


class Silent:
    """A chain whose providers are all away."""

    async def receipts_of(self, hashes: Sequence[bytes]) -> list[Receipt | None]:
        raise ChainTimeout("eth_getTransactionReceipt")
