"""A JSON-RPC proxy on the loopback, between a pump and its node, that misbehaves by a seeded plan.

    async with faulty_proxy([node_url], ProxyPlan(Random(7))) as proxy:
        chain = EvmChain(proxy.url, profile)

It delays, drops the request, forwards it and drops the reply, answers 429, 500 or HTML, shows an older
head, hides receipts for a while, forges one, changes between backends, names another chain id, and
refuses replacements that bid less than 10 % more, which anvil would take. `active = False` makes it
honest. What it did is counted by name.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
from aiohttp import web

from treasurer.chain.signed_transaction import SignedTransaction, read_signed

Json = Any
UNDERPRICED = {"code": -32000, "message": "replacement transaction underpriced"}


@dataclass
class ProxyPlan:
    """How likely each fault is, a request or an answer; `longest_delay_s` bounds every delay."""

    rng: Random
    active: bool = True
    delays: float = 0.0
    drops_request: float = 0.0
    drops_reply: float = 0.0
    limits: float = 0.0
    breaks: float = 0.0
    html: float = 0.0
    stale_head: float = 0.0
    hides_receipt: float = 0.0
    forges_receipt: float = 0.0
    flips: float = 0.0
    another_chain: float = 0.0
    longest_delay_s: float = 0.05
    blocks_behind: int = 3
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def everything(cls, seed: int, likely: float = 0.08) -> "ProxyPlan":
        """All faults but another chain id, which a pump must never go on with."""
        names = (
            *("delays", "drops_request", "drops_reply", "limits", "breaks", "html"),
            *("stale_head", "hides_receipt", "forges_receipt", "flips"),
        )
        return cls(Random(seed), **dict.fromkeys(names, likely))

    def draw(self, name: str) -> bool:
        """Whether this fault happens now."""
        happens = self.active and self.rng.random() < getattr(self, name)
        if happens:
            self.counts[name] = self.counts.get(name, 0) + 1
        return happens


class FaultyProxy:
    """Serves one address; forwards to the present one of its backends."""

    def __init__(self, backends: Sequence[str], plan: ProxyPlan, session: aiohttp.ClientSession):
        self.url = ""
        self.plan = plan
        self.sent: list[bytes] = []
        """All raw transactions that somebody gave it, in order."""
        self._backends = list(backends)
        self._present = 0
        self._session = session
        self._pending: dict[tuple[str, int], SignedTransaction] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        plan = self.plan
        if plan.draw("delays"):
            await asyncio.sleep(plan.rng.random() * plan.longest_delay_s)
        if plan.draw("flips"):
            self._present = (self._present + 1) % len(self._backends)
        if plan.draw("limits"):
            return web.Response(status=429, headers={"Retry-After": "1"})
        if plan.draw("breaks"):
            return web.json_response({"error": "internal"}, status=500)
        if plan.draw("html"):
            return web.Response(text="<html>Bad gateway</html>", content_type="text/html")
        if plan.draw("drops_request"):
            return _hang_up(request)
        answer = await self._answer(body)
        if plan.draw("drops_reply"):
            return _hang_up(request)
        return web.json_response(answer)

    async def _answer(self, body: Json) -> Json:
        if isinstance(body, list):
            return [await self._one(entry) for entry in body]
        return await self._one(body)

    async def _one(self, call: dict[str, Json]) -> Json:
        method, params = call["method"], list(call.get("params", ()))
        head = {"jsonrpc": "2.0", "id": call["id"]}
        if method == "eth_chainId" and self.plan.draw("another_chain"):
            return {**head, "result": "0x1"}
        if method == "eth_sendRawTransaction" and not self._admit(bytes.fromhex(params[0][2:])):
            return {**head, "error": UNDERPRICED}
        is_head = method == "eth_getBlockByNumber" and params[0] in ("latest", "finalized")
        if is_head and self.plan.draw("stale_head"):
            return {**head, **await self._older(params)}
        if method == "eth_getTransactionReceipt":
            if self.plan.draw("hides_receipt"):
                return {**head, "result": None}
            answer = await self._forward(method, params)
            if answer.get("result") is None and self.plan.draw("forges_receipt"):
                return {**head, "result": await self._forged(params[0])}
            return {**head, **answer}
        return {**head, **await self._forward(method, params)}

    async def _older(self, params: list[Json]) -> dict[str, Json]:
        latest = await self._forward("eth_getBlockByNumber", params)
        if not latest.get("result"):
            return latest
        number = max(0, int(latest["result"]["number"], 16) - self.plan.blocks_behind)
        return await self._forward("eth_getBlockByNumber", [hex(number), *params[1:]])

    async def _forged(self, transaction_hash: str) -> Json:
        """A receipt in a block that the chain does not have."""
        head = await self._forward("eth_getBlockByNumber", ["latest", False])
        return {
            "transactionHash": transaction_hash,
            "blockNumber": head["result"]["number"],
            "blockHash": "0x" + "f0" * 32,
            "status": "0x1",
            "gasUsed": "0x5208",
            "effectiveGasPrice": "0x3b9aca00",
            "logs": [],
        }

    def _admit(self, raw: bytes) -> bool:
        self.sent.append(raw)
        try:
            new = read_signed(raw)
        except ValueError:
            return True
        old = self._pending.get((new.call.sender, new.call.nonce))
        if old is not None and old.transaction_hash != new.transaction_hash:
            fees = [
                (new.call.fees.max_fee_per_gas_wei, old.call.fees.max_fee_per_gas_wei),
                (
                    new.call.fees.max_priority_fee_per_gas_wei,
                    old.call.fees.max_priority_fee_per_gas_wei,
                ),
            ]
            if any(10 * bid < 11 * standing for bid, standing in fees):
                return False
        self._pending[new.call.sender, new.call.nonce] = new
        return True

    async def _forward(self, method: str, params: list[Json]) -> dict[str, Json]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with self._session.post(self._backends[self._present], json=body) as answer:
            content = await answer.json()
        return {name: content[name] for name in ("result", "error") if name in content}


@asynccontextmanager
async def faulty_proxy(backends: Sequence[str], plan: ProxyPlan) -> AsyncIterator[FaultyProxy]:
    """The proxy, listening; gone afterwards."""
    async with aiohttp.ClientSession() as session:
        proxy = FaultyProxy(backends, plan, session)
        application = web.Application(client_max_size=16 * 2**20)
        application.router.add_post("/", proxy.handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield proxy
        finally:
            await runner.cleanup()


def _hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection without a byte."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()
