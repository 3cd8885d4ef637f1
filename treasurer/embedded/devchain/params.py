"""Owns the reading of JSON-RPC parameters: hex, block tags, call objects. Refuses, never guesses."""

import re
from typing import Any

from eth_typing import Address, Hash32

from treasurer.embedded.devchain.chain import BLOCK_GAS_LIMIT, ZERO_ADDRESS
from treasurer.embedded.devchain.errors import SERVER_ERROR, RpcError, invalid_params
from treasurer.embedded.devchain.execution import Call
from treasurer.embedded.devchain.node import Node
from treasurer.embedded.devchain.rendering import Header

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)


def hex_bytes(value: Any, size: int | None = None) -> bytes:
    """Bytes of a 0x string, `size` of them when given."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise invalid_params("expected a 0x hex string")
    try:
        read = bytes.fromhex(value[2:])
    except ValueError as error:
        raise invalid_params(f"not hex: {error}") from error
    if size is not None and len(read) != size:
        raise invalid_params(f"expected {size} bytes, got {len(read)}")
    return read


def address_bytes(value: Any) -> Address:
    return Address(hex_bytes(value, 20))


def hash_bytes(value: Any) -> Hash32:
    return Hash32(hex_bytes(value, 32))


def hex_quantity(value: Any) -> int:
    """A non-negative integer of a 0x string."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise invalid_params("expected a 0x quantity")
    return int(value, 16)


def block_number(node: Node, tag: Any) -> int:
    """The number that a block tag or quantity names; it may lie above the head.

    `pending` is read as `latest`: what waits is not executed before its block. `safe` is `finalized`.
    """
    match tag:
        case "latest" | "pending":
            return int(node.chain.head.block_number)
        case "finalized" | "safe":
            return int(node.finalized().block_number)
        case "earliest":
            return 0
        case _:
            return hex_quantity(tag)


def header_at(node: Node, tag: Any) -> Header | None:
    """The canonical header that a tag, quantity or EIP-1898 object names; None if there is none."""
    if isinstance(tag, dict):
        if "blockHash" in tag:
            return node.chain.header_by_hash(hash_bytes(tag["blockHash"]))
        tag = tag.get("blockNumber")
    return node.chain.header(block_number(node, tag))


def required_header(node: Node, tag: Any) -> Header:
    """As `header_at`, but refuses a block that does not exist."""
    found = header_at(node, tag)
    if found is None:
        raise RpcError(SERVER_ERROR, "header not found")
    return found


def call_object(value: Any) -> Call:
    """The transaction object of `eth_call` and `eth_estimateGas`."""
    if not isinstance(value, dict):
        raise invalid_params("the call must be an object")
    payload = value.get("input", value.get("data"))
    sender, to = value.get("from"), value.get("to")
    return Call(
        sender=ZERO_ADDRESS if sender is None else address_bytes(sender),
        to=Address(b"") if to is None else address_bytes(to),
        data=b"" if payload is None else hex_bytes(payload),
        value_wei=hex_quantity(value.get("value", "0x0")),
        gas=min(hex_quantity(value.get("gas", hex(BLOCK_GAS_LIMIT))), BLOCK_GAS_LIMIT),
    )
