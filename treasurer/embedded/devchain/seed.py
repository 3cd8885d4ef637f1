"""Owns the test stablecoin of a fresh development chain. Must never run against a chain with value.

Works on any node with the usual mnemonic that knows `evm_mine`, which anvil also does.
"""

import itertools
import time
from typing import Any

import httpx
from eth_abi.abi import encode as abi_encode
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rlp import encode as rlp_encode

from contracts.artifacts import load_artifact
from treasurer.embedded.devchain.accounts import CHAIN_ID, DEPLOYER_INDEX, development_account
from treasurer.kernel.errors import InvariantViolated, NotPermitted, Transient

TOKEN_NAME = "USD Coin (test)"  # noqa: S105
TOKEN_SYMBOL = "USDC"  # noqa: S105
MINTED_MINOR = 1_000_000 * 10**6
_GAS_LIMIT = 1_500_000
_TIP_WEI = 10**9
_RECEIPT_TIMEOUT_S = 15.0
_TRANSFER_TOPIC = "0x" + keccak(text="Transfer(address,address,uint256)").hex()


def test_usd_address() -> str:
    """Where the token lies: the first contract that the deployer's account creates. Lower-case."""
    deployer = bytes.fromhex(development_account(DEPLOYER_INDEX).address[2:])
    return "0x" + keccak(rlp_encode([deployer, 0]))[12:].hex()


def deploy_test_usd(rpc_url: str, *, mint_to: str, amount_minor: int = MINTED_MINOR) -> str:
    """Deploy TestUSD unless it is there, mint `amount_minor` to `mint_to` unless that was done once.

    Returns the token's address, lower-case. Safe to repeat after any interruption.
    """
    artifact = load_artifact("TestUSD")
    token = test_usd_address()
    with httpx.Client(timeout=_RECEIPT_TIMEOUT_S) as client:
        chain = _Chain(client, rpc_url)
        chain.require_development()
        # What an interrupted start left waiting must be mined before it can be seen.
        chain.call("evm_mine")
        code = bytes.fromhex(chain.call("eth_getCode", token, "latest")[2:])
        if not code:
            names = abi_encode(["string", "string"], [TOKEN_NAME, TOKEN_SYMBOL])
            chain.send(None, artifact.bytecode + names)
        elif keccak(code) != artifact.runtime_code_hash:
            raise InvariantViolated(
                "TEST_TOKEN_CODE", f"{token} holds other code than TestUSD; start with a new chain"
            )
        if not chain.was_minted(token, mint_to):
            selector = keccak(text="mint(address,uint256)")[:4]
            arguments = abi_encode(["address", "uint256"], [mint_to, amount_minor])
            chain.send(token, selector + arguments)
    return token


class _Chain:
    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self._url = url
        self._ids = itertools.count(1)
        self._deployer = development_account(DEPLOYER_INDEX)

    def call(self, method: str, *params: Any) -> Any:
        request = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        answer = self._client.post(self._url, json=request).raise_for_status().json()
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

    def was_minted(self, token: str, receiver: str) -> bool:
        topics = [_TRANSFER_TOPIC, "0x" + "0" * 64, "0x" + receiver[2:].lower().rjust(64, "0")]
        wanted = {"fromBlock": "0x0", "toBlock": "latest", "address": token, "topics": topics}
        return bool(self.call("eth_getLogs", wanted))

    def send(self, to: str | None, payload: bytes) -> None:
        """Sign as the deployer, send, have it mined, and require success."""
        base_fee_wei = int(self.call("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)
        terms: dict[str, Any] = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": int(
                self.call("eth_getTransactionCount", self._deployer.address, "latest"), 16
            ),
            "gas": _GAS_LIMIT,
            "maxFeePerGas": 2 * base_fee_wei + _TIP_WEI,
            "maxPriorityFeePerGas": _TIP_WEI,
            "value": 0,
            "data": payload,
        }
        if to is not None:
            terms["to"] = to_checksum_address(to)
        signed = self._deployer.sign_transaction(terms)
        sent = self.call("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
        self.call("evm_mine")
        deadline = time.monotonic() + _RECEIPT_TIMEOUT_S
        while (receipt := self.call("eth_getTransactionReceipt", sent)) is None:
            if time.monotonic() > deadline:
                raise Transient("DEVCHAIN_SILENT", f"no receipt of {sent} yet; start again")
            time.sleep(0.05)
        if receipt["status"] != "0x1":
            raise InvariantViolated("TEST_TOKEN_FAILED", f"transaction {sent} reverted")
