//! What to do with one asset: which renditions are out of date, where they go, what the batch is told.
//!
//! Written against [`Host`], the few things that the stage needs of its host, so that all of it is tested without one.

use crate::bindings::toq::media::types::{Asset, Failure, MediaType, PixelSize, Rendition};
use crate::config::Config;
use crate::error::PictureError;
use crate::format::recognise;
use crate::geometry::{Bounds, Size};
use crate::render::render;

/// The most that one read may ask for; the contract caps it there.
const CHUNK: u32 = 8 << 20;

/// Changes whenever the same source and settings would give other bytes, so that everything is rendered anew.
const GENERATION: u32 = 1;

/// A stored object, as far as this stage cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Length in bytes.
    pub bytes: u64,
    /// Entity tag without quotes.
    pub etag: String,
    /// CRC-32 of all bytes, where the store knows it.
    pub crc32: Option<u32>,
    /// What it says it was made from.
    pub fingerprint: Option<String>,
}

/// What the stage needs of its host.
pub trait Host {
    /// An object opened for reading.
    type Object;
    /// What is known of `key`; `missing` if there is no such object.
    fn stat(&mut self, key: &str) -> Result<Stored, Failure>;
    /// Opens the one version whose entity tag is `if_match`.
    fn open(&mut self, key: &str, if_match: Option<&str>) -> Result<(Self::Object, Stored), Failure>;
    /// At most `len` bytes from `offset`.
    fn read(&mut self, object: &Self::Object, offset: u64, len: u32) -> Result<Vec<u8>, Failure>;
    /// The key of the rendition `suffix` of `source`.
    fn derive_key(&mut self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure>;
    /// Stores a whole object.
    fn write(&mut self, key: &str, content_type: &str, fingerprint: &str, bytes: &[u8]) -> Result<Stored, Failure>;
    /// Tells whoever watches.
    fn progress(&mut self, done: u64, total: u64);
}

/// A rendition to be: its bounds, its key, and what its fingerprint begins with.
struct Plan {
    bounds: Bounds,
    key: String,
    recipe: String,
}

/// Gives the asset back with its renditions. Only those that are missing or out of date are made; if none is, the photo
/// is not even opened. An asset that is not a picture by its place in the listing is given back as it came.
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
            // From here on it is this version of the photo.
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
            .ok_or_else(|| Failure::Internal(format!("a rendition {} that nobody asked for", rendered.bounds)))?;
        let fingerprint = format!("{}{}", plan.recipe, rendered.size);
        let stored = host.write(&plan.key, config.format.content_type(), &fingerprint, rendered.bytes)?;
        add(&mut asset, rendition(&plan.bounds, &plan.key, &config, rendered.size, stored, false));
        done += 1;
        host.progress(done, total);
        Ok(())
    })
    .map_err(|stop| match stop {
        Stop::Host(failure) => failure,
        Stop::Picture(error) => of_picture(&asset.key, error),
    })?;
    Ok(asset)
}

fn is_picture(media: MediaType) -> bool {
    match media {
        MediaType::PhotoVertical | MediaType::PhotoHorizontal | MediaType::ProjectRender => true,
        MediaType::VideoVertical | MediaType::VideoHorizontal | MediaType::ProjectDoc => false,
    }
}

/// Everything that a rendition is made from, ending where its size in pixels follows. The size is a result, but it has
/// to be known again when the rendition is found up to date and nothing is decoded.
fn recipe(source: &str, bounds: Bounds, config: &Config) -> String {
    use crate::config::OutputFormat::{Jpeg, Webp};
    let format = match config.format {
        Jpeg => format!("jpeg-q{}", config.quality),
        Webp => "webp-lossless".to_owned(),
    };
    format!("thumbnails/{GENERATION} from={source} fit={bounds} as={format} px=")
}

/// The rendition that is already there, if it was made by the same recipe.
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

/// Reads the photo once, front to back; a file that is no picture is refused after its first chunk.
fn read<H: Host>(host: &mut H, asset: &Asset, config: &Config) -> Result<Vec<u8>, Failure> {
    let key = &asset.key;
    let (object, info) = host.open(key, asset.etag.as_deref())?;
    if info.bytes > config.max_bytes {
        return Err(Failure::TooLarge(format!(
            "{key}: {} bytes are more than the {} that `maxBytes` allows",
            info.bytes, config.max_bytes
        )));
    }
    let mut photo = Vec::new();
    while (photo.len() as u64) < info.bytes || photo.is_empty() {
        let offset = photo.len() as u64;
        let left = info.bytes - offset;
        let chunk = host.read(&object, offset, u32::try_from(left).unwrap_or(CHUNK).min(CHUNK))?;
        if offset == 0 {
            recognise(&chunk).map_err(|e| of_picture(key, e))?;
            // Its length is known and bounded: one allocation, and none at all if one chunk is the whole.
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

/// Adds a rendition, in place of one of the same name.
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

fn of_picture(key: &str, error: PictureError) -> Failure {
    let message = format!("{key}: {error}");
    match error {
        PictureError::Unsupported(_) => Failure::Unsupported(message),
        PictureError::Corrupt(_) => Failure::Corrupt(message),
        PictureError::TooLarge(_) => Failure::TooLarge(message),
        PictureError::Internal(_) => Failure::Internal(message),
    }
}
