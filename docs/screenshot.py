"""`make screenshots`: takes the papers' pictures of a fresh demonstration. Must never touch a real one."""

import shutil
import socket
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from treasurer.cli.up import run_all
from treasurer.settings import Settings

IMAGES = Path(__file__).parent / "images"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def main() -> None:
    """Start everything in a temporary folder, look at it as the CFO, and stop it."""
    if CHROMIUM is None:
        sys.exit("no Chromium found: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="treasurer-pictures-") as folder:
        settings = Settings(treasurer_home=Path(folder), treasurer_port=_free_port())
        with run_all(settings, demo=True, say=print) as running, sync_playwright() as playwright:
            assert running.login_link is not None
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
            )
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            _take_all(page, running.login_link)
            browser.close()


def _take_all(page: Page, link: str) -> None:
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    # The page renews itself; the first payment is settled some seconds after the start.
    page.locator(".pill.good:visible", has_text="settled").first.wait_for()
    _take(page, "overview")
    page.locator(".queue a").first.click()
    page.get_by_role("button", name="Approve").wait_for()
    _take(page, "approval")


def _take(page: Page, name: str) -> None:
    path = IMAGES / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    print(f"wrote {path.relative_to(Path.cwd())}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
