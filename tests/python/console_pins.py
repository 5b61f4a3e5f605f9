"""Changes pins on the page of `stagehost console`, or of `stagehost serve` that follows a store of pins, in Chromium.

    console_pins.py URL PICTURE TOOLS

URL is the console of an environment whose state GenerateThumbnails has version 1.5.0 of its stage in the registry. A
screenshot of a canary is written to the file PICTURE. TOOLS is that of console_pages.py. The exit code is 1 if something is not
as it should be.
"""

import json
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

STATE = "GenerateThumbnails"
expect.set_options(timeout=60_000)


def confirmed(page, why):
    """Checks the change that the form describes, and puts it in force."""
    page.click("button:has-text('Check')")
    expect(page.locator("h2", has_text="This would change")).to_be_visible()
    page.fill("#by", "Ana <script>")
    page.fill("#why", why)
    page.click("button:has-text('Put in force')")
    expect(page.locator(".done")).to_contain_text("is in force")


def main():
    url, picture, tools = sys.argv[1], Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
    picture.parent.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=tools["chromium"], args=flags)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{url}/pins")
        expect(page.locator("main p.comment").first).to_contain_text("signed by release")
        stage = page.locator(".stage", has=page.locator(f"h2:text-is('{STATE}')"))
        stage.get_by_text("Canary", exact=True).click()
        page.fill("#version", "9.9.9")
        page.fill("#percent", "5")
        page.click("button:has-text('Check')")
        expect(page.get_by_role("alert")).to_contain_text("9.9.9")
        page.fill("#version", "1.5.0")
        confirmed(page, "one in twenty")
        page.goto(f"{url}/pins")
        expect(stage.locator(".candidate")).to_contain_text("1.5.0 for 5 %")
        expect(page.locator(".history > li").first).to_contain_text("Ana <script>")
        expect(page.locator(".history > li").first.locator(".differences")).to_contain_text("canaries")
        expect(page.locator(".signature")).to_contain_text("release")
        expect(page.locator(".signature")).to_contain_text("staging")
        page.screenshot(path=picture, full_page=True)
        page.click("text=Roll back >> nth=0")
        confirmed(page, "colours are off")
        page.goto(f"{url}/pins")
        expect(stage.locator(".candidate")).to_have_count(0)
        expect(page.locator(".history > li")).to_have_count(3)
        browser.close()


if __name__ == "__main__":
    main()
