"""TestUSD: the artifact belongs to the source, and the deployed token behaves as an ERC-20."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

import contracts.artifacts
from contracts.artifacts import load_artifact
from tests.support.embedded import MANUAL, JsonRpc, RpcRefusal, address, devchain, signed
from treasurer.embedded.devchain.seed import deploy_test_usd

APPROVAL = "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"


class Token:
    """Calls TestUSD by signature."""

    def __init__(self, rpc: JsonRpc, at: str) -> None:
        self.rpc = rpc
        self.at = at

    def read(self, signature: str, result: str, *arguments: object, sender: int = 0) -> object:
        call = {"from": address(sender), "to": self.at, "data": "0x" + encode(signature, arguments)}
        returned = bytes.fromhex(self.rpc("eth_call", call, "latest")[2:])
        (value,) = abi_decode([result], returned)
        return value

    def send(self, sender: int, signature: str, *arguments: object) -> dict[str, object]:
        nonce = int(self.rpc("eth_getTransactionCount", address(sender), "latest"), 16)
        data = bytes.fromhex(encode(signature, arguments))
        raw, sent = signed(sender, nonce, to=self.at, data=data)
        self.rpc("eth_sendRawTransaction", raw)
        self.rpc("evm_mine")
        receipt: dict[str, object] = self.rpc("eth_getTransactionReceipt", sent)
        return receipt


def encode(signature: str, arguments: tuple[object, ...]) -> str:
    types = [t for t in signature[signature.index("(") + 1 : -1].split(",") if t]
    return (keccak(text=signature)[:4] + abi_encode(types, arguments)).hex()


@pytest.fixture(scope="module")
def token() -> Iterator[Token]:
    with devchain(block_time_s=MANUAL) as server, JsonRpc(server.url) as rpc:
        yield Token(rpc, deploy_test_usd(server.url, mint_to=address(0), amount_minor=1_000))


def test_artifact_was_compiled_from_the_source_beside_it() -> None:
    artifact = load_artifact("TestUSD")
    source = Path(contracts.artifacts.__file__).with_name("TestUSD.vy").read_bytes()
    assert artifact.source_sha256 == hashlib.sha256(source).hexdigest()
    assert artifact.compiler == "vyper 0.4.3"


def test_deployed_code_has_the_pinned_hash(token: Token) -> None:
    code = bytes.fromhex(token.rpc("eth_getCode", token.at, "latest")[2:])
    assert keccak(code) == load_artifact("TestUSD").runtime_code_hash
    assert token.at == "0x700b6a60ce7eaaea56f065753d8dcb9653dbad35"


def test_metadata_and_supply(token: Token) -> None:
    assert token.read("decimals()", "uint8") == 6
    assert token.read("symbol()", "string") == "USDC"
    assert token.read("name()", "string") == "USD Coin (test)"
    assert token.read("owner()", "address") == address(9)
    assert token.read("totalSupply()", "uint256") == 1_000


def test_only_the_owner_mints(token: Token) -> None:
    with pytest.raises(RpcRefusal, match="only the owner mints"):
        token.read("mint(address,uint256)", "bool", address(0), 1, sender=0)
    assert token.read("mint(address,uint256)", "bool", address(0), 1, sender=9) is True


def test_transfer_returns_true_and_refuses_what_is_not_there(token: Token) -> None:
    assert token.read("transfer(address,uint256)", "bool", address(1), 1_000) is True
    with pytest.raises(RpcRefusal, match="balance too small"):
        token.read("transfer(address,uint256)", "bool", address(1), 1_001)
    with pytest.raises(RpcRefusal, match="transfer to the zero address"):
        token.read("transfer(address,uint256)", "bool", "0x" + "0" * 40, 1)


def test_allowance_is_spent_and_an_unlimited_one_stays(token: Token) -> None:
    approved = token.send(0, "approve(address,uint256)", address(2), 30)
    (log,) = approved["logs"]  # type: ignore[misc, attr-defined]
    assert log["topics"][0] == APPROVAL
    assert token.read("allowance(address,address)", "uint256", address(0), address(2)) == 30
    move = "transferFrom(address,address,uint256)"
    assert token.send(2, move, address(0), address(3), 20)["status"] == "0x1"
    assert token.read("allowance(address,address)", "uint256", address(0), address(2)) == 10
    assert token.read("balanceOf(address)", "uint256", address(3)) == 20
    with pytest.raises(RpcRefusal, match="allowance too small"):
        token.read(move, "bool", address(0), address(3), 11, sender=2)
    token.send(0, "approve(address,uint256)", address(2), 2**256 - 1)
    assert token.send(2, move, address(0), address(3), 5)["status"] == "0x1"
    left = token.read("allowance(address,address)", "uint256", address(0), address(2))
    assert left == 2**256 - 1
