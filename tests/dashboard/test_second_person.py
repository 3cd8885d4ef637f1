"""The pages where a second person or a second proof stands: delegation, withdrawal, change, password."""

import re

import pyotp
import pytest
from playwright.async_api import Browser, expect

from policy.quorum import Choice
from tests.support.approvals import CFO_AND_ONE
from tests.support.browser import DESK, PHONE, Dashboard, needs_browser
from tests.support.identity import PASSWORD
from treasurer.approvals.model import ApprovalRequest
from treasurer.approvals.settings import ApprovalSettings
from treasurer.identity.totp import MOST_FAILURES
from treasurer.kernel.organization import Role
from treasurer.payees.change import CallBackNote
from treasurer.payments.model import Payment, PaymentState


async def _waiting(dashboard: Dashboard) -> tuple[str, Payment]:
    invoice = await dashboard.sample("qorvane-ql-1002.pdf")
    request_id = await dashboard.request_of(invoice)
    return f"/approvals/{request_id}", await dashboard.payment_of(invoice)


async def _state(dashboard: Dashboard, payment: Payment) -> PaymentState:
    return (await dashboard.services.payments.get(dashboard.organization.cfo, payment.id)).state


@needs_browser
async def test_a_cfo_delegates_and_the_delegate_votes_and_withdraws(
    dashboard: Dashboard, browser: Browser
) -> None:
    path, payment = await _waiting(dashboard)
    async with dashboard.visit(browser, "cfo") as visit:
        page = await visit.open("/delegations")
        await page.get_by_label("To").select_option(label="Approver")
        await page.get_by_label("Until, in UTC").fill("2026-11-27T10:00")
        await page.get_by_role("button", name="Delegate").click()
        await expect(page.locator("main")).to_contain_text("Approver until 27 Nov 2026, 10:00 UTC")
    async with dashboard.visit(browser, "approver", viewport=PHONE) as visit:
        page = await visit.open(path)
        await page.get_by_label("You vote for").select_option(label="Cfo, who delegated to you")
        assert await visit.overflow_px() == 0
        await page.get_by_role("button", name="Approve 4,150.00 USDC").click()
        await expect(page.locator(".vote")).to_contain_text("Approver, for Cfo")
        assert await _state(dashboard, payment) is PaymentState.APPROVED
        await page.get_by_role("button", name="Withdraw my approval").click()
        await expect(page.locator("h1 .pill")).to_have_text("open")
        await expect(page.locator(".vote")).to_contain_text("withdrawn")
        assert not page.url.endswith(path)
        assert visit.faults == []
    assert await _state(dashboard, payment) is PaymentState.AWAITING_APPROVAL


async def test_an_approval_given_before_the_question_was_put_anew_is_withdrawn_on_the_page(
    dashboard: Dashboard,
) -> None:
    """As a stricter policy asks at reserve: the new request goes on with the votes of the former."""
    _, payment = await _waiting(dashboard)
    approvals, organization = dashboard.services.approvals, dashboard.organization

    async def asked_anew() -> ApprovalRequest:
        async with dashboard.services.database.unit(organization.id) as connection:
            return await approvals.open(
                connection,
                organization.id,
                payment_id=payment.id,
                order_digest=payment.order_digest,
                requirement=CFO_AND_ONE,
                requester_id=organization.clerk.user_id,
                now=dashboard.clock(),
                inherit_votes=True,
            )

    first = await asked_anew()
    await approvals.vote(organization.approver, first.id, Choice.APPROVE, "", payment.order_digest)
    second = await asked_anew()
    page = await dashboard.browse(f"/approvals/{second.id}", "approver")
    assert "Withdraw my approval" in page.text
    assert ">Reject<" in page.text
    assert (
        "Withdraw my approval"
        not in (await dashboard.browse(f"/approvals/{second.id}", "cfo")).text
    )
    answer = await dashboard.post_form(f"/approvals/{second.id}/withdrawal", "approver", {})
    assert answer.status_code == 303
    after = await approvals.get(organization.approver, second.id)
    assert after.counted(dashboard.clock()) == ()


async def _vera(dashboard: Dashboard) -> dict[str, str]:
    """A browser's headers of a CFO who has a password."""
    email = f"vera.{dashboard.organization.id.hex}@norwick.test"
    identity = dashboard.services.identity
    await identity.create_user(
        dashboard.organization.administrator,
        email=email,
        name="Vera Lind",
        roles=frozenset({Role.CFO}),
        password=PASSWORD,
    )
    session = await identity.redeem_link(await identity.login_link(email))
    return {
        "Accept": "text/html",
        "Origin": dashboard.url,
        "Cookie": f"treasurer_session={session.cookie}",
    }


async def test_a_large_payment_asks_for_the_password_in_the_same_form(dashboard: Dashboard) -> None:
    path, payment = await _waiting(dashboard)
    await dashboard.services.approval_settings.put(
        dashboard.organization.administrator, ApprovalSettings(100_000)
    )
    headers = await _vera(dashboard)
    page = await dashboard.client.get(path, headers=headers)
    assert 'name="password"' in page.text
    (token, *_) = re.findall(r'name="form_token" value="([0-9a-f]{64})"', page.text)
    form = {
        "form_token": token,
        "choice": "approve",
        "order_digest": payment.order_digest.hex(),
        "reason": "Agreed with Ute.",
    }
    for password, status, words in (
        ("", 403, "Give your password or code again"),
        ("wrong password", 403, "The password is wrong"),
    ):
        answer = await dashboard.client.post(
            path, headers=headers, data={**form, "password": password}
        )
        assert (answer.status_code, words in answer.text) == (status, True)
        assert ">Agreed with Ute.</textarea>" in answer.text
        assert await _state(dashboard, payment) is PaymentState.AWAITING_APPROVAL
    answer = await dashboard.client.post(path, headers=headers, data={**form, "password": PASSWORD})
    assert answer.status_code == 303
    assert await _state(dashboard, payment) is PaymentState.APPROVED


async def test_a_payees_details_change_by_two_people_on_the_page(dashboard: Dashboard) -> None:
    payee = await dashboard.services.payees.get_by_code(dashboard.organization.clerk, "V-002")
    path = f"/payees/{payee.id}"
    proposal = {
        "name": payee.name,
        "vat_id": "",
        "iban": "NO9386011117947",
        "email": "",
        "phone": "",
    }
    same = await dashboard.post_form(f"{path}/changes", "clerk", {**proposal, "iban": ""})
    assert (same.status_code, "Nothing differs" in same.text) == (422, True)
    wrong = await dashboard.post_form(
        f"{path}/changes", "clerk", {**proposal, "iban": "NO9386011117948"}
    )
    assert (wrong.status_code, "check digits are wrong" in wrong.text) == (422, True)
    assert 'name="iban" value="NO9386011117948"' in wrong.text
    assert (await dashboard.post_form(f"{path}/changes", "clerk", proposal)).status_code == 303
    own = await dashboard.browse(path, "clerk")
    assert "You proposed this change" in own.text
    assert "Confirm the change" not in own.text
    (confirm,) = re.findall(
        r'action="(/payees/[^"]+/confirmation)"',
        (await dashboard.browse(path, "administrator")).text,
    )
    call = {
        "spoke_to": "Ute Qorvane",
        "called_at": "2026-11-22T10:00",
        "number": "+49 30 1234567",
        "note": "Number from the contract of 2024.",
    }
    for fields, words in (
        ({**call, "called_at": ""}, "Write when you called"),
        ({**call, "spoke_to": ""}, "Write whom you spoke to"),
    ):
        answer = await dashboard.post_form(confirm, "administrator", fields)
        assert (answer.status_code, words in answer.text) == (422, True)
        assert f">{call['note']}</textarea>" in answer.text
        assert f'name="number" value="{call["number"]}"' in answer.text
    assert (await dashboard.post_form(confirm, "clerk", call)).status_code == 403
    assert (await dashboard.post_form(confirm, "administrator", call)).status_code == 303
    after = await dashboard.browse(path, "clerk")
    assert "NO9386011117947" in after.text
    assert "(not from the payee master)" in after.text
    assert "nothing is paid before" in after.text


async def test_a_page_left_open_takes_no_confirmed_change_back(dashboard: Dashboard) -> None:
    organization, changes = dashboard.organization, dashboard.services.payee_changes
    payee = await dashboard.services.payees.get_by_code(organization.clerk, "V-002")
    open_page = (await dashboard.browse(f"/payees/{payee.id}", "clerk")).text
    shown = dict(re.findall(r'<input (?:type="hidden" )?name="(\w+)" value="([^"]*)"', open_page))
    del shown["form_token"]  # of that session
    change = await changes.propose(organization.clerk, payee.id, {"phone": "+49 30 7654321"})
    call = CallBackNote("Ute Qorvane", dashboard.clock(), "From the contract.", "+49 30 1234567")
    await changes.confirm(organization.administrator, payee.id, change.id, call, cooling_off_s=0)
    answer = await dashboard.post_form(
        f"/payees/{payee.id}/changes",
        "clerk",
        {**shown, "iban": "NO9386011117947"},
    )
    assert answer.status_code == 303
    newest, _ = await changes.of(organization.clerk, payee.id)
    assert newest.details == {"iban": "NO9386011117947"}


async def test_a_locked_authenticator_is_told_in_the_form_where_the_password_serves(
    dashboard: Dashboard,
) -> None:
    path, payment = await _waiting(dashboard)
    organization, codes = dashboard.organization, dashboard.pages.codes
    await dashboard.services.approval_settings.put(
        organization.administrator, ApprovalSettings(100_000)
    )
    identity = dashboard.services.identity
    session = await identity.session_for(organization.email("cfo"))
    cfo = await identity.principal_from_token(session.access_token)
    totp = pyotp.TOTP((await codes.begin(cfo, email="cfo@norwick.test")).secret)
    await codes.confirm(cfo, totp.at(dashboard.clock()))
    for _ in range(MOST_FAILURES):
        assert not await codes.take(cfo, "no code")
    form = {"choice": "approve", "order_digest": payment.order_digest.hex(), "code": "123456"}
    answer = await dashboard.post_form(path, "cfo", form)
    assert (
        answer.status_code,
        "Enrol it again" in answer.text or "enrol it again" in answer.text,
    ) == (409, True)
    assert 'name="password"' in answer.text
    assert await _state(dashboard, payment) is PaymentState.AWAITING_APPROVAL


@needs_browser
@pytest.mark.parametrize("viewport", [DESK, PHONE])
async def test_an_authenticator_is_enrolled_without_overflow(
    dashboard: Dashboard, browser: Browser, viewport: dict[str, int]
) -> None:
    async with dashboard.visit(browser, "cfo", viewport=viewport) as visit:
        page = await visit.open("/authenticator")
        await page.get_by_role("button", name="Enrol an authenticator").click()
        await expect(page.locator("main a")).to_contain_text("otpauth://totp/")
        assert await visit.overflow_px() == 0
        await page.get_by_label("The code that it shows now").fill("000000x")
        await page.get_by_role("button", name="Confirm").click()
        await expect(page.get_by_role("alert")).to_contain_text("That code is not right")
        assert "otpauth" not in await page.content()
