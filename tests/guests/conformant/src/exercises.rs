//! The exercises, one function for each.

use serde_json::Value;

use crate::exports::toq::media::asset_stage::{Asset, Context, Failure};
use crate::toq::media::http::{Exchange, Request, RequestHead};
use crate::toq::media::object_writer::Writer;
use crate::toq::media::objects::{Object, ObjectInfo};
use crate::toq::media::types::Rendition;
use crate::toq::media::{call, http, keys, log, metrics, objects, own_objects, progress, tags};

/// The key of the object that some exercises write.
const MADE: &str = "51/processed/photo/vertical/a_made.bin";
/// How many bytes are read at once, where all are read.
const WINDOW: u32 = 1 << 20;

/// Runs the exercise that the configuration names.
pub fn run(ctx: &Context, config: &Value, mut asset: Asset) -> Result<Asset, Failure> {
    let text = |name: &str| config[name].as_str().unwrap_or_default();
    match text("do") {
        "facts" => facts(ctx, &mut asset),
        "echo" => {}
        "talk" => talk(),
        "ranges" => ranges(&mut asset)?,
        "digest" => digest(&mut asset)?,
        "compose" => compose(&mut asset)?,
        "tidy" => tidy(&mut asset)?,
        "list-on" => list_on(&mut asset),
        "abandon" => abandon(&asset)?,
        "refusals" => refusals(&mut asset),
        "fail" => return Err(failure(text("how"), "as the exercise wants it")),
        "break" => panic!("broken on purpose"),
        "spin" => {
            let writer = Writer::create(MADE, "text/plain", None)?;
            writer.append(b"never seen")?;
            loop {
                std::hint::spin_loop();
            }
        }
        "wait" => drop(objects::stat("51/raw/photo/vertical/slow.jpg")?),
        "hoard" => hoard(),
        "copy" => copy(&mut asset)?,
        "pass-on" => pass_on(&mut asset)?,
        "ask" => ask(text("url"), &mut asset)?,
        "relay" => relay(text("url"), &mut asset)?,
        "relay-object" => relay_object(text("url"), &mut asset)?,
        "exchange-refusals" => exchange_refusals(text("url"), &mut asset)?,
        "keys" => derive(&mut asset)?,
        "tag" => tags::set(&asset.key, "kept", "no")?,
        other => return Err(Failure::InvalidInput(format!("no exercise {other:?}"))),
    }
    Ok(asset)
}

fn note(asset: &mut Asset, name: &str, value: impl ToString) {
    asset.attributes.push((name.to_owned(), value.to_string()));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn facts(ctx: &Context, asset: &mut Asset) {
    note(asset, "state", call::state());
    note(asset, "execution", call::execution());
    note(asset, "started-at", call::started_at());
    note(asset, "attempt", call::attempt());
    note(asset, "config", call::config());
    note(asset, "trace", call::trace_id().unwrap_or_default());
    note(asset, "remaining", call::remaining_ms());
    let told = (&ctx.state, &ctx.execution, &ctx.started_at, ctx.attempt, &ctx.config);
    let same = told == (&call::state(), &call::execution(), &call::started_at(), call::attempt(), &call::config());
    note(asset, "same", same);
}

fn talk() {
    for level in [log::Level::Error, log::Level::Warn, log::Level::Info, log::Level::Debug, log::Level::Trace] {
        log::write(level, "a line – with a dash", &[("colour".to_owned(), "grün".to_owned())]);
    }
    metrics::count("faces", 2);
    metrics::count("faces", 1);
    metrics::time("decode", 1.5);
    progress::report(1, 2);
    println!("printed");
    eprintln!("said aside");
}

fn info(asset: &mut Asset, info: &ObjectInfo) {
    note(asset, "key", &info.key);
    note(asset, "bytes", info.bytes);
    note(asset, "etag", &info.etag);
    note(asset, "content-type", info.content_type.as_deref().unwrap_or("none"));
    note(asset, "crc32", info.crc32.map_or("none".to_owned(), |crc32| crc32.to_string()));
    note(asset, "fingerprint", info.fingerprint.as_deref().unwrap_or("none"));
}

fn ranges(asset: &mut Asset) -> Result<(), Failure> {
    let object = Object::open(&asset.key, asset.etag.as_deref())?;
    let found = object.info();
    note(asset, "head", hex(&object.read(0, 4)?));
    note(asset, "tail", hex(&object.read(found.bytes - 3, 100)?));
    note(asset, "back", hex(&object.read(7, 2)?));
    note(asset, "end", hex(&object.read(found.bytes, 10)?));
    note(asset, "far", hex(&object.read(u64::MAX, 10)?));
    note(asset, "none", hex(&object.read(0, 0)?));
    info(asset, &found);
    Ok(())
}

fn digest(asset: &mut Asset) -> Result<(), Failure> {
    let digests = objects::digest(&asset.key, asset.etag.as_deref())?;
    note(asset, "sha256", digests.sha256);
    note(asset, "crc32", digests.crc32);
    note(asset, "bytes", digests.bytes);
    note(asset, "etag", digests.etag);
    Ok(())
}

fn compose(asset: &mut Asset) -> Result<(), Failure> {
    let writer = Writer::create(MADE, "text/plain", Some("made 1"))?;
    writer.append(b"<")?;
    writer.append_object(&asset.key, asset.etag.as_deref(), 2, 3)?;
    writer.append(b">")?;
    let made = Writer::finish(writer)?;
    info(asset, &made);
    asset.renditions.push(Rendition {
        name: "made".to_owned(),
        key: made.key,
        content_type: "text/plain".to_owned(),
        pixels: None,
        bytes: made.bytes,
        etag: made.etag,
        crc32: made.crc32,
        reused: false,
    });
    Ok(())
}

/// Lists what is there page by page, and deletes what it has made.
fn tidy(asset: &mut Asset) -> Result<(), Failure> {
    let writer = Writer::create(MADE, "text/plain", None)?;
    writer.append(b"for a while")?;
    let made = Writer::finish(writer)?;
    let (mut pages, mut found, mut after) = (0, 0, None);
    loop {
        let page = own_objects::find("51/processed/", after.as_deref())?;
        pages += 1;
        found += page.objects.len();
        if page.objects.iter().any(|object| object.key == MADE && object.bytes == 11 && object.etag == made.etag) {
            note(asset, "made", "is there");
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    note(asset, "pages", pages);
    note(asset, "found", found);
    own_objects::remove(MADE, &made.etag)?;
    let etag = asset.etag.clone().unwrap_or_default();
    for (name, answer) in [
        ("again", own_objects::remove(MADE, &made.etag)),
        ("upload", own_objects::remove(&asset.key, &etag)),
        ("other-stage", own_objects::remove("51/processed/000.bin", &etag)),
        ("foreign", own_objects::find("52/processed/", None).map(drop)),
        ("everything", own_objects::find("", None).map(drop)),
    ] {
        note(asset, name, answer.err().map_or("nothing", |failure| case(&failure)));
    }
    note(asset, "left", own_objects::find(MADE, None)?.objects.len());
    Ok(())
}

/// Lists until the host refuses.
fn list_on(asset: &mut Asset) {
    let mut lists = 0;
    let refused = loop {
        match own_objects::find("51/raw/", None) {
            Ok(_) => lists += 1,
            Err(failure) => break failure,
        }
    };
    note(asset, "lists", lists);
    note(asset, "end", case(&refused));
}

fn abandon(asset: &Asset) -> Result<(), Failure> {
    let writer = Writer::create(MADE, "text/plain", None)?;
    writer.append(b"never seen")?;
    drop(writer);
    // More than may be open at once, so that all must have been closed.
    for _ in 0..20 {
        drop(Object::open(&asset.key, None)?);
        drop(Writer::create(MADE, "text/plain", None)?);
    }
    let left = Writer::create(MADE, "text/plain", None)?;
    left.append(b"never seen")?;
    std::mem::forget(left);
    Ok(())
}

fn refusals(asset: &mut Asset) {
    let stat = |key: &str| objects::stat(key).map(drop);
    let other_version = Object::open(&asset.key, Some("other")).map(drop);
    let long = Writer::create(MADE, "text/plain", None).and_then(|writer| writer.append(&vec![0; (4 << 20) + 1]));
    for (name, answer) in [
        ("absent", stat("51/raw/photo/vertical/none.jpg")),
        ("replaced", other_version),
        ("foreign", stat("52/raw/photo/vertical/a.jpg")),
        ("long-key", stat(&"k".repeat(1025))),
        ("long-piece", long),
        ("busy", stat("51/raw/photo/vertical/busy.jpg")),
        ("upload", Writer::create(&asset.key, "text/plain", None).map(drop)),
        ("tag", tags::set(&asset.key, "forbidden", "yes")),
        ("header", Writer::create(MADE, "text/plain\n", None).map(drop)),
    ] {
        note(asset, name, answer.err().map_or("nothing", |failure| case(&failure)));
    }
}

/// Returns the name of a failure's case in WIT.
fn case(failure: &Failure) -> &'static str {
    match failure {
        Failure::InvalidInput(_) => "invalid-input",
        Failure::Missing(_) => "missing",
        Failure::Mismatch(_) => "mismatch",
        Failure::Unsupported(_) => "unsupported",
        Failure::Corrupt(_) => "corrupt",
        Failure::TooLarge(_) => "too-large",
        Failure::Denied(_) => "denied",
        Failure::Transient(_) => "transient",
        Failure::Internal(_) => "internal",
    }
}

fn failure(case: &str, message: &str) -> Failure {
    let make = match case {
        "invalid-input" => Failure::InvalidInput,
        "missing" => Failure::Missing,
        "mismatch" => Failure::Mismatch,
        "unsupported" => Failure::Unsupported,
        "corrupt" => Failure::Corrupt,
        "too-large" => Failure::TooLarge,
        "denied" => Failure::Denied,
        "transient" => Failure::Transient,
        _ => Failure::Internal,
    };
    make(message.to_owned())
}

/// Takes memory until there is no more.
fn hoard() {
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1u8; 1 << 20]));
    }
}

fn copy(asset: &mut Asset) -> Result<(), Failure> {
    let object = Object::open(&asset.key, asset.etag.as_deref())?;
    let end = object.info().bytes;
    let writer = Writer::create(MADE, "application/octet-stream", None)?;
    let mut at = 0;
    while at < end {
        let window = object.read(at, WINDOW)?;
        at += window.len() as u64;
        writer.append(&window)?;
        progress::report(at, end);
    }
    info(asset, &Writer::finish(writer)?);
    Ok(())
}

fn pass_on(asset: &mut Asset) -> Result<(), Failure> {
    let end = objects::stat(&asset.key)?.bytes;
    let writer = Writer::create(MADE, "application/octet-stream", None)?;
    writer.append_object(&asset.key, asset.etag.as_deref(), 0, end)?;
    info(asset, &Writer::finish(writer)?);
    Ok(())
}

fn ask(url: &str, asset: &mut Asset) -> Result<(), Failure> {
    let request = Request {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![("x-asked-by".to_owned(), "a stage".to_owned())],
        body: asset.key.clone().into_bytes(),
    };
    let answer = http::send(&request, 5000)?;
    note(asset, "status", answer.status);
    note(asset, "body", String::from_utf8_lossy(&answer.body));
    Ok(())
}

fn begin(url: &str, body_bytes: Option<u64>) -> Result<Exchange, Failure> {
    let headers = vec![("content-type".to_owned(), "video/mp4".to_owned())];
    Exchange::begin(&RequestHead { method: "POST".to_owned(), url: url.to_owned(), headers, body_bytes }, 30_000)
}

/// Sends a large object to a service and stores the answer, piece by piece.
fn relay(url: &str, asset: &mut Asset) -> Result<(), Failure> {
    let object = Object::open(&asset.key, asset.etag.as_deref())?;
    let end = object.info().bytes;
    let exchange = begin(&format!("{url}/film"), Some(end))?;
    let mut at = 0;
    while at < end {
        let window = object.read(at, WINDOW)?;
        at += window.len() as u64;
        exchange.write(&window)?;
    }
    note(asset, "status", exchange.answer()?.status);
    let writer = Writer::create(MADE, "video/mp4", None)?;
    loop {
        let window = exchange.read(WINDOW)?;
        if window.is_empty() {
            break;
        }
        writer.append(&window)?;
    }
    info(asset, &Writer::finish(writer)?);
    Ok(())
}

/// The same without a byte of it in the stage's memory.
fn relay_object(url: &str, asset: &mut Asset) -> Result<(), Failure> {
    let end = objects::stat(&asset.key)?.bytes;
    let exchange = begin(&format!("{url}/film"), Some(end))?;
    exchange.write_object(&asset.key, asset.etag.as_deref(), 0, end)?;
    note(asset, "status", exchange.answer()?.status);
    info(asset, &exchange.store(MADE, "video/mp4", Some("relayed 1"))?);
    Ok(())
}

fn exchange_refusals(url: &str, asset: &mut Asset) -> Result<(), Failure> {
    type Use<'a> = &'a dyn Fn(&Exchange) -> Result<(), Failure>;
    let film = format!("{url}/film");
    let asking = |body_bytes: Option<u64>, act: Use<'_>| {
        let exchange = begin(&film, body_bytes)?;
        act(&exchange)
    };
    let answered = |path: &str, act: Use<'_>| {
        let exchange = begin(&format!("{url}{path}"), Some(0))?;
        exchange.answer()?;
        act(&exchange)
    };
    let headers = vec![("Authorization".to_owned(), "Bearer mine".to_owned())];
    let secrets_header = RequestHead { method: "POST".to_owned(), url: film.clone(), headers, body_bytes: None };
    let mut open = Vec::new();
    let fifth = loop {
        match begin(&film, None) {
            Ok(exchange) if open.len() < 5 => open.push(exchange),
            end => break end.map(drop),
        }
    };
    drop(open);
    let (key, theirs) = (asset.key.clone(), "52/raw/photo/vertical/a.jpg");
    for (name, answer) in [
        ("foreign", begin("https://other.example/", None).map(drop)),
        ("header", Exchange::begin(&secrets_header, 5000).map(drop)),
        ("fifth", fifth),
        ("long-piece", asking(None, &|exchange| exchange.write(&vec![0; (4 << 20) + 1]))),
        ("longer", asking(Some(3), &|exchange| exchange.write(b"four"))),
        ("shorter", asking(Some(3), &|exchange| exchange.answer().map(drop))),
        ("past-the-end", asking(None, &|exchange| exchange.write_object(&key, None, 999, 2))),
        ("foreign-object", asking(None, &|exchange| exchange.write_object(theirs, None, 0, 1))),
        ("early-read", asking(None, &|exchange| exchange.read(1).map(drop))),
        ("late-write", answered("/film", &|exchange| exchange.write(b"more"))),
        ("cut", answered("/cut", &|exchange| exchange.read(100).map(drop))),
        ("cut-object", answered("/cut", &|exchange| exchange.store(MADE, "text/plain", None).map(drop))),
        ("upload", answered("/film", &|exchange| exchange.store(&key, "text/plain", None).map(drop))),
        ("secret", answered("/echo", &|exchange| exchange.read(100).map(drop))),
    ] {
        note(asset, name, answer.err().map_or("nothing", |failure| case(&failure)));
    }
    Ok(())
}

fn derive(asset: &mut Asset) -> Result<(), Failure> {
    note(asset, "derived", keys::derive(&asset.key, keys::Area::Thumb, "small", "png")?);
    note(asset, "bundle", keys::bundle("complete")?);
    let parts = keys::parse(&asset.key)?;
    note(asset, "listing", parts.listing);
    note(asset, "raw", parts.area == keys::Area::Raw);
    note(asset, "same-type", parts.media_type == asset.media_type);
    note(asset, "date", parts.date.as_deref().unwrap_or("none"));
    note(asset, "name", parts.name);
    note(asset, "no-key", keys::parse("x").err().map_or("nothing", |failure| case(&failure)));
    Ok(())
}
