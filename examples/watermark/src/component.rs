//! What the host calls.

wit_bindgen::generate!({ world: "stage", path: "wit", generate_all });

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::keys;
use toq::media::object_writer::Writer;
use toq::media::objects::{self, Object, ObjectInfo};
use toq::media::types::{MediaType, PixelSize, Rendition};

use crate::mark::{MarkError, Marked, marked, opacity};

#[used]
#[unsafe(link_section = "stagehost:config-schema")]
static SCHEMA: [u8; include_bytes!("../config.schema.json").len()] = *include_bytes!("../config.schema.json");

/// The largest photo, in bytes.
const LARGEST: u64 = 40 << 20;
/// The most bytes that are read or written at once; the host allows 8 and 4 MiB.
const PIECE: usize = 4 << 20;

struct Watermark;
export!(Watermark);

impl Guest for Watermark {
    fn process(ctx: Context, mut asset: Asset) -> Result<Asset, Failure> {
        if !matches!(asset.media_type, MediaType::PhotoVertical | MediaType::PhotoHorizontal) {
            return Ok(asset);
        }
        let opacity = opacity(&ctx.config).map_err(Failure::InvalidInput)?;
        let key = keys::derive(&asset.key, keys::Area::Processed, "marked", "jpg")?;
        let source = asset.sha256.as_deref().unwrap_or_default();
        let prefix = format!("watermark {} {source} {opacity}", env!("CARGO_PKG_VERSION"));
        // The size is part of the fingerprint, so that it is known without reading the picture.
        let (made, width, height, reused) = match existing(&key, &prefix)? {
            Some((made, width, height)) => (made, width, height, true),
            None => {
                let picture = marked(&read(&asset)?, opacity).map_err(failure)?;
                let made = write(&key, &prefix, &picture)?;
                (made, picture.width, picture.height, false)
            }
        };
        asset.renditions.push(Rendition {
            name: "marked".into(),
            key,
            content_type: "image/jpeg".into(),
            pixels: Some(PixelSize { width, height }),
            bytes: made.bytes,
            etag: made.etag,
            crc32: made.crc32,
            reused,
        });
        Ok(asset)
    }
}

fn failure(error: MarkError) -> Failure {
    match error {
        MarkError::Unsupported(why) => Failure::Unsupported(why),
        MarkError::Corrupt(why) => Failure::Corrupt(why),
    }
}

/// Returns what is stored if it is up to date, with its size in pixels.
fn existing(key: &str, prefix: &str) -> Result<Option<(ObjectInfo, u32, u32)>, Failure> {
    let info = match objects::stat(key) {
        Ok(info) => info,
        Err(Failure::Missing(_)) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let size = info.fingerprint.as_deref().and_then(|fingerprint| fingerprint.strip_prefix(prefix));
    let size = size.and_then(|size| size.trim().split_once('x')).map(|(width, height)| (width.parse(), height.parse()));
    Ok(match size {
        Some((Ok(width), Ok(height))) => Some((info, width, height)),
        _ => None,
    })
}

fn read(asset: &Asset) -> Result<Vec<u8>, Failure> {
    let source = Object::open(&asset.key, asset.etag.as_deref())?;
    let length = source.info().bytes;
    if length > LARGEST {
        return Err(Failure::TooLarge(format!("{} has {length} bytes; at most {LARGEST} are marked", asset.key)));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    while (bytes.len() as u64) < length {
        bytes.extend(source.read(bytes.len() as u64, PIECE as u32)?);
    }
    Ok(bytes)
}

fn write(key: &str, prefix: &str, picture: &Marked) -> Result<ObjectInfo, Failure> {
    let fingerprint = format!("{prefix} {}x{}", picture.width, picture.height);
    let writer = Writer::create(key, "image/jpeg", Some(&fingerprint))?;
    for piece in picture.jpeg.chunks(PIECE) {
        writer.append(piece)?;
    }
    Writer::finish(writer)
}
