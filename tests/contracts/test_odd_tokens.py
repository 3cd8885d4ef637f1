"""Each way in which a test token misbehaves, shown by itself; and artifacts of their sources."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_utils.crypto import keccak

import contracts.artifacts
from contracts.artifacts import load_artifact
from tests.support.contracts import DEPLOYER, Contract, Mode, deploy, send
from tests.support.embedded import MANUAL, JsonRpc, RpcRefusal, address, devchain

FOLDER = Path(contracts.artifacts.__file__).parent
SOURCES = sorted(
    path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.vy")
)
TRANSFER = "0x" + keccak(text="Transfer(address,address,uint256)").hex()
IMPLEMENTATION_SLOT = hex(int.from_bytes(keccak(text="eip1967.proxy.implementation")) - 1)
ALICE, BOB = 0, 1


@pytest.fixture(scope="module")
def rpc() -> Iterator[JsonRpc]:
    with devchain(block_time_s=MANUAL) as server, JsonRpc(server.url) as opened:
        yield opened


def odd(rpc: JsonRpc, *, decimals: int = 6, mode: Mode = Mode.PLAIN, fee: int = 0) -> Contract:
    """A token of which Alice has 1,000 base units."""
    token = deploy(rpc, "testing/OddToken", decimals, mode, fee)
    token.must_send(DEPLOYER, "mint", address(ALICE), 1_000)
    return token


def balances(token: Contract) -> tuple[int, int]:
    return token.read("balanceOf", address(ALICE)), token.read("balanceOf", address(BOB))


@pytest.mark.parametrize("name", SOURCES)
def test_artifact_was_compiled_from_the_source_beside_it(name: str) -> None:
    artifact = load_artifact(name)
    source = (FOLDER / f"{name}.vy").read_bytes()
    assert artifact.source_sha256 == hashlib.sha256(source).hexdigest()
    assert artifact.compiler == "vyper 0.4.3"


@pytest.mark.parametrize("decimals", [0, 2, 8, 18])
def test_any_decimals(rpc: JsonRpc, decimals: int) -> None:
    assert odd(rpc, decimals=decimals).read("decimals") == decimals


def test_plain_moves_and_logs(rpc: JsonRpc) -> None:
    token = odd(rpc)
    receipt = token.must_send(ALICE, "transfer", address(BOB), 30)
    assert balances(token) == (970, 30)
    (log,) = receipt["logs"]
    assert (log["topics"][0], int(log["data"], 16)) == (TRANSFER, 30)


def test_false_is_a_success_that_moved_nothing(rpc: JsonRpc) -> None:
    token = odd(rpc, mode=Mode.RETURNS_FALSE)
    receipt = token.send(ALICE, "transfer", address(BOB), 30)
    assert (receipt["status"], receipt["logs"]) == ("0x1", [])
    assert balances(token) == (1_000, 0)


def test_a_revert_and_a_pause(rpc: JsonRpc) -> None:
    token = odd(rpc, mode=Mode.REVERTS)
    assert token.send(ALICE, "transfer", address(BOB), 30)["status"] == "0x0"
    token.must_send(DEPLOYER, "set_mode", Mode.PLAIN)
    token.must_send(DEPLOYER, "set_paused", True)
    assert token.send(ALICE, "transfer", address(BOB), 30)["status"] == "0x0"
    token.must_send(DEPLOYER, "set_paused", False)
    token.must_send(ALICE, "transfer", address(BOB), 30)
    assert balances(token) == (970, 30)


@pytest.mark.parametrize("blocked", [ALICE, BOB])
def test_the_blocklist_works_both_ways(rpc: JsonRpc, blocked: int) -> None:
    token = odd(rpc)
    token.must_send(DEPLOYER, "set_blocked", address(blocked), True)
    assert token.send(ALICE, "transfer", address(BOB), 30)["status"] == "0x0"


def test_a_fee_leaves_less_and_logs_two_transfers(rpc: JsonRpc) -> None:
    token = odd(rpc, fee=250)
    receipt = token.must_send(ALICE, "transfer", address(BOB), 200)
    assert balances(token) == (800, 195)
    assert [int(log["data"], 16) for log in receipt["logs"]] == [195, 5]


def test_a_rebase_changes_balances_without_a_log(rpc: JsonRpc) -> None:
    token = odd(rpc)
    assert token.must_send(DEPLOYER, "rebase", 11, 10)["logs"] == []
    assert balances(token) == (1_100, 0)
    token.must_send(ALICE, "transfer", address(BOB), 110)
    assert balances(token) == (990, 110)


def test_a_transfer_may_call_out(rpc: JsonRpc) -> None:
    token, other = odd(rpc), odd(rpc)
    other.must_send(DEPLOYER, "mint", token.at, 5)
    call = other.calldata("transfer", address(BOB), 5)
    token.must_send(DEPLOYER, "set_hook", other.at, call)
    receipt = token.must_send(ALICE, "transfer", address(BOB), 1)
    assert [log["address"].lower() for log in receipt["logs"]] == [other.at, token.at]
    assert token.read("hook_succeeded") is True


def test_two_addresses_share_balances_and_the_first_one_logs(rpc: JsonRpc) -> None:
    token = odd(rpc)
    second = deploy(rpc, "testing/SecondAddress", token.at)
    with pytest.raises(RpcRefusal, match="not the twin"):
        second.read("transfer", address(BOB), 1)
    token.must_send(DEPLOYER, "set_twin", second.at)
    receipt = second.must_send(ALICE, "transfer", address(BOB), 30)
    assert [log["address"].lower() for log in receipt["logs"]] == [token.at]
    assert balances(second) == balances(token) == (970, 30)
    assert second.read("decimals") == 6


def test_silence_is_no_answer_and_still_a_transfer(rpc: JsonRpc) -> None:
    token = deploy(rpc, "testing/SilentToken")
    token.must_send(DEPLOYER, "mint", address(ALICE), 1_000)
    call = {"from": address(ALICE), "to": token.at}
    data = token.calldata("transfer", address(BOB), 30)
    assert rpc("eth_call", {**call, "data": "0x" + data.hex()}, "latest") == "0x"
    token.must_send(ALICE, "transfer", address(BOB), 30)
    assert balances(token) == (970, 30)
    token.must_send(ALICE, "approve", address(BOB), 5)
    assert token.send(ALICE, "approve", address(BOB), 6)["status"] == "0x0"
    token.must_send(ALICE, "approve", address(BOB), 0)
    token.must_send(ALICE, "approve", address(BOB), 6)


def test_a_proxy_keeps_its_code_and_changes_its_mind(rpc: JsonRpc) -> None:
    first, second = odd(rpc), deploy(rpc, "testing/SilentToken")
    proxy = deploy(rpc, "testing/UpgradableProxy", first.at)
    token = proxy.under("testing/OddToken")
    token.must_send(DEPLOYER, "initialize", 6, Mode.PLAIN, 0)
    with pytest.raises(RpcRefusal, match="initialized"):
        token.read("initialize", 6, Mode.PLAIN, 0)
    token.must_send(DEPLOYER, "mint", address(ALICE), 1_000)
    token.must_send(ALICE, "transfer", address(BOB), 30)
    assert balances(token) == (970, 30)
    assert balances(first) == (1_000, 0)
    code = rpc("eth_getCode", proxy.at, "latest")
    assert keccak(hexstr=code) == load_artifact("testing/UpgradableProxy").runtime_code_hash
    assert stored_implementation(rpc, proxy) == first.at
    with pytest.raises(RpcRefusal, match="only the admin"):
        proxy.read("upgrade_to", second.at)
    proxy.must_send(DEPLOYER, "upgrade_to", second.at)
    assert stored_implementation(rpc, proxy) == second.at
    assert rpc("eth_getCode", proxy.at, "latest") == code


def stored_implementation(rpc: JsonRpc, proxy: Contract) -> str:
    return "0x" + rpc("eth_getStorageAt", proxy.at, IMPLEMENTATION_SLOT, "latest")[-40:]


def test_an_address_without_code_takes_any_call(rpc: JsonRpc) -> None:
    """The call succeeds and proves nothing, which is why settling asks for logs and balances."""
    data = odd(rpc).calldata("transfer", address(BOB), 30)
    receipt = send(rpc, ALICE, to="0x" + "77" * 20, data=data)
    assert (receipt["status"], receipt["logs"]) == ("0x1", [])
