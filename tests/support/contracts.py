"""Deploys our contracts on a node with the usual mnemonic, and calls them by their ABI.

`deploy(rpc, "Disperse")`, `deploy(rpc, "testing/OddToken", 6, Mode.PLAIN, 0)`. Blocks are made by
`evm_mine`, so the node may be one that mines by hand.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from contracts.artifacts import Artifact, load_artifact
from tests.support.embedded import JsonRpc, address, signed

DEPLOYER = 9
"""Index of the development account that deploys, and so owns what it deploys."""
_GAS = 10_000_000


class Mode(IntEnum):
    """How an OddToken transfers."""

    PLAIN = 0
    RETURNS_FALSE = 1
    REVERTS = 2


@dataclass(frozen=True, slots=True)
class Contract:
    """A deployed contract. Senders are indexes of development accounts."""

    rpc: JsonRpc
    at: str
    artifact: Artifact

    def read(self, function: str, *arguments: Any, sender: int = 0) -> Any:
        """The first result of an `eth_call`. Raises RpcRefusal on a revert."""
        data = "0x" + self.calldata(function, *arguments).hex()
        call = {"from": address(sender), "to": self.at, "data": data}
        returned = bytes.fromhex(self.rpc("eth_call", call, "latest")[2:])
        outputs = [output["type"] for output in self._entry(function)["outputs"]]
        return abi_decode(outputs, returned)[0] if outputs else None

    def send(self, sender: int, function: str, *arguments: Any) -> dict[str, Any]:
        """The receipt of a transaction that calls `function`."""
        return send(self.rpc, sender, to=self.at, data=self.calldata(function, *arguments))

    def must_send(self, sender: int, function: str, *arguments: Any) -> dict[str, Any]:
        """As `send`, and the transaction must succeed."""
        receipt = self.send(sender, function, *arguments)
        assert receipt["status"] == "0x1", f"{function} reverted"
        return receipt

    def calldata(self, function: str, *arguments: Any) -> bytes:
        """Selector and arguments."""
        types = [entry["type"] for entry in self._entry(function)["inputs"]]
        return keccak(text=f"{function}({','.join(types)})")[:4] + abi_encode(types, arguments)

    def under(self, name: str) -> "Contract":
        """The same address called by another contract's ABI, as a proxy is."""
        return Contract(self.rpc, self.at, load_artifact(name))

    def _entry(self, function: str) -> Any:
        (entry,) = (each for each in self.artifact.abi if each.get("name") == function)
        return entry


def deploy(rpc: JsonRpc, name: str, *arguments: Any, sender: int = DEPLOYER) -> Contract:
    """Create a contract from `contracts/<name>.json`."""
    artifact = load_artifact(name)
    inputs = [
        entry["type"]
        for each in artifact.abi
        if each["type"] == "constructor"
        for entry in each["inputs"]
    ]
    receipt = send(rpc, sender, to=None, data=artifact.bytecode + abi_encode(inputs, arguments))
    assert receipt["status"] == "0x1", f"{name} was not deployed"
    return Contract(rpc, receipt["contractAddress"].lower(), artifact)


def send(
    rpc: JsonRpc, sender: int, *, to: str | None, data: bytes, value_wei: int = 0
) -> dict[str, Any]:
    """Sign, send, mine and return the receipt."""
    nonce = int(rpc("eth_getTransactionCount", address(sender), "latest"), 16)
    raw, sent = signed(sender, nonce, to=to, data=data, value_wei=value_wei, gas=_GAS)
    rpc("eth_sendRawTransaction", raw)
    rpc("evm_mine")
    receipt: dict[str, Any] = rpc("eth_getTransactionReceipt", sent)
    return receipt
