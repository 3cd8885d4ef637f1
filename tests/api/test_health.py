"""Liveness and readiness: which component does how, and when a request could not be served."""

import asyncio

import pytest
from redis.asyncio import Redis

from api.services import ComponentHealth, Health, Probe
from tests.support.api import PROBES, ApiWorld, open_world
from tests.support.clock import ManualClock
from tests.support.organization import TestOrganization
from treasurer.db.engine import Database


async def _lagging() -> ComponentHealth:
    return ComponentHealth(Health.DEGRADED, "3 jobs wait")


async def _broken() -> ComponentHealth:
    raise ConnectionError("postgresql://treasurer:hunter2@db/treasurer refused")


async def _hanging() -> ComponentHealth:
    await asyncio.Event().wait()
    raise AssertionError("never")


async def test_a_healthy_process_is_live_and_ready(world: ApiWorld) -> None:
    assert (await world.client.get("/health/live")).json() == {"status": "healthy"}
    ready = await world.client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "healthy",
        "components": {
            name: {"status": "healthy", "detail": ""}
            for name in ("database", "redis", "chain", "signer", "worker")
        },
    }


@pytest.mark.parametrize(
    ("component", "probe", "status", "overall", "shown"),
    [
        ("worker", _lagging, 200, "degraded", {"status": "degraded", "detail": "3 jobs wait"}),
        ("redis", _broken, 200, "degraded", {"status": "down", "detail": "ConnectionError"}),
        ("signer", _hanging, 200, "degraded", {"status": "down", "detail": "no answer within 2 s"}),
        ("database", _broken, 503, "down", {"status": "down", "detail": "ConnectionError"}),
        ("database", _lagging, 200, "degraded", {"status": "degraded", "detail": "3 jobs wait"}),
    ],
)
async def test_each_component_is_told_apart(
    database: Database,
    valkey: Redis,
    organization: TestOrganization,
    clock: ManualClock,
    component: str,
    probe: Probe,
    status: int,
    overall: str,
    shown: dict[str, str],
) -> None:
    probes = {**PROBES, component: probe}
    async with open_world(database, valkey, organization, clock, probes=probes) as world:
        ready = await world.client.get("/health/ready")
        live = await world.client.get("/health/live")
    assert (ready.status_code, ready.json()["status"]) == (status, overall)
    assert ready.json()["components"][component] == shown
    assert sum(each["status"] == "healthy" for each in ready.json()["components"].values()) == 4
    assert live.status_code == 200
    assert "hunter2" not in ready.text
