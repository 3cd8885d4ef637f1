"""Deposits beside payments, over two providers: own transfers are theirs to book, and books and chain
agree (I9).
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from saga.engine import Pump
from tests.support.chain import development_profile
from tests.support.embedded import JsonRpc, address, devchain, token_transfer
from tests.support.treasury import open_treasury
from treasurer.chain.connect import open_network
from treasurer.db.engine import Database
from treasurer.deposits.service import DepositService
from treasurer.embedded.devchain.seed import deploy_test_usd
from treasurer.payments.model import PaymentState


@pytest.fixture
def fast_chain_url() -> Iterator[str]:
    with devchain(block_time_s=0.1) as server:
        yield server.url


async def test_a_payment_is_no_incident_and_a_deposit_no_payment(
    database: Database, fast_chain_url: str, tmp_path: Path
) -> None:
    urls = [fast_chain_url, fast_chain_url.replace("127.0.0.1", "localhost")]
    async with (
        open_treasury(database, fast_chain_url, tmp_path / "signer") as treasury,
        open_network(urls, development_profile()) as two,
    ):
        token, wallet = treasury.rail.tokens[0].address, treasury.wallet.address
        deploy_test_usd(fast_chain_url, mint_to=address(5))
        deposits = DepositService(
            database=database,
            chain=two,
            rail=treasury.rail,
            clock=treasury.clock,
            new_id=uuid7,
        )
        context = replace(treasury.context(), chain=two)
        pump = Pump(context, treasury.signer)
        payment = await treasury.propose("HF-1", 840_000_000)
        with JsonRpc(fast_chain_url) as rpc:
            raw, _ = token_transfer(5, 0, token=token, recipient=wallet, amount_minor=12_345)
            rpc("eth_sendRawTransaction", raw)
        deadline, booked = time.monotonic() + 20, 0
        while booked == 0 or (await treasury.payment(payment)).state is not PaymentState.SETTLED:
            await pump.pass_once()
            booked += await deposits.follow(treasury.organization.id)
            assert time.monotonic() < deadline, "settled and booked"
            await asyncio.sleep(0.02)
        assert booked == 1
        ((posted, held),) = await treasury.rows(
            "SELECT posted_minor, held_minor FROM ledger_accounts WHERE code = :code",
            code=f"wallet:{treasury.wallet.id}:USDC",
        )
        assert (posted, held) == (await treasury.token_balance(wallet), 0)
        assert posted == 10**12 - 840_000_000 + 12_345
        incidents = await treasury.rows(
            "SELECT kind FROM audit_events WHERE kind = 'wallet.foreign_outflow'"
        )
        assert incidents == []
