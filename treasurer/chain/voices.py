"""Owns whom to ask, and when two voices are one answer. Must never mix answers of two providers.

A question is put whole to each provider; only whole answers are compared.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from treasurer.chain.agreement import VOICES, shared_heights, tally
from treasurer.chain.errors import ChainReorganised, ProvidersDisagree, ProvidersTooFew
from treasurer.chain.port import BlockRef, OpenChain
from treasurer.chain.provider import Identity, NowNs, Provider
from treasurer.kernel.errors import Permanent, Transient

T = TypeVar("T")
Question = Callable[[OpenChain], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class _Refused:
    """A provider's definite no, which another's can equal."""

    code: str
    error: Permanent = field(compare=False)


class Voices:
    """The providers of one network. `genesis_hash` is None where the first to answer sets it."""

    def __init__(
        self,
        chains: Mapping[str, OpenChain],
        expected: Identity,
        now_ns: NowNs = time.monotonic_ns,
    ) -> None:
        if len(chains) < VOICES:
            raise ValueError("one provider agrees with nobody")
        self.providers = tuple(Provider(name, chain, now_ns) for name, chain in chains.items())
        self._expected = expected
        self._now_ns = now_ns
        self._proofs: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """End the questions on their way and close all connections."""
        await asyncio.gather(*self._proofs.values())
        await asyncio.gather(*(provider.chain.close() for provider in self.providers))

    async def first(self, question: Question[T]) -> T:
        """The first usable answer, the best provider asked first. Raises the last failure."""
        failure: Transient | None = None
        async for provider in self.in_turn(1):
            try:
                return await provider.ask(question)
            except Transient as error:
                failure = error
        assert failure is not None
        raise failure

    async def everyone(self, question: Question[T]) -> list[T]:
        """Every provider's answer to a question that never fails; dropped and resting ones are left
        out, unless there is no other.
        """
        trusted = [provider for provider in self.providers if provider.trusted]
        awake = [provider for provider in trusted if not self._rests(provider)]
        return await asyncio.gather(*(provider.ask(question) for provider in awake or trusted))

    async def agreed(
        self, what: str, question: Question[T | None], *, number: int | None
    ) -> T | None:
        """The answer of two. `number` is the block it is about, which may be too young to be certain.

        None (a provider does not have the block) contradicts nothing: it is the answer if all give it.
        Raises ProvidersDisagree, Transient, and the Permanent error that two agree on.
        """
        opinions: dict[str, T | _Refused | None] = {}
        while more := await self._opinions(question, without=opinions):
            opinions |= more
            known = {name: answer for name, answer in opinions.items() if answer is not None}
            if not known and len(opinions) >= VOICES:
                return None
            result = tally(known)
            for name in result.outvoted:
                self._named(name).outvoted(what)
            for answer in result.agreed:
                if isinstance(answer, _Refused):
                    raise answer.error
                return answer
        if len(opinions) < VOICES or len(known) < VOICES:
            raise ProvidersTooFew(what, "the others do not answer, or do not have the block yet")
        if number is not None and number > (await self.finalized()).number:
            raise ChainReorganised(number)
        raise ProvidersDisagree(what, ", ".join(sorted(known)))

    async def finalized(self) -> BlockRef:
        """The youngest block that two hold final, each by its own chain of blocks."""
        what, finals = "the final block", dict[str, BlockRef]()
        while more := await self._opinions(lambda chain: chain.finalized(), without=finals):
            finals |= {name: one for name, one in more.items() if isinstance(one, BlockRef)}
            for candidate in shared_heights(finals):
                result = tally(await self._canonical(candidate, finals))
                if candidate.hash in result.agreed:
                    for name in result.outvoted:
                        self._named(name).outvoted(what)
                    return candidate
        if len(finals) < VOICES:
            raise ProvidersTooFew(what, "the others do not answer")
        raise ProvidersDisagree(what, ", ".join(sorted(finals)))

    async def in_turn(self, needed: int) -> AsyncIterator[Provider]:
        """Who proved to serve this network, the best first; at the end those whose proof took longer.

        Raises NetworkMismatch if all serve another one, ProvidersTooFew if `needed` did not answer.
        """
        given: set[str] = set()
        for wanted in (needed, len(self.providers)):
            for provider in await self._proven(needed, wanted):
                if provider.name not in given:
                    given.add(provider.name)
                    yield provider

    async def _proven(self, needed: int, wanted: int) -> list[Provider]:
        """As `in_turn`, once `wanted` proved themselves or no proof is on its way any more."""
        waiting = {
            self._proof(provider)
            for provider in self.providers
            if provider.proof_is_due or provider.name in self._proofs
        }
        while waiting and sum(provider.proven for provider in self.providers) < wanted:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        found = [provider for provider in self.providers if provider.proven]
        mismatches = [provider.mismatch for provider in self.providers if provider.mismatch]
        if len(mismatches) == len(self.providers):
            raise mismatches[0]
        if len(found) < needed:
            silent = ", ".join(p.name for p in self.providers if not p.proven)
            raise ProvidersTooFew("identity", f"{silent} did not prove to serve this network")
        best_head = max(provider.health.head for provider in found)
        now_ns = self._now_ns()
        return sorted(found, key=lambda p: p.health.rank(now_ns, best_head=best_head))

    async def _opinions(
        self, question: Question[T], *, without: Collection[str]
    ) -> dict[str, T | _Refused]:
        """Whole answers of providers that gave none yet: of two at first, then of one more; none if
        there is nobody left.
        """
        wanted = 1 if without else VOICES
        found: dict[str, T | _Refused] = {}
        asked: list[Provider] = []
        async for provider in self.in_turn(VOICES):
            if provider.name in without or self._rests(provider):
                continue
            asked.append(provider)
            if len(found) + len(asked) == wanted:
                for answered in await asyncio.gather(*(_opinion(p, question) for p in asked)):
                    found |= answered
                asked = []
            if len(found) == wanted:
                break
        for provider in asked:
            found |= await _opinion(provider, question)
        return found

    async def _canonical(
        self, candidate: BlockRef, finals: Mapping[str, BlockRef]
    ) -> dict[str, bytes]:
        """What each provider that holds this height final has there, by hash."""
        hashes: dict[str, bytes] = {}
        for name, final in finals.items():
            if final.number == candidate.number:
                hashes[name] = final.hash
            elif final.number > candidate.number:
                try:
                    block = await self._named(name).ask(lambda chain: chain.block(candidate.number))
                except Transient:
                    continue
                if block is not None:
                    hashes[name] = block.hash
        return hashes

    def _proof(self, provider: Provider) -> asyncio.Task[None]:
        """The proof on its way, or a new one; it goes on when whoever waits for it gives up."""
        running = self._proofs.get(provider.name)
        if running is None:
            running = asyncio.create_task(self._prove(provider))
            self._proofs[provider.name] = running
            running.add_done_callback(lambda _: self._proofs.pop(provider.name))
        return running

    async def _prove(self, provider: Provider) -> None:
        await provider.prove(lambda: self._expected)
        if provider.proven and self._expected.genesis_hash is None:
            self._expected = Identity(self._expected.chain_id, provider.genesis_hash)

    def _named(self, name: str) -> Provider:
        return next(provider for provider in self.providers if provider.name == name)

    def _rests(self, provider: Provider) -> bool:
        return self._now_ns() < provider.health.resting_until_ns


async def _opinion(provider: Provider, question: Question[T]) -> dict[str, T | _Refused]:
    try:
        return {provider.name: await provider.ask(question)}
    except Transient:
        return {}
    except Permanent as error:
        return {provider.name: _Refused(error.code, error)}
