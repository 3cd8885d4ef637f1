"""Signing in by link and by password, and out again."""

import pytest
from sqlalchemy import text

from tests.support.browser import Dashboard
from tests.support.identity import PASSWORD
from treasurer.identity.passwords import Passwords


@pytest.fixture(params=["GET", "HEAD"])
def look(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_looking_at_a_login_link_does_not_spend_it(dashboard: Dashboard, look: str) -> None:
    token = await dashboard.services.identity.login_link(dashboard.organization.email("cfo"))
    for _ in range(3):
        seen = await dashboard.browse(f"/login/link/{token}", None, method=look)
        assert (seen.status_code, "set-cookie" in seen.headers) == (200, False)
    used = await dashboard.post_form(f"/login/link/{token}", None, {})
    assert (used.status_code, used.headers["location"]) == (303, "/")
    cookie = used.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Max-Age=43200" in cookie
    again = await dashboard.post_form(f"/login/link/{token}", None, {})
    assert (again.status_code, "LINK_INVALID" in again.text) == (401, True)
    assert "set-cookie" not in again.headers


async def test_another_site_cannot_spend_a_link(dashboard: Dashboard) -> None:
    token = await dashboard.services.identity.login_link(dashboard.organization.email("cfo"))
    answer = await dashboard.post_form(f"/login/link/{token}", None, {}, origin="https://evil.test")
    assert (answer.status_code, "CSRF_ORIGIN" in answer.text) == (403, True)
    assert (await dashboard.post_form(f"/login/link/{token}", None, {})).status_code == 303


async def _with_password(dashboard: Dashboard, person: str) -> str:
    email = dashboard.organization.email(person)
    async with dashboard.services.database.unit(dashboard.organization.id) as connection:
        await connection.execute(
            text("UPDATE users SET password_hash = :hash WHERE email = :email"),
            {"hash": await Passwords().hash(PASSWORD), "email": email},
        )
    return email


async def test_a_password_opens_and_returns_to_the_page(dashboard: Dashboard) -> None:
    email = await _with_password(dashboard, "cfo")
    form = {"email": email, "password": PASSWORD, "next": "/approvals"}
    answer = await dashboard.post_form("/login", None, form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/approvals")
    elsewhere = await dashboard.post_form("/login", None, form | {"next": "//evil.test"})
    assert elsewhere.headers["location"] == "/"


async def test_a_wrong_password_shows_the_form_again(dashboard: Dashboard) -> None:
    email = await _with_password(dashboard, "cfo")
    form = {"email": email, "password": "not the password", "next": "/approvals"}
    answer = await dashboard.post_form("/login", None, form)
    assert (answer.status_code, "set-cookie" in answer.headers) == (401, False)
    assert "The e-mail address or the password is wrong; try again." in answer.text
    assert f'value="{email}"' in answer.text
    assert 'name="next" value="/approvals"' in answer.text
    assert "not the password" not in answer.text
    for _ in range(20):
        answer = await dashboard.post_form("/login", None, form)
    assert answer.status_code == 429


async def test_signing_out_ends_the_session(dashboard: Dashboard) -> None:
    cookie = await dashboard.cookie("cfo")
    headers = {"Cookie": cookie, "Accept": "text/html", "Origin": dashboard.url}
    page = await dashboard.client.get("/", headers=headers)
    token = page.text.partition('name="form_token" value="')[2][:64]
    left = await dashboard.client.post("/logout", headers=headers, data={"form_token": token})
    assert (left.status_code, left.headers["location"]) == (303, "/login")
    after = await dashboard.client.get("/", headers=headers)
    assert (after.status_code, after.headers["location"]) == (303, "/login")
