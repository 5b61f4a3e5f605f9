//! The files of the batches: made here, the same in every run.

use std::io::Cursor;
use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

use super::arrival::{Arrival, Variant};
use super::random::draw;
use crate::file;

/// A file of a listing.
pub(super) struct File {
    /// The key without the listing.
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) bytes: Bytes,
}

/// The size of the box that makes a video large: more than two parts, the second of which S3 can copy.
const LARGE: usize = 11 << 20;

const FRONT: &str = "raw/photo/horizontal/2026-01-02/front.jpg";
const STAIRS: &str = "raw/photo/vertical/2026-01-02/stairs.jpg";
const DAMAGED: &str = "raw/photo/horizontal/2026-01-02/damaged.jpg";
const DOCUMENT: &str = "raw/project/doc/2026-01-02/description.pdf";
const TOUR: &str = "raw/video/vertical/2026-01-02/tour.mp4";

/// Returns the files of a batch.
///
/// # Errors
/// If a sample is missing.
pub(super) fn files(variant: Variant) -> Result<&'static [File]> {
    static MADE: OnceLock<Result<[Vec<File>; 3], String>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let all = || Ok([make(Variant::Photos)?, make(Variant::WithVideo)?, make(Variant::WithLargeVideo)?]);
        all().map_err(|error: anyhow::Error| format!("{error:#}"))
    });
    let made = made.as_ref().map_err(|error| anyhow::Error::msg(error.clone()))?;
    Ok(&made[variant as usize])
}

fn make(variant: Variant) -> Result<Vec<File>> {
    let jpeg = |path, bytes| File { path, content_type: "image/jpeg", bytes };
    let video = |bytes| File { path: TOUR, content_type: "video/mp4", bytes };
    let front = jpeg(FRONT, photo(700, 500, 1)?);
    Ok(match variant {
        Variant::Photos => {
            let damaged = photo(600, 400, 3)?;
            let damaged = damaged.slice(..damaged.len() / 2);
            let document = sample("description.pdf")?;
            vec![
                front,
                jpeg(STAIRS, photo(420, 640, 2)?),
                jpeg(DAMAGED, damaged),
                File { path: DOCUMENT, content_type: "application/pdf", bytes: document },
            ]
        }
        Variant::WithVideo => vec![front, video(sample("staircase.mp4")?)],
        Variant::WithLargeVideo => {
            let mut bytes = sample("staircase.mp4")?.to_vec();
            append_box(&mut bytes, &(0..LARGE).map(|at| (at % 251) as u8).collect::<Vec<_>>());
            vec![front, video(bytes.into())]
        }
    })
}

fn sample(name: &str) -> Result<Bytes> {
    let path = file("samples/listing").join(name);
    Ok(std::fs::read(&path).with_context(|| path.display().to_string())?.into())
}

/// Returns a photo with enough detail that a lost or repeated row would be seen.
fn photo(width: u32, height: u32, number: u64) -> Result<Bytes> {
    let noise = |x: u32, y: u32| (draw(number, &[&(x / 8).to_string(), &(y / 8).to_string()]) % 64) as u8;
    let shade = |at: u32, all: u32| (at * 190 / all) as u8;
    let picture = RgbImage::from_fn(width, height, |x, y| {
        let noise = noise(x, y);
        Rgb([shade(x, width) + noise, shade(y, height) + noise, 90 + noise])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Jpeg).context("encoding a photo")?;
    Ok(bytes.into_inner().into())
}

/// Appends a box that players skip.
fn append_box(video: &mut Vec<u8>, contents: &[u8]) {
    let length = u32::try_from(contents.len() + 8).unwrap_or(u32::MAX);
    video.extend(length.to_be_bytes());
    video.extend(b"free");
    video.extend(contents);
}

/// Returns the film that MediaConvert's stand-in makes of a source for one output.
pub(super) fn video_of(source: &[u8], output: &str) -> Bytes {
    let mut video = sample("staircase.mp4").unwrap_or_default().to_vec();
    append_box(&mut video, format!("{:016x} {output}", digest(source, output)).as_bytes());
    video.into()
}

/// Returns the frame that MediaConvert's stand-in captures of a source for one output.
pub(super) fn frame_of(source: &[u8], output: &str) -> Result<Bytes> {
    let colours = digest(source, output).to_be_bytes();
    let picture = image::GrayImage::from_fn(64, 8, |x, _| image::Luma([colours[x as usize / 8]]));
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, ImageFormat::Jpeg)?;
    Ok(file.into_inner().into())
}

/// Returns a digest of every 4096th byte, the length and the output; the sources are known.
fn digest(source: &[u8], output: &str) -> u64 {
    let picked: String = source.iter().step_by(4096).map(|byte| format!("{byte:02x}")).collect();
    draw(source.len() as u64, &[&picked, output])
}

/// Returns the message that a backend sends for a batch.
pub(super) fn message(arrival: Arrival, retry: u32, files: &[File]) -> Value {
    let keys: Vec<_> = files.iter().map(|file| format!("{}/{}", arrival.listing, file.path)).collect();
    json!({
        "jobId": arrival.job, "batchId": arrival.batch(), "listingId": arrival.listing, "assets": keys, "retry": retry,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_the_same_every_time_and_a_damaged_one_has_no_end() {
        for variant in Variant::ALL {
            let again = make(variant).unwrap();
            assert!(files(variant).unwrap().iter().zip(&again).all(|(one, other)| one.bytes == other.bytes));
        }
        let damaged = files(Variant::Photos).unwrap().iter().find(|file| file.path == DAMAGED).unwrap();
        assert!(!damaged.bytes.ends_with(&[0xff, 0xd9]));
    }

    #[test]
    fn a_video_depends_on_its_source_and_on_the_output() {
        let source = &files(Variant::WithVideo).unwrap()[1].bytes;
        let large = &files(Variant::WithLargeVideo).unwrap()[1].bytes;
        assert_eq!(video_of(source, "_720p"), video_of(source, "_720p"));
        assert_ne!(video_of(source, "_720p"), video_of(source, "_1080p"));
        assert_ne!(video_of(source, "_720p"), video_of(large, "_720p"));
    }
}
