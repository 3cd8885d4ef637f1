"""What every route declares: a permission, held against each role; and the routes that must exist."""

import re
from pathlib import Path

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts

from api.auth import declare
from tests.support.api import ApiWorld
from treasurer.kernel.organization import ROLE_PERMISSIONS, Permission, Role

PUBLIC = {
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("POST", "/token"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/refresh"),
}
SIGNED_IN = {
    ("GET", "/api/v1/auth/profile"),
    ("POST", "/api/v1/auth/logout"),
    ("POST", "/api/v1/auth/step-up"),
    ("POST", "/api/v1/auth/authenticator"),
    ("POST", "/api/v1/auth/authenticator/confirmation"),
}
WITHOUT_ACCESS = {"/openapi.json"}
"""Served by the framework itself: the description of the API, which holds no secret."""

_PERSON_OF_ROLE = {
    Role.ADMINISTRATOR: "administrator",
    Role.CFO: "cfo",
    Role.APPROVER: "approver",
    Role.CLERK: "clerk",
    Role.AUDITOR: "auditor",
    Role.SERVICE: "service",
}


def _operations(world: ApiWorld) -> dict[tuple[str, str], str]:
    return {
        (method.upper(), path): operation["x-permission"]
        for path, methods in world.app.openapi()["paths"].items()
        for method, operation in methods.items()
    }


async def test_every_route_declares_its_access(world: ApiWorld) -> None:
    operations = _operations(world)
    served = {
        # The description leaves out how a parameter is read.
        (method, context.path.replace(":path}", "}"))
        for context in iter_route_contexts(world.app.router.routes)
        if context.path not in WITHOUT_ACCESS
        for method in context.methods or ()
        if method != "HEAD"
    }
    assert set(operations) == served
    assert {route for route, label in operations.items() if label == "public"} == PUBLIC
    assert {route for route, label in operations.items() if label == "signed-in"} == SIGNED_IN
    rest = {label for route, label in operations.items() if route not in PUBLIC | SIGNED_IN}
    assert rest <= {permission.value for permission in Permission}


def test_a_route_without_access_stops_the_start() -> None:
    router = APIRouter()

    @router.get("/open")
    async def forgotten() -> None: ...

    (route,) = router.routes
    assert isinstance(route, APIRoute)
    with pytest.raises(TypeError, match="/open declares 0 accesses"):
        declare(route)


async def test_no_route_opens_without_a_credential(world: ApiWorld) -> None:
    for (method, path), label in _operations(world).items():
        if label != "public":
            answer = await world.client.request(method, _concrete(path))
            assert (answer.status_code, answer.json()["code"]) == (401, "NOT_AUTHENTICATED"), path


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_enters_exactly_what_it_may(world: ApiWorld, role: Role) -> None:
    bearer = await world.bearer(_PERSON_OF_ROLE[role])
    granted = {permission.value for permission in ROLE_PERMISSIONS[role]}
    for (method, path), label in _operations(world).items():
        if label in ("public", "signed-in"):
            continue
        answer = await world.client.request(method, _concrete(path), headers=bearer)
        refused = answer.status_code == 403 and answer.json()["code"] == "PERMISSION_MISSING"
        assert refused == (label not in granted), (method, path, answer.status_code)


async def test_the_routes_of_the_seed_surface_exist(world: ApiWorld) -> None:
    """Rows of the main job, and those of later issues that this one brings forward."""
    table = Path(__file__).parents[3] / "shared/docs/seed-surface.md"
    if not table.exists():
        pytest.skip("the seed surface is not beside this repository")
    operations = _operations(world)
    wanted = set()
    for line in table.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[2] == "M":
            wanted |= {
                (method, path)
                for method, path in re.findall(r"(GET|POST) (/[\w/{}-]*)", cells[0])
                if not path.startswith("/api/v1/")
            }
    assert len(wanted) == 10
    wanted |= {
        ("GET", "/api/settings/limit"),
        ("POST", "/api/v1/auth/login"),
        ("GET", "/api/v1/auth/profile"),
    }
    assert {_shape(*route) for route in wanted} <= {_shape(*route) for route in operations}
    for noun in ("invoices", "payments", "approvals", "payees", "policy", "audit"):
        assert any(path.startswith(f"/api/v1/{noun}") for _, path in operations), noun


def _shape(method: str, path: str) -> tuple[str, str]:
    return method, re.sub(r"\{\w+\}", "{}", path)


def _concrete(path: str) -> str:
    return re.sub(r"\{\w+\}", "0192f3c4-0000-7000-8000-000000000000", path)
