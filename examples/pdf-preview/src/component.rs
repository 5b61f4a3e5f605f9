//! What the host calls.

wit_bindgen::generate!({ world: "stage", path: "wit", generate_all });

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::object_writer::Writer;
use toq::media::objects::{self, Object, ObjectInfo};
use toq::media::types::{PixelSize, Rendition};
use toq::media::{keys, log};

use crate::preview::{Config, Preview, PreviewError, preview};

#[used]
#[unsafe(link_section = "stagehost:config-schema")]
static SCHEMA: [u8; include_bytes!("../config.schema.json").len()] = *include_bytes!("../config.schema.json");

/// The largest PDF, in bytes.
const LARGEST: u64 = 64 << 20;
/// The most bytes that are read or written at once; the host allows 8 and 4 MiB.
const PIECE: usize = 4 << 20;

struct PdfPreview;
export!(PdfPreview);

impl Guest for PdfPreview {
    fn process(ctx: Context, mut asset: Asset) -> Result<Asset, Failure> {
        if asset.content_type.as_deref() != Some("application/pdf") {
            return Ok(asset);
        }
        let config = Config::read(&ctx.config).map_err(Failure::InvalidInput)?;
        let key = keys::derive(&asset.key, keys::Area::Processed, "preview", "jpg")?;
        let source = asset.sha256.as_deref().unwrap_or_default();
        let prefix = format!("pdf-preview {} {source} {}", env!("CARGO_PKG_VERSION"), config.longest);
        let found = existing(&key, &prefix)?;
        let reused = found.is_some();
        let (made, facts) = match found {
            Some(found) => found,
            None => make(&asset, &key, &prefix, &config)?,
        };
        let Facts { width, height, pages } = facts;
        asset.attributes.push(("pages".into(), pages.to_string()));
        asset.renditions.push(Rendition {
            name: "preview".into(),
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

/// What the batch says of a preview.
struct Facts {
    width: u32,
    height: u32,
    pages: usize,
}

impl Facts {
    /// The end of the fingerprint, so that an up-to-date preview need not be read.
    fn written(&self) -> String {
        format!("{}x{} {}", self.width, self.height, self.pages)
    }

    fn read(text: &str) -> Option<Self> {
        let (size, pages) = text.trim().split_once(' ')?;
        let (width, height) = size.split_once('x')?;
        Some(Self { width: width.parse().ok()?, height: height.parse().ok()?, pages: pages.parse().ok()? })
    }
}

/// Returns what is stored if it is up to date.
fn existing(key: &str, prefix: &str) -> Result<Option<(ObjectInfo, Facts)>, Failure> {
    match objects::stat(key) {
        Ok(info) => {
            let end = info.fingerprint.as_deref().and_then(|fingerprint| fingerprint.strip_prefix(prefix));
            let facts = end.and_then(Facts::read);
            Ok(facts.map(|facts| (info, facts)))
        }
        Err(Failure::Missing(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn make(asset: &Asset, key: &str, prefix: &str, config: &Config) -> Result<(ObjectInfo, Facts), Failure> {
    let Preview { jpeg, width, height, pages, left_out } = preview(read(asset)?, config).map_err(|error| match error {
        PreviewError::Unsupported(why) => Failure::Unsupported(why),
        PreviewError::Corrupt(why) => Failure::Corrupt(why),
    })?;
    if left_out > 0 {
        let fields = [("left-out".to_owned(), left_out.to_string())];
        log::write(log::Level::Warn, "parts of the first page could not be painted", &fields);
    }
    let facts = Facts { width, height, pages };
    let writer = Writer::create(key, "image/jpeg", Some(&format!("{prefix} {}", facts.written())))?;
    for piece in jpeg.chunks(PIECE) {
        writer.append(piece)?;
    }
    Ok((Writer::finish(writer)?, facts))
}

fn read(asset: &Asset) -> Result<Vec<u8>, Failure> {
    let source = Object::open(&asset.key, asset.etag.as_deref())?;
    let length = source.info().bytes;
    if length > LARGEST {
        return Err(Failure::TooLarge(format!("{} has {length} bytes; at most {LARGEST} are read", asset.key)));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    while (bytes.len() as u64) < length {
        bytes.extend(source.read(bytes.len() as u64, PIECE as u32)?);
    }
    Ok(bytes)
}
