"""Owns the JSON-RPC methods by name. Must never know HTTP: parameters in, JSON values out."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from treasurer.embedded.devchain.accounts import CHAIN_ID, development_addresses
from treasurer.embedded.devchain.errors import METHOD_NOT_FOUND, RpcError, invalid_params
from treasurer.embedded.devchain.execution import call, estimate_gas
from treasurer.embedded.devchain.fees import SUGGESTED_TIP_WEI, fee_history
from treasurer.embedded.devchain.logs import get_logs
from treasurer.embedded.devchain.node import Node
from treasurer.embedded.devchain.params import (
    address_bytes,
    block_number,
    call_object,
    hash_bytes,
    header_at,
    hex_bytes,
    hex_quantity,
    required_header,
)
from treasurer.embedded.devchain.rendering import (
    Header,
    block_object,
    data,
    quantity,
    transaction_object,
)

CLIENT_VERSION = "treasurer-devchain/1"


class RpcMethods:
    """Answers JSON-RPC calls from one node. Every method runs to its end before the next begins."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._methods: dict[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: CLIENT_VERSION,
            "net_version": lambda: str(CHAIN_ID),
            "eth_chainId": lambda: quantity(CHAIN_ID),
            "eth_accounts": lambda: [address.lower() for address in development_addresses()],
            "eth_syncing": lambda: False,
            "eth_blockNumber": lambda: quantity(node.chain.head.block_number),
            "eth_gasPrice": lambda: quantity(node.chain.next_base_fee_wei() + SUGGESTED_TIP_WEI),
            "eth_maxPriorityFeePerGas": lambda: quantity(SUGGESTED_TIP_WEI),
            "eth_feeHistory": self._fee_history,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockReceipts": self._block_receipts,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": lambda request: get_logs(node, request),
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_getStorageAt": self._storage,
            "eth_getTransactionCount": self._transaction_count,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate_gas,
            "eth_sendRawTransaction": lambda raw: data(node.send_raw(hex_bytes(raw))),
            "evm_mine": self._mine,
            "evm_snapshot": lambda: quantity(node.snapshot()),
            "evm_revert": self._revert,
        }

    def answer(self, method: str, params: Sequence[Any]) -> Any:
        """The result of `method`. Raises RpcError for what is refused, unknown or malformed."""
        found = self._methods.get(method)
        if found is None:
            raise RpcError(METHOD_NOT_FOUND, f"the method {method} does not exist/is not available")
        try:
            return found(*params)
        except TypeError as error:
            # A wrong number of parameters shows as TypeError of this very call, one frame deep.
            traceback = error.__traceback__
            if traceback is not None and traceback.tb_next is None:
                raise invalid_params(f"{method}: wrong number of parameters") from error
            raise

    def _fee_history(self, count: Any, newest: Any, percentiles: Any = None) -> dict[str, Any]:
        header = required_header(self._node, newest)
        wanted = hex_quantity(count) if isinstance(count, str) else int(count)
        return fee_history(self._node, wanted, header.block_number, percentiles or [])

    def _block_by_number(self, tag: Any, full: bool = False) -> dict[str, Any] | None:
        return self._block(self._node.chain.header(block_number(self._node, tag)), full)

    def _block_by_hash(self, block_hash: Any, full: bool = False) -> dict[str, Any] | None:
        return self._block(self._node.chain.header_by_hash(hash_bytes(block_hash)), full)

    def _block(self, header: Header | None, full: bool) -> dict[str, Any] | None:
        if header is None:
            return None
        rows = self._node.mined_in(header)
        return block_object(
            header,
            [orjson.Fragment(row.transaction_json) if full else data(row.hash) for row in rows],
        )

    def _block_receipts(self, tag: Any) -> list[orjson.Fragment] | None:
        wanted = {"blockHash": tag} if isinstance(tag, str) and len(tag) == 66 else tag
        header = header_at(self._node, wanted)
        if header is None:
            return None
        return [orjson.Fragment(row.receipt_json) for row in self._node.mined_in(header)]

    def _transaction(self, transaction_hash: Any) -> Any:
        wanted = hash_bytes(transaction_hash)
        row = self._node.store.mined(wanted)
        if row is not None:
            return orjson.Fragment(row.transaction_json)
        waiting = self._node.pool.get(wanted)
        return None if waiting is None else transaction_object(waiting.transaction, None, None)

    def _receipt(self, transaction_hash: Any) -> orjson.Fragment | None:
        row = self._node.store.mined(hash_bytes(transaction_hash))
        return None if row is None else orjson.Fragment(row.receipt_json)

    def _balance(self, account: Any, tag: Any = "latest") -> str:
        state = self._node.chain.state(required_header(self._node, tag))
        return quantity(state.get_balance(address_bytes(account)))

    def _code(self, account: Any, tag: Any = "latest") -> str:
        state = self._node.chain.state(required_header(self._node, tag))
        return data(state.get_code(address_bytes(account)))

    def _storage(self, account: Any, slot: Any, tag: Any = "latest") -> str:
        state = self._node.chain.state(required_header(self._node, tag))
        word = state.get_storage(address_bytes(account), hex_quantity(slot))
        return data(word.to_bytes(32, "big"))

    def _transaction_count(self, account: Any, tag: Any = "latest") -> str:
        sender = address_bytes(account)
        nonce = self._node.chain.state(required_header(self._node, tag)).get_nonce(sender)
        if tag == "pending":
            nonce = self._node.pool.next_nonce(sender, nonce)
        return quantity(nonce)

    def _call(self, request: Any, tag: Any = "latest") -> str:
        header = required_header(self._node, tag)
        return data(call(self._node.chain, header, call_object(request)))

    def _estimate_gas(self, request: Any, tag: Any = "latest") -> str:
        header = required_header(self._node, tag)
        return quantity(estimate_gas(self._node.chain, header, call_object(request)))

    def _mine(self) -> str:
        self._node.mine()
        return "0x0"

    def _revert(self, number: Any) -> bool:
        self._node.revert(hex_quantity(number))
        return True
