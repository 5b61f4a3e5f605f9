//! Which kind of media a file is, before any stage has looked at it.

use std::fs::File;
use std::path::Path;

use stage_probe::{Format, Kind, Pixels};

/// Returns the part of the key that names the kind of media, by the file's bytes, or else by its `name`. It is a guess: the
/// validate stage decides.
pub fn media_segment(file: &Path, name: &Path) -> &'static str {
    let probe = File::open(file).ok().and_then(|open| {
        let mut reader = stage_probe::Reader::new(open).ok()?;
        stage_probe::probe(&mut reader).ok()
    });
    let format = probe.as_ref().map(|probe| probe.format).or_else(|| by_extension(name));
    let portrait = probe.and_then(|probe| probe.pixels).is_some_and(Pixels::is_portrait);
    match (format.map(Format::kind), portrait) {
        (Some(Kind::Document), _) => "project/doc",
        (Some(Kind::Video), true) => "video/vertical",
        (Some(Kind::Video), false) => "video/horizontal",
        (_, true) => "photo/vertical",
        (_, false) => "photo/horizontal",
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
