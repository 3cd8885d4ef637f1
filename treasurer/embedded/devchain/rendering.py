"""Owns the JSON shapes of blocks, transactions, receipts (Ethereum JSON-RPC). Must never read state."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import orjson
from eth.abc import ReceiptAPI, SignedTransactionAPI
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rlp import encode as rlp_encode

from treasurer.embedded.devchain.accounts import CHAIN_ID

Header: TypeAlias = Any
"""A py-evm block header. Its annotations allow None for fields that every block of ours has."""


def quantity(value: int) -> str:
    """An unsigned integer as JSON-RPC writes it: hex without leading zeros."""
    return hex(value)


def data(value: bytes) -> str:
    """Bytes as JSON-RPC writes them: hex, two digits a byte."""
    return "0x" + value.hex()


def address_or_none(value: bytes) -> str | None:
    """The lower-case address, or None for the empty `to` of a contract creation."""
    return data(value) if value else None


def transaction_type(transaction: SignedTransactionAPI) -> int:
    """EIP-2718 type; 0 for a legacy transaction."""
    return transaction.type_id or 0


def effective_gas_price_wei(transaction: SignedTransactionAPI, base_fee_wei: int) -> int:
    """What a unit of gas costs in a block of that base fee (EIP-1559)."""
    return int(
        min(
            transaction.max_fee_per_gas,
            base_fee_wei + transaction.max_priority_fee_per_gas,
        )
    )


def transaction_object(
    transaction: SignedTransactionAPI, header: Header | None, position: int | None
) -> dict[str, Any]:
    """A transaction; `header` and `position` are None while it waits for a block."""
    kind = transaction_type(transaction)
    parity = transaction.y_parity
    price = (
        transaction.max_fee_per_gas
        if header is None
        else effective_gas_price_wei(transaction, header.base_fee_per_gas)
    )
    shown: dict[str, Any] = {
        "type": quantity(kind),
        "hash": data(transaction.hash),
        "nonce": quantity(transaction.nonce),
        "blockHash": None if header is None else data(header.hash),
        "blockNumber": None if header is None else quantity(header.block_number),
        "transactionIndex": None if position is None else quantity(position),
        "from": data(transaction.sender),
        "to": address_or_none(transaction.to),
        "value": quantity(transaction.value),
        "gas": quantity(transaction.gas),
        "gasPrice": quantity(price),
        "input": data(transaction.data),
        "chainId": quantity(CHAIN_ID),
        # EIP-155 folds the chain id into a legacy transaction's v.
        "v": quantity(parity if kind else CHAIN_ID * 2 + 35 + parity),
        "r": quantity(transaction.r),
        "s": quantity(transaction.s),
    }
    if kind > 0:
        shown["yParity"] = quantity(parity)
        shown["accessList"] = [
            {
                "address": data(account),
                "storageKeys": [data(slot.to_bytes(32, "big")) for slot in slots],
            }
            for account, slots in transaction.access_list
        ]
    if kind > 1:
        shown["maxFeePerGas"] = quantity(transaction.max_fee_per_gas)
        shown["maxPriorityFeePerGas"] = quantity(transaction.max_priority_fee_per_gas)
    return shown


def render_transaction(transaction: SignedTransactionAPI, header: Header, position: int) -> bytes:
    return orjson.dumps(transaction_object(transaction, header, position))


def render_receipt(
    transaction: SignedTransactionAPI,
    receipt: ReceiptAPI,
    header: Header,
    position: int,
    gas_before: int,
    logs_before: int,
) -> bytes:
    """The receipt; `gas_before` and `logs_before` count what came earlier in the block."""
    created = None
    if not transaction.to:
        created = data(keccak(rlp_encode([transaction.sender, transaction.nonce]))[12:])
    place = {
        "blockHash": data(header.hash),
        "blockNumber": quantity(header.block_number),
        "transactionHash": data(transaction.hash),
        "transactionIndex": quantity(position),
    }
    logs = [
        {
            **place,
            "address": data(log.address),
            "topics": [data(topic.to_bytes(32, "big")) for topic in log.topics],
            "data": data(log.data),
            "logIndex": quantity(index),
            "blockTimestamp": quantity(header.timestamp),
            "removed": False,
        }
        for index, log in enumerate(receipt.logs, start=logs_before)
    ]
    return orjson.dumps(
        {
            **place,
            "type": quantity(transaction_type(transaction)),
            "status": quantity(int.from_bytes(receipt.state_root, "big")),
            "from": data(transaction.sender),
            "to": address_or_none(transaction.to),
            "contractAddress": None if created is None else to_checksum_address(created),
            "cumulativeGasUsed": quantity(receipt.gas_used),
            "gasUsed": quantity(receipt.gas_used - gas_before),
            "effectiveGasPrice": quantity(
                effective_gas_price_wei(transaction, header.base_fee_per_gas)
            ),
            "logsBloom": data(receipt.bloom.to_bytes(256, "big")),
            "logs": logs,
        }
    )


def block_object(header: Header, transactions: Sequence[Any]) -> dict[str, Any]:
    """A block; `transactions` are hashes or transaction objects, as the caller was asked."""
    return {
        "number": quantity(header.block_number),
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "nonce": data(header.nonce),
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": data(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": data(header.transaction_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": data(header.coinbase),
        "difficulty": quantity(header.difficulty),
        "mixHash": data(header.mix_hash),
        "extraData": data(header.extra_data),
        "size": quantity(len(rlp_encode(header))),
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "baseFeePerGas": quantity(header.base_fee_per_gas),
        "timestamp": quantity(header.timestamp),
        "withdrawals": [],
        "withdrawalsRoot": data(header.withdrawals_root),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": data(header.parent_beacon_block_root),
        "transactions": list(transactions),
        "uncles": [],
    }
