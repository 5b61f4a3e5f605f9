//! What to do with one asset: which renditions are out of date, their keys, and what is returned.
//!
//! The code uses the trait [`Host`], so that it is tested without a host.

use stage_sdk::{Asset, Failure, Made, MediaType, ObjectInfo, PixelSize, Problem, Rendition};

use crate::config::{Config, Subsampling};
use crate::error::PictureError;
use crate::format::recognise;
use crate::geometry::{Bounds, Size};
use crate::recipe::Recipe;
use crate::render::{Unmade, render};

/// The largest read that the contract allows, in bytes.
const CHUNK: u32 = 8 << 20;

/// What the stage needs of its host. One method for each import that it uses.
pub trait Host {
    /// An object opened for reading.
    type Object;
    /// Calls `objects.stat`; `missing` if there is no such object.
    fn stat(&mut self, key: &str) -> Result<ObjectInfo, Failure>;
    /// Calls `object.open` for the version with the entity tag `if_match`.
    fn open(&mut self, key: &str, if_match: Option<&str>) -> Result<(Self::Object, ObjectInfo), Failure>;
    /// Calls `object.read`: at most `len` bytes from `offset`.
    fn read(&mut self, object: &Self::Object, offset: u64, len: u32) -> Result<Vec<u8>, Failure>;
    /// Calls `keys.derive`, in the area of thumbnails.
    fn derive_key(&mut self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure>;
    /// Writes an object by `writer.create`, `append` and `finish`.
    fn write(&mut self, key: &str, content_type: &str, fingerprint: &str, bytes: &[u8]) -> Result<ObjectInfo, Failure>;
    /// Calls `progress.report`, in renditions and one for reading the photo.
    fn progress(&mut self, done: u64, total: u64);
}

/// A rendition of the configuration: its bounds, its key, and the result.
struct Plan {
    bounds: Bounds,
    key: String,
    made: Option<Rendition>,
}

/// Returns the asset with its renditions, in the order of the configuration. Only those that are missing or out of date are
/// made; if all are up to date, the photo is not opened. An asset whose media type is not a picture is returned unchanged.
/// If the format cannot hold some of the renditions, the others are made, and the asset has a problem of `state`.
///
/// # Errors
/// If the format can hold none of the renditions, the configuration is invalid, the photo cannot be rendered or was replaced
/// meanwhile, or the host fails.
pub fn process(host: &mut impl Host, state: &str, config: &str, mut asset: Asset) -> Result<Asset, Failure> {
    let mut config = Config::parse(config).map_err(|e| Failure::InvalidInput(e.to_string()))?;
    if !is_picture(asset.media_type) {
        return Ok(asset);
    }
    if asset.media_type == MediaType::ProjectRender {
        // Floor plans and drawings have coloured lines and texts.
        config.subsampling.get_or_insert(Subsampling::Full);
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
    let recipe = Recipe::new(&source, &config);

    let total = config.renditions.len() as u64 + 1;
    host.progress(0, total);
    let mut plans = Vec::with_capacity(config.renditions.len());
    for &bounds in &config.renditions {
        let key = host.derive_key(&asset.key, &bounds.to_string(), config.format.extension())?;
        let made =
            existing(host, &recipe, bounds, &key)?.map(|(size, stored)| rendition(bounds, &config, size, stored, true));
        plans.push(Plan { bounds, key, made });
    }
    let stale: Vec<Bounds> = plans.iter().filter(|plan| plan.made.is_none()).map(|plan| plan.bounds).collect();
    if stale.is_empty() {
        host.progress(total, total);
    } else {
        let photo = read(host, &asset, &config)?;
        let mut done = total - stale.len() as u64;
        host.progress(done, total);
        let unmade = render(photo, &config, &stale, |rendered| {
            let unexpected = || Failure::Internal(format!("an unexpected rendition {}", rendered.bounds));
            let plan = plans.iter_mut().find(|plan| plan.bounds == rendered.bounds).ok_or_else(unexpected)?;
            let fingerprint = recipe.fingerprint(rendered.picture, rendered.bounds).ok_or_else(unexpected)?;
            let stored = write(host, &asset, &plan.key, &config, &fingerprint, rendered.bytes)?;
            plan.made = Some(rendition(plan.bounds, &config, rendered.size, stored, false));
            done += 1;
            host.progress(done, total);
            Ok(())
        })
        .map_err(|stop| match stop {
            Stop::Host(failure) => failure,
            Stop::Picture(error) => picture_failure(&asset.key, error),
        })?;
        if let Some(message) = not_made(&asset.key, &unmade) {
            if unmade.len() == plans.len() {
                return Err(Failure::TooLarge(message));
            }
            let code = "Stage.TooLarge".to_owned();
            asset.problem = Some(Problem { state: state.to_owned(), code, message });
        }
    }
    // In the order of the configuration: what was there before must not change the document or the callback.
    plans.into_iter().filter_map(|plan| plan.made).for_each(|made| asset.set_rendition(made));
    Ok(asset)
}

/// Returns what is said of renditions that are not made. `None` if there are none.
fn not_made(key: &str, unmade: &[Unmade]) -> Option<String> {
    let first = unmade.first()?;
    let others = match unmade.len() - 1 {
        0 => String::new(),
        1 => "; another one is too large as well".to_owned(),
        more => format!("; {more} others are too large as well"),
    };
    Some(format!("{}: the rendition {} {}{others}", file_name(key), first.bounds, first.error))
}

/// Writes a rendition. The host refuses to replace what was stored there since this call looked, unless it is the same
/// rendition. If it refuses, another execution has other settings or another version of the photo. This call then fails if the
/// photo was replaced; otherwise it looks again and replaces what is there.
fn write(
    host: &mut impl Host,
    asset: &Asset,
    key: &str,
    config: &Config,
    fingerprint: &str,
    bytes: &[u8],
) -> Result<ObjectInfo, Failure> {
    let content_type = config.format.content_type();
    let conflict = match host.write(key, content_type, fingerprint, bytes) {
        Err(Failure::Mismatch(conflict)) => conflict,
        written => return written,
    };
    let photo = host.stat(&asset.key)?;
    if asset.etag.as_ref().is_some_and(|etag| *etag != photo.etag) {
        let name = file_name(&asset.key);
        return Err(Failure::Mismatch(format!("{name} was replaced while its renditions were made: {conflict}")));
    }
    match host.stat(key) {
        Ok(_) | Err(Failure::Missing(_)) => {}
        Err(failure) => return Err(failure),
    }
    host.write(key, content_type, fingerprint, bytes).map_err(|failure| match failure {
        Failure::Mismatch(text) => Failure::Transient(format!("{text}; another execution makes it at the same time")),
        other => other,
    })
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

/// Returns the rendition at `key` and its size, if it is the one that this recipe gives.
fn existing(
    host: &mut impl Host,
    recipe: &Recipe<'_>,
    bounds: Bounds,
    key: &str,
) -> Result<Option<(Size, ObjectInfo)>, Failure> {
    let stored = match host.stat(key) {
        Ok(stored) => stored,
        Err(Failure::Missing(_)) => return Ok(None),
        Err(other) => return Err(other),
    };
    let size = stored.fingerprint.as_deref().and_then(|fingerprint| recipe.recognise(fingerprint, bounds));
    Ok(size.map(|size| (size, stored)))
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

fn rendition(bounds: Bounds, config: &Config, size: Size, info: ObjectInfo, reused: bool) -> Rendition {
    let made = Made { info, content_type: config.format.content_type().to_owned(), reused };
    let pixels = Some(PixelSize { width: size.width, height: size.height });
    Rendition { pixels, ..made.rendition(&bounds.to_string()) }
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
