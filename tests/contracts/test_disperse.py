"""Disperse pays all or none, and a batch id once; and what a payment in a batch costs."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from eth_utils.crypto import keccak

from tests.support.contracts import DEPLOYER, Contract, Mode, deploy, send
from tests.support.embedded import MANUAL, JsonRpc, RpcRefusal, address, devchain
from tests.support.signer import FEES, order
from treasurer.kernel.batch import MOST_ORDERS, Batch
from treasurer.kernel.calldata import disperse_calldata
from treasurer.kernel.order import OrderItem
from treasurer.kernel.transaction import batch_transaction

WALLET = 0
PAYEES = tuple("0x" + keccak(text=f"payee {number}")[12:].hex() for number in range(MOST_ORDERS))
DISPERSED = "0x" + keccak(text="Dispersed(address,bytes32,address,uint256)").hex()
TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
END = datetime(2026, 12, 1, tzinfo=UTC)
NOWHERE = "0x" + "77" * 20


@pytest.fixture(scope="module")
def rpc() -> Iterator[JsonRpc]:
    with devchain(block_time_s=MANUAL) as server, JsonRpc(server.url) as opened:
        yield opened


@pytest.fixture(scope="module")
def disperse(rpc: JsonRpc) -> Contract:
    return deploy(rpc, "Disperse")


@pytest.fixture
def token(rpc: JsonRpc, disperse: Contract) -> Contract:
    return funded(rpc, disperse, Mode.PLAIN)


def funded(
    rpc: JsonRpc, disperse: Contract, mode: Mode, *, decimals: int = 6, fee: int = 0
) -> Contract:
    """A token of which the wallet has and allows 1,000 base units."""
    made = deploy(rpc, "testing/OddToken", decimals, mode, fee)
    made.must_send(DEPLOYER, "mint", address(WALLET), 1_000)
    made.must_send(WALLET, "approve", disperse.at, 1_000)
    return made


def paid(token: Contract, payees: Sequence[str]) -> list[int]:
    return [token.read("balanceOf", payee) for payee in payees]


def batch_id(number: int) -> bytes:
    return number.to_bytes(32)


def word(value: str) -> str:
    return "0x" + value[2:].rjust(64, "0")


def test_pays_each_in_turn_and_says_which_batch(disperse: Contract, token: Contract) -> None:
    receipt = disperse.must_send(WALLET, "disperse", token.at, batch_id(1), PAYEES[:3], [5, 0, 7])
    assert paid(token, PAYEES[:3]) == [5, 0, 7]
    *transfers, event = receipt["logs"]
    assert [log["topics"] for log in transfers] == [
        [TRANSFER, word(address(WALLET)), word(payee)] for payee in PAYEES[:3]
    ]
    assert event["address"].lower() == disperse.at
    assert event["topics"] == [
        DISPERSED,
        word(address(WALLET)),
        "0x" + batch_id(1).hex(),
        word(token.at),
    ]
    assert int(event["data"], 16) == 3
    assert disperse.read("dispersed", address(WALLET), batch_id(1)) is True
    assert token.read("allowance", address(WALLET), disperse.at) == 988
    assert token.read("balanceOf", disperse.at) == 0


def test_a_batch_runs_once_for_a_sender(disperse: Contract, token: Contract) -> None:
    pay = ("disperse", token.at, batch_id(2), PAYEES[:2], [1, 2])
    disperse.must_send(WALLET, *pay)
    assert disperse.send(WALLET, *pay)["status"] == "0x0"
    with pytest.raises(RpcRefusal, match="batch was paid"):
        # Other payments under that id: the id alone counts.
        disperse.read("disperse", token.at, batch_id(2), PAYEES[2:3], [1])
    assert paid(token, PAYEES[:2]) == [1, 2]
    # Nobody else can use up an id, and everybody pays from their own tokens.
    token.must_send(DEPLOYER, "mint", address(3), 10)
    token.must_send(3, "approve", disperse.at, 10)
    disperse.must_send(3, "disperse", token.at, batch_id(2), PAYEES[:1], [4])
    assert paid(token, PAYEES[:1]) == [5]
    assert token.read("balanceOf", address(WALLET)) == 997


def test_one_refused_payee_and_nobody_is_paid(disperse: Contract, token: Contract) -> None:
    token.must_send(DEPLOYER, "set_blocked", PAYEES[2], True)
    pay = ("disperse", token.at, batch_id(3), PAYEES[:3], [1, 2, 3])
    receipt = disperse.send(WALLET, *pay)
    assert (receipt["status"], receipt["logs"]) == ("0x0", [])
    assert paid(token, PAYEES[:3]) == [0, 0, 0]
    assert disperse.read("dispersed", address(WALLET), batch_id(3)) is False
    token.must_send(DEPLOYER, "set_blocked", PAYEES[2], False)
    disperse.must_send(WALLET, *pay)
    assert paid(token, PAYEES[:3]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("payees", "amounts", "message"),
    [
        ([], [], "nothing to pay"),
        (PAYEES[:2], [1], "lengths differ"),
        (PAYEES[:1], [1, 2], "lengths differ"),
        (PAYEES[:2], [999, 2], "allowance too small"),
        ([*PAYEES, NOWHERE], [1] * 101, None),
    ],
)
def test_what_is_no_batch_reverts(
    disperse: Contract,
    token: Contract,
    payees: Sequence[str],
    amounts: Sequence[int],
    message: str | None,
) -> None:
    with pytest.raises(RpcRefusal, match=message):
        disperse.read("disperse", token.at, batch_id(4), payees, amounts)


def test_tokens_that_refuse_pay_nobody(rpc: JsonRpc, disperse: Contract) -> None:
    for mode, message in ((Mode.RETURNS_FALSE, "token refused"), (Mode.REVERTS, "reverts")):
        odd = funded(rpc, disperse, mode)
        with pytest.raises(RpcRefusal, match=message):
            disperse.read("disperse", odd.at, batch_id(5), PAYEES[:2], [1, 2])
        assert disperse.send(WALLET, "disperse", odd.at, batch_id(5), PAYEES[:2], [1, 2])[
            "status"
        ] == ("0x0")
    paused = funded(rpc, disperse, Mode.PLAIN)
    paused.must_send(DEPLOYER, "set_paused", True)
    with pytest.raises(RpcRefusal, match="paused"):
        disperse.read("disperse", paused.at, batch_id(5), PAYEES[:2], [1, 2])
    with pytest.raises(RpcRefusal):
        disperse.read("disperse", NOWHERE, batch_id(5), PAYEES[:2], [1, 2])


def test_a_token_that_returns_nothing_pays(rpc: JsonRpc, disperse: Contract) -> None:
    silent = deploy(rpc, "testing/SilentToken")
    silent.must_send(DEPLOYER, "mint", address(WALLET), 10)
    silent.must_send(WALLET, "approve", disperse.at, 10)
    disperse.must_send(WALLET, "disperse", silent.at, batch_id(6), PAYEES[:2], [4, 6])
    assert paid(silent, PAYEES[:2]) == [4, 6]
    with pytest.raises(RpcRefusal):
        disperse.read("disperse", silent.at, batch_id(7), PAYEES[:1], [1])


def test_a_fee_on_transfer_is_the_reader_s_to_find(rpc: JsonRpc, disperse: Contract) -> None:
    """The contract does not compare balances; settling does, by logs and net changes."""
    taxed = funded(rpc, disperse, Mode.PLAIN, fee=100)
    disperse.must_send(WALLET, "disperse", taxed.at, batch_id(8), PAYEES[:2], [200, 300])
    assert paid(taxed, PAYEES[:2]) == [198, 297]


def test_a_token_cannot_come_back_in(disperse: Contract, token: Contract) -> None:
    """From within a transfer, on its own tokens: it would succeed but for the lock."""
    token.must_send(DEPLOYER, "mint", token.at, 50)
    inner = disperse.calldata("disperse", token.at, batch_id(9), [NOWHERE], [0])
    token.must_send(DEPLOYER, "set_hook", disperse.at, inner)
    disperse.must_send(WALLET, "disperse", token.at, batch_id(9), PAYEES[:2], [1, 2])
    assert token.read("hook_succeeded") is False
    assert disperse.read("dispersed", token.at, batch_id(9)) is False
    assert paid(token, PAYEES[:2]) == [1, 2]
    # The same call from without a batch goes through: the lock alone refused it.
    token.must_send(WALLET, "transfer", PAYEES[0], 1)
    assert token.read("hook_succeeded") is True


def test_takes_no_ether(rpc: JsonRpc, disperse: Contract, token: Contract) -> None:
    data = disperse.calldata("disperse", token.at, batch_id(10), PAYEES[:1], [1])
    assert send(rpc, WALLET, to=disperse.at, data=data, value_wei=1)["status"] == "0x0"
    assert send(rpc, WALLET, to=disperse.at, data=b"", value_wei=1)["status"] == "0x0"
    assert int(rpc("eth_getBalance", disperse.at, "latest"), 16) == 0


def test_the_kernel_s_batch_is_what_the_contract_pays(
    rpc: JsonRpc, disperse: Contract, token: Contract
) -> None:
    batch = Batch(
        tuple(
            order(
                payment=number,
                recipient=PAYEES[number],
                amount_minor=number + 1,
                token=token.at,
                not_after=END,
                wallets=(address(WALLET),),
            )
            for number in range(3)
        )
    )
    call = batch_transaction(
        batch, disperse=disperse.at, sender=address(WALLET), nonce=0, fees=FEES
    )
    assert send(rpc, WALLET, to=call.to, data=call.data)["status"] == "0x1"
    assert paid(token, PAYEES[:3]) == [1, 2, 3]
    assert disperse.read("dispersed", address(WALLET), batch.batch_id) is True


def test_gas_of_a_payment_in_a_batch_of_a_hundred(rpc: JsonRpc, disperse: Contract) -> None:
    """Against singles of the same token to the same payees: 0.35 of their gas at most."""
    usd = deploy(rpc, "TestUSD", "USD Coin (test)", "USDC")
    amount = 12_345_678
    usd.must_send(DEPLOYER, "mint", address(WALLET), 10**15)
    usd.must_send(WALLET, "approve", disperse.at, 10**14)
    items = [OrderItem(None, payee, amount) for payee in PAYEES]  # type: ignore[arg-type]

    def batch(number: int) -> int:
        identity = keccak(batch_id(number))
        data = disperse_calldata(usd.at, identity, items)
        receipt = send(rpc, WALLET, to=disperse.at, data=data)
        assert receipt["status"] == "0x1"
        return int(receipt["gasUsed"], 16) // len(items)

    single_new = int(usd.must_send(WALLET, "transfer", NOWHERE, amount)["gasUsed"], 16)
    single = int(usd.must_send(WALLET, "transfer", NOWHERE, amount)["gasUsed"], 16)
    new_payees, existing_payees = batch(1), batch(2)
    assert (single_new, single) == (51_200, 34_100)
    assert (new_payees, existing_payees) == (27_111, 10_011)
    assert existing_payees <= single * 35 // 100
