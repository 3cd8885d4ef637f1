"""Deciding in a real browser, by page and by mail link, over the real services."""

from uuid import UUID

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import Dashboard, needs_browser
from tests.support.payees import QORVANE_ADDRESS
from treasurer.approvals.links import issue
from treasurer.approvals.model import RequestState
from treasurer.kernel.ids import ApprovalRequestId
from treasurer.kernel.organization import Principal
from treasurer.payees.change import CallBackNote
from treasurer.payments.model import Payment, PaymentState


async def _waiting(dashboard: Dashboard) -> tuple[UUID, Payment]:
    invoice = await dashboard.sample("qorvane-ql-1002.pdf")
    return await dashboard.request_of(invoice), await dashboard.payment_of(invoice)


async def _state(dashboard: Dashboard, payment: Payment) -> PaymentState:
    return (await dashboard.services.payments.get(dashboard.organization.cfo, payment.id)).state


async def _link(dashboard: Dashboard, request_id: UUID, person: Principal) -> str:
    async with dashboard.services.database.unit(dashboard.organization.id) as connection:
        return await issue(
            connection, dashboard.organization.id, ApprovalRequestId(request_id), person.user_id
        )


@needs_browser
async def test_an_approver_finds_reads_and_approves(dashboard: Dashboard, browser: Browser) -> None:
    request_id, payment = await _waiting(dashboard)
    async with dashboard.visit(browser, "approver") as visit:
        page = visit.page
        await page.get_by_role("link", name="Qorvane Logistics GmbH QL-1002").click()
        await page.wait_for_url(f"{dashboard.url}/approvals/{request_id}")
        await expect(page.locator(".amount")).to_have_text("4,150.00\u00a0USDC")
        assert await page.locator(".address").first.text_content() == QORVANE_ADDRESS
        await expect(page.locator(".note.good")).to_contain_text(
            "This is the address in the payee master, entered by Clerk and verified by Administrator"
        )
        await expect(page.locator(".findings").first).to_contain_text(
            "4,150.00 USD lies in the tier up to 10,000.00 USD, for which people are asked."
        )
        await expect(page.locator(".counterfactual")).to_contain_text(
            "1,000.00 USDC (1,000.00 USD) or less would pass without approval."
        )
        await expect(page.locator(".seats")).to_contain_text("0 of 1, approver or cfo")
        await page.get_by_role("button", name="Approve 4,150.00 USDC").click()
        await expect(page.locator(".seats")).to_contain_text("1 of 1, approver or cfo")
        await expect(page.locator("h1 .pill")).to_have_text("approved")
        assert await page.get_by_role("button", name="Approve").count() == 0
        assert visit.faults == []
    assert await _state(dashboard, payment) is PaymentState.APPROVED


@needs_browser
async def test_rejecting_needs_a_reason_that_the_submitter_reads(
    dashboard: Dashboard, browser: Browser
) -> None:
    request_id, payment = await _waiting(dashboard)
    async with dashboard.visit(browser, "cfo") as visit:
        page = await visit.open(f"/approvals/{request_id}")
        await page.get_by_role("button", name="Reject").click()
        await expect(page.get_by_role("alert")).to_have_text(
            "Say in a sentence why you reject; the submitter reads it."
        )
        assert await _state(dashboard, payment) is PaymentState.AWAITING_APPROVAL
        await page.get_by_label("Reason").fill("The haulage was never ordered.")
        await page.get_by_role("button", name="Reject").click()
        await expect(page.locator("h1 .pill")).to_have_text("refused")
        await expect(page.locator(".vote q")).to_have_text("The haulage was never ordered.")
        await visit.open(f"/payments/{payment.id}")
        await expect(page.locator(".note")).to_have_text(
            "Refused by an approver: The haulage was never ordered."
        )
    assert await _state(dashboard, payment) is PaymentState.DENIED


@pytest.mark.parametrize(
    ("person", "code", "words"),
    [
        ("clerk", "PERMISSION_MISSING", "This needs the permission approvals:vote"),
        ("administrator", "PERMISSION_MISSING", "This needs the permission approvals:vote"),
    ],
)
async def test_who_may_not_vote_sees_no_button_and_is_refused(
    dashboard: Dashboard, person: str, code: str, words: str
) -> None:
    request_id, payment = await _waiting(dashboard)
    page = await dashboard.browse(f"/approvals/{request_id}", person)
    assert (page.status_code, 'value="approve"' in page.text) == (200, False)
    assert words in page.text
    await _refused(dashboard, request_id, payment, person, code)


async def test_the_maker_is_no_checker(dashboard: Dashboard) -> None:
    content = b"INVOICE QL-2001\nFrom: Qorvane Logistics GmbH\nBill to: Norwick Instruments Ltd\n"
    content += b"PO: PO-7781\nInvoice date: 2026-11-20\nDue: 2026-12-10\nTotal due: 4,000.00 USDC\n"
    received = await dashboard.services.invoices.receive(
        dashboard.organization.cfo,
        content=content,
        filename="own.txt",
        media_type=None,
        channel="upload",
    )
    invoice = await dashboard.read_and_propose(received.id)
    request_id, payment = await dashboard.request_of(invoice), await dashboard.payment_of(invoice)
    page = await dashboard.browse(f"/approvals/{request_id}", "cfo")
    assert (page.status_code, 'value="approve"' in page.text) == (200, False)
    assert "You asked for this payment, vouched for its invoice or changed its payee" in page.text
    assert (
        'value="approve"' in (await dashboard.browse(f"/approvals/{request_id}", "approver")).text
    )
    await _refused(dashboard, request_id, payment, "cfo", "MAKER_IS_CHECKER")


async def _refused(
    dashboard: Dashboard, request_id: UUID, payment: Payment, person: str, code: str
) -> None:
    answer = await dashboard.post_form(
        f"/approvals/{request_id}",
        person,
        {"choice": "approve", "order_digest": payment.order_digest.hex()},
    )
    assert (answer.status_code, code in answer.text) == (403, True)
    assert await _state(dashboard, payment) is PaymentState.AWAITING_APPROVAL


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"choice": "approve", "order_digest": "00" * 32}, 409, "APPROVAL_DIGEST_MISMATCH"),
        ({"choice": "approve"}, 409, "APPROVAL_DIGEST_MISMATCH"),
        ({"choice": "approve", "order_digest": "no digest"}, 422, "VOTE_FORM"),
        ({"choice": "perhaps", "order_digest": "00" * 32}, 422, "VOTE_FORM"),
    ],
)
async def test_a_vote_names_exactly_what_was_shown(
    dashboard: Dashboard, fields: dict[str, str], status: int, code: str
) -> None:
    request_id, payment = await _waiting(dashboard)
    answer = await dashboard.post_form(f"/approvals/{request_id}", "cfo", fields)
    assert (answer.status_code, code in answer.text) == (status, True)
    assert await _state(dashboard, payment) is PaymentState.AWAITING_APPROVAL


async def test_a_lapsed_request_shows_no_button(dashboard: Dashboard) -> None:
    request_id, _ = await _waiting(dashboard)
    dashboard.clock.advance(hours=73)
    page = await dashboard.browse(f"/approvals/{request_id}", "cfo")
    assert 'value="approve"' not in page.text
    assert "The time to decide is over" in page.text
    assert "Nobody has to decide anything." in (await dashboard.browse("/approvals", "cfo")).text


async def test_an_address_that_left_the_master_is_shown_in_red(dashboard: Dashboard) -> None:
    request_id, payment = await _waiting(dashboard)
    await dashboard.services.payees.revoke_address(
        dashboard.organization.clerk, payment.payee_address_id
    )
    page = await dashboard.browse(f"/approvals/{request_id}", "cfo")
    assert "The payee master holds no verified address on this network any more." in page.text
    entry = await dashboard.services.payees.add_address(
        dashboard.organization.clerk,
        payment.payee_id,
        chain_id=31337,
        address="0x" + "12" * 20,
    )
    await dashboard.services.payees.verify_address(
        dashboard.organization.administrator,
        entry.id,
        cooling_off_s=3600,
        call_back=CallBackNote(
            "Ane Halden", dashboard.clock(), "Number of the contract of 2024", "+4721001000"
        ),
    )
    page = await dashboard.browse(f"/approvals/{request_id}", "cfo")
    assert "The payee master holds another address now:" in page.text
    assert "note good" not in page.text


@needs_browser
async def test_the_mail_link_shows_before_and_votes_after_signing_in(
    dashboard: Dashboard, browser: Browser
) -> None:
    request_id, payment = await _waiting(dashboard)
    token = await _link(dashboard, request_id, dashboard.organization.approver)
    async with dashboard.visit(browser, "approver") as visit:
        page = await visit.open(f"/approve/{token}")
        await expect(page.locator(".amount")).to_have_text("4,150.00\u00a0USDC")
        await page.get_by_role("button", name="Approve 4,150.00 USDC").click()
        await page.wait_for_url(f"{dashboard.url}/approvals/{request_id}")
        await expect(page.locator("h1 .pill")).to_have_text("approved")
        assert visit.faults == []
    assert await _state(dashboard, payment) is PaymentState.APPROVED
    used = await dashboard.browse(f"/approve/{token}", "approver")
    assert (used.status_code, used.headers["location"]) == (303, f"/approvals/{request_id}")
    for person in (None, "cfo"):
        used = await dashboard.browse(f"/approve/{token}", person)
        assert (used.status_code, "LINK_USED" in used.text) == (409, True)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_looking_at_a_mail_link_changes_nothing(dashboard: Dashboard, method: str) -> None:
    request_id, _ = await _waiting(dashboard)
    token = await _link(dashboard, request_id, dashboard.organization.approver)
    for person in (None, "approver", "cfo", None) * 5:
        seen = await dashboard.browse(f"/approve/{token}", person, method=method)
        assert seen.status_code == 200
    request = await dashboard.services.approvals.get(
        dashboard.organization.cfo, ApprovalRequestId(request_id)
    )
    assert (request.state, request.votes) == (RequestState.OPEN, ())
    link = await dashboard.pages.approval_links.peek(token)
    assert link.request.id == request_id


async def test_a_mail_link_tells_strangers_nothing_and_others_cannot_vote_by_it(
    dashboard: Dashboard,
) -> None:
    request_id, payment = await _waiting(dashboard)
    token = await _link(dashboard, request_id, dashboard.organization.approver)
    stranger = await dashboard.browse(f"/approve/{token}", None)
    assert "Sign in to decide" in stranger.text
    assert f"/login?next=/approve/{token.replace('=', '%3D')}" in stranger.text
    other = await dashboard.browse(f"/approve/{token}", "cfo")
    assert "sent to somebody else" in other.text
    for page in (stranger, other):
        assert "Qorvane" not in page.text
        assert "4,150" not in page.text
    fields = {"choice": "approve", "order_digest": payment.order_digest.hex()}
    taken = await dashboard.post_form(f"/approve/{token}", "cfo", fields)
    assert (taken.status_code, "LINK_NOT_YOURS" in taken.text) == (403, True)
    assert (await dashboard.post_form(f"/approve/{token}", None, fields)).status_code == 401
    assert await _state(dashboard, payment) is PaymentState.AWAITING_APPROVAL


async def test_a_vote_by_link_names_what_was_shown(dashboard: Dashboard) -> None:
    request_id, payment = await _waiting(dashboard)
    token = await _link(dashboard, request_id, dashboard.organization.approver)
    wrong = {"choice": "approve", "order_digest": "00" * 32}
    answer = await dashboard.post_form(f"/approve/{token}", "approver", wrong)
    assert (answer.status_code, "APPROVAL_DIGEST_MISMATCH" in answer.text) == (409, True)
    right = {"choice": "reject", "order_digest": payment.order_digest.hex()}
    answer = await dashboard.post_form(f"/approve/{token}", "approver", right)
    assert (answer.status_code, "Say in a sentence why you reject" in answer.text) == (422, True)
    assert await _state(dashboard, payment) is PaymentState.AWAITING_APPROVAL
    answer = await dashboard.post_form(f"/approve/{token}", "approver", right | {"reason": "No."})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/{request_id}")
    assert await _state(dashboard, payment) is PaymentState.DENIED


async def test_a_vote_by_link_that_is_sent_twice_is_one_vote_and_no_error(
    dashboard: Dashboard,
) -> None:
    request_id, payment = await _waiting(dashboard)
    token = await _link(dashboard, request_id, dashboard.organization.approver)
    fields = {"choice": "approve", "order_digest": payment.order_digest.hex()}
    for _ in range(2):
        answer = await dashboard.post_form(f"/approve/{token}", "approver", fields)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/approvals/{request_id}")
    other = {**fields, "choice": "reject", "reason": "No."}
    answer = await dashboard.post_form(f"/approve/{token}", "approver", other)
    assert (answer.status_code, "ALREADY_VOTED" in answer.text) == (409, True)
    assert await _state(dashboard, payment) is PaymentState.APPROVED


async def test_a_made_up_link_is_not_known(dashboard: Dashboard) -> None:
    answer = await dashboard.browse("/approve/never-issued", None)
    assert (answer.status_code, "LINK_UNKNOWN" in answer.text) == (404, True)
