"""Submitting a document and looking at it: beside its fields, escaped, never live."""

import struct

import pytest
from playwright.async_api import Browser, expect

from tests.support.browser import SAMPLES, Dashboard, needs_browser
from tests.support.invoices import printed


@needs_browser
async def test_a_clerk_submits_and_sees_it_read(dashboard: Dashboard, browser: Browser) -> None:
    async with dashboard.working(), dashboard.visit(browser, "clerk") as visit:
        page = await visit.open("/invoices")
        await page.get_by_label("Submit an invoice").set_input_files(
            SAMPLES / "qorvane-ql-1002.pdf"
        )
        await page.get_by_role("button", name="Submit", exact=True).click()
        await page.wait_for_url("**/invoices/*-*")
        await expect(page.get_by_role("heading", level=1)).to_contain_text("QL-1002")
        await expect(page.locator("h1 .pill")).to_have_text("proposed")
        assert visit.faults == []


@needs_browser
async def test_pointing_at_a_field_lights_its_place_on_the_page(
    dashboard: Dashboard, browser: Browser
) -> None:
    invoice = await dashboard.sample("qorvane-ql-1002.pdf")
    async with dashboard.visit(browser, "cfo") as visit:
        page = await visit.open(f"/invoices/{invoice.id}")
        picture = page.get_by_role("img", name="Page 1 of the document")
        await expect(picture).to_have_js_property("complete", True)
        assert await picture.evaluate("image => image.naturalWidth") == 1100
        mark = page.locator("#mark-payable_amount")
        assert await mark.get_attribute("class") is None
        await page.locator("tr[data-mark='mark-payable_amount']").hover()
        await expect(mark).to_have_class("lit")
        await page.locator("tr[data-mark='mark-seller']").hover()
        await expect(mark).to_have_class("")
        # The printed line "Total due" stands between 34 and 37 % of the page's height.
        box, sheet = await mark.bounding_box(), await picture.bounding_box()
        assert box is not None
        assert sheet is not None
        assert 0.34 < (box["y"] + box["height"] / 2 - sheet["y"]) / sheet["height"] < 0.37
        assert visit.faults == []


@needs_browser
async def test_a_line_of_text_is_the_place_of_a_field(
    dashboard: Dashboard, browser: Browser
) -> None:
    invoice = await dashboard.sample("brightmoor-bm-1003.txt")
    async with dashboard.visit(browser, "cfo") as visit:
        page = await visit.open(f"/invoices/{invoice.id}")
        await page.locator("tr[data-mark='line-12']").first.hover()
        await expect(page.locator("li.lit")).to_have_text("Total due: 30,000.00 USDC")


HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


@needs_browser
async def test_hostile_text_is_shown_and_never_run(dashboard: Dashboard, browser: Browser) -> None:
    payees, organization = dashboard.services.payees, dashboard.organization
    payee = await payees.create(
        organization.clerk, code="V-666", name=HOSTILE, email="a@seller.example"
    )
    content = printed(HOSTILE[:60], seller=HOSTILE, note=HOSTILE)
    invoice = await dashboard.submitted(content, f"{HOSTILE}.txt")
    async with dashboard.visit(browser, "cfo") as visit:
        dialogs: list[str] = []
        visit.page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        for path in (
            f"/invoices/{invoice.id}",
            "/invoices",
            "/payees",
            f"/payees/{payee.id}",
            "/audit",
        ):
            page = await visit.open(path)
            await page.wait_for_load_state("networkidle")
            assert await page.locator("main script, main img[src='x']").count() == 0
        page = await visit.open(f"/payees/{payee.id}")
        await expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
        assert (dialogs, visit.faults) == ([], [])


async def test_the_original_is_only_ever_a_download(dashboard: Dashboard) -> None:
    content = b"<html><script>alert(1)</script></html>"
    invoice = await dashboard.submitted(content, "page.html")
    answer = await dashboard.browse(f"/invoices/{invoice.id}/original", "cfo")
    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="invoice-')
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_pages_of_a_pdf_are_pictures(dashboard: Dashboard) -> None:
    invoice = await dashboard.sample("qorvane-ql-1002.pdf")
    answer = await dashboard.browse(f"/invoices/{invoice.id}/pages/1.png", "cfo")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert struct.unpack(">II", answer.content[16:24]) == (1100, 1556)
    for number, status in ((2, 422), (0, 404), (13, 404)):
        other = await dashboard.browse(f"/invoices/{invoice.id}/pages/{number}.png", "cfo")
        assert (number, other.status_code) == (number, status)


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7\nbroken", b"PK\x03\x04 a zip", b"\x89PNG\r\n\x1a\n"]
)
async def test_what_cannot_be_drawn_says_so(dashboard: Dashboard, content: bytes) -> None:
    invoice = await dashboard.submitted(content, "broken.pdf")
    page = await dashboard.browse(f"/invoices/{invoice.id}", "cfo")
    assert (page.status_code, "This document cannot be shown." in page.text) == (200, True)
    picture = await dashboard.browse(f"/invoices/{invoice.id}/pages/1.png", "cfo")
    assert (picture.status_code, "PAGE_UNDRAWABLE" in picture.text) == (422, True)


async def test_submitting_needs_a_file_and_the_permission(dashboard: Dashboard) -> None:
    empty = await dashboard.post_form("/invoices", "clerk", {})
    assert (empty.status_code, "FILE_MISSING" in empty.text) == (422, True)
    refused = await dashboard.post_form(
        "/invoices", "approver", {}, files={"document": ("a.txt", printed())}
    )
    assert refused.status_code == 403
    assert await dashboard.services.invoices.page(dashboard.organization.cfo) == []
    page = await dashboard.browse("/invoices", "approver")
    assert "Submit an invoice" not in page.text
