//! What to do with one asset: which renditions are out of date, their keys, and what is returned.
//!
//! The code uses the trait [`Host`], so that it is tested without a host.

use crate::bindings::toq::media::types::{Asset, Failure, MediaType, PixelSize, Rendition};
use crate::config::Config;
use crate::error::PictureError;
use crate::format::recognise;
use crate::geometry::{Bounds, Size};
use crate::render::render;

/// The largest read that the contract allows, in bytes.
const CHUNK: u32 = 8 << 20;

/// A number that is increased when the same source and settings give other bytes, so that everything is rendered again.
const GENERATION: u32 = 1;

/// What this stage needs to know of a stored object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The length in bytes.
    pub bytes: u64,
    /// The entity tag without quotes.
    pub etag: String,
    /// The CRC-32 of all bytes, if the store knows it.
    pub crc32: Option<u32>,
    /// The fingerprint of what it was made from.
    pub fingerprint: Option<String>,
}

/// What the stage needs of its host. One method for each import that it uses.
pub trait Host {
    /// An object opened for reading.
    type Object;
    /// Calls `objects.stat`; `missing` if there is no such object.
    fn stat(&mut self, key: &str) -> Result<Stored, Failure>;
    /// Calls `object.open` for the version with the entity tag `if_match`.
    fn open(&mut self, key: &str, if_match: Option<&str>) -> Result<(Self::Object, Stored), Failure>;
    /// Calls `object.read`: at most `len` bytes from `offset`.
    fn read(&mut self, object: &Self::Object, offset: u64, len: u32) -> Result<Vec<u8>, Failure>;
    /// Calls `keys.derive`, in the area of thumbnails.
    fn derive_key(&mut self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure>;
    /// Writes an object by `writer.create`, `append` and `finish`.
    fn write(&mut self, key: &str, content_type: &str, fingerprint: &str, bytes: &[u8]) -> Result<Stored, Failure>;
    /// Calls `progress.report`, in renditions and one for reading the photo.
    fn progress(&mut self, done: u64, total: u64);
}

/// A rendition to make: its bounds, its key, and the beginning of its fingerprint.
struct Plan {
    bounds: Bounds,
    key: String,
    recipe: String,
}

/// Returns the asset with its renditions. Only those that are missing or out of date are made; if all are up to date, the
/// photo is not opened. An asset whose media type is not a picture is returned unchanged.
///
/// # Errors
/// If the configuration is invalid, the photo cannot be rendered, or the host fails.
pub fn process(host: &mut impl Host, config: &str, mut asset: Asset) -> Result<Asset, Failure> {
    let config = Config::parse(config).map_err(|e| Failure::InvalidInput(e.to_string()))?;
    if !is_picture(asset.media_type) {
        return Ok(asset);
    }
    let source = match (&asset.sha256, &asset.etag) {
        (Some(digest), _) => format!("sha256:{digest}"),
        (None, Some(etag)) => format!("etag:{etag}"),
        (None, None) => {
            let etag = host.stat(&asset.key)?.etag;
            let identity = format!("etag:{etag}");
            // From here on, only this version of the photo is read.
            asset.etag = Some(etag);
            identity
        }
    };

    let total = config.renditions.len() as u64 + 1;
    host.progress(0, total);
    let mut stale = Vec::new();
    for &bounds in &config.renditions {
        let plan = Plan {
            bounds,
            key: host.derive_key(&asset.key, &bounds.to_string(), config.format.extension())?,
            recipe: recipe(&source, bounds, &config),
        };
        match existing(host, &plan)? {
            Some((size, stored)) => add(&mut asset, rendition(&plan.bounds, &plan.key, &config, size, stored, true)),
            None => stale.push(plan),
        }
    }
    if stale.is_empty() {
        host.progress(total, total);
        return Ok(asset);
    }

    let photo = read(host, &asset, &config)?;
    let mut done = total - stale.len() as u64;
    host.progress(done, total);
    let wanted: Vec<Bounds> = stale.iter().map(|plan| plan.bounds).collect();
    render(photo, &config, &wanted, |rendered| {
        let plan = stale
            .iter()
            .find(|plan| plan.bounds == rendered.bounds)
            .ok_or_else(|| Failure::Internal(format!("an unexpected rendition {}", rendered.bounds)))?;
        let fingerprint = format!("{}{}", plan.recipe, rendered.size);
        let stored = host.write(&plan.key, config.format.content_type(), &fingerprint, rendered.bytes)?;
        add(&mut asset, rendition(&plan.bounds, &plan.key, &config, rendered.size, stored, false));
        done += 1;
        host.progress(done, total);
        Ok(())
    })
    .map_err(|stop| match stop {
        Stop::Host(failure) => failure,
        Stop::Picture(error) => picture_failure(&asset.key, error),
    })?;
    Ok(asset)
}

/// Returns the file's name in a key.
fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

fn is_picture(media: MediaType) -> bool {
    match media {
        MediaType::PhotoVertical | MediaType::PhotoHorizontal | MediaType::ProjectRender => true,
        MediaType::VideoVertical | MediaType::VideoHorizontal | MediaType::ProjectDoc => false,
    }
}

/// Returns everything that a rendition is made from, as the beginning of a fingerprint. The size in pixels follows it: the
/// size is a result, but it must be known when the rendition is up to date and nothing is decoded.
fn recipe(source: &str, bounds: Bounds, config: &Config) -> String {
    use crate::config::OutputFormat::{Jpeg, Webp};
    let format = match config.format {
        Jpeg => format!("jpeg-q{}", config.quality),
        Webp => "webp-lossless".to_owned(),
    };
    format!("thumbnails/{GENERATION} from={source} fit={bounds} as={format} px=")
}

/// Returns the existing rendition, if it was made by the same recipe.
fn existing(host: &mut impl Host, plan: &Plan) -> Result<Option<(Size, Stored)>, Failure> {
    let stored = match host.stat(&plan.key) {
        Ok(stored) => stored,
        Err(Failure::Missing(_)) => return Ok(None),
        Err(other) => return Err(other),
    };
    let size = stored.fingerprint.as_deref().and_then(|f| f.strip_prefix(&plan.recipe)).and_then(parse_size);
    Ok(size.map(|size| (size, stored)))
}

fn parse_size(text: &str) -> Option<Size> {
    let (width, height) = text.split_once('x')?;
    let size = Size::new(width.parse().ok()?, height.parse().ok()?);
    (size.pixels() > 0 && size.to_string() == text).then_some(size)
}

/// Reads the photo once, from beginning to end. A file that is not a picture is refused after its first chunk.
fn read<H: Host>(host: &mut H, asset: &Asset, config: &Config) -> Result<Vec<u8>, Failure> {
    let key = &asset.key;
    let (object, info) = host.open(key, asset.etag.as_deref())?;
    if info.bytes > config.max_bytes {
        return Err(Failure::TooLarge(format!(
            "{} has {} bytes; at most {} bytes are accepted (`maxBytes`)",
            file_name(key),
            info.bytes,
            config.max_bytes
        )));
    }
    let mut photo = Vec::new();
    while (photo.len() as u64) < info.bytes || photo.is_empty() {
        let offset = photo.len() as u64;
        let left = info.bytes - offset;
        let chunk = host.read(&object, offset, u32::try_from(left).unwrap_or(CHUNK).min(CHUNK))?;
        if offset == 0 {
            recognise(&chunk).map_err(|e| picture_failure(key, e))?;
            // The length is known and bounded: one allocation, or none if one chunk is the whole file.
            if (chunk.len() as u64) < info.bytes {
                photo.reserve_exact(usize::try_from(info.bytes).unwrap_or_default());
            } else {
                photo = chunk;
                break;
            }
        }
        if chunk.is_empty() {
            return Err(Failure::Transient(format!("{key}: reading stopped at byte {offset} of {}", info.bytes)));
        }
        photo.extend_from_slice(&chunk);
    }
    Ok(photo)
}

fn rendition(bounds: &Bounds, key: &str, config: &Config, size: Size, stored: Stored, reused: bool) -> Rendition {
    Rendition {
        name: bounds.to_string(),
        key: key.to_owned(),
        content_type: config.format.content_type().to_owned(),
        pixels: Some(PixelSize { width: size.width, height: size.height }),
        bytes: stored.bytes,
        etag: stored.etag,
        crc32: stored.crc32,
        reused,
    }
}

/// Adds a rendition, or replaces the one of the same name.
fn add(asset: &mut Asset, rendition: Rendition) {
    match asset.renditions.iter_mut().find(|r| r.name == rendition.name) {
        Some(earlier) => *earlier = rendition,
        None => asset.renditions.push(rendition),
    }
}

/// Why rendering stopped.
enum Stop {
    Host(Failure),
    Picture(PictureError),
}

impl From<PictureError> for Stop {
    fn from(error: PictureError) -> Self {
        Stop::Picture(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Host(failure)
    }
}

fn picture_failure(key: &str, error: PictureError) -> Failure {
    let message = format!("{} {error}", file_name(key));
    match error {
        PictureError::Unsupported(_) => Failure::Unsupported(message),
        PictureError::Corrupt(_) => Failure::Corrupt(message),
        PictureError::TooLarge(_) => Failure::TooLarge(message),
        PictureError::Internal(_) => Failure::Internal(message),
    }
}
