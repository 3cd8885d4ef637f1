"""Owns looking at each component for readiness. Must never change what it looks at."""

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

    if core.settings.rpc_url is None:
        return ComponentHealth(Health.DOWN, "RPC_URL is not set")
    async with httpx.AsyncClient(timeout=2) as client:
        answer = await client.post(
            core.settings.rpc_url.get_secret_value(),
            json={"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []},
        )
    chain_id = int(answer.json()["result"], 16)
    if chain_id != core.network.chain_id:
        return ComponentHealth(
            Health.DOWN, f"the node serves chain {chain_id}, not {core.network.chain_id}"
        )
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
