"""Who sees which page, and what a form must carry before anything happens."""

import re

import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from dashboard.app import ROUTERS, require_declared
from dashboard.session import Access, Public, SignedIn, local_path, requires
from tests.support.browser import Dashboard
from treasurer.kernel.organization import Permission

DECLARED = {
    "GET /": "treasury:read",
    "GET /approvals": "treasury:read",
    "GET /approvals/{approval_id}": "treasury:read",
    "POST /approvals/{approval_id}": "approvals:vote",
    "GET /approve/{token}": "public",
    "POST /approve/{token}": "approvals:vote",
    "GET /audit": "audit:read",
    "POST /audit/verification": "audit:read",
    "GET /invoices": "treasury:read",
    "POST /invoices": "invoices:submit",
    "POST /invoices/{invoice_id}/reviews": "invoices:submit",
    "GET /invoices/{invoice_id}": "treasury:read",
    "GET /invoices/{invoice_id}/original": "treasury:read",
    "GET /invoices/{invoice_id}/pages/{number}.png": "treasury:read",
    "GET /login": "public",
    "POST /login": "public",
    "GET /login/link/{token}": "public",
    "POST /login/link/{token}": "public",
    "POST /logout": "signed-in",
    "POST /approvals/{approval_id}/withdrawal": "approvals:vote",
    "GET /authenticator": "signed-in",
    "POST /authenticator": "signed-in",
    "POST /authenticator/confirmation": "signed-in",
    "GET /delegations": "approvals:vote",
    "POST /delegations": "approvals:vote",
    "POST /delegations/{delegation_id}/revocation": "approvals:vote",
    "GET /payees": "treasury:read",
    "POST /payees/{payee_id}/changes": "payees:write",
    "POST /payees/{payee_id}/changes/{change_id}/confirmation": "payees:write",
    "POST /payees/{payee_id}/changes/{change_id}/refusal": "payees:write",
    "GET /payees/{payee_id}": "treasury:read",
    "GET /payments": "treasury:read",
    "GET /payments/{payment_id}": "treasury:read",
    "GET /policy": "treasury:read",
}


def test_every_page_declares_what_it_asks() -> None:
    found = {}
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            (access,) = (
                dependency.call
                for dependency in route.dependant.dependencies
                if isinstance(dependency.call, Access)
            )
            for method in (route.methods or set()) - {"HEAD"}:
                found[f"{method} {route.path}"] = access.label
    assert found == DECLARED


async def _page() -> None:
    return


@pytest.mark.parametrize(
    ("methods", "dependencies"),
    [
        (["GET"], []),
        (["GET"], [Public(), requires(Permission.TREASURY_READ)]),
        (["POST"], [SignedIn()]),
        (["GET", "DELETE"], [SignedIn()]),
    ],
)
def test_a_page_without_declaration_or_checked_form_is_refused(
    methods: list[str], dependencies: list[Access]
) -> None:
    router = APIRouter()
    router.add_api_route(
        "/page", _page, methods=methods, dependencies=[Depends(each) for each in dependencies]
    )
    (route,) = router.routes
    assert isinstance(route, APIRoute)
    with pytest.raises(TypeError, match="/page"):
        require_declared(route)


@pytest.mark.parametrize("path", ["/", "/approvals", "/audit", "/payments?state=denied"])
async def test_a_stranger_is_led_to_sign_in_and_back(dashboard: Dashboard, path: str) -> None:
    answer = await dashboard.browse(path, None)
    asked = "" if path == "/" else "?next=" + path.replace("?", "%3F").replace("=", "%3D")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login{asked}")


async def test_programs_get_problems_and_browsers_pages(dashboard: Dashboard) -> None:
    problem = await dashboard.client.get("/approvals", headers={"Accept": "application/json"})
    assert problem.status_code == 401
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["code"] == "NOT_AUTHENTICATED"
    page = await dashboard.browse("/no/such/page", "cfo")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no page at this address." in page.text
    assert (await dashboard.browse("/payments/no-id", "cfo")).status_code == 404
    unknown = await dashboard.browse(f"/payments/{dashboard.organization.id}", "cfo")
    assert (unknown.status_code, "PAYMENT_UNKNOWN" in unknown.text) == (404, True)


async def test_pages_need_their_permission(dashboard: Dashboard) -> None:
    refused = await dashboard.browse("/audit", "approver")
    assert (refused.status_code, "PERMISSION_MISSING" in refused.text) == (403, True)
    assert (await dashboard.browse("/audit", "auditor")).status_code == 200
    seen = await dashboard.browse("/", "approver")
    assert 'href="/audit"' not in seen.text
    assert 'href="/audit"' in (await dashboard.browse("/", "auditor")).text


async def test_another_organizations_things_are_not_there(dashboard: Dashboard) -> None:
    invoice = await dashboard.sample("qorvane-ql-1002.pdf")
    payment = await dashboard.payment_of(invoice)
    request = await dashboard.request_of(invoice)
    outsider = await dashboard.outsider()
    for path in (
        f"/invoices/{invoice.id}",
        f"/invoices/{invoice.id}/original",
        f"/invoices/{invoice.id}/pages/1.png",
        f"/payments/{payment.id}",
        f"/payees/{payment.payee_id}",
        f"/approvals/{request}",
    ):
        answer = await dashboard.client.get(path, headers=outsider)
        assert (path, answer.status_code) == (path, 404)
    for path in ("/", "/invoices", "/payments", "/payees", "/approvals"):
        answer = await dashboard.client.get(path, headers=outsider)
        assert answer.status_code == 200
        assert "Qorvane" not in answer.text


@pytest.mark.parametrize("fault", ["no token", "another token", "another site", "no origin"])
async def test_a_form_that_is_not_ours_does_nothing(dashboard: Dashboard, fault: str) -> None:
    invoice = await dashboard.sample("qorvane-ql-1002.pdf")
    request_id = await dashboard.request_of(invoice)
    payment = await dashboard.payment_of(invoice)
    answer = await dashboard.post_form(
        f"/approvals/{request_id}",
        "cfo",
        {"choice": "approve", "order_digest": payment.order_digest.hex()},
        token={"no token": "", "another token": "0" * 64}.get(fault),
        origin={"another site": "https://evil.test", "no origin": ""}.get(fault),
    )
    assert answer.status_code == 403
    assert ("CSRF_TOKEN" if "token" in fault else "CSRF_ORIGIN") in answer.text
    (waiting,) = await dashboard.services.approvals.page_open(dashboard.organization.cfo)
    assert (waiting.id, waiting.votes) == (request_id, ())


async def test_a_form_with_a_zero_byte_is_refused(dashboard: Dashboard) -> None:
    answer = await dashboard.post_form("/login", None, {"email": "a\x00@b.test", "password": "x"})
    assert (answer.status_code, "FIELD_ZERO_BYTE" in answer.text) == (422, True)


async def test_a_cursor_beyond_all_numbers_names_no_page(dashboard: Dashboard) -> None:
    answer = await dashboard.browse(f"/audit?before={2**63}", "auditor")
    assert (answer.status_code, "PAGE_UNKNOWN" in answer.text) == (404, True)


async def test_a_strangers_form_asks_to_sign_in(dashboard: Dashboard) -> None:
    answer = await dashboard.post_form("/logout", None, {})
    assert (answer.status_code, "Please sign in" in answer.text) == (401, True)


async def test_pages_carry_the_strict_headers(dashboard: Dashboard) -> None:
    page = await dashboard.browse("/", "cfo")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert page.headers["cache-control"] == "no-store"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page.text)
    (address,) = re.findall(r'href="(/static/base\.css\?v=[0-9a-f]{12})"', page.text)
    sheet = await dashboard.client.get(address)
    assert sheet.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/approvals?x=1", "/approvals?x=1"),
        ("//evil.test", "/"),
        ("/\\evil.test", "/"),
        ("https://evil.test", "/"),
        ("/a\r\nLocation: x", "/"),
        ("", "/"),
    ],
)
def test_only_our_own_paths_are_returned_to(asked: str, path: str) -> None:
    assert local_path(asked) == path
