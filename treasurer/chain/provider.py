"""Owns one provider among several: who it proved to be and how it answers. Must never outvote another.

A provider that names another chain id or genesis is dropped, and asked nothing else until it proves
itself again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import structlog

from treasurer.chain.errors import ChainRateLimited, NetworkMismatch
from treasurer.chain.health import Health
from treasurer.chain.port import BlockRef, OpenChain
from treasurer.kernel.errors import Transient

T = TypeVar("T")
NowNs = Callable[[], int]
PROOF_LASTS_NS = 10 * 10**9
"""So long a proof of identity is believed; from half of that on it is renewed beside the work."""
DISTRUST_LASTS_NS = 60 * 10**9

log = structlog.get_logger("chain.provider")


@dataclass(frozen=True, slots=True)
class Identity:
    """What makes a network this one. `genesis_hash` is None until a first provider has named it."""

    chain_id: int
    genesis_hash: bytes | None


class Provider:
    """A node behind an address that may hold a secret; `name` is its host and is safe to show."""

    def __init__(self, name: str, chain: OpenChain, now_ns: NowNs = time.monotonic_ns) -> None:
        self.name = name
        self.chain = chain
        self.health = Health()
        self.mismatch: NetworkMismatch | None = None
        """Why it is dropped; None while it is not."""
        self.genesis_hash: bytes | None = None
        self._proven_until_ns = 0
        self._distrusted_until_ns = 0
        self._now_ns = now_ns

    @property
    def proven(self) -> bool:
        """Whether it showed lately that it serves this network."""
        return self._now_ns() < self._proven_until_ns

    @property
    def trusted(self) -> bool:
        """Whether nothing speaks against it; it need not have proven anything yet."""
        return self.mismatch is None and self._now_ns() >= self._distrusted_until_ns

    @property
    def proof_is_due(self) -> bool:
        now_ns = self._now_ns()
        return (
            now_ns >= self._proven_until_ns - PROOF_LASTS_NS // 2
            and now_ns >= self.health.resting_until_ns
            and now_ns >= self._distrusted_until_ns
        )

    async def ask(self, question: Callable[[OpenChain], Awaitable[T]]) -> T:
        """The answer to `question`, its time and its failure kept in `health`. Raises what it raises."""
        began_ns = self._now_ns()
        try:
            answer = await question(self.chain)
        except Transient as error:
            wait_s = error.retry_after_s if isinstance(error, ChainRateLimited) else 0
            self.health = self.health.failed(self._now_ns(), retry_after_s=wait_s)
            raise
        self.health = self.health.answered(self._now_ns() - began_ns)
        return answer

    async def prove(self, expected: Callable[[], Identity]) -> None:
        """Ask who it is. Without an answer it stays as it was, with a wrong one it is dropped."""
        try:
            chain_id, genesis, head = await self.ask(_who_are_you)
        except Transient as error:
            log.warning("provider.silent", provider=self.name, code=error.code)
            return
        # Only now: while it was asked another one may have named the genesis.
        self.mismatch = self._contradiction(expected(), chain_id, genesis)
        if self.mismatch is not None:
            self._proven_until_ns = 0
            self._distrusted_until_ns = self._now_ns() + PROOF_LASTS_NS // 2
            return
        self.genesis_hash = genesis
        self.health = self.health.saw_head(head.number, self._now_ns())
        self._proven_until_ns = self._now_ns() + PROOF_LASTS_NS

    def outvoted(self, question: str) -> None:
        """Others agreed on another answer: ask it nothing for a while, then let it prove itself again."""
        self._proven_until_ns = 0
        self._distrusted_until_ns = self._now_ns() + DISTRUST_LASTS_NS
        log.error("provider.outvoted", provider=self.name, question=question)

    def _contradiction(
        self, expected: Identity, chain_id: int, genesis: bytes
    ) -> NetworkMismatch | None:
        if chain_id != expected.chain_id:
            found = NetworkMismatch(
                "CHAIN_ID_MISMATCH",
                f"{self.name} serves chain {chain_id}, not {expected.chain_id}: check RPC_URL",
            )
        elif expected.genesis_hash not in {None, genesis}:
            found = NetworkMismatch(
                "CHAIN_GENESIS_MISMATCH",
                f"{self.name}: block 0 is 0x{genesis.hex()}: another chain with the same id",
            )
        else:
            return None
        log.error("provider.dropped", provider=self.name, code=found.code, message=found.message)
        return found


async def _who_are_you(chain: OpenChain) -> tuple[int, bytes, BlockRef]:
    return await asyncio.gather(chain.chain_id(), chain.genesis_hash(), chain.head())


def provider_name(url: str, position: int) -> str:
    """Host and port of an address, without path, query and user, in which providers put their keys."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{position}:{parts.hostname or '?'}{port}"
