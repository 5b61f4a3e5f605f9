//! Uses every capability of the `custom` world, and does what the words in its configuration ask for. Its output depends on
//! random numbers and the time, so that only a faithful replay writes the same again.

wit_bindgen::generate!({ world: "custom", path: "../../../wit", generate_all });

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::http::Exchange;
use toq::media::object_writer::Writer;
use toq::media::objects::Object;
use toq::media::types::Rendition;
use toq::media::{http, keys, objects, own_objects, tags};

struct Actor;
export!(Actor);

/// Writes objects without end in sight: a few with keys of a mebibyte, and many with long ones.
fn flood() {
    let lengths = std::iter::repeat_n(1 << 20, 10).chain(std::iter::repeat_n(900, 40_000));
    for (number, length) in lengths.enumerate() {
        let key = format!("51/thumb/{number}-{}", "k".repeat(length));
        if let Ok(writer) = Writer::create(&key, "text/plain", None) {
            let _ = writer.append(b"x");
            let _ = Writer::finish(writer);
        }
    }
}

impl Guest for Actor {
    fn process(ctx: Context, mut asset: Asset) -> Result<Asset, Failure> {
        let asked = |word: &str| ctx.config.contains(word);
        let began = Instant::now();
        let source = objects::stat(&asset.key)?;
        let key = keys::derive(&asset.key, keys::Area::Thumb, "acted", "bin")?;
        let there = objects::stat(&key).map(|info| info.fingerprint);
        let object = Object::open(&asset.key, Some(&source.etag))?;
        let (mut bytes, step) = (Vec::new(), if asked("other-steps") { 7 } else { 1000 });
        while (bytes.len() as u64) < source.bytes {
            bytes.extend(object.read(bytes.len() as u64, step)?);
        }
        if asked("beyond") {
            let name = asset.key.replace("photo.jpg", "other.jpg");
            bytes.extend(Object::open(&name, None)?.read(0, 100)?);
        }
        if asked("theirs") {
            // A rendition that the stage in service makes and this call has not made yet.
            let other = keys::derive(&asset.key, keys::Area::Thumb, "blind", "bin")?;
            if let Ok(info) = objects::stat(&other) {
                asset.title = Some(format!("saw {} bytes of {other}", info.bytes));
            }
        }

        let url = match asked("runtime-api") {
            true => "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
            false => "https://api.example.org/look/path-secret?page=1&X-Amz-Signature=query-secret",
        };
        let answer = http::send(
            &http::Request {
                method: "POST".into(),
                url: url.into(),
                headers: vec![
                    ("Authorization".into(), "Bearer header-secret".into()),
                    ("Cookie".into(), "id=cookie-secret".into()),
                    ("Accept".into(), "text/plain".into()),
                ],
                body: bytes.clone(),
            },
            1000,
        )?;

        if asked("pieces") {
            // Sent in one piece or in two, and read in other pieces.
            let (first, read) = if asked("other-steps") { (4, 3) } else { (7, 5) };
            let exchange = Exchange::begin(
                &http::RequestHead {
                    method: "PUT".into(),
                    url: "https://api.example.org/film/path-secret".into(),
                    headers: vec![("Authorization".into(), "Bearer header-secret".into())],
                    body_bytes: None,
                },
                1000,
            )?;
            let sent = if asked("other-bytes") { b"others".repeat(2) } else { bytes.clone() };
            exchange.write(&sent[..first])?;
            exchange.write(&sent[first..])?;
            exchange.write_object(&asset.key, Some(&source.etag), 4, 5)?;
            let head = exchange.answer()?;
            let begins = [exchange.read(read)?, exchange.read(8 - read)?].concat();
            let key = keys::derive(&asset.key, keys::Area::Processed, "film", "mp4")?;
            let stored = exchange.store(&key, "video/mp4", None)?;
            let begins = String::from_utf8_lossy(&begins);
            asset.title = Some(format!("{} {begins} and {} bytes", head.status, stored.bytes));
        }
        if asked("flood") {
            flood();
        }
        let chance = RandomState::new().build_hasher().finish();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let made = format!(
            "{chance} {now:?} {:?} {} {there:?} {}",
            began.elapsed(),
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        let writer = Writer::create(&key, "application/octet-stream", Some("made by the actor"))?;
        writer.append(made.as_bytes())?;
        writer.append_object(&asset.key, Some(&source.etag), 0, source.bytes)?;
        if asked("trap") {
            panic!("in the middle of a write, on purpose");
        }
        writer.append(if asked("other-bytes") { b"other" } else { b"bytes" })?;
        let info = Writer::finish(writer)?;
        if asked("blind") {
            let key = keys::derive(&asset.key, keys::Area::Thumb, "blind", "bin")?;
            let writer = Writer::create(&key, "text/plain", None)?;
            writer.append(b"written without a look at what was there")?;
            Writer::finish(writer)?;
        }
        if asked("picture") {
            let key = keys::derive(&asset.key, keys::Area::Thumb, "picture", "jpg")?;
            let writer = Writer::create(&key, "image/jpeg", None)?;
            writer.append(if asked("other-bytes") { b"other" } else { b"these" })?;
            Writer::finish(writer)?;
        }
        if asked("tidy") {
            let key = keys::derive(&asset.key, keys::Area::Thumb, "draft", "bin")?;
            let writer = Writer::create(&key, "text/plain", None)?;
            writer.append(b"for a while")?;
            let draft = Writer::finish(writer)?;
            let found = own_objects::find("51/thumb/", None)?.objects.len();
            own_objects::remove(&key, &draft.etag)?;
            let gone = matches!(objects::stat(&key), Err(Failure::Missing(_)));
            asset.title = Some(format!("{found} found, gone: {gone}"));
        }
        while asked("loop") {
            std::hint::black_box(&bytes);
        }
        tags::set(&asset.key, "acted", if asked("other-tag") { "twice" } else { "once" })?;
        asset.renditions.push(Rendition {
            name: "acted".into(),
            content_type: "application/octet-stream".into(),
            pixels: None,
            bytes: objects::stat(&key)?.bytes,
            etag: info.etag,
            crc32: info.crc32,
            reused: false,
            key,
        });
        Ok(asset)
    }
}
