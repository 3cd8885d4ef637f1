"""Every way into the service, tried by the maker of a payment to approve it: refused, each of them.

The ways are read from the route tables of API and pages. A new route that changes something fails the
first test until it is listed, and is then tried by the second like all others.
"""

import re

import pytest
from fastapi.routing import APIRoute
from uuid_utils.compat import uuid7

from api.main import ROUTERS as API_ROUTERS
from dashboard.app import ROUTERS as PAGE_ROUTERS
from tests.support.browser import Dashboard
from tests.support.clock import ManualClock
from tests.support.invoices import printed
from tests.support.notifications import outbox
from treasurer.approvals.deadlines import Deadlines
from treasurer.approvals.links import issue
from treasurer.approvals.model import ApprovalRequest, RequestState
from treasurer.identity.browser import SAFE_METHODS
from treasurer.kernel.ids import InvoiceId
from treasurer.kernel.organization import Principal
from treasurer.payments.model import PaymentState
from treasurer.purchases.imports import ORDER_COLUMNS, csv_rows, orders_of

VOTING = {
    "POST /api/v1/approvals/{approval_id}/votes",
    "POST /approvals/{approval_id}",
    "POST /approve/{token}",
}
"""Doors by which a payment can become approved."""

SUBMITTING = {
    "POST /api/v1/invoices",
    "POST /api/process-invoice",
    "POST /invoices",
}
"""Doors by which a payment comes to be; each submitter is its maker."""

REVIEWING = {
    "POST /api/v1/invoices/{invoice_id}/reviews",
    "POST /invoices/{invoice_id}/reviews",
}
"""Doors by which a held invoice goes on; each reviewer is the maker of its payment."""

OTHERS = {
    "POST /token",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/step-up",
    "POST /api/v1/auth/authenticator",
    "POST /api/v1/auth/authenticator/confirmation",
    "PUT /api/v1/approvals/settings",
    "POST /api/v1/approvals/{approval_id}/votes/withdrawal",
    "POST /api/v1/delegations",
    "POST /api/v1/delegations/{delegation_id}/revocation",
    "POST /api/v1/payees",
    "POST /api/v1/payees/{payee_id}/addresses",
    "POST /api/v1/payees/{payee_id}/addresses/{address_id}/verification",
    "POST /api/v1/payees/{payee_id}/addresses/{address_id}/revocation",
    "POST /api/v1/payees/{payee_id}/changes",
    "POST /api/v1/payees/{payee_id}/changes/{change_id}/confirmation",
    "POST /api/v1/payees/{payee_id}/changes/{change_id}/refusal",
    "POST /api/v1/policy",
    "POST /api/settings/limit",
    "POST /api/v1/freeze",
    "POST /api/v1/payees/{payee_id}/category",
    "POST /api/v1/policy/versions/{policy_set_id}/activation",
    "POST /api/v1/policy/versions/{policy_set_id}/backtests",
    "POST /api/v1/policy/versions/{policy_set_id}/sign-offs",
    "POST /api/v1/purchases/orders",
    "POST /api/v1/purchases/orders/csv",
    "POST /api/v1/purchases/orders/{number}/closing",
    "POST /api/v1/purchases/receipts",
    "POST /api/v1/purchases/receipts/csv",
    "POST /api/v1/allowances",
    "POST /api/v1/allowances/{allowance_id}/confirmation",
    "POST /api/v1/allowances/{allowance_id}/rejection",
    "POST /api/v1/incidents/{incident_id}/acknowledgement",
    "POST /api/v1/incidents/{incident_id}/closure",
    "POST /api/v1/transfers/{transfer_id}/resolution",
    "POST /api/v1/transfers/{transfer_id}/resolution/confirmation",
    "POST /api/v1/transfers/{transfer_id}/resolution/rejection",
    "POST /api/v1/unfreeze",
    "POST /users/",
    "POST /audit/verification",
    "POST /login",
    "POST /login/link/{token}",
    "POST /logout",
    "POST /approvals/{approval_id}/withdrawal",
    "POST /authenticator",
    "POST /authenticator/confirmation",
    "POST /delegations",
    "POST /delegations/{delegation_id}/revocation",
    "POST /payees/{payee_id}/changes",
    "POST /payees/{payee_id}/changes/{change_id}/confirmation",
    "POST /payees/{payee_id}/changes/{change_id}/refusal",
}
"""Doors that change something else. They are tried all the same."""

_REASON = "Ordered by the sister company; their clerk confirmed it."
_ORDER = (
    b"order,payee_code,currency,line,name,quantity,net_amount,receipt_required\n"
    b"PO-7781,V-002,USDC,1,Haulage,1,90.00,no\n"
)

NOT_YET = ("chat", "batch")
"""Doors that the product will have and has not: chat tools, and a batch of invoices as CSV."""


def _doors() -> set[str]:
    return {
        f"{method} {route.path.replace(':path}', '}')}"
        for router in (*API_ROUTERS, *PAGE_ROUTERS)
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in (route.methods or set()) - SAFE_METHODS
    }


def test_every_door_that_changes_something_is_listed() -> None:
    assert _doors() == VOTING | SUBMITTING | REVIEWING | OTHERS
    assert [door for door in _doors() if any(name in door for name in NOT_YET)] == []


async def _submitted_by_cfo(dashboard: Dashboard, number: str = "QL-77") -> ApprovalRequest:
    """A request about a payment whose maker holds the very role that is asked."""
    people, services = dashboard.organization, dashboard.services
    invoice = await services.invoices.receive(
        people.cfo,
        content=_invoice(number),
        filename="invoice.txt",
        media_type=None,
        channel="upload",
    )
    return await _request_about(dashboard, invoice.id)


async def _request_about(dashboard: Dashboard, invoice_id: InvoiceId) -> ApprovalRequest:
    people, services = dashboard.organization, dashboard.services
    await dashboard.read_and_propose(invoice_id)
    (payment,) = await services.payments.of_invoice(people.cfo, invoice_id)
    request = await services.approvals.newest(people.cfo, payment.id)
    assert request is not None
    assert (request.state, request.requester_id) == (RequestState.OPEN, people.cfo.user_id)
    return request


def _invoice(number: str) -> bytes:
    return printed(number, "4150.00 USDC")


async def _still_waits(dashboard: Dashboard, request: ApprovalRequest) -> None:
    cfo = dashboard.organization.cfo
    found = await dashboard.services.approvals.get(cfo, request.id)
    assert (found.state, found.votes) == (RequestState.OPEN, ())
    payment = await dashboard.services.payments.get(cfo, request.payment_id)
    assert payment.state is PaymentState.AWAITING_APPROVAL


async def _link(dashboard: Dashboard, request: ApprovalRequest, person: Principal) -> str:
    async with dashboard.services.database.unit(dashboard.organization.id) as connection:
        return await issue(connection, dashboard.organization.id, request.id, person.user_id)


async def test_no_door_lets_the_maker_approve(dashboard: Dashboard) -> None:
    """Each door is given the request's ids and a well-formed vote, as its maker and as the
    administrator; by token and by cookie with our origin and form token.
    """
    request = await _submitted_by_cfo(dashboard)
    token = await _link(dashboard, request, dashboard.organization.cfo)
    vote = {"choice": "approve", "order_digest": request.order_digest.hex()}
    for door in sorted(_doors()):
        method, _, template = door.partition(" ")
        path = re.sub(r"\{token\}", token, template)
        path = re.sub(r"\{\w+\}", str(request.id), path)
        for person in ("cfo", "administrator"):
            if path.startswith("/api") or path == "/token":
                answer = await dashboard.client.request(
                    method, path, headers=await dashboard.bearer(person), json=vote
                )
            else:
                answer = await dashboard.post_form(path, person, dict(vote))
            if door in VOTING:
                assert answer.status_code == 403, (door, person)
                assert ("MAKER_IS_CHECKER" in answer.text) == (person == "cfo"), (door, person)
        await _still_waits(dashboard, request)


@pytest.mark.parametrize("door", sorted(SUBMITTING))
async def test_whoever_submits_by_any_door_is_the_maker(dashboard: Dashboard, door: str) -> None:
    path = door.partition(" ")[2]
    content = _invoice("QL-88")
    if path.startswith("/api"):
        headers = {**await dashboard.bearer("cfo"), "Content-Type": "text/plain; charset=utf-8"}
        answer = await dashboard.client.post(path, headers=headers, content=content)
        assert answer.status_code in (200, 202)
    else:
        answer = await dashboard.post_form(
            path, "cfo", {}, files={"document": ("invoice.txt", content)}
        )
        assert answer.status_code == 303, answer.text
    (invoice, *_) = await dashboard.services.invoices.page(dashboard.organization.cfo)
    request = await _request_about(dashboard, invoice.id)
    refused = await dashboard.post(
        f"/api/v1/approvals/{request.id}/votes",
        "cfo",
        {"choice": "approve", "order_digest": request.order_digest.hex()},
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "MAKER_IS_CHECKER")
    await _still_waits(dashboard, request)


@pytest.mark.parametrize("door", sorted(REVIEWING))
async def test_whoever_reviews_by_any_door_is_a_maker_beside_the_submitter(
    dashboard: Dashboard, door: str
) -> None:
    """A bill of another payee's order, small enough to be paid without asking if it were not."""
    people, services = dashboard.organization, dashboard.services
    orders = csv_rows(_ORDER, ORDER_COLUMNS)
    await services.purchases.import_orders(people.clerk, orders_of(orders))
    held = await dashboard.submitted(printed("QL-90", "90.00 USDC"), "invoice.txt")
    assert [finding.code for finding in held.findings] == ["PO_MISMATCH"]
    path = re.sub(r"\{\w+\}", str(held.id), door.partition(" ")[2])
    if path.startswith("/api"):
        body = {"reason": _REASON, "accepted": ["PO_MISMATCH"]}
        answer = await dashboard.post(path, "cfo", body)
        assert (answer.status_code, answer.json()["state"]) == (200, "reading")
    else:
        form = {"reason": _REASON, "accepted": "PO_MISMATCH"}
        assert (await dashboard.post_form(path, "cfo", form)).status_code == 303
    request = await _request_about(dashboard, held.id)
    assert sum(group.count for group in request.requirement.groups) == 2
    vote = {"choice": "approve", "order_digest": request.order_digest.hex()}
    refused = await dashboard.post(f"/api/v1/approvals/{request.id}/votes", "cfo", vote)
    assert (refused.status_code, refused.json()["code"]) == (403, "MAKER_IS_CHECKER")
    await _still_waits(dashboard, request)
    page = await dashboard.browse(f"/approvals/{request.id}", "approver")
    assert (page.status_code, _REASON in page.text) == (200, True)
    first = await dashboard.post(f"/api/v1/approvals/{request.id}/votes", "approver", vote)
    payment = await services.payments.get(people.cfo, request.payment_id)
    assert (first.status_code, payment.state) == (200, PaymentState.AWAITING_APPROVAL)
    await dashboard.post(f"/api/v1/approvals/{request.id}/votes", "second_approver", vote)
    payment = await services.payments.get(people.cfo, request.payment_id)
    assert payment.state is PaymentState.APPROVED


async def test_no_door_lets_the_maker_approve_through_a_delegate(dashboard: Dashboard) -> None:
    people = dashboard.organization
    request = await _submitted_by_cfo(dashboard)
    lent = await dashboard.post(
        "/api/v1/delegations",
        "cfo",
        {"delegate_id": str(people.approver.user_id), "ends_at": "2026-11-29T10:00:00Z"},
    )
    assert lent.status_code == 201
    vote = {
        "choice": "approve",
        "order_digest": request.order_digest.hex(),
        "for_user_id": str(people.cfo.user_id),
    }
    token = await _link(dashboard, request, people.approver)
    answers = [
        await dashboard.post(f"/api/v1/approvals/{request.id}/votes", "approver", vote),
        await dashboard.post_form(f"/approvals/{request.id}", "approver", vote),
        await dashboard.post_form(f"/approve/{token}", "approver", vote),
    ]
    assert len(answers) == len(VOTING)
    for answer in answers:
        assert (answer.status_code, "MAKER_IS_CHECKER" in answer.text) == (403, True)
    await _still_waits(dashboard, request)


async def test_no_job_run_again_approves(dashboard: Dashboard, clock: ManualClock) -> None:
    """The jobs that concern a waiting payment, each run twice more."""
    request = await _submitted_by_cfo(dashboard)
    services, people = dashboard.services, dashboard.organization
    payment = await services.payments.get(people.cfo, request.payment_id)
    assert payment.invoice_id is not None
    deadlines = Deadlines(
        database=services.database, outbox=outbox(clock), clock=clock, new_id=uuid7
    )
    for _ in range(2):
        again = await services.payments.propose(people.agent, payment.invoice_id)
        assert again.id == payment.id
        await deadlines.remind(people.id, request.id)
        await deadlines.escalate(people.id, request.id)
        await services.approvals.expire_due(people.id)
    await _still_waits(dashboard, request)
