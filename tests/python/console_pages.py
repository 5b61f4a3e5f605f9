"""Uses the console of `stagehost serve` as a person does, in Chromium.

    console_pages.py ADDRESS_FILE SAMPLES PICTURES TOOLS

ADDRESS_FILE holds the JSON line that `stagehost serve --json` prints, SAMPLES is the folder of the sample listing, and
screenshots are written into PICTURES. TOOLS is a JSON file that names the file axe.min.js of the npm package axe-core and
the browser: {"axe": …, "chromium": …}. The exit code is 1 if something is not as it should be.
"""

import contextlib
import http.server
import json
import sys
import threading
import traceback
import urllib.request
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
EVIL = "<img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>"
expect.set_options(timeout=20_000)


def holds(condition, what):
    if not condition:
        raise AssertionError(what)


def listened(page):
    """Collects what the browser complains about: errors of the script, and violations of the content security policy."""
    complaints = []
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("console", lambda message: complaints.append(f"{page.url}: {message.text}") if message.type == "error" else None)
    return complaints


def pictures_arrive(page):
    """Loads all pictures of the page, those below the screen too. (`wait_for_function` evaluates a text in the page, which the
    policy of the pages forbids.)"""
    page.evaluate("""Promise.all([...document.querySelectorAll('img')].map((img) => {
        img.loading = 'eager';
        return img.complete || new Promise((done) => { img.onload = img.onerror = done; });
    }))""")


def drag(page, paths):
    """Drags files or folders from outside the browser onto the page."""
    box = page.locator("#drop").bounding_box()
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 20}
    client = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ["dragEnter", "dragOver", "drop"]:
        client.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})


def a_folder_dragged_in_becomes_a_batch_that_others_see(browser, home, samples, pictures):
    page, other = browser.new_page(viewport=WIDE), browser.new_page(viewport=WIDE)
    complaints = [listened(page), listened(other)]
    other.goto(home)
    holds(other.url.endswith("/console"), f"a browser is led to the console: {other.url}")
    page.goto(f"{home}console/upload")
    page.fill("#listing", "51")
    drag(page, [samples])
    files = [path for path in samples.iterdir() if not path.name.startswith(".")]
    expect(page.locator("#chosen li")).to_have_count(len(files))
    page.screenshot(path=pictures / "uploading-1440-light.png", full_page=True)
    page.click("#start")
    page.wait_for_url("**/console/batch/*", timeout=120_000)
    name = page.locator("h1").inner_text()
    # A second person sees it without doing anything.
    expect(other.locator("table.list tbody tr", has_text=name)).to_be_visible()
    expect(page.locator(".heading .badge")).to_have_text("running")
    expect(page.locator(".plan .node.ok, .plan .node.run").first).to_be_visible()
    expect(page.locator(".heading .badge")).to_have_text("succeeded", timeout=400_000)
    expect(other.locator("table.list tbody tr", has_text=name).locator(".badge").first).to_have_text("succeeded")
    holds(not any(complaints), f"the browser complains: {complaints}")
    other.close()
    return page, name


def files_are_seen_and_a_failure_is_read(page):
    page.reload()
    damaged = page.locator(".file", has_text="kitchen-damaged.jpg")
    expect(damaged.locator(".problem")).to_contain_text("Stage.Corrupt")
    pictures_arrive(page)
    broken = page.evaluate(
        "[...document.querySelectorAll('.strip img')].filter((img) => img.naturalWidth === 0).map((img) => img.src)"
    )
    broken = [url for url in broken if "kitchen-damaged" not in url]
    holds(not broken, f"pictures that are not shown: {broken}")
    holds(page.locator(".strip img[src*='/thumb/']").count() > 5, "thumbnails are beside the uploads")
    film = page.locator("video[src*='/processed/']").first
    seconds = film.evaluate("(film) => new Promise((done) => { film.onloadedmetadata = () => done(film.duration); film.preload = 'metadata'; film.load(); })")
    holds(seconds > 0.5, f"a film can be played: {seconds} s")
    archive = page.locator(".bundles > li", has_text="complete.zip")
    said = int(archive.locator("span").first.inner_text().split()[0])
    holds(said > 5, f"the archive has files: {said}")
    archive.locator("summary").click()
    expect(archive.locator(".entries li")).to_have_count(said)
    expect(archive.locator(".entries li", has_text="kitchen.jpg").first).to_contain_text("B")
    expect(page.locator("#callback-0")).to_contain_text("kitchen.jpg")
    page.locator(".plan a.node", has_text="GenerateThumbnails").click()
    expect(page.locator("h1")).to_have_text("GenerateThumbnails")
    expect(page.locator("#output")).to_contain_text("renditions")
    expect(page.locator("table.list tbody tr").first).to_contain_text("thumbnails")
    page.click("text=Run again with this input")
    expect(page.locator("#input")).to_contain_text("startedAt")
    page.go_back()
    page.go_back()


def a_batch_is_run_again(page, batch, name):
    page.goto(batch)
    page.click("text=Run again")
    page.click("button:has-text('Start')")
    page.wait_for_url("**/console/batch/*-again-*")
    expect(page.locator(".heading .badge")).to_have_text("succeeded", timeout=400_000)
    holds(page.locator("h1").inner_text().startswith(name), "its name says of what")


def a_batch_that_was_stopped_goes_on_from_there(browser, home, samples, axe):
    """Its film is new, so the batch is stopped while it is transcoded."""
    page = browser.new_page(viewport=WIDE)
    complaints = listened(page)
    page.on("dialog", lambda dialog: dialog.accept())
    film = max(samples.glob("*.mp4"), key=lambda path: path.stat().st_size)
    page.goto(f"{home}console/upload")
    page.fill("#listing", "52")
    page.set_input_files("#files", [samples / "kitchen.jpg", film])
    page.click("#start")
    page.wait_for_url("**/console/batch/*", timeout=120_000)
    batch = page.url
    expect(page.locator(".timeline li", has_text="ProcessVideos").locator(".badge")).to_have_text("running", timeout=120_000)
    page.click("button:has-text('Stop')")
    expect(page.locator(".heading .badge")).to_have_text("stopped")
    page.click("text=Go on from where it stopped")
    expect(page.locator(".stopped li", has_text="ProcessVideos")).to_be_visible()
    page.evaluate(axe)
    violations = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    holds(not violations, f"the question is accessible: {[violation['id'] for violation in violations]}")
    page.click("button:has-text('Go on')")
    page.wait_for_url(batch)
    expect(page.locator(".heading .badge")).to_have_text("succeeded", timeout=400_000)
    page.reload()
    expect(page.locator("dl.facts")).to_contain_text("once after its end")
    page.locator(".timeline a", has_text="ProcessVideos").click()
    expect(page.locator(".attempts li")).to_have_count(2)
    expect(page.locator(".attempts li .badge").last).to_have_text("done")
    holds(not complaints, f"the browser complains: {complaints}")
    page.close()


def an_upload_never_replaces_another_file(browser, home, samples):
    page = browser.new_page(viewport=WIDE)
    complaints = listened(page)
    photo = (samples / "kitchen.jpg").read_bytes()
    said = ["stored", "was there already, with the same bytes", "stored under another name"]
    # The batch begins when it was read how the file was stored.
    held = []
    page.route("**/console/upload/batch", lambda route: held.append(route))
    for number, content in enumerate([photo, photo, photo + b"another"]):
        page.goto(f"{home}console/upload")
        page.fill("#listing", "88")
        page.set_input_files("#files", [{"name": "hall.jpg", "mimeType": "image/jpeg", "buffer": content}])
        with page.expect_request("**/console/upload/batch"):
            page.click("#start")
        expect(page.locator("#chosen li span").last).to_have_text(said[number])
        held.pop().continue_()
        if number < 2:
            page.wait_for_url("**/console/batch/*")
    expect(page.locator("#upload-note")).to_contain_text("hall.jpg is stored as hall-2.jpg")
    page.click("#upload-note a")
    page.wait_for_url("**/console/batch/*")
    expect(page.locator(".file h3")).to_have_text("hall-2.jpg")
    holds(not complaints, f"the browser complains: {complaints}")
    page.close()


def a_file_is_tried_on_a_stage(browser, home, samples):
    page = browser.new_page(viewport=WIDE)
    complaints = listened(page)
    page.goto(f"{home}console/playground")
    page.select_option("#state", "GenerateThumbnails")
    page.fill("#listing", "77")
    page.set_input_files("#file", samples / "kitchen.jpg")
    page.click("button:has-text('Call the stage')")
    expect(page.locator(".strip img[src*='/thumb/']").first).to_be_visible(timeout=60_000)
    expect(page.locator("table.list tbody tr").last).to_contain_text("thumbnails")
    holds(not complaints, f"the browser complains: {complaints}")
    page.close()


def text_from_outside_stays_text(browser, home):
    page = browser.new_page(viewport=WIDE)
    complaints = listened(page)
    key = "51/raw/photo/horizontal/2026-01-02/<img src=x onerror=alert(1)>.jpg"
    batch = {"jobId": 990, "batchId": 990, "assets": [{"key": key, "type": "PHOTO_HORIZONTAL", "title": EVIL}]}
    request = urllib.request.Request(f"{home}api/v1/listings/51/media/batch", json.dumps(batch).encode(), method="POST")
    arn = json.load(urllib.request.urlopen(request))["executionArn"]
    page.goto(f"{home}console/batch/{arn.rsplit(':', 1)[1]}")
    expect(page.locator(".heading .badge")).not_to_have_text("running", timeout=60_000)
    page.reload()
    expect(page.locator(".file h3")).to_have_text(EVIL)
    holds(page.evaluate("window.pwned") is None and page.locator("main img[src='x']").count() == 0, "markup from outside runs")
    # The file was never uploaded, so it has no picture.
    complaints = [complaint for complaint in complaints if "the server responded with a status of 404" not in complaint]
    holds(not complaints, f"the browser complains: {complaints}")
    page.close()


def another_page_reads_and_changes_nothing(browser, home):
    """A page of this machine on another port is another page, and so is one of another site."""
    form = """(url) => {
        const frame = document.createElement('iframe'); frame.name = 'f'; document.body.append(frame);
        const form = document.createElement('form'); form.method = 'post'; form.action = url; form.target = 'f';
        document.body.append(form); form.submit(); }"""
    with another_server() as port:
        for site in ["127.0.0.1", "localhost"]:
            page = browser.new_page()
            page.goto(f"http://{site}:{port}/")
            read = page.evaluate("(url) => fetch(url).then((answer) => answer.text(), (error) => 'refused')", f"{home}console")
            holds(read == "refused", f"a page of {site} cannot read the console")
            with page.expect_response("**/stop", timeout=20_000) as answer:
                page.evaluate(form, f"{home}console/batch/any/stop")
            holds(answer.value.status == 403, f"a page of {site} cannot change anything: {answer.value.status}")
            page.close()


@contextlib.contextmanager
def another_server():
    """Serves an empty page at every path, on a port of its own."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>other</title><body>")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def pages_are_accessible_and_pictured(browser, home, batch, pictures, axe):
    state = None
    found = []
    for scheme in ["light", "dark"]:
        for size, name in [(WIDE, "1440"), (PHONE, "390")]:
            context = browser.new_context(viewport=size, color_scheme=scheme, device_scale_factor=1)
            page = context.new_page()
            page.goto(batch)
            state = state or page.locator(".timeline a").nth(2).get_attribute("href")
            for title, url in [
                ("batches", f"{home}console"),
                ("batch", batch),
                ("state", home.rstrip("/") + state),
                ("again", f"{batch}/again"),
                ("upload", f"{home}console/upload"),
                ("pins", f"{home}console/pins"),
                ("dead-letters", f"{home}console/dead-letters"),
                ("playground", f"{home}console/playground"),
            ]:
                page.goto(url)
                pictures_arrive(page)
                page.evaluate(axe)
                result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
                for violation in result["violations"]:
                    places = [node["html"][:160] for node in violation["nodes"][:3]]
                    found.append(f"{title} {name} {scheme}: {violation['id']}: {violation['help']}: {places}")
                wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                if wider > 0:
                    found.append(f"{title} {name}: the page is {wider} pixels wider than the screen")
                page.screenshot(path=pictures / f"{title}-{name}-{scheme}.png", full_page=True)
            context.close()
    holds(not found, "\n".join(found))


def reading_works_without_a_script(browser, batch):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(batch)
    expect(page.locator(".plan")).to_be_visible()
    expect(page.locator(".timeline li").first).to_be_visible()
    # Parts of the page close and open, and the links at its top lead to closed ones too.
    page.locator("summary", has_text="Timeline").click()
    expect(page.locator(".timeline")).to_be_hidden()
    page.click(".contents a[href='#timeline']")
    expect(page.locator(".timeline")).to_be_visible()
    expect(page.locator("#cli-history")).to_be_hidden()
    page.click(".contents a[href='#cli']")
    expect(page.locator("#cli-history")).to_be_visible()
    context.close()


def the_drawing_is_seen_whole(browser, batch):
    for size in [WIDE, PHONE]:
        context = browser.new_context(viewport=size, java_script_enabled=False)
        page = context.new_page()
        page.goto(batch)
        drawing, around = page.locator(".plan").bounding_box(), page.locator(".canvas").bounding_box()
        holds(drawing["x"] >= around["x"] and drawing["width"] <= around["width"], f"it is as wide as its frame at most: {drawing}")
        holds(drawing["height"] <= size["height"], f"it is as high as the screen at most: {drawing}")
        page.check(".full input")
        full = page.locator(".plan").bounding_box()
        holds(full["width"] >= drawing["width"] and full["height"] >= drawing["height"], f"full size is not smaller: {full}")
        context.close()


def main():
    facts = json.loads(Path(sys.argv[1]).read_text())
    samples, pictures = Path(sys.argv[2]), Path(sys.argv[3])
    tools = json.loads(Path(sys.argv[4]).read_text())
    pictures.mkdir(parents=True, exist_ok=True)
    home = facts["endpoint"] + "/"
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=tools["chromium"], args=flags)
        page, name = a_folder_dragged_in_becomes_a_batch_that_others_see(browser, home, samples, pictures)
        batch = page.url
        axe = Path(tools["axe"]).read_text()
        checks = [
            (files_are_seen_and_a_failure_is_read, [page]),
            (a_file_is_tried_on_a_stage, [browser, home, samples]),
            (a_batch_that_was_stopped_goes_on_from_there, [browser, home, samples, axe]),
            (an_upload_never_replaces_another_file, [browser, home, samples]),
            (text_from_outside_stays_text, [browser, home]),
            (another_page_reads_and_changes_nothing, [browser, home]),
            (reading_works_without_a_script, [browser, batch]),
            (the_drawing_is_seen_whole, [browser, batch]),
            (pages_are_accessible_and_pictured, [browser, home, batch, pictures, axe]),
            (a_batch_is_run_again, [page, batch, name]),
        ]
        failed = 0
        for check, arguments in checks:
            try:
                check(*arguments)
                print(f"ok      {check.__name__}")
            except Exception:
                failed += 1
                print(f"FAILED  {check.__name__}\n{traceback.format_exc()}")
        browser.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
