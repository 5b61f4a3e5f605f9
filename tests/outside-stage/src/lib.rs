//! Writes a small text file beside every photo, with its name and size. As the stage of `GenerateThumbnails` it replaces the
//! thumbnails; in a state of its own it adds to them.

wit_bindgen::generate!({ world: "thumbnails", path: "wit" });

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::object_writer::Writer;
use toq::media::types::{MediaType, Rendition};
use toq::media::{keys, objects};

struct Sidecar;
export!(Sidecar);

impl Guest for Sidecar {
    fn process(ctx: Context, mut asset: Asset) -> Result<Asset, Failure> {
        if !matches!(asset.media_type, MediaType::PhotoVertical | MediaType::PhotoHorizontal) {
            return Ok(asset);
        }
        let info = objects::stat(&asset.key)?;
        let parts = keys::parse(&asset.key)?;
        let text = format!("{} is {} bytes, described by {}\n", parts.name, info.bytes, ctx.state);

        let key = keys::derive(&asset.key, keys::Area::Thumb, "sidecar", "txt")?;
        let writer = Writer::create(&key, "text/plain", None)?;
        writer.append(text.as_bytes())?;
        let written = Writer::finish(writer)?;
        asset.renditions.push(Rendition {
            name: "sidecar".into(),
            key,
            content_type: "text/plain".into(),
            pixels: None,
            bytes: written.bytes,
            etag: written.etag,
            crc32: written.crc32,
            reused: false,
        });
        Ok(asset)
    }
}
