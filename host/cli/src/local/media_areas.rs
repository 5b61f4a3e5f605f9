//! Which kind of media a file is, before any stage has looked at it.

use std::fs::File;
use std::path::Path;

use stage_probe::{Format, Kind, Pixels};
use stagehost_batch::MediaType;

/// Returns the part of the key that names the kind of media, by the file's bytes, or else by its `name`. It is a guess: the
/// validate stage decides.
pub fn media_segment(file: &Path, name: &Path) -> &'static str {
    let probe = File::open(file).ok().and_then(|open| {
        let mut reader = stage_probe::Reader::new(open).ok()?;
        stage_probe::probe(&mut reader).ok()
    });
    let format = probe.as_ref().map(|probe| probe.format).or_else(|| by_extension(name));
    let portrait = probe.and_then(|probe| probe.pixels).is_some_and(Pixels::is_portrait);
    media_type(format.map(Format::kind), portrait).segment()
}

/// Returns the type that a file of this kind is uploaded as; without a kind it is taken for a photo.
pub fn media_type(kind: Option<Kind>, portrait: bool) -> MediaType {
    match (kind, portrait) {
        (Some(Kind::Document), _) => MediaType::ProjectDoc,
        (Some(Kind::Video), true) => MediaType::VideoVertical,
        (Some(Kind::Video), false) => MediaType::VideoHorizontal,
        (_, true) => MediaType::PhotoVertical,
        (_, false) => MediaType::PhotoHorizontal,
    }
}

fn by_extension(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "mp4" | "m4v" => Some(Format::Mp4),
        "mov" => Some(Format::QuickTime),
        "pdf" => Some(Format::Pdf),
        _ => None,
    }
}
