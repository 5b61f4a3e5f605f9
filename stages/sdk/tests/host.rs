//! A stage on the host to test with: everything that the crate offers, without a component.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::time::Duration;

use serde::Deserialize;
use stage_sdk::testing::{Host, Measure, asset, batch};
use stage_sdk::{
    Area, Asset, AssetStage, Batch, BatchStage, Call, Failure, FailureContext, NewObject, Object, Outcome, Request,
    Response, derive_key, write_if_stale,
};

const KEY: &str = "51/raw/photo/vertical/2025-11-27/kitchen.jpg";
const NOTE: &str = "51/processed/photo/vertical/2025-11-27/kitchen_note.txt";

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {
    author: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { author: "nobody".into() }
    }
}

/// Writes the first line of a file, and who noted it.
struct Notes;

impl AssetStage for Notes {
    fn process(call: Call, mut asset: Asset) -> Result<Asset, Failure> {
        let config: Config = call.config()?;
        let key = derive_key(&asset.key, Area::Processed, "note", "txt")?;
        let made = write_if_stale(&key, "text/plain", &format!("notes 1 {}", config.author), |note| {
            let mut line = String::new();
            BufReader::new(Object::of(&asset)?).read_line(&mut line).context(&asset.key)?;
            log::info!("read {} bytes", line.len());
            Ok(writeln!(note, "{} ({})", line.trim_end(), config.author)?)
        })?;
        stage_sdk::count("notes", 1);
        stage_sdk::time("took", Duration::from_millis(2));
        asset.set_attribute("noted-by", config.author);
        asset.set_rendition(made.rendition("note"));
        Ok(asset)
    }
}

stage_sdk::export_asset_stage!(Notes);

#[test]
fn a_stage_writes_what_is_stale_and_nothing_twice() {
    let host = Host::new();
    host.put(KEY, b"first line\nsecond\n");
    let first = host.process::<Notes>(asset(KEY)).unwrap();
    assert_eq!(host.bytes(NOTE).unwrap(), b"first line (nobody)\n");
    assert_eq!((&*first.renditions[0].key, first.renditions[0].reused), (NOTE, false));
    assert_eq!(first.attribute("noted-by"), Some("nobody"));

    let again = host.process::<Notes>(first).unwrap();
    assert_eq!((again.renditions.len(), again.renditions[0].reused), (1, true));

    host.configure(r#"{"author": "Ada"}"#);
    let changed = host.process::<Notes>(again).unwrap();
    assert_eq!((changed.renditions.len(), changed.attributes.len()), (1, 1));
    assert_eq!(host.bytes(NOTE).unwrap(), b"first line (Ada)\n");
}

#[test]
fn what_a_stage_logs_and_measures_is_seen() {
    let host = Host::new();
    host.put(KEY, b"line\n");
    host.process::<Notes>(asset(KEY)).unwrap();
    let logs = host.logs();
    assert_eq!((logs[0].level, &*logs[0].message), (log::Level::Info, "read 5 bytes"));
    assert_eq!(host.measures(), [Measure::Count("notes".into(), 1), Measure::Milliseconds("took".into(), 2.0)]);
}

#[test]
fn failures_of_the_host_and_of_the_bytes_arrive_as_what_they_are() {
    let host = Host::new();
    assert!(matches!(host.process::<Notes>(asset(KEY)), Err(Failure::Missing(_))));
    host.put(KEY, b"\xff\n");
    let Err(Failure::Corrupt(text)) = host.process::<Notes>(asset(KEY)) else { panic!("not corrupt") };
    assert!(text.starts_with(KEY), "{text}");
    host.configure(r#"{"author": 1}"#);
    let Err(Failure::InvalidInput(text)) = host.process::<Notes>(asset(KEY)) else { panic!("not refused") };
    assert!(text.contains("`author`"), "{text}");
    host.fail(KEY, Failure::Transient("no answer".into()));
    assert_eq!(Object::open(KEY).err(), Some(Failure::Transient("no answer".into())));
}

#[test]
fn an_object_reads_and_seeks_as_a_file_does() {
    let host = Host::new();
    let bytes: Vec<u8> = (0..600_000u32).map(|at| (at % 251) as u8).collect();
    host.put(KEY, &bytes);
    let mut object = Object::open(KEY).unwrap();
    let mut all = Vec::new();
    object.read_to_end(&mut all).unwrap();
    assert!(all == bytes);
    for (to, at) in [(SeekFrom::Start(7), 7), (SeekFrom::End(-3), 599_997), (SeekFrom::Current(-100_000), 500_000)] {
        assert_eq!(object.seek(to).unwrap(), at);
        let mut three = [0; 3];
        object.read_exact(&mut three).unwrap();
        assert_eq!(three, bytes[at as usize..at as usize + 3]);
    }
    object.seek(SeekFrom::Start(1 << 40)).unwrap();
    assert_eq!(object.read(&mut [0; 8]).unwrap(), 0);
    assert!(object.seek(SeekFrom::Current(-(1 << 41))).is_err());
    assert!(matches!(Object::open(KEY).unwrap().read_all(599_999), Err(Failure::TooLarge(_))));
    assert!(Object::open(KEY).unwrap().read_all(600_000).unwrap() == bytes);
}

#[test]
fn a_replaced_object_is_a_mismatch_and_an_unfinished_one_is_not_there() {
    let host = Host::new();
    host.put(KEY, &vec![1; 300_000]);
    let mut object = Object::open(KEY).unwrap();
    object.read_exact(&mut [0; 10]).unwrap();
    host.put(KEY, &vec![2; 300_000]);
    object.seek(SeekFrom::Start(290_000)).unwrap();
    let failure = Failure::from(object.read_exact(&mut [0; 10]).unwrap_err());
    assert!(matches!(failure, Failure::Mismatch(_)), "{failure:?}");

    let mut new = NewObject::create(NOTE, "text/plain", None).unwrap();
    new.write_all(&vec![b'a'; 3 << 20]).unwrap();
    drop(new);
    assert_eq!(host.bytes(NOTE), None);
    let mut new = NewObject::create(NOTE, "text/plain", None).unwrap();
    new.write_all(b"<").unwrap();
    new.append_object(KEY, None, 0, 2).unwrap();
    new.write_all(b">").unwrap();
    new.append(b"!").unwrap();
    assert_eq!(new.finish().unwrap().bytes, 5);
    assert_eq!(host.bytes(NOTE).unwrap(), b"<\x02\x02>!");
    // Longer than the host takes at once.
    let mut new = NewObject::create(NOTE, "text/plain", None).unwrap();
    new.append(&vec![b'a'; 5 << 20]).unwrap();
    assert_eq!(new.finish().unwrap().bytes, 5 << 20);
}

/// Tells a chat how many files there are.
struct Tell;

impl BatchStage for Tell {
    fn process(call: Call, batch: Batch) -> Result<Outcome, Failure> {
        if call.remaining() < Duration::from_secs(1) {
            return Err(Failure::Transient("too little time is left".into()));
        }
        let text = format!("{} files", batch.assets.len());
        Request::new("POST", "https://chat.example/secret-path").body(text.clone()).send_ok()?;
        Ok(Outcome { note: Some(text), ..Outcome::default() })
    }
}

stage_sdk::export_batch_stage!(Tell);

#[test]
fn answers_are_queued_and_requests_are_seen() {
    let host = Host::new();
    let with_status = |status| Ok(Response { status, headers: Vec::new(), body: Vec::new() });
    for status in [204, 503, 404] {
        host.respond(with_status(status));
    }
    let told = host.process_batch::<Tell>(batch(vec![asset(KEY)])).unwrap();
    assert_eq!(told.note.as_deref(), Some("1 files"));
    assert_eq!(host.requests()[0].body, b"1 files");
    let failure = host.process_batch::<Tell>(batch(Vec::new())).unwrap_err();
    assert_eq!(failure, Failure::Transient("chat.example answered with 503".into()));
    assert!(matches!(host.process_batch::<Tell>(batch(Vec::new())), Err(Failure::Denied(_))));
    host.remaining_ms(999);
    assert!(matches!(host.process_batch::<Tell>(batch(Vec::new())), Err(Failure::Transient(_))));
}

const FILM: &str = "51/raw/video/vertical/2025-11-27/kitchen.mp4";
const MADE: &str = "51/processed/video/vertical/2025-11-27/kitchen_still.mp4";
const SERVICE: &str = "https://films.example/stabilize";

/// Sends a film to a service, and writes what comes back.
fn exchange(bytes: Option<u64>) -> Result<(), Failure> {
    let mut body = Request::new("POST", SERVICE).header("content-type", "video/mp4").begin(bytes)?;
    std::io::copy(&mut Object::open(FILM)?, &mut body)?;
    let mut answer = body.answer_ok()?;
    let mut object = NewObject::create(MADE, "video/mp4", None)?;
    std::io::copy(&mut answer, &mut object)?;
    object.finish()?;
    Ok(())
}

fn long(first: u8) -> Vec<u8> {
    (0..5_000_001u32).map(|at| (at % 251) as u8 ^ first).collect()
}

#[test]
fn long_bodies_go_out_and_come_back_by_std_io() {
    let host = Host::new();
    host.put(FILM, &long(1));
    host.respond(Ok(Response { status: 200, headers: Vec::new(), body: long(2) }));
    exchange(Some(5_000_001)).unwrap();
    let request = host.requests().remove(0);
    assert_eq!((&*request.method, &*request.url), ("POST", SERVICE));
    assert_eq!(request.headers, [("content-type".to_owned(), "video/mp4".to_owned())]);
    assert!(request.body == long(1) && host.bytes(MADE).unwrap() == long(2), "other bytes");
}

#[test]
fn the_bytes_of_objects_need_not_pass_through_the_stage() {
    let host = Host::new();
    host.put(FILM, b"shaken");
    host.respond(Ok(Response { status: 200, headers: Vec::new(), body: b"still".to_vec() }));
    let mut body = Request::new("POST", SERVICE).body("<").begin(None).unwrap();
    body.write_object(FILM, None, 0, 6).unwrap();
    body.write_all(b">").unwrap();
    let answer = body.answer().unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.store(MADE, "video/mp4", Some("still 1")).unwrap().bytes, 5);
    assert_eq!(host.requests()[0].body, b"<shaken>");
    assert_eq!(host.bytes(MADE).unwrap(), b"still");
}

#[test]
fn no_body_is_shorter_or_longer_than_it_should_be() {
    let host = Host::new();
    host.put(FILM, b"shaken");
    for bytes in [5, 7] {
        assert!(matches!(exchange(Some(bytes)), Err(Failure::InvalidInput(_))), "{bytes}");
    }
    assert!(host.requests().is_empty());
    host.respond(Ok(Response { status: 200, headers: Vec::new(), body: long(2) }));
    host.break_answer(SERVICE, Failure::Transient("the connection was closed".into()));
    assert_eq!(exchange(None), Err(Failure::Transient("the connection was closed".into())));
    assert_eq!(host.bytes(MADE), None);
    host.respond(Ok(Response { status: 503, headers: Vec::new(), body: Vec::new() }));
    assert_eq!(exchange(None), Err(Failure::Transient("films.example answered with 503".into())));
    host.fail(SERVICE, Failure::Denied("not granted".into()));
    assert_eq!(exchange(None), Err(Failure::Denied("not granted".into())));
}
