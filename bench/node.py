"""Owns the other sides of the comparison on anvil: the node itself, and web3 step by step.

Must never hold our side up to a slow client: raw bytes go out as fast as the node takes them, two
batches of JSON-RPC beside each other, which it took fastest of 1 to 32.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from coincurve import PrivateKey
from web3 import HTTPProvider, Web3

from signer.envelope import sealed, unsigned_hash
from treasurer.embedded.devchain.accounts import CHAIN_ID, development_account
from treasurer.kernel.transaction import FeeTerms, UnsignedTransaction

CONNECTIONS = 2
GWEI = 10**9
_ERC20 = [
    {
        "type": "function",
        "name": "transfer",
        "stateMutability": "nonpayable",
        "inputs": [{"name": "to", "type": "address"}, {"name": "amount", "type": "uint256"}],
        "outputs": [{"type": "bool"}],
    }
]


class Node:
    """JSON-RPC in batches, without any reading of answers beyond their results."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(timeout=60)

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, method: str, *parameters: Any) -> Any:
        (result,) = await self.batch(method, [list(parameters)])
        return result

    async def batch(self, method: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """One request; results in the order of `calls`. Raises at the first refusal."""
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
            for number, parameters in enumerate(calls)
        ]
        answer = await self._http.post(
            self.url, content=orjson.dumps(body), headers={"Content-Type": "application/json"}
        )
        found = sorted(orjson.loads(answer.content), key=lambda entry: entry["id"])
        for entry in found:
            if "error" in entry:
                raise RuntimeError(f"{method}: {entry['error']}")
        return [entry["result"] for entry in found]

    async def mine(self, blocks: int) -> None:
        """What time does on a chain: later blocks make earlier ones final."""
        await self.call("anvil_mine", hex(blocks))

    async def take(self, raws: Sequence[str], connections: int = CONNECTIONS) -> float:
        """Seconds from the first byte out to the last receipt in; `raws` are in order a sender."""
        share = -(-len(raws) // connections)
        started = time.perf_counter()
        await asyncio.gather(
            *(self._take(raws[at : at + share]) for at in range(0, len(raws), share))
        )
        return time.perf_counter() - started

    async def _take(self, raws: Sequence[str]) -> None:
        missing = await self.batch("eth_sendRawTransaction", [(raw,) for raw in raws])
        while missing:
            receipts = await self.batch("eth_getTransactionReceipt", [(each,) for each in missing])
            if any(receipt and receipt["status"] != "0x1" for receipt in receipts):
                raise RuntimeError("a raw transaction reverted")
            missing = [each for each, found in zip(missing, receipts, strict=True) if not found]


@dataclass(slots=True)
class Sender:
    """A development account that signs by itself, with its next nonce."""

    key: PrivateKey
    address: str
    nonce: int = 0

    @classmethod
    def of(cls, index: int) -> "Sender":
        account = development_account(index)
        return cls(PrivateKey(account.key), account.address.lower())

    def signed(self, to: str, data: bytes, gas_limit: int) -> str:
        """The next transaction's raw bytes as 0x hex."""
        transaction = UnsignedTransaction(
            chain_id=CHAIN_ID,
            nonce=self.nonce,
            sender=self.address,
            to=to,
            value_wei=0,
            data=data,
            fees=FeeTerms(gas_limit, 100 * GWEI, GWEI),
        )
        self.nonce += 1
        signature = self.key.sign_recoverable(unsigned_hash(transaction), hasher=None)
        return "0x" + sealed(transaction, signature).raw.hex()


class StepByStep:
    """A payment as web3's documents show it: nonce, gas, fee, sign, send, wait; one after another.

    It looks for its receipt every millisecond, where web3's own default is a tenth of a second.
    """

    def __init__(self, url: str, token: str, sender: Sender) -> None:
        self._web3 = Web3(HTTPProvider(url))
        self._account = self._web3.eth.account.from_key(sender.key.secret)
        self._token = self._web3.eth.contract(Web3.to_checksum_address(token), abi=_ERC20)

    def pay(self, recipients: Sequence[str], amount_minor: int) -> float:
        """Payments a second."""
        started = time.perf_counter()
        for recipient in recipients:
            self._pay(Web3.to_checksum_address(recipient), amount_minor)
        return len(recipients) / (time.perf_counter() - started)

    def _pay(self, recipient: str, amount_minor: int) -> None:
        eth = self._web3.eth
        nonce = eth.get_transaction_count(self._account.address)
        transfer = self._token.functions.transfer(recipient, amount_minor)
        gas = transfer.estimate_gas({"from": self._account.address})
        tip = eth.max_priority_fee
        base_fee = eth.get_block("latest")["baseFeePerGas"]
        transaction = transfer.build_transaction(
            {
                "from": self._account.address,
                "nonce": nonce,
                "gas": gas,
                "chainId": CHAIN_ID,
                "maxPriorityFeePerGas": tip,
                "maxFeePerGas": 2 * base_fee + tip,
            }
        )
        raw = self._account.sign_transaction(transaction).raw_transaction
        receipt = eth.wait_for_transaction_receipt(
            eth.send_raw_transaction(raw), poll_latency=0.001
        )
        if receipt["status"] != 1:
            raise RuntimeError("a payment by web3 reverted")
