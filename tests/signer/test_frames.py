"""Every kind of request over the real socket, and what the journal tells of a slot."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.clock import START
from tests.support.signer import (
    CHAIN_ID,
    FEES,
    POOL,
    TREASURY,
    allowance_request,
    batch_request,
    bumped,
    cancel_request,
    make_home,
    order,
    sign_request,
    signer_process,
    top_up_request,
)
from treasurer.chain.signer_client import SignedAttempt, SignerClient
from treasurer.kernel.batch import MOST_ORDERS
from treasurer.kernel.errors import InvalidInput

FAR = START.replace(year=2099)
FULL = [order(payment=n, amount_minor=1, not_after=FAR) for n in range(MOST_ORDERS)]


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[SignerClient]:
    with signer_process(make_home(tmp_path / "signer", POOL)) as process:
        await process.start()
        opened = process.client()
        yield opened
        await opened.close()


async def test_all_kinds_pass_the_wire_and_are_told_again(client: SignerClient) -> None:
    asked = [
        sign_request(0, order(payment=500)),
        batch_request(1, FULL[:3]),
        allowance_request(2, not_after=FAR),
        top_up_request(3, not_after=FAR),
        cancel_request(0, attempt=2, fees=bumped(FEES)),
    ]
    answers = await client.sign(asked)
    assert all(isinstance(answer, SignedAttempt) for answer in answers), answers
    assert await client.sign(asked) == answers
    payment, cancel = await client.slot(CHAIN_ID, TREASURY, 0)
    assert (payment.number, payment.kind, payment.fees) == (1, "payment", FEES)
    assert (payment.signed, cancel.signed) == (answers[0], answers[4])
    assert (cancel.number, cancel.kind, cancel.order_digests) == (2, "cancel", ())
    (batch,) = await client.slot(CHAIN_ID, TREASURY, 1)
    assert batch.order_digests == tuple(each.digest for each in FULL[:3])
    assert [(await client.slot(CHAIN_ID, TREASURY, n))[0].kind for n in (2, 3)] == [
        "allowance",
        "top_up",
    ]
    assert await client.slot(CHAIN_ID, TREASURY, 4) == []


async def test_more_than_a_frame_holds_is_sent_in_several(client: SignerClient) -> None:
    """Sixteen full batches are nearly three megabytes; the same again is more than a frame."""
    batches = [
        [
            order(payment=1_000 * nonce + n, amount_minor=1, not_after=FAR)
            for n in range(MOST_ORDERS)
        ]
        for nonce in range(16)
    ]
    asked = [
        batch_request(nonce, batches[nonce], fees=replace(FEES, gas_limit=3_000_000))
        for nonce in (*range(16), *range(16))
    ]
    answers = await client.sign(asked)
    assert all(isinstance(answer, SignedAttempt) for answer in answers)
    assert answers[:16] == answers[16:]


async def test_more_orders_than_a_batch_may_have_are_no_frame(client: SignerClient) -> None:
    with pytest.raises(InvalidInput, match="FRAME_INVALID"):
        await client.sign([batch_request(0, [*FULL, order(payment=900)])])
