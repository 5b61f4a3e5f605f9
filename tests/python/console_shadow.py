"""Looks at what a shadow did otherwise, on the console of `stagehost serve`, in Chromium.

    console_shadow.py ADDRESS_FILE SAMPLES PICTURES TOOLS

The pins that serve follows have a shadow for every execution of GenerateThumbnails, with another quality. The arguments are those of
console_pages.py. The exit code is 1 if something is not as it should be.
"""

import json
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

STATE = "GenerateThumbnails"
KEY = "61/raw/photo/horizontal/2026-01-02/kitchen.jpg"
expect.set_options(timeout=120_000)


def posted(home, bucket, photo):
    """Stores a photo and posts a batch of it. Returns the name of its execution."""
    put = urllib.request.Request(f"{home}{bucket}/{KEY}", photo.read_bytes(), {"content-type": "image/jpeg"}, method="PUT")
    urllib.request.urlopen(put).close()
    batch = json.dumps({"jobId": 1, "batchId": 1, "assets": [KEY]}).encode()
    request = urllib.request.Request(f"{home}api/v1/listings/61/media/batch", batch, method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["executionArn"].rsplit(":", 1)[1]


def main():
    facts, tools = json.loads(Path(sys.argv[1]).read_text()), json.loads(Path(sys.argv[4]).read_text())
    samples, pictures = Path(sys.argv[2]), Path(sys.argv[3])
    pictures.mkdir(parents=True, exist_ok=True)
    home = facts["endpoint"] + "/"
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=tools["chromium"], args=flags)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        name = posted(home, facts["bucket"], samples / "kitchen.jpg")
        page.goto(f"{home}console/batch/{name}")
        # The shadow's report is stored before the state ends.
        expect(page.locator(".timeline li", has_text=STATE).locator(".badge")).to_have_text("done")
        page.goto(f"{home}console/pins")
        stage = page.locator(".stage", has=page.locator(f"h2:text-is('{STATE}')"))
        expect(stage).to_contain_text("different")
        stage.locator("summary").click()
        expect(stage.locator(".differing a", has_text=name)).to_be_visible()
        pair = stage.locator(".pair").first
        images = pair.locator("img")
        expect(images).to_have_count(2)
        sizes = [image.evaluate("""async (img) => {
            img.loading = 'eager';
            await img.decode();
            return [img.naturalWidth, img.naturalHeight];
        }""") for image in images.all()]
        assert sizes[0] == sizes[1] and sizes[0][0] > 0, f"both pictures are seen, in one size: {sizes}"
        sources = [image.get_attribute("src") for image in images.all()]
        assert "/61/thumb/" in sources[0] and "/pipeline/shadow/" in sources[1], sources
        contents = [urllib.request.urlopen(home.rstrip("/") + source).read() for source in sources]
        assert len(contents[1]) < len(contents[0]), "the shadow's picture has a lower quality, so it is another one"
        page.evaluate(Path(tools["axe"]).read_text())
        violations = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        assert not violations, [(violation["id"], violation["nodes"][0]["html"][:160]) for violation in violations]
        page.screenshot(path=pictures / "shadow-1440-light.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
