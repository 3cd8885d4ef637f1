"""Takes the papers' pictures of a running installation: `python -m tests.dashboard.screenshots LINK TO`.

LINK is the login link that `treasurer up --demo` prints, TO the folder for the pictures.
"""

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Page

from tests.support.browser import DESK, chromium


async def main(link: str, folder: Path) -> None:
    """Overview, the first waiting approval, its invoice and a settled payment."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = urlsplit(link)
    home = f"{parts.scheme}://{parts.netloc}/"
    async with chromium() as browser:
        page = await browser.new_page(viewport=DESK, color_scheme="light")  # type: ignore[arg-type]
        await page.goto(link)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(home)
        await page.locator(".pill.good").first.wait_for()
        await _take(page, folder / "overview.png")
        await page.locator(".queue a").first.click()
        await _take(page, folder / "approval.png")
        await page.locator(".facts a[href^='/invoices/']").click()
        await page.locator(".fields").wait_for()
        await _take(page, folder / "invoice.png")
        await page.goto(home + "payments?state=settled")
        await page.locator("table.rows tbody a").first.click()
        await _take(page, folder / "payment.png")


async def _take(page: Page, path: Path) -> None:
    await page.wait_for_load_state("networkidle")
    await page.screenshot(path=path, full_page=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
