"""Owns calls to one node, single and in batches. Must never retry: the caller knows the effect.

A batch is one round trip for up to `batch_limit` calls; a thousand balances cost two of them.
"""

import asyncio
import sys
from collections.abc import Sequence

from treasurer.chain.errors import LIMIT_EXCEEDED, ChainRateLimited
from treasurer.chain.json_rpc import Json, Result, RpcFailure, results, value
from treasurer.chain.pace import RequestPace
from treasurer.kernel.errors import Transient

_RECURSION_LIMIT = 1_000
"""Python's own. py_ecc, which web3 imports, sets 100,000 for the whole process: JSON nested that deep,
from a node or a model, would then end the worker by a segmentation fault instead of an exception."""


class JsonRpc:
    """A node, asked in batches of at most `batch_limit` calls at the given pace. Built within a running
    loop.
    """

    def __init__(self, url: str, *, timeout_s: float, batch_limit: int, pace: RequestPace) -> None:
        # Here and not above, so that only a process that talks to a chain imports web3.
        from treasurer.chain.node import Node

        sys.setrecursionlimit(_RECURSION_LIMIT)
        self._node = Node(url, timeout_s=timeout_s)
        self._batch_limit = batch_limit
        self._pace = pace

    async def close(self) -> None:
        """Close the connections."""
        await self._node.close()

    async def call(self, method: str, *parameters: Json) -> Json:
        """The result of one call. Raises Transient, or Permanent where the call reverts."""
        (result,) = await self.batch(method, [parameters])
        return value(method, result)

    async def batch(self, method: str, calls: Sequence[Sequence[Json]]) -> list[Result]:
        """One `method` with many parameters; results in the order of `calls`. Never raises."""
        chunks = [
            calls[start : start + self._batch_limit]
            for start in range(0, len(calls), self._batch_limit)
        ]
        answered = await asyncio.gather(*(self._chunk(method, chunk) for chunk in chunks))
        return [result for chunk in answered for result in chunk]

    async def batch_in_order(self, method: str, calls: Sequence[Sequence[Json]]) -> list[Result]:
        """As `batch`, one chunk after the other: for writes whose order the node must see."""
        answered: list[Result] = []
        for start in range(0, len(calls), self._batch_limit):
            answered += await self._chunk(method, calls[start : start + self._batch_limit])
        return answered

    async def _chunk(self, method: str, calls: Sequence[Sequence[Json]]) -> list[Result]:
        if (closed_s := self._pace.closed_s()) > 0:
            return [ChainRateLimited(method, closed_s)] * len(calls)
        await asyncio.sleep(self._pace.take(len(calls)) / 1e9)
        answer = await self._node.exchange(method, calls)
        if isinstance(answer, Transient):
            if isinstance(answer, ChainRateLimited):
                self._pace.close_for(answer.retry_after_s)
            return [answer] * len(calls)
        answered = results(method, answer.ids, answer.content)
        if any(isinstance(one, RpcFailure) and one.code == LIMIT_EXCEEDED for one in answered):
            self._pace.close_for(1)
        return answered
