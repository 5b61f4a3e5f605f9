//! Answers that claim too much, or speak for others.

use crate::exports::toq::media::asset_stage::Asset;
use crate::toq::media::types::{MediaType, Problem, Rendition};

fn rendition(name: &str, key: &str) -> Rendition {
    Rendition {
        name: name.into(),
        key: key.into(),
        content_type: "image/jpeg".into(),
        pixels: None,
        bytes: 1,
        etag: "e".into(),
        crc32: None,
        reused: false,
    }
}

/// Claims that the file was uploaded as something else.
pub fn recast(asset: &mut Asset) {
    asset.media_type = MediaType::ProjectDoc;
}

/// Claims a file of another listing.
pub fn forge(asset: &mut Asset) {
    asset.renditions.push(rendition("forged", "52/thumb/theirs.jpg"));
}

/// Claims a file of its own listing that it has not written.
pub fn invent(asset: &mut Asset) {
    asset.renditions.push(rendition("invented", "51/thumb/photo/vertical/invented.jpg"));
}

/// Claims so many renditions.
pub fn boast(asset: &mut Asset, renditions: u32) {
    let numbered = |number: u32| rendition(&number.to_string(), &format!("51/thumb/{number}.jpg"));
    asset.renditions = (0..renditions).map(numbered).collect();
}

/// Claims a failure of another state, in 60 MiB.
pub fn record_a_long_problem(asset: &mut Asset) {
    let message = "p".repeat(60 << 20);
    asset.problem = Some(Problem { state: "FinalizeAndCallback".into(), code: "Stage.Corrupt".into(), message });
}
