"""The stage of the conformance suite in Python. README.md in the folder above says what each exercise is."""

import json
import sys

from componentize_py_types import Err
from exchange import RequestBody
from wit_world import exports
from wit_world.imports import call, http, keys, log, metrics, objects, own_objects, progress, tags, types
from wit_world.imports.object_writer import Writer
from wit_world.imports.types import Rendition

# The key of the object that some exercises write.
MADE = "51/processed/photo/vertical/a_made.bin"
# How many bytes are read at once, where all are read.
WINDOW = 1 << 20

CASES = {
    "invalid-input": types.Failure_InvalidInput,
    "missing": types.Failure_Missing,
    "mismatch": types.Failure_Mismatch,
    "unsupported": types.Failure_Unsupported,
    "corrupt": types.Failure_Corrupt,
    "too-large": types.Failure_TooLarge,
    "denied": types.Failure_Denied,
    "transient": types.Failure_Transient,
    "internal": types.Failure_Internal,
}


class AssetStage(exports.AssetStage):
    def process(self, ctx, asset):
        config = json.loads(ctx.config)
        exercise = EXERCISES.get(config["do"])
        if exercise is None:
            raise Err(types.Failure_InvalidInput(f"no exercise {config['do']}"))
        exercise(ctx, config, asset)
        return asset


def note(asset, name, value):
    text = str(value).lower() if isinstance(value, bool) else str(value)
    asset.attributes.append((name, text))


def facts(ctx, config, asset):
    note(asset, "state", call.state())
    note(asset, "execution", call.execution())
    note(asset, "started-at", call.started_at())
    note(asset, "attempt", call.attempt())
    note(asset, "config", call.config())
    note(asset, "trace", call.trace_id() or "")
    note(asset, "remaining", call.remaining_ms())
    told = (ctx.state, ctx.execution, ctx.started_at, ctx.attempt, ctx.config)
    same = told == (call.state(), call.execution(), call.started_at(), call.attempt(), call.config())
    note(asset, "same", same)


def echo(ctx, config, asset):
    pass


def talk(ctx, config, asset):
    for level in (log.Level.ERROR, log.Level.WARN, log.Level.INFO, log.Level.DEBUG, log.Level.TRACE):
        log.write(level, "a line – with a dash", [("colour", "grün")])
    metrics.count("faces", 2)
    metrics.count("faces", 1)
    metrics.time("decode", 1.5)
    progress.report(1, 2)
    print("printed", flush=True)
    print("said aside", file=sys.stderr, flush=True)


def info(asset, found):
    note(asset, "key", found.key)
    note(asset, "bytes", found.bytes)
    note(asset, "etag", found.etag)
    for name, value in (
        ("content-type", found.content_type), ("crc32", found.crc32), ("fingerprint", found.fingerprint),
    ):
        note(asset, name, "none" if value is None else value)


def ranges(ctx, config, asset):
    with objects.Object.open(asset.key, asset.etag) as source:
        found = source.info()
        note(asset, "head", source.read(0, 4).hex())
        note(asset, "tail", source.read(found.bytes - 3, 100).hex())
        note(asset, "back", source.read(7, 2).hex())
        note(asset, "end", source.read(found.bytes, 10).hex())
        note(asset, "far", source.read((1 << 64) - 1, 10).hex())
        note(asset, "none", source.read(0, 0).hex())
    info(asset, found)


def digest(ctx, config, asset):
    digests = objects.digest(asset.key, asset.etag)
    note(asset, "sha256", digests.sha256)
    note(asset, "crc32", digests.crc32)
    note(asset, "bytes", digests.bytes)
    note(asset, "etag", digests.etag)


def compose(ctx, config, asset):
    writer = Writer.create(MADE, "text/plain", "made 1")
    writer.append(b"<")
    writer.append_object(asset.key, asset.etag, 2, 3)
    writer.append(b">")
    made = Writer.finish(writer)
    info(asset, made)
    asset.renditions.append(
        Rendition(name="made", key=made.key, content_type="text/plain", pixels=None, bytes=made.bytes, etag=made.etag,
                  crc32=made.crc32, reused=False)
    )


def tidy(ctx, config, asset):
    """Lists what is there page by page, and deletes what it has made."""
    writer = Writer.create(MADE, "text/plain", None)
    writer.append(b"for a while")
    made = Writer.finish(writer)
    pages, found, after = 0, 0, None
    while True:
        page = own_objects.find("51/processed/", after)
        pages += 1
        found += len(page.objects)
        if any((one.key, one.bytes, one.etag) == (MADE, 11, made.etag) for one in page.objects):
            note(asset, "made", "is there")
        after = page.next
        if after is None:
            break
    note(asset, "pages", pages)
    note(asset, "found", found)
    own_objects.remove(MADE, made.etag)
    for name, attempt in (
        ("again", lambda: own_objects.remove(MADE, made.etag)),
        ("upload", lambda: own_objects.remove(asset.key, asset.etag)),
        ("other-stage", lambda: own_objects.remove("51/processed/000.bin", asset.etag)),
        ("foreign", lambda: own_objects.find("52/processed/", None)),
        ("everything", lambda: own_objects.find("", None)),
    ):
        note(asset, name, refused(attempt))
    note(asset, "left", len(own_objects.find(MADE, None).objects))


def list_on(ctx, config, asset):
    """Lists until the host refuses."""
    lists = 0
    while (end := refused(lambda: own_objects.find("51/raw/", None))) == "nothing":
        lists += 1
    note(asset, "lists", lists)
    note(asset, "end", end)


# Still open at the end of its call.
left = []


def abandon(ctx, config, asset):
    with Writer.create(MADE, "text/plain", None) as writer:
        writer.append(b"never seen")
    # More than may be open at once, so that all must have been closed.
    for _ in range(20):
        with objects.Object.open(asset.key, None):
            pass
        with Writer.create(MADE, "text/plain", None):
            pass
    left.append(Writer.create(MADE, "text/plain", None))
    left[0].append(b"never seen")


def refused(attempt):
    """The name of the failure's case in WIT."""
    try:
        attempt()
    except Err as error:
        return next(name for name, case in CASES.items() if isinstance(error.value, case))
    return "nothing"


def refusals(ctx, config, asset):
    def append_too_much():
        with Writer.create(MADE, "text/plain", None) as writer:
            writer.append(bytes((4 << 20) + 1))

    for name, attempt in (
        ("absent", lambda: objects.stat("51/raw/photo/vertical/none.jpg")),
        ("replaced", lambda: objects.Object.open(asset.key, "other")),
        ("foreign", lambda: objects.stat("52/raw/photo/vertical/a.jpg")),
        ("long-key", lambda: objects.stat("k" * 1025)),
        ("long-piece", append_too_much),
        ("busy", lambda: objects.stat("51/raw/photo/vertical/busy.jpg")),
        ("upload", lambda: Writer.create(asset.key, "text/plain", None)),
        ("tag", lambda: tags.set(asset.key, "forbidden", "yes")),
        ("header", lambda: Writer.create(MADE, "text/plain\n", None)),
    ):
        note(asset, name, refused(attempt))


def fail(ctx, config, asset):
    raise Err(CASES[config["how"]]("as the exercise wants it"))


def break_(ctx, config, asset):
    raise RuntimeError("broken on purpose")


def spin(ctx, config, asset):
    left.append(Writer.create(MADE, "text/plain", None))
    left[0].append(b"never seen")
    while True:
        pass


def wait(ctx, config, asset):
    objects.stat("51/raw/photo/vertical/slow.jpg")


def hoard(ctx, config, asset):
    """Takes memory until there is no more."""
    while True:
        left.append(bytearray(1 << 20))


def copy(ctx, config, asset):
    with objects.Object.open(asset.key, asset.etag) as source:
        at, end = 0, source.info().bytes
        writer = Writer.create(MADE, "application/octet-stream", None)
        while at < end:
            window = source.read(at, WINDOW)
            at += len(window)
            writer.append(window)
            progress.report(at, end)
    info(asset, Writer.finish(writer))


def pass_on(ctx, config, asset):
    writer = Writer.create(MADE, "application/octet-stream", None)
    writer.append_object(asset.key, asset.etag, 0, objects.stat(asset.key).bytes)
    info(asset, Writer.finish(writer))


def ask(ctx, config, asset):
    request = http.Request(
        method="POST", url=config["url"], headers=[("x-asked-by", "a stage")], body=asset.key.encode()
    )
    answer = http.send(request, 5000)
    note(asset, "status", answer.status)
    note(asset, "body", answer.body.decode())


def begin(url, body_bytes):
    head = http.RequestHead(
        method="POST", url=url, headers=[("content-type", "video/mp4")], body_bytes=body_bytes
    )
    return http.Exchange.begin(head, 30000)


def stabilize(url, film, made):
    """Sends a film to a service and stores what comes back. Neither is ever whole in memory."""
    with objects.Object.open(film, None) as source:
        length = source.info().bytes
        head = http.RequestHead("POST", url, [("content-type", "video/mp4")], length)
        with RequestBody(http.Exchange.begin(head, 30000)) as body:
            for at in range(0, length, WINDOW):
                body.write(source.read(at, WINDOW))
            answer = body.answer()
    with answer:
        writer = Writer.create(made, "video/mp4", None)
        while window := answer.read(WINDOW):
            writer.append(window)
    return answer.status, Writer.finish(writer)


def relay(ctx, config, asset):
    status, made = stabilize(config["url"] + "/film", asset.key, MADE)
    note(asset, "status", status)
    info(asset, made)


def relay_object(ctx, config, asset):
    """The same without a byte of it in the stage's memory."""
    end = objects.stat(asset.key).bytes
    with RequestBody(begin(config["url"] + "/film", end)) as body:
        body.write_object(asset.key, asset.etag, 0, end)
        answer = body.answer()
    with answer:
        note(asset, "status", answer.status)
        info(asset, answer.store(MADE, "video/mp4", "relayed 1"))


def exchange_refusals(ctx, config, asset):
    film = config["url"] + "/film"

    def with_the_secrets_header():
        headers = [("Authorization", "Bearer mine")]
        with http.Exchange.begin(http.RequestHead("POST", film, headers, None), 5000):
            pass

    def asking(body_bytes, use):
        def attempt():
            with begin(film, body_bytes) as exchange:
                use(exchange)
        return attempt

    def answered(path, use):
        def attempt():
            with begin(config["url"] + path, 0) as exchange:
                exchange.answer()
                use(exchange)
        return attempt

    def fifth():
        with begin(film, None), begin(film, None), begin(film, None), begin(film, None), begin(film, None):
            pass

    for name, attempt in (
        ("foreign", lambda: begin("https://other.example/", None)),
        ("header", with_the_secrets_header),
        ("fifth", fifth),
        ("long-piece", asking(None, lambda exchange: exchange.write(bytes((4 << 20) + 1)))),
        ("longer", asking(3, lambda exchange: exchange.write(b"four"))),
        ("shorter", asking(3, lambda exchange: exchange.answer())),
        ("past-the-end", asking(None, lambda exchange: exchange.write_object(asset.key, None, 999, 2))),
        ("foreign-object",
         asking(None, lambda exchange: exchange.write_object("52/raw/photo/vertical/a.jpg", None, 0, 1))),
        ("early-read", asking(None, lambda exchange: exchange.read(1))),
        ("late-write", answered("/film", lambda exchange: exchange.write(b"more"))),
        ("cut", answered("/cut", lambda exchange: exchange.read(100))),
        ("cut-object", answered("/cut", lambda exchange: exchange.store(MADE, "text/plain", None))),
        ("upload", answered("/film", lambda exchange: exchange.store(asset.key, "text/plain", None))),
        ("secret", answered("/echo", lambda exchange: exchange.read(100))),
    ):
        note(asset, name, refused(attempt))


def derive(ctx, config, asset):
    note(asset, "derived", keys.derive(asset.key, keys.Area.THUMB, "small", "png"))
    note(asset, "bundle", keys.bundle("complete"))
    parts = keys.parse(asset.key)
    note(asset, "listing", parts.listing)
    note(asset, "raw", parts.area == keys.Area.RAW)
    note(asset, "same-type", parts.media_type == asset.media_type)
    note(asset, "date", parts.date or "none")
    note(asset, "name", parts.name)
    note(asset, "no-key", refused(lambda: keys.parse("x")))


def tag(ctx, config, asset):
    tags.set(asset.key, "kept", "no")


EXERCISES = {
    "facts": facts, "echo": echo, "talk": talk, "ranges": ranges, "digest": digest, "compose": compose, "tidy": tidy, "list-on": list_on,
    "abandon": abandon, "refusals": refusals, "fail": fail, "break": break_, "spin": spin, "wait": wait,
    "hoard": hoard, "copy": copy, "pass-on": pass_on, "ask": ask, "relay": relay,
    "relay-object": relay_object, "exchange-refusals": exchange_refusals, "keys": derive, "tag": tag,
}
