"""Owns liveness and readiness. Must never touch a component in liveness: a restart heals none."""

import asyncio
from collections.abc import Mapping

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.responses import Response

from api.auth import Provided, Public
from api.services import ComponentHealth, Health, Probe

PROBE_TIMEOUT_S = 2.0
REQUIRED = frozenset({"database"})
"""Without these no request can be served; without the others some work waits."""

router = APIRouter(tags=["operation"], dependencies=[Depends(Public())])


class Component(BaseModel):
    status: Health
    detail: str


class Readiness(BaseModel):
    """`status` is the worst that matters: down only when a required component is."""

    status: Health
    components: dict[str, Component]


class Liveness(BaseModel):
    status: Health


@router.get("/health/live")
async def live() -> Liveness:
    """The process answers."""
    return Liveness(status=Health.HEALTHY)


@router.get("/health/ready", responses={503: {"model": Readiness}})
async def ready(services: Provided, response: Response) -> Readiness:
    """Each component's state; 503 when a request could not be served."""
    found = await look(services.probes)
    status = overall(found)
    if status is Health.DOWN:
        response.status_code = 503
    return Readiness(
        status=status,
        components={
            name: Component(status=health.state, detail=health.detail)
            for name, health in found.items()
        },
    )


async def look(probes: Mapping[str, Probe]) -> dict[str, ComponentHealth]:
    """Ask all probes at once, each for at most PROBE_TIMEOUT_S."""
    answers = await asyncio.gather(*(_ask(probe) for probe in probes.values()))
    return dict(zip(probes, answers, strict=True))


def overall(found: Mapping[str, ComponentHealth]) -> Health:
    """Down when a required component is down; degraded when anything is less than healthy."""
    if any(found[name].state is Health.DOWN for name in REQUIRED & found.keys()):
        return Health.DOWN
    if any(health.state is not Health.HEALTHY for health in found.values()):
        return Health.DEGRADED
    return Health.HEALTHY


async def _ask(probe: Probe) -> ComponentHealth:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await probe()
    except TimeoutError:
        return ComponentHealth(Health.DOWN, f"no answer within {PROBE_TIMEOUT_S:g} s")
    except Exception as error:
        # Only the kind: a connection error's text carries addresses and user names.
        return ComponentHealth(Health.DOWN, type(error).__name__)
