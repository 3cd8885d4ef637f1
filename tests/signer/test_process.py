"""The signer as a process: killed, restarted, frozen, full disk, strangers at the socket."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signer.journal import Journal
from signer.limits_file import limits_yaml
from signer.main import main
from signer.records import AttemptRecord, SignedRecords
from tests.support.chain import FaultyNode
from tests.support.embedded import wait_for
from tests.support.heads import ORGANIZATION, MadeUpChain, open_register
from tests.support.signer import (
    CHAIN_ID,
    FEES,
    LIMITS,
    STRANGER,
    TREASURY,
    SignerProcess,
    make_home,
    order,
    sign_request,
    signer_process,
)
from treasurer.chain.signer_client import SignedAttempt, SignerClient, SignerRefusal
from treasurer.kernel.errors import InvalidInput, NotPermitted, Transient
from treasurer.kernel.signing import SignPayment

CHAIN = MadeUpChain(9)
FORK = MadeUpChain(9, fork_from=4)


@pytest_asyncio.fixture
async def signer(tmp_path: Path) -> AsyncIterator[SignerProcess]:
    with signer_process(make_home(tmp_path / "signer")) as process:
        await process.start()
        yield process


@contextlib.asynccontextmanager
async def connected(process: SignerProcess) -> AsyncIterator[SignerClient]:
    client = process.client()
    try:
        yield client
    finally:
        await client.close()


def recorded(process: SignerProcess, nonce: int) -> AttemptRecord | None:
    """What the journal of a stopped signer holds for the slot."""
    with contextlib.closing(Journal.open(process.home.journal)) as journal:
        return SignedRecords(journal).attempt((CHAIN_ID, TREASURY, nonce), 1)


def frame_of(request: SignPayment) -> bytes:
    fees = request.fees
    body = {
        "kind": "sign",
        "requests": [
            {
                "kind": "payment",
                "orders": [order.hex() for order in request.orders],
                "sender": request.sender,
                "nonce": request.nonce,
                "attempt": request.attempt,
                "fees": {
                    "gas_limit": fees.gas_limit,
                    "max_fee_per_gas_wei": fees.max_fee_per_gas_wei,
                    "max_priority_fee_per_gas_wei": fees.max_priority_fee_per_gas_wei,
                },
            }
        ],
    }
    content = json.dumps(body).encode()
    return len(content).to_bytes(4) + content


def head_frame(sequence: int) -> bytes:
    head = CHAIN.head(sequence)
    body = {
        "kind": "sign_head",
        "organization_id": str(head.organization_id),
        "sequence": head.sequence,
        "hash": head.hash.hex(),
        "seals": [seal.decode() for seal in CHAIN.since(0, sequence)],
    }
    content = json.dumps(body).encode()
    return len(content).to_bytes(4) + content


async def test_signs_a_batch_and_repeats_it(signer: SignerProcess) -> None:
    requests = [sign_request(nonce, order(payment=nonce)) for nonce in range(16)]
    async with connected(signer) as client:
        first = await client.sign(requests)
        assert all(isinstance(answer, SignedAttempt) for answer in first)
        assert len({answer.raw for answer in first if isinstance(answer, SignedAttempt)}) == 16
        assert await client.sign(requests) == first
        (wallet,) = (await client.status()).wallets
        assert not (await client.status()).isolated
    assert wallet.next_nonce == 16
    assert wallet.nonce_check == "not_configured"


async def test_callers_who_wait_together_are_all_answered(signer: SignerProcess) -> None:
    async def one(nonce: int) -> SignedAttempt | SignerRefusal:
        async with connected(signer) as client:
            (answer,) = await client.sign([sign_request(nonce, order(payment=nonce))])
            return answer

    answers = await asyncio.gather(*(one(nonce) for nonce in range(12)))
    assert all(isinstance(answer, SignedAttempt) for answer in answers)
    assert signer.stop() == 0
    assert all(recorded(signer, nonce) is not None for nonce in range(12))


async def test_killed_after_the_journal_and_before_the_answer(signer: SignerProcess) -> None:
    request = sign_request(0, order())
    size = signer.home.journal.stat().st_size
    reader, writer = await asyncio.open_unix_connection(signer.home.socket)
    writer.write(frame_of(request))
    await writer.drain()
    await asyncio.to_thread(
        wait_for, lambda: signer.home.journal.stat().st_size > size, "the record in the journal"
    )
    signer.kill()
    writer.close()
    del reader
    on_disk = recorded(signer, 0)
    assert on_disk is not None

    # Frozen and without limits, so that only the record can be the answer's source.
    signer.home.limits.write_text(limits_yaml(replace(LIMITS, destinations=(), tokens=())))
    assert main(["freeze", "--home", str(signer.home.path), "--reason", "a crash"]) == 0
    await signer.start()
    async with connected(signer) as client:
        (answer,) = await client.sign([request])
        assert isinstance(answer, SignedAttempt)
        assert answer.raw == bytes.fromhex(on_disk.raw)
        (other,) = await client.sign([sign_request(0, order(payment=2))])
        assert isinstance(other, SignerRefusal)
        assert other.code == "JOURNAL_CONFLICT"


async def test_a_client_survives_the_signers_restart(signer: SignerProcess) -> None:
    request = sign_request(0, order())
    async with connected(signer) as client:
        first = await client.sign([request])
        signer.kill()
        with pytest.raises(Transient, match="SIGNER_UNAVAILABLE"):
            await client.sign([request])
        await signer.start()
        assert await client.sign([request]) == first
        signer.kill()
        await signer.start()
        # The connection broke unseen: the client notices and asks again by itself.
        assert await client.sign([request]) == first


async def test_a_write_that_fails_ends_the_process_unanswered(signer: SignerProcess) -> None:
    async with connected(signer) as client:
        await client.sign([sign_request(0, order())])
        whole = signer.home.journal.read_bytes()
        # Room for a part of the next record: it is torn as by a power cut.
        signer.limit_file_size(len(whole) + 100)
        with pytest.raises(Transient, match="SIGNER_UNAVAILABLE"):
            await client.sign([sign_request(1, order(payment=2))])
        assert signer.running.wait(10) != 0
        torn = signer.home.journal.read_bytes()
        assert torn[: len(whole)] == whole
        assert len(torn) == len(whole) + 100
        await signer.start()
        assert signer.home.journal.read_bytes() == whole
        # Slot 1 was never answered, so it is free for other content.
        (answer,) = await client.sign([sign_request(1, order(payment=3))])
        assert isinstance(answer, SignedAttempt)


async def test_a_damaged_journal_keeps_the_signer_down(signer: SignerProcess) -> None:
    async with connected(signer) as client:
        await client.sign([sign_request(nonce, order(payment=nonce)) for nonce in range(3)])
    assert signer.stop() == 0
    content = bytearray(signer.home.journal.read_bytes())
    content[len(content) // 2] ^= 1
    signer.home.journal.write_bytes(content)
    signer.spawn()
    assert signer.running.wait(15) != 0
    assert "JOURNAL_CORRUPT" in signer.errors()


async def test_a_missing_journal_starts_frozen(signer: SignerProcess) -> None:
    assert signer.stop() == 0
    signer.home.journal.unlink()
    await signer.start()
    async with connected(signer) as client:
        (answer,) = await client.sign([sign_request(0, order())])
        (wallet,) = (await client.status()).wallets
    assert isinstance(answer, SignerRefusal)
    assert answer.code == "JOURNAL_MISSING"
    assert wallet.next_nonce is None


async def test_two_signers_do_not_share_a_home(signer: SignerProcess) -> None:
    with signer_process(signer.home) as second:
        second.spawn()
        assert second.running.wait(15) == 1
        assert "JOURNAL_IN_USE" in second.errors()
    async with connected(signer) as client:
        await client.status()


async def test_freeze_by_a_caller_survives_a_restart(signer: SignerProcess) -> None:
    request = sign_request(0, order())
    async with connected(signer) as client:
        (first,) = await client.sign([request])
        frozen = await client.freeze("the CFO's laptop is gone")
        assert (frozen.frozen_by, frozen.frozen_reason) == ("caller", "the CFO's laptop is gone")
        signer.kill()
        await signer.start()
        (refused,) = await client.sign([sign_request(1, order(payment=2))])
        assert isinstance(refused, SignerRefusal)
        assert refused.code == "FROZEN"
        assert await client.sign([request]) == [first]
        assert (await client.unfreeze()).frozen_by is None
        (answer,) = await client.sign([sign_request(1, order(payment=2))])
        assert isinstance(answer, SignedAttempt)


async def test_a_hosts_freeze_is_not_lifted_through_the_socket(signer: SignerProcess) -> None:
    host = ["--home", str(signer.home.path)]
    assert main(["freeze", *host, "--reason", "audit"]) == 0
    async with connected(signer) as client:
        assert (await client.freeze("weaker")).frozen_by == "host"
        with pytest.raises(NotPermitted, match="FROZEN_ON_HOST"):
            await client.unfreeze()
        (refused,) = await client.sign([sign_request(0, order())])
        assert isinstance(refused, SignerRefusal)
        assert refused.code == "FROZEN"
        assert main(["unfreeze", *host]) == 0
        (answer,) = await client.sign([sign_request(0, order())])
        assert isinstance(answer, SignedAttempt)
    signer.home.frozen.write_text("damaged")
    async with connected(signer) as client:
        assert (await client.status()).frozen_by == "host"


async def test_another_user_is_turned_away(tmp_path: Path) -> None:
    limits = replace(LIMITS, caller_uids=(os.getuid() + 1,))
    with signer_process(make_home(tmp_path / "signer", limits)) as process:
        process.spawn()
        await asyncio.to_thread(wait_for, process.home.socket.exists, "the socket")
        async with connected(process) as client:
            with pytest.raises(NotPermitted, match="CALLER_NOT_PERMITTED"):
                await client.sign([sign_request(0, order())])


async def test_the_socket_is_the_owners_alone(signer: SignerProcess) -> None:
    assert signer.home.socket.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"no json", "FRAME_INVALID"),
        (b"[" * 50_000, "FRAME_INVALID"),
        (b'{"kind":"export_keys"}', "FRAME_INVALID"),
        (b'{"kind":"sign","requests":[{}]}', "FRAME_INVALID"),
        (b'{"kind":"status","more":1}', "FRAME_INVALID"),
        (b'{"kind":"freeze","reason":""}', "FRAME_INVALID"),
        (b'{"kind":"head","organization_id":"7"}', "FRAME_INVALID"),
        (head_frame(5)[4:].replace(b'"sequence": 5', b'"sequence": 0'), "FRAME_INVALID"),
        (head_frame(5)[4:].replace(b'"hash": "', b'"hash": "0x'), "FRAME_INVALID"),
        (head_frame(5)[4:].replace(b'["', b'["", "'), "FRAME_INVALID"),
    ],
)
async def test_malformed_frames_get_a_code_and_keep_the_connection(
    signer: SignerProcess, content: bytes, code: str
) -> None:
    reader, writer = await asyncio.open_unix_connection(signer.home.socket)
    for sent, expected in ((content, "refusal"), (b'{"kind":"status"}', "status")):
        writer.write(len(sent).to_bytes(4) + sent)
        await writer.drain()
        length = int.from_bytes(await reader.readexactly(4))
        reply = json.loads(await reader.readexactly(length))
        assert list(reply) == [expected]
        if expected == "refusal":
            assert reply["refusal"]["code"] == code
    writer.close()


async def test_an_oversized_frame_is_cut_off(signer: SignerProcess) -> None:
    reader, writer = await asyncio.open_unix_connection(signer.home.socket)
    writer.write((4 * 1024 * 1024 + 1).to_bytes(4))
    await writer.drain()
    length = int.from_bytes(await reader.readexactly(4))
    assert b"FRAME_TOO_LARGE" in await reader.readexactly(length)
    assert await reader.read() == b""
    writer.close()


async def test_amounts_beyond_64_bits_pass_the_wire(signer: SignerProcess) -> None:
    async with connected(signer) as client:
        huge = replace(FEES, max_fee_per_gas_wei=2**256 - 1)
        (answer,) = await client.sign([sign_request(0, order(), fees=huge)])
        assert isinstance(answer, SignerRefusal)
        assert answer.code == "FEE_OVER_CAP"
        with pytest.raises(InvalidInput, match="FRAME_INVALID"):
            await client.sign([replace(sign_request(0, order()), nonce=2**64)])


async def test_enrolment_command_reaches_the_running_process(signer: SignerProcess) -> None:
    request = sign_request(0, order(recipient=STRANGER))
    async with connected(signer) as client:
        (refused,) = await client.sign([request])
        assert isinstance(refused, SignerRefusal)
        assert refused.code == "DESTINATION_NOT_ENROLLED"
        arguments = ["--home", str(signer.home.path), "--label", "Brightmoor Cleaning Ltd"]
        wrong = "0x90F79bf6EB2c4f870365E785982E1f101E93b907"
        assert main(["enroll", *arguments, "--destination", wrong]) == 1
        right = "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
        assert main(["enroll", *arguments, "--destination", right]) == 0
        (answer,) = await client.sign([request])
        assert isinstance(answer, SignedAttempt)


async def test_a_journal_behind_the_chain_signs_nothing_until_adopted(tmp_path: Path) -> None:
    home = make_home(tmp_path / "signer")
    with FaultyNode() as node, signer_process(home, "--rpc", f"{CHAIN_ID}={node.url}") as process:
        node.status = 503
        await process.start()
        async with connected(process) as client:
            (unchecked,) = await client.sign([sign_request(0, order())])
            assert isinstance(unchecked, SignerRefusal)
            assert unchecked.code == "CHAIN_UNCHECKED"
            node.status = 200
            node.answers["eth_getTransactionCount"] = "0x3"
            await until_checked(client)
            (behind,) = await client.sign([sign_request(3, order())])
            assert isinstance(behind, SignerRefusal)
            assert behind.code == "JOURNAL_BEHIND"
        assert process.stop() == 0
        adopt = ["adopt", "--home", str(home.path), "--wallet", TREASURY]
        assert main([*adopt, "--chain-id", str(CHAIN_ID), "--next-nonce", "3"]) == 0
        await process.start()
        async with connected(process) as client:
            await until_checked(client)
            (answer,) = await client.sign([sign_request(3, order())])
            assert isinstance(answer, SignedAttempt)
    asked = {(request["method"], request["params"][0]) for request in node.requests}
    assert asked == {("eth_getTransactionCount", TREASURY)}


async def until_checked(client: SignerClient) -> None:
    deadline = datetime.now(UTC).timestamp() + 15
    while (await client.status()).wallets[0].nonce_check == "pending":
        assert datetime.now(UTC).timestamp() < deadline, "the nonce check does not end"
        await asyncio.sleep(0.02)


async def test_heads_are_signed_through_the_socket_frozen_or_not(signer: SignerProcess) -> None:
    async with connected(signer) as client:
        assert await client.head(ORGANIZATION) is None
        first = await client.sign_head(CHAIN.head(5), ())
        await client.freeze("something looks wrong")
        second = await client.sign_head(CHAIN.head(9), CHAIN.since(5, 9))
        assert await client.head(ORGANIZATION) == second
        for head, code in ((CHAIN.head(5), "HEAD_BEHIND"), (FORK.head(9), "HEAD_FORKED")):
            with pytest.raises(NotPermitted, match=code):
                await client.sign_head(head, ())
        public_key = await client.head_public_key()
    key = Ed25519PublicKey.from_public_bytes(public_key)
    for signed in (first, second):
        key.verify(signed.signature, signed.head.statement())


async def test_killed_after_a_head_was_recorded_and_before_the_answer(
    signer: SignerProcess,
) -> None:
    size = signer.home.heads.stat().st_size
    _, writer = await asyncio.open_unix_connection(signer.home.socket)
    writer.write(head_frame(5))
    await writer.drain()
    await asyncio.to_thread(
        wait_for, lambda: signer.home.heads.stat().st_size > size, "the record of the head"
    )
    signer.kill()
    writer.close()
    with open_register(signer.home) as register:
        recorded_head = register.latest(ORGANIZATION)
    assert recorded_head is not None
    await signer.start()
    async with connected(signer) as client:
        for head, code in ((CHAIN.head(4), "HEAD_BEHIND"), (FORK.head(5), "HEAD_FORKED")):
            with pytest.raises(NotPermitted, match=code):
                await client.sign_head(head, ())
        assert await client.sign_head(CHAIN.head(5), ()) == recorded_head


async def test_a_head_that_cannot_be_written_ends_the_process_unanswered(
    signer: SignerProcess,
) -> None:
    async with connected(signer) as client:
        await client.sign_head(CHAIN.head(5), ())
        whole = signer.home.heads.read_bytes()
        signer.limit_file_size(len(whole) + 10)
        with pytest.raises(Transient, match="SIGNER_UNAVAILABLE"):
            await client.sign_head(CHAIN.head(6), CHAIN.since(5, 6))
        assert signer.running.wait(10) != 0
        await signer.start()
        assert signer.home.heads.read_bytes() == whole
        # Number 6 was never answered, but number 5 was: only its own successor is signed.
        with pytest.raises(NotPermitted, match="HEAD_FORKED"):
            await client.sign_head(FORK.head(6), FORK.since(5, 6))
        await client.sign_head(CHAIN.head(6), CHAIN.since(5, 6))
