//! Keys that are too long or lead elsewhere, and more bytes than a stage may write.

use crate::exports::toq::media::asset_stage::Failure;
use crate::refusals::all_refused;
use crate::toq::media::object_writer::Writer;
use crate::toq::media::objects::Object;
use crate::toq::media::{keys, objects};

const MIB: usize = 1 << 20;

/// Tries every function that takes a key with this one.
fn every_function_of_the_store(own: &str, key: &str, attempts: &mut Vec<(String, Result<(), Failure>)>) {
    let begins: String = key.chars().take(60).collect();
    let mut add = |what: &str, result: Result<(), Failure>| attempts.push((format!("{what} of {begins:?}"), result));
    add("stat", objects::stat(key).map(drop));
    add("digest", objects::digest(key, None).map(drop));
    add("open", Object::open(key, None).map(drop));
    add("create", Writer::create(key, "image/jpeg", None).map(drop));
    let copied = keys::derive(own, keys::Area::Thumb, "copy", "jpg")
        .and_then(|thumb| Writer::create(&thumb, "image/jpeg", None))
        .and_then(|writer| writer.append_object(key, None, 0, 1));
    add("append-object", copied);
}

/// Tries keys that another reader of paths might take for files of listing 52, or of nobody.
pub fn wander(own: &str) -> Failure {
    let mut attempts = Vec::new();
    for key in [
        "52/raw/photo/vertical/other.jpg",
        "51/raw/../../52/raw/photo/vertical/other.jpg",
        "51/raw/photo/../../../52/raw/a.jpg",
        "51/thumb/../raw/photo/vertical/a.jpg",
        "51/raw//photo/vertical/a.jpg",
        "51/raw/./photo/vertical/a.jpg",
        "51/raw/..",
        "51/raw/",
        "51//raw/photo/vertical/a.jpg",
        "/51/raw/photo/vertical/a.jpg",
        "./51/raw/photo/vertical/a.jpg",
        "510/raw/photo/vertical/a.jpg",
        "51 /raw/photo/vertical/a.jpg",
        " 51/raw/photo/vertical/a.jpg",
        "51\u{200b}/raw/photo/vertical/a.jpg",
        "\u{ff15}\u{ff11}/raw/photo/vertical/a.jpg",
        "51\u{2215}raw\u{2215}photo/vertical/a.jpg",
        "51\\raw\\photo\\vertical\\a.jpg",
        "51%2Fraw%2Fphoto/vertical/a.jpg",
        "51/RAW/photo/vertical/a.jpg",
        "{listingId}/raw/photo/vertical/a.jpg",
        "pipeline/pins/pins.json",
        "51/raw/../../pipeline/pins/pins.json",
        "",
    ] {
        every_function_of_the_store(own, key, &mut attempts);
    }
    all_refused("denied", attempts)
}

/// Tries a key of 1 MiB, below the granted prefixes, wherever a key is taken.
pub fn long_keys(own: &str) -> Failure {
    let long = "k".repeat(MIB);
    let mut attempts = Vec::new();
    for key in [format!("51/raw/photo/vertical/{long}.jpg"), format!("51/thumb/photo/vertical/{long}.jpg")] {
        every_function_of_the_store(own, &key, &mut attempts);
        attempts.push(("parse".into(), keys::parse(&key).map(drop)));
        attempts.push(("derive".into(), keys::derive(&key, keys::Area::Thumb, "a", "jpg").map(drop)));
    }
    attempts.push(("the suffix of derive".into(), keys::derive(own, keys::Area::Thumb, &long, "jpg").map(drop)));
    attempts.push(("the extension of derive".into(), keys::derive(own, keys::Area::Thumb, "a", &long).map(drop)));
    attempts.push(("bundle".into(), keys::bundle(&long).map(drop)));
    all_refused("invalid-input", attempts)
}

/// Tries content types and fingerprints that are too long or would end an HTTP header, and entity tags that are too long.
pub fn long_headers(own: &str) -> Failure {
    let long = "h".repeat(MIB);
    let thumb = own.replace("/raw/", "/thumb/");
    let mut attempts = Vec::new();
    for bad in [long.as_str(), "text/plain\r\nx-amz-acl: public-read", "\u{e9}"] {
        let begins: String = bad.chars().take(30).collect();
        let mut add = |what: &str, result: Result<(), Failure>| attempts.push((format!("{what} {begins:?}"), result));
        add("content type", Writer::create(&thumb, bad, None).map(drop));
        add("fingerprint", Writer::create(&thumb, "image/jpeg", Some(bad)).map(drop));
    }
    attempts.push(("entity tag of digest".into(), objects::digest(own, Some(&long)).map(drop)));
    attempts.push(("entity tag of open".into(), Object::open(own, Some(&long)).map(drop)));
    all_refused("invalid-input", attempts)
}

/// Appends so many bytes with one call.
pub fn append_at_once(own: &str, bytes: usize) -> Result<(), Failure> {
    let writer = Writer::create(&keys::derive(own, keys::Area::Thumb, "list", "jpg")?, "image/jpeg", None)?;
    writer.append(&vec![0; bytes])
}

/// Appends to one object until that is refused.
pub fn append_for_ever(own: &str) -> Result<(), Failure> {
    let writer = Writer::create(&keys::derive(own, keys::Area::Thumb, "appends", "jpg")?, "image/jpeg", None)?;
    let piece = vec![0; 4 * MIB];
    loop {
        writer.append(&piece)?;
    }
}

/// Appends the uploaded file to one object until that is refused. The bytes do not pass through the guest.
pub fn copy_for_ever(own: &str) -> Result<(), Failure> {
    let bytes = objects::stat(own)?.bytes;
    let writer = Writer::create(&keys::derive(own, keys::Area::Thumb, "copies", "jpg")?, "image/jpeg", None)?;
    loop {
        writer.append_object(own, None, 0, bytes)?;
    }
}

/// Reads and copies from offsets, and in lengths, that overflow when they are added. Returns the refusal of the last.
pub fn ask_at_the_edges_of_numbers(own: &str) -> Result<(), Failure> {
    let object = Object::open(own, None)?;
    for (offset, length) in [(u64::MAX, u32::MAX), (u64::MAX, 0), (1 << 63, u32::MAX), (0, 0)] {
        let bytes = object.read(offset, length)?;
        if !bytes.is_empty() {
            return Err(Failure::Internal(format!("{} bytes at {offset}", bytes.len())));
        }
    }
    let writer = Writer::create(&keys::derive(own, keys::Area::Thumb, "edges", "jpg")?, "image/jpeg", None)?;
    if writer.append_object(own, None, u64::MAX, 1).is_ok() {
        return Err(Failure::Internal("a byte beyond all objects was copied".into()));
    }
    writer.append_object(own, None, u64::MAX, u64::MAX)
}

/// Writes small objects until that is refused.
pub fn write_objects_for_ever(own: &str) -> Result<(), Failure> {
    for number in 0u32.. {
        let key = keys::derive(own, keys::Area::Thumb, &format!("object{number}"), "jpg")?;
        let writer = Writer::create(&key, "image/jpeg", None)?;
        writer.append(b"small")?;
        Writer::finish(writer)?;
    }
    Ok(())
}

/// Asks for the same object until that is refused.
pub fn look_until_refused(own: &str) -> Result<(), Failure> {
    loop {
        objects::stat(own)?;
    }
}

/// Asks for different objects with the longest keys, refused or not, until the deadline.
pub fn look_for_ever() {
    let long = "s".repeat(900);
    for number in 0u64.. {
        let _ = objects::stat(&format!("51/raw/photo/{number}{long}"));
    }
}

/// Begins objects with different keys of 1 MiB, refused or not, until the deadline.
pub fn create_with_long_keys_for_ever() {
    let long = "w".repeat(MIB);
    for number in 0u64.. {
        drop(Writer::create(&format!("51/thumb/{number}{long}"), "image/jpeg", None));
    }
}
