"""Owns reading `Transfer` events of a range of blocks in pages. Must never return a part as the whole.

Providers bound how many blocks and how many logs one question may cover, each in its own words.
"""

from collections.abc import Sequence

from treasurer.chain import decoding
from treasurer.chain.errors import RpcError
from treasurer.chain.json_rpc import Json
from treasurer.chain.port import PlacedLog
from treasurer.chain.rpc import JsonRpc
from treasurer.chain.tokens import TRANSFER_TOPIC

PAGE_BLOCKS = 500


async def transfer_logs(
    rpc: JsonRpc, tokens: Sequence[str], holders: Sequence[str], first: int, last: int
) -> tuple[PlacedLog, ...]:
    """As the port's method, through one node."""
    if not tokens or not holders:
        return ()
    own: Json = ["0x" + holder[2:].rjust(64, "0") for holder in holders]
    topic: Json = "0x" + TRANSFER_TOPIC.hex()
    found: dict[tuple[int, int], PlacedLog] = {}
    for start in range(first, last + 1, PAGE_BLOCKS):
        end = min(last, start + PAGE_BLOCKS - 1)
        for topics in ([topic, own], [topic, None, own]):
            for placed in await _page(rpc, list(tokens), topics, start, end):
                found[placed.block_number, placed.log.log_index] = placed
    return tuple(found[place] for place in sorted(found))


async def _page(
    rpc: JsonRpc, tokens: list[Json], topics: list[Json], first: int, last: int
) -> list[PlacedLog]:
    """One question; halved where the provider refuses it, since most refuse the size of the answer."""
    wanted: Json = {
        "fromBlock": hex(first),
        "toBlock": hex(last),
        "address": tokens,
        "topics": topics,
    }
    try:
        answer = await rpc.call("eth_getLogs", wanted)
    except RpcError:
        if first == last:
            raise
        middle = (first + last) // 2
        lower = await _page(rpc, tokens, topics, first, middle)
        return lower + await _page(rpc, tokens, topics, middle + 1, last)
    return decoding.decode("eth_getLogs", decoding.placed_logs, answer)
