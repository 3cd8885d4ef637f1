"""Every page in a real browser, on a desk and on a phone: no fault, nothing too wide, true figures."""

import pytest
from playwright.async_api import Browser, expect
from sqlalchemy import text

from tests.support.browser import (
    DESK,
    PHONE,
    TRANSACTION_HASH,
    Dashboard,
    needs_browser,
)
from tests.support.invoices import printed
from tests.support.payees import create_payee
from treasurer.identity.freeze import freeze
from treasurer.kernel.ids import PaymentId


async def _seeded(dashboard: Dashboard) -> list[str]:
    """One paid, one waiting, one denied, some for review; the addresses of all pages about them."""
    paid = await dashboard.sample("halden-hf-1001.xml")
    await dashboard.settle(await dashboard.payment_of(paid))
    waiting = await dashboard.sample("qorvane-ql-1002.pdf")
    denied = await dashboard.sample("brightmoor-bm-1003.txt")
    await dashboard.sample("unknown-seller-tv-1004.txt")
    ambiguous = await dashboard.sample("ambiguous-hf-1005.txt")
    read = await dashboard.sample("brightmoor-bm-1006.json")
    await dashboard.services.audit.seal(dashboard.organization.id)
    payments = [await dashboard.payment_of(each) for each in (paid, waiting, denied, read)]
    return [
        *("/", "/approvals", "/invoices", "/payments", "/payees", "/policy", "/audit"),
        *("/payments?state=settled", "/invoices?state=needs_review"),
        f"/approvals/{await dashboard.request_of(waiting)}",
        *(f"/invoices/{each.id}" for each in (paid, waiting, denied, ambiguous, read)),
        *(f"/payments/{each.id}" for each in payments),
        f"/payees/{payments[0].payee_id}",
    ]


@needs_browser
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
async def test_every_page_is_sound(
    dashboard: Dashboard, browser: Browser, viewport: dict[str, int]
) -> None:
    paths = await _seeded(dashboard)
    async with dashboard.visit(browser, "cfo", viewport=viewport) as visit:
        for path in paths:
            answer = await visit.page.goto(dashboard.url + path)
            assert answer is not None
            await visit.page.wait_for_load_state("networkidle")
            assert (path, answer.status, await visit.overflow_px()) == (path, 200, 0)
            assert (path, visit.faults) == (path, [])
    async with dashboard.visit(browser, None, viewport=viewport) as visit:
        for path in ("/login", "/login/link/x"):
            await visit.open(path)
            assert (path, await visit.overflow_px(), visit.faults) == (path, 0, [])


@needs_browser
async def test_long_words_do_not_widen_a_phones_page(
    dashboard: Dashboard, browser: Browser
) -> None:
    name, number = "W" * 180, "N1" * 20
    payee = await create_payee(
        dashboard.services.payees, dashboard.organization, "V-900", name, "0x" + "ab" * 20
    )
    content = printed(number, "4150.00 USDC", seller=name, address=None)
    invoice = await dashboard.submitted(content, "F" * 190 + ".txt")
    payment = await dashboard.payment_of(invoice)
    async with dashboard.visit(browser, "cfo", viewport=PHONE) as visit:
        for path in (
            *("/", "/approvals", "/invoices", "/payments", "/payees", "/audit"),
            f"/approvals/{await dashboard.request_of(invoice)}",
            f"/invoices/{invoice.id}",
            f"/payments/{payment.id}",
            f"/payees/{payee.id}",
        ):
            await visit.open(path)
            assert (path, await visit.overflow_px()) == (path, 0)


async def test_head_answers_wherever_get_does(dashboard: Dashboard) -> None:
    for path in await _seeded(dashboard):
        answer = await dashboard.browse(path, "cfo", method="HEAD")
        assert (path, answer.status_code, answer.content) == (path, 200, b"")


@needs_browser
async def test_the_overview_tells_the_figures(dashboard: Dashboard, browser: Browser) -> None:
    await _seeded(dashboard)
    async with dashboard.visit(browser, "cfo") as visit:
        page = visit.page
        figures = page.locator(".figures")
        await expect(figures).to_contain_text("49,160.00\u00a0USD")
        await expect(figures).to_contain_text("147 days")
        await expect(figures).to_contain_text("of 25,000.00 USD allowed")
        await expect(page.locator("nav .count")).to_have_text("1")
        table = page.locator("table.rows").first
        rows = table.locator("tbody tr:not(.why)")
        assert [await row.locator(".pill").last.inner_text() for row in await rows.all()] == [
            "approved",
            "denied",
            "awaiting approval",
            "settled",
        ]
        await expect(rows.nth(3)).to_contain_text("0x5e5e5e5e…5e5e5e")
        await expect(table.locator("tr.why")).to_contain_text(
            "Denied. No rule permits this payment"
        )
        assert await page.locator("svg.bars rect").count() == 30
        await expect(page.locator("svg.bars rect title").last).to_have_text(
            "2026-11-22: 840.00 USD in 1 payment"
        )


@needs_browser
async def test_the_overview_follows_by_itself(dashboard: Dashboard, browser: Browser) -> None:
    async with dashboard.visit(browser, "cfo") as visit:
        await expect(visit.page.locator("main")).to_contain_text("Nothing has been proposed yet.")
        await dashboard.sample("qorvane-ql-1002.pdf")
        await expect(visit.page.locator("main")).to_contain_text(
            "Qorvane Logistics GmbH", timeout=15_000
        )
        assert visit.faults == []


@pytest.mark.parametrize(
    ("change", "words"),
    [("frozen = true", "Frozen."), ("mode = 'dry_run'", "Dry run.")],
)
async def test_a_banner_says_when_no_money_moves(
    dashboard: Dashboard, change: str, words: str
) -> None:
    assert "banner" not in (await dashboard.browse("/", "cfo")).text
    async with dashboard.services.database.unit(dashboard.organization.id) as connection:
        await connection.execute(text(f"UPDATE organizations SET {change}"))
    for path in ("/", "/payments", "/policy"):
        assert f"<strong>{words}</strong>" in (await dashboard.browse(path, "cfo")).text


async def test_the_banner_says_who_froze_it_when_and_why(dashboard: Dashboard) -> None:
    services, cfo = dashboard.services, dashboard.organization.cfo
    reason = "two <invoices> of one number"
    await freeze(services.database, cfo, reason, now=services.clock(), new_id=services.new_id)
    page = (await dashboard.browse("/", "administrator")).text
    assert "Cfo froze it, 22 Nov 2026, 10:00 UTC: two &lt;invoices&gt; of one number" in page


async def test_a_settled_payment_tells_its_story(dashboard: Dashboard) -> None:
    payment = await dashboard.payment_of(await dashboard.sample("halden-hf-1001.xml"))
    await dashboard.settle(payment)
    page = (await dashboard.browse(f"/payments/{PaymentId(payment.id)}", "cfo")).text
    assert f"0x{TRANSACTION_HASH.hex()}" in page
    assert payment.order_digest.hex() in page
    assert "expense:suppliers:USDC" in page
    assert "49,160.00 USDC" in page
    titles = ["Proposed", "Approved for payment", "Settled"]
    places = [page.index(f"<p>{title}") for title in titles]
    assert places == sorted(places)
    told = (await dashboard.get(f"/api/v1/payments/{payment.id}")).json()
    (transfer,) = told["transfers"]
    assert (transfer["state"], transfer["nonce"], transfer["block_number"]) == ("settled", 0, 42)
    (attempt,) = transfer["attempts"]
    assert (attempt["number"], attempt["kind"]) == (1, "payment")
    assert attempt["max_fee_per_gas_wei"] == "1"
    assert attempt["transaction_hash"] in page


async def test_the_audit_page_verifies_and_finds_a_fault(dashboard: Dashboard) -> None:
    await dashboard.sample("halden-hf-1001.xml")
    await dashboard.services.audit.seal(dashboard.organization.id)
    good = await dashboard.post_form("/audit/verification", "cfo", {})
    assert good.status_code == 200
    assert "each follows from the one before. No signature was verified." in good.text
    async with dashboard.services.database.unit(dashboard.organization.id) as connection:
        await connection.execute(text("UPDATE audit_heads SET hash = sha256(hash)"))
    bad = await dashboard.post_form("/audit/verification", "cfo", {})
    assert "The chain is broken at" in bad.text
    events = (await dashboard.browse("/audit", "cfo")).text
    assert events.index("Invoice received") < events.index("Payee created")


async def test_without_a_policy_the_pages_say_that_nothing_is_paid(bare: Dashboard) -> None:
    page = await bare.browse("/policy", "cfo")
    assert "No policy set is active, so nothing is paid." in page.text
    assert (await bare.browse("/", "cfo")).status_code == 200
