"""Who a request speaks for: tokens, forged ones, the browser's cookie and its origin."""

import pytest
from uuid_utils.compat import uuid7

from tests.support.api import HOST, ApiWorld
from tests.support.identity import PASSWORD, forgeries
from treasurer.kernel.organization import Role

PROFILE = "/api/v1/auth/profile"


async def _with_password(world: ApiWorld) -> str:
    email = f"vera-{world.organization.id}@norwick.test"
    await world.services.identity.create_user(
        world.organization.administrator,
        email=email,
        name="Vera Lind",
        roles=frozenset({Role.CFO}),
        password=PASSWORD,
    )
    return email


async def test_the_password_flow_gives_tokens_that_open_the_api(world: ApiWorld) -> None:
    email = await _with_password(world)
    answer = await world.client.post(
        "/token", data={"grant_type": "password", "username": email, "password": PASSWORD}
    )
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 900)
    profile = await world.client.get(
        PROFILE, headers={"Authorization": f"Bearer {tokens['access_token']}"}
    )
    assert profile.status_code == 200
    body = profile.json()
    assert (body["user"]["email"], body["user"]["roles"]) == (email, ["cfo"])
    assert body["organization_id"] == str(world.organization.id)
    assert body["permissions"] == sorted(
        permission.value for permission in world.organization.cfo.permissions
    )


async def test_login_refresh_and_logout(world: ApiWorld) -> None:
    email = await _with_password(world)
    login = await world.client.post(
        "/api/v1/auth/login", json={"email": email, "password": PASSWORD}
    )
    refreshed = await world.client.post(
        "/api/v1/auth/refresh", json={"refresh_token": login.json()["refresh_token"]}
    )
    assert (login.status_code, refreshed.status_code) == (200, 200)
    bearer = {"Authorization": f"Bearer {refreshed.json()['access_token']}"}
    assert (await world.client.get(PROFILE, headers=bearer)).status_code == 200
    assert (await world.client.post("/api/v1/auth/logout", headers=bearer)).status_code == 204
    ended = await world.client.get(PROFILE, headers=bearer)
    assert (ended.status_code, ended.json()["code"]) == (401, "SESSION_ENDED")
    again = await world.client.post(
        "/api/v1/auth/refresh", json={"refresh_token": refreshed.json()["refresh_token"]}
    )
    assert (again.status_code, again.json()["code"]) == (401, "SESSION_ENDED")


async def test_a_wrong_password_is_refused_and_too_many_are_slowed_down(world: ApiWorld) -> None:
    email = await _with_password(world)
    answers = [
        await world.client.post("/token", data={"username": email, "password": "wrong"})
        for _ in range(6)
    ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert answers[0].json()["code"] == "CREDENTIALS_REFUSED"
    assert answers[0].headers["www-authenticate"] == 'Bearer realm="treasurer"'
    assert answers[5].json()["code"] == "TOO_MANY_ATTEMPTS"
    assert answers[5].headers["retry-after"] == "900"


async def test_every_forged_token_is_refused(world: ApiWorld) -> None:
    bearer = await world.bearer("administrator")
    valid = bearer["Authorization"].removeprefix("Bearer ")
    assert (await world.client.get(PROFILE, headers=bearer)).status_code == 200
    answers = {
        name: await world.client.get(PROFILE, headers={"Authorization": f"Bearer {token}"})
        for name, token in forgeries(valid, world.clock).items()
    }
    assert {name for name, answer in answers.items() if answer.status_code != 401} == set()
    assert len(answers) == 64


async def test_a_revoked_session_is_refused(world: ApiWorld) -> None:
    bearer = await world.bearer("cfo")
    assert (await world.client.get(PROFILE, headers=bearer)).status_code == 200
    await world.client.post("/api/v1/auth/logout", headers=bearer)
    assert (await world.client.get(PROFILE, headers=bearer)).status_code == 401


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({}, "NOT_AUTHENTICATED"),
        ({"Authorization": "Basic dXNlcjpwdw=="}, "SCHEME_UNKNOWN"),
        ({"Authorization": "Bearer"}, "SCHEME_UNKNOWN"),
        ({"Authorization": ""}, "SCHEME_UNKNOWN"),
        ({"Cookie": "treasurer_session="}, "NOT_AUTHENTICATED"),
        ({"Cookie": "treasurer_session=x"}, "TOKEN_INVALID"),
    ],
)
async def test_no_credential_is_no_entry(
    world: ApiWorld, header: dict[str, str], code: str
) -> None:
    answer = await world.client.get(PROFILE, headers=header)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == 'Bearer realm="treasurer"'


async def test_a_cookie_reads_and_its_token_is_no_access_token(world: ApiWorld) -> None:
    cookie = await world.cookie("cfo")
    assert (await world.client.get(PROFILE, headers={"Cookie": cookie})).status_code == 200
    stolen = {"Authorization": f"Bearer {cookie.partition('=')[2]}"}
    assert (await world.client.get(PROFILE, headers=stolen)).status_code == 401
    access = (await world.bearer("cfo"))["Authorization"].removeprefix("Bearer ")
    swapped = await world.client.get(PROFILE, headers={"Cookie": f"treasurer_session={access}"})
    assert swapped.status_code == 401


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (f"http://{HOST}", 204),
        (f"https://{HOST}", 204),
        (None, 403),
        ("null", 403),
        ("https://evil.test", 403),
        (f"https://{HOST}.evil.test", 403),
        (f"https://evil.test/{HOST}", 403),
        (f"https://{HOST}:8443", 403),
        (f"http://[{HOST}", 403),
        ("", 403),
    ],
)
async def test_a_cookie_changes_state_from_our_own_pages_only(
    world: ApiWorld, origin: str | None, status: int
) -> None:
    headers = {"Cookie": await world.cookie("cfo")}
    if origin is not None:
        headers["Origin"] = origin
    answer = await world.client.post("/api/v1/auth/logout", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "CSRF_ORIGIN"
        assert (await world.client.get(PROFILE, headers=headers)).status_code == 200


async def test_only_an_administrator_creates_users(world: ApiWorld) -> None:
    new = {"email": f"new-{uuid7()}@norwick.test", "name": "New Clerk", "roles": ["clerk"]}
    refused = await world.post("/users/", "cfo", new)
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_MISSING")
    created = await world.post("/users/", "administrator", new)
    assert created.status_code == 201
    assert created.json() == {
        **new,
        "id": created.json()["id"],
        "kind": "human",
        "state": "active",
        "created_at": "2026-11-22T10:00:00.000000Z",
    }
    again = await world.post("/users/", "administrator", new)
    assert (again.status_code, again.json()["code"]) == (409, "EMAIL_TAKEN")
