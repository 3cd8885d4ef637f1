"""A worker that dies or hangs at any point of design section 7 pays exactly once all the same."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from itertools import count

import pytest

from tests.support.workers import worker
from treasurer.bootstrap import Core, open_chain, open_reconciliation
from treasurer.chain.tokens import decode_transfers
from treasurer.cli.demonstration import CLERK, Norwick
from treasurer.cli.installation import Installation
from treasurer.payments.model import Payment, PaymentState
from treasurer.settings import outer_environment, process_environment

POINTS = (
    "reserve.committed",
    "slot.committed",
    "sign.answered",
    "sign.committed",
    "broadcast.sent",
    "broadcast.committed",
    "include.committed",
    "settle.committed",
)
_NUMBERS = count(1)


async def submit(core: Core, norwick: Norwick) -> str:
    """An invoice with a number and an amount of its own, as the clerk hands it in. Small, so that hundreds
    stay within a day's limits.
    """
    number = next(_NUMBERS)
    text = (
        f"INVOICE HF-9{number:03}\nFrom: Halden Freight AS\nBill to: Norwick Instruments Ltd\n"
        f"Invoice date: 2026-11-20\nTotal due: {10 + number // 100}.{number % 100:02} USDC\n"
        "Due: 2026-12-10\n"
    )
    invoice = await core.invoices.receive(
        norwick.people[CLERK].principal,
        content=text.encode(),
        filename=None,
        media_type="text/plain",
        channel="api",
    )
    return str(invoice.id)


async def payment_of(core: Core, norwick: Norwick, invoice_id: str) -> Payment | None:
    payments = await core.payments.page(norwick.people[CLERK].principal, most=100)
    return next((p for p in payments if str(p.invoice_id) == invoice_id), None)


async def until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not holds():
        assert time.monotonic() < deadline, f"still not: {what}"
        await asyncio.sleep(0.05)


async def settled(core: Core, norwick: Norwick, invoice_id: str) -> Payment:
    """The payment, which is to settle within a minute of the last fault."""
    deadline = time.monotonic() + 60
    while True:
        payment = await payment_of(core, norwick, invoice_id)
        if payment and payment.state is PaymentState.SETTLED:
            return payment
        assert time.monotonic() < deadline, payment and (payment.state, payment.explanation)
        await asyncio.sleep(0.1)


async def require_paid_once(core: Core, payment: Payment) -> None:
    """One Transfer log of this amount to the payee on the whole chain, and books that agree."""
    (token,) = core.rail.tokens
    async with open_chain(core) as chain:
        logs = []
        for number in range((await chain.head()).number + 1):
            for receipt in await chain.receipts(number) or ():
                logs += decode_transfers(receipt, token.address)
        mine = [
            log
            for log in logs
            if (log.recipient, log.amount_minor) == (payment.recipient, payment.amount_minor)
        ]
        assert len(mine) == 1
        (on_chain,) = await chain.token_balances(token.address, [mine[0].sender])
    async with core.database.unit(payment.organization_id) as connection:
        from sqlalchemy import text

        sums = await connection.execute(
            text("SELECT asset, sum(amount_minor) FROM postings GROUP BY asset")
        )
        assert {row[0]: int(row[1]) for row in sums} == {"ETH": 0, "USDC": 0}
        wallet = await connection.execute(
            text(
                "SELECT posted_minor, held_minor FROM ledger_accounts WHERE code LIKE 'wallet:%USDC'"
            )
        )
        assert [tuple(map(int, row)) for row in wallet] == [(on_chain, 0)]
    async with open_chain(core) as chain:
        report = await open_reconciliation(core, chain).run(payment.organization_id)
        assert [result for result in report.results if not result.holds] == []


@pytest.mark.parametrize("point", POINTS)
async def test_killed_at(
    point: str, installation: Installation, core: Core, norwick: Norwick
) -> None:
    invoice_id = await submit(core, norwick)
    with worker(installation, point) as dying:
        await until(f"killed at {point}", lambda: dying.killed)
    with worker(installation):
        payment = await settled(core, norwick, invoice_id)
    await require_paid_once(core, payment)


@pytest.mark.parametrize("point", ["sign.answered", "broadcast.sent"])
async def test_stopped_past_its_lease_beside_another(
    point: str, installation: Installation, core: Core, norwick: Norwick
) -> None:
    with worker(installation, f"{point}:stop") as hanging:
        hanging.await_ready()
        invoice_id = await submit(core, norwick)
        await until(f"stopped at {point}", lambda: hanging.is_stopped)
        with worker(installation):
            payment = await settled(core, norwick, invoice_id)
            hanging.resume()
            # It goes on with a lease that is no longer its own, while another payment is made.
            second = await settled(core, norwick, await submit(core, norwick))
    await require_paid_once(core, payment)
    await require_paid_once(core, second)


async def test_an_operator_reconciles(installation: Installation, norwick: Norwick) -> None:
    """On the books and the chain that all these deaths left behind."""
    command = [sys.executable, "-m", "treasurer.cli", "audit", "reconcile"]
    environment = outer_environment() | process_environment(installation.settings)
    process = await asyncio.create_subprocess_exec(
        *command,
        "--json",
        "--user",
        norwick.people[CLERK].email,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, progress = await process.communicate()
    assert process.returncode == 0, progress.decode()
    report = json.loads(out)
    assert (report["clean"], report["violations"]) == (True, 0)
    assert [line[:4] for line in progress.decode().splitlines()] == ["ok  "] * len(report["checks"])


async def test_valkey_is_flushed_and_killed(
    installation: Installation, core: Core, norwick: Norwick
) -> None:
    """It keeps nothing that matters: payments go on without it. The last test of this module."""
    await core.valkey.flushall()
    invoice_id = await submit(core, norwick)
    valkey = installation.children.named("valkey")
    valkey.process.kill()
    valkey.process.wait(10)
    with worker(installation):
        payment = await settled(core, norwick, invoice_id)
        await require_paid_once(core, payment)
        second = await settled(core, norwick, await submit(core, norwick))
    await require_paid_once(core, second)
