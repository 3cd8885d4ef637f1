"""Owns `eth_getLogs`. Reads only blocks that have transactions, so empty stretches cost nothing."""

from dataclasses import dataclass
from typing import Any

import orjson

from treasurer.embedded.devchain.errors import invalid_params
from treasurer.embedded.devchain.node import Node
from treasurer.embedded.devchain.params import block_number, hash_bytes, hex_bytes


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Blocks `first` to `last`; an empty set lets everything pass. Lower-case hex."""

    first: int
    last: int
    addresses: frozenset[str]
    topics: tuple[frozenset[str], ...]

    def lets_pass(self, log: dict[str, Any]) -> bool:
        if self.addresses and log["address"] not in self.addresses:
            return False
        if len(self.topics) > len(log["topics"]):
            return False
        return all(
            not wanted or topic in wanted
            for wanted, topic in zip(self.topics, log["topics"], strict=False)
        )


def get_logs(node: Node, request: Any) -> list[dict[str, Any]]:
    """Logs that match a filter object (a range, or by EIP-234 a block hash), in canonical order."""
    wanted = _read_filter(node, request)
    return [
        log
        for row in node.store.mined_between(wanted.first, wanted.last)
        for log in orjson.loads(row.receipt_json)["logs"]
        if wanted.lets_pass(log)
    ]


def _read_filter(node: Node, request: Any) -> LogFilter:
    if not isinstance(request, dict):
        raise invalid_params("the filter must be an object")
    if "blockHash" in request:
        if "fromBlock" in request or "toBlock" in request:
            raise invalid_params("blockHash excludes fromBlock and toBlock")
        header = node.chain.header_by_hash(hash_bytes(request["blockHash"]))
        if header is None:
            raise invalid_params("unknown block")
        first = last = int(header.block_number)
    else:
        first = block_number(node, request.get("fromBlock", "latest"))
        last = min(
            block_number(node, request.get("toBlock", "latest")), node.chain.head.block_number
        )
    return LogFilter(
        first=first,
        last=last,
        addresses=_hex_set(request.get("address"), 20),
        topics=tuple(_hex_set(topic, 32) for topic in request.get("topics") or []),
    )


def _hex_set(value: Any, size: int) -> frozenset[str]:
    if value is None:
        return frozenset()
    items = value if isinstance(value, list) else [value]
    return frozenset("0x" + hex_bytes(item, size).hex() for item in items)
