"""Owns the contracts of a fresh development chain: a test stablecoin, and ours for batches.

Must never run against a chain with value. Works on any node with the usual mnemonic that knows
`evm_mine`, which anvil also does.
"""

import itertools
import json
import time
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from coincurve import PrivateKey
from eth_hash.auto import keccak

from contracts.artifacts import Artifact, load_artifact
from signer.envelope import sealed, unsigned_hash
from treasurer.embedded.devchain.accounts import (
    CHAIN_ID,
    DEPLOYER_INDEX,
    DISPERSE_DEPLOYER_INDEX,
    development_account,
)
from treasurer.kernel.errors import InvariantViolated, NotPermitted, Transient
from treasurer.kernel.transaction import FeeTerms, UnsignedTransaction

TOKEN_NAME = "USD Coin (test)"  # noqa: S105
TOKEN_SYMBOL = "USDC"  # noqa: S105
MINTED_MINOR = 1_000_000 * 10**6
GAS_GIFT_WEI = 100 * 10**18
_GAS_LIMIT = 1_500_000
_TIP_WEI = 10**9
_RECEIPT_TIMEOUT_S = 15.0
_TRANSFER_TOPIC = "0x" + keccak(b"Transfer(address,address,uint256)").hex()
_MINT_SELECTOR = keccak(b"mint(address,uint256)")[:4]


def test_usd_address() -> str:
    """Where the token lies: the first contract that the deployer's account creates. Lower-case."""
    return _first_contract_of(DEPLOYER_INDEX)


def _first_contract_of(index: int) -> str:
    deployer = bytes.fromhex(development_account(index).address[2:])
    # The RLP of a list of an address and the nonce 0.
    return "0x" + keccak(b"\xd6\x94" + deployer + b"\x80")[12:].hex()


def deploy_test_usd(rpc_url: str, *, mint_to: str, amount_minor: int = MINTED_MINOR) -> str:
    """Deploy TestUSD unless it is there, mint `amount_minor` to `mint_to` unless that was done once.

    Returns the token's address, lower-case. Safe to repeat after any interruption.
    """
    token = test_usd_address()
    chain = _Chain(rpc_url)
    chain.deploy(load_artifact("TestUSD"), token, _two_strings(TOKEN_NAME, TOKEN_SYMBOL))
    if not chain.was_minted(token, mint_to):
        receiver = bytes.fromhex(mint_to[2:]).rjust(32, b"\0")
        chain.send(token, _MINT_SELECTOR + receiver + amount_minor.to_bytes(32))
    return token


def deploy_disperse(rpc_url: str) -> str:
    """Deploy the contract that pays batches unless it is there; its address, lower-case. Safe to repeat."""
    disperse = _first_contract_of(DISPERSE_DEPLOYER_INDEX)
    _Chain(rpc_url, DISPERSE_DEPLOYER_INDEX).deploy(load_artifact("Disperse"), disperse)
    return disperse


def give_gas(rpc_url: str, *, to: str) -> None:
    """Send `to` native coins for fees, unless it has some. Safe to repeat."""
    chain = _Chain(rpc_url)
    chain.require_development()
    if int(chain.call("eth_getBalance", to, "latest"), 16) == 0:
        chain.send(to, b"", value_wei=GAS_GIFT_WEI)


class _Chain:
    """A node on this machine, asked by the standard library: loading a client takes longer than all
    of its questions.
    """

    def __init__(self, url: str, deployer: int = DEPLOYER_INDEX) -> None:
        self._opener = build_opener(ProxyHandler({}))
        self._url = url
        self._ids = itertools.count(1)
        self._deployer = development_account(deployer)

    def call(self, method: str, *params: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        posted = Request(  # noqa: S310 - settings let only http(s) addresses through
            self._url, json.dumps(request).encode(), {"Content-Type": "application/json"}
        )
        with self._opener.open(posted, timeout=_RECEIPT_TIMEOUT_S) as response:
            answer = json.load(response)
        if "error" in answer:
            raise Transient("DEVCHAIN_REFUSED", f"{method}: {answer['error']['message']}")
        return answer["result"]

    def require_development(self) -> None:
        found = int(self.call("eth_chainId"), 16)
        if found != CHAIN_ID:
            raise NotPermitted(
                "NOT_DEVELOPMENT_CHAIN",
                f"test tokens are made on chain {CHAIN_ID} only; this is chain {found}",
            )

    def deploy(self, artifact: Artifact, at: str, arguments: bytes = b"") -> None:
        """Create the contract, which falls on the address `at`, unless it stands there already."""
        self.require_development()
        # What an interrupted start left waiting must be mined before it can be seen.
        self.call("evm_mine")
        code = bytes.fromhex(self.call("eth_getCode", at, "latest")[2:])
        if not code:
            self.send(None, artifact.bytecode + arguments)
        elif keccak(code) != artifact.runtime_code_hash:
            raise InvariantViolated(
                "TEST_CONTRACT_CODE",
                f"{at} holds other code than {artifact.name}; start with a new chain",
            )

    def was_minted(self, token: str, receiver: str) -> bool:
        topics = [_TRANSFER_TOPIC, "0x" + "0" * 64, "0x" + receiver[2:].lower().rjust(64, "0")]
        wanted = {"fromBlock": "0x0", "toBlock": "latest", "address": token, "topics": topics}
        return bool(self.call("eth_getLogs", wanted))

    def send(self, to: str | None, payload: bytes, *, value_wei: int = 0) -> None:
        """Sign as the deployer, send, have it mined, and require success."""
        base_fee_wei = int(self.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
        nonce = int(self.call("eth_getTransactionCount", self._deployer.address, "latest"), 16)
        transaction = UnsignedTransaction(
            chain_id=CHAIN_ID,
            nonce=nonce,
            sender=self._deployer.address.lower(),
            to=to or "0x",
            value_wei=value_wei,
            data=payload,
            fees=FeeTerms(_GAS_LIMIT, 2 * base_fee_wei + _TIP_WEI, _TIP_WEI),
        )
        key = PrivateKey(self._deployer.key)
        signature = key.sign_recoverable(unsigned_hash(transaction), hasher=None)
        raw = sealed(transaction, signature).raw
        sent = self.call("eth_sendRawTransaction", "0x" + raw.hex())
        self.call("evm_mine")
        deadline = time.monotonic() + _RECEIPT_TIMEOUT_S
        while (receipt := self.call("eth_getTransactionReceipt", sent)) is None:
            if time.monotonic() > deadline:
                raise Transient("DEVCHAIN_SILENT", f"no receipt of {sent} yet; start again")
            time.sleep(0.05)
        if receipt["status"] != "0x1":
            raise InvariantViolated("TEST_TOKEN_FAILED", f"transaction {sent} reverted")


def _two_strings(first: str, second: str) -> bytes:
    """ABI encoding of (string, string): two offsets, then length and padded bytes of each."""
    heads, tail = b"", b""
    for text in (first.encode("utf-8"), second.encode("utf-8")):
        heads += (64 + len(tail)).to_bytes(32)
        tail += len(text).to_bytes(32) + text.ljust(-(-len(text) // 32) * 32, b"\0")
    return heads + tail
