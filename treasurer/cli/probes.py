"""Owns looking at each component for readiness. Must never change what it looks at."""

import asyncio
from collections.abc import Mapping

from sqlalchemy import text

from api.services import ComponentHealth, Health, Probe
from treasurer.bootstrap import Core, open_signer

_ALIVE = text("SELECT 1")
_WORKERS = text(
    "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '30 s'"
)


def probes(core: Core) -> Mapping[str, Probe]:
    """One probe a component; whatever one raises counts as down."""
    return {
        "database": lambda: _database(core),
        "redis": lambda: _redis(core),
        "chain": lambda: _chain(core),
        "signer": lambda: _signer(core),
        "worker": lambda: _worker(core),
    }


async def _database(core: Core) -> ComponentHealth:
    async with core.database.unscoped() as connection:
        await connection.execute(_ALIVE)
    return ComponentHealth(Health.HEALTHY)


async def _redis(core: Core) -> ComponentHealth:
    await core.valkey.ping()
    return ComponentHealth(Health.HEALTHY)


async def _chain(core: Core) -> ComponentHealth:
    # The provider is asked in the protocol's own words: the API process loads no chain library.
    import httpx

    urls, expected = core.settings.rpc_urls, core.network.chain_id
    if not urls:
        return ComponentHealth(Health.DOWN, "RPC_URL is not set")
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    async with httpx.AsyncClient(timeout=2) as client:
        answers = await asyncio.gather(
            *(client.post(url, json=request) for url in urls), return_exceptions=True
        )
    served = [
        int(answer.json()["result"], 16) for answer in answers if isinstance(answer, httpx.Response)
    ]
    others = [chain_id for chain_id in served if chain_id != expected]
    if others:
        return ComponentHealth(Health.DOWN, f"a node serves chain {others[0]}, not {expected}")
    if not served:
        return ComponentHealth(Health.DOWN, "no node answers")
    if len(served) < len(urls):
        return ComponentHealth(Health.DEGRADED, f"{len(served)} of {len(urls)} nodes answer")
    return ComponentHealth(Health.HEALTHY)


async def _signer(core: Core) -> ComponentHealth:
    signer = open_signer(core)
    try:
        status = await signer.status()
    finally:
        await signer.close()
    if status.frozen_reason:
        return ComponentHealth(Health.DEGRADED, f"frozen: {status.frozen_reason}")
    return ComponentHealth(Health.HEALTHY)


async def _worker(core: Core) -> ComponentHealth:
    async with core.database.claims() as connection:
        alive = (await connection.execute(_WORKERS)).scalar_one()
    if not alive:
        return ComponentHealth(Health.DOWN, "no worker gave a sign of life for 30 seconds")
    return ComponentHealth(Health.HEALTHY, f"{alive} at work")
