//! The checks on one file, in the order of their cost: first those that need none of its bytes, last those of its headers.

use stage_probe::{Format, Kind, Probe, ProbeError, Source, probe, verify_end};

use crate::bindings::toq::media::keys::{Area, Parts};
use crate::bindings::toq::media::objects::{Digests, ObjectInfo};
use crate::bindings::toq::media::types::{Asset, Failure, MediaType, PixelSize};
use crate::config::Config;

/// What the checks need of the host: the component's imports, or objects in memory in a test.
pub trait Host {
    /// An object opened for reading.
    type Object: Source<Error = Failure>;
    /// Calls `keys.parse`.
    fn parse_key(&mut self, key: &str) -> Result<Parts, Failure>;
    /// Calls `objects.stat`.
    fn stat(&mut self, key: &str) -> Result<ObjectInfo, Failure>;
    /// Calls `objects.digest`.
    fn digest(&mut self, key: &str, etag: &str) -> Result<Digests, Failure>;
    /// Calls `object.open`.
    fn open(&mut self, key: &str, etag: &str) -> Result<Self::Object, Failure>;
    /// Calls `tags.set`.
    fn tag(&mut self, key: &str, name: &str, value: &str) -> Result<(), Failure>;
}

/// Checks one file and returns it with the facts about its bytes.
///
/// # Errors
/// The first fault; the cases are listed in the crate's documentation. The host's own failures are returned unchanged.
pub fn validate<H: Host>(host: &mut H, config: &Config, mut asset: Asset) -> Result<Asset, Failure> {
    let parts = host.parse_key(&asset.key)?;
    check_key(&asset, &parts)?;
    let info = host.stat(&asset.key)?;
    // Every upload that exists is tagged, whatever the checks find: refused files stay in the bucket, too, and the lifecycle
    // rule must move them out of the most expensive storage class.
    host.tag(&asset.key, "lifecycle", "raw")?;

    let name = parts.name.as_str();
    check_size(&asset, &info, config, name)?;
    check_etag(&asset, &info, name)?;
    let digests = host.digest(&asset.key, &info.etag)?;
    check_digests(&asset, &info, &digests, name)?;

    let mut object = host.open(&asset.key, &info.etag)?;
    let found = probe(&mut object).map_err(|error| unreadable(error, config, parts.media_type, name))?;
    check_format(found.format, config, parts.media_type, name)?;
    for (declared, by) in [(&asset.content_type, "uploaded"), (&info.content_type, "stored")] {
        check_content_type(found.format, declared.as_deref(), by, name)?;
    }
    check_kind(found.format, parts.media_type, name)?;
    check_picture(&found, config, name)?;
    verify_end(&mut object, &found).map_err(|error| unreadable(error, config, parts.media_type, name))?;

    asset.content_type = Some(found.format.mime().to_owned());
    asset.bytes = Some(info.bytes);
    asset.etag = Some(info.etag);
    asset.sha256 = Some(digests.sha256);
    asset.crc32 = Some(digests.crc32);
    asset.pixels = found.pixels.map(|size| PixelSize { width: size.width, height: size.height });
    asset.orientation = (found.format.kind() != Kind::Document).then_some(found.orientation);
    asset.duration_ms = found.duration_ms;
    asset.has_audio = found.has_audio;
    asset.verified = true;
    Ok(asset)
}

fn check_key(asset: &Asset, parts: &Parts) -> Result<(), Failure> {
    let key = &asset.key;
    if parts.area != Area::Raw {
        return Err(Failure::InvalidInput(format!("{key} is not an upload: its key is not in the raw area")));
    }
    if parts.media_type != asset.media_type {
        let (declared, by_key) = (media_name(asset.media_type), media_name(parts.media_type));
        return Err(Failure::Mismatch(format!("{key} was declared as {declared}, but its key is for {by_key}")));
    }
    Ok(())
}

fn check_size(asset: &Asset, info: &ObjectInfo, config: &Config, name: &str) -> Result<(), Failure> {
    let (bytes, limit) = (info.bytes, config.max_file_bytes);
    if bytes == 0 {
        return Err(Failure::Corrupt(format!("{name} is empty")));
    }
    if bytes > limit {
        return Err(Failure::TooLarge(format!("{name} has {bytes} bytes; at most {limit} bytes are accepted")));
    }
    match asset.bytes {
        Some(declared) if declared != bytes => {
            Err(Failure::Mismatch(format!("{name} was declared with {declared} bytes, but has {bytes}")))
        }
        _ => Ok(()),
    }
}

fn check_etag(asset: &Asset, info: &ObjectInfo, name: &str) -> Result<(), Failure> {
    // Uploaders pass on the header as they received it, with its quotes.
    let declared = asset.etag.as_deref().map(|etag| etag.trim().trim_matches('"'));
    match declared {
        Some(declared) if declared != info.etag => Err(Failure::Mismatch(format!(
            "{name} was declared with the entity tag {declared:?}, but has {:?}: it was replaced since then",
            info.etag
        ))),
        _ => Ok(()),
    }
}

fn check_digests(asset: &Asset, info: &ObjectInfo, found: &Digests, name: &str) -> Result<(), Failure> {
    if found.bytes != info.bytes {
        let (read, listed) = (found.bytes, info.bytes);
        return Err(Failure::Mismatch(format!("{name} is listed with {listed} bytes, but {read} bytes were read")));
    }
    if let Some(declared) = asset.sha256.as_deref().filter(|declared| !declared.eq_ignore_ascii_case(&found.sha256)) {
        let real = &found.sha256;
        return Err(Failure::Mismatch(format!(
            "{name} was declared with the SHA-256 checksum {declared}, but its bytes have {real}"
        )));
    }
    match info.crc32 {
        Some(stored) if stored != found.crc32 => Err(Failure::Mismatch(format!(
            "{name} is stored with the CRC-32 checksum {stored:08x}, but its bytes have {:08x}",
            found.crc32
        ))),
        _ => Ok(()),
    }
}

fn check_format(format: Format, config: &Config, media_type: MediaType, name: &str) -> Result<(), Failure> {
    if config.accept.contains(&format) {
        return Ok(());
    }
    let accepted = config.accepted(kind_of(media_type));
    Err(Failure::Unsupported(format!("{name} has the format {format}; accepted formats are {accepted}")))
}

/// Returns the kind of content that is uploaded as a media type.
fn kind_of(media_type: MediaType) -> Kind {
    match media_type {
        MediaType::PhotoVertical | MediaType::PhotoHorizontal | MediaType::ProjectRender => Kind::Picture,
        MediaType::VideoVertical | MediaType::VideoHorizontal => Kind::Video,
        MediaType::ProjectDoc => Kind::Document,
    }
}

fn check_content_type(format: Format, declared: Option<&str>, by: &str, name: &str) -> Result<(), Failure> {
    let Some(declared) = declared.filter(|declared| !is_placeholder(declared)) else {
        return Ok(());
    };
    if Format::from_mime(declared) == Some(format) {
        return Ok(());
    }
    Err(Failure::Mismatch(format!("{name} was {by} as {declared:?}, but its bytes are {format} ({})", format.mime())))
}

/// Returns whether this is a type that stores and HTTP clients fill in where none was given.
fn is_placeholder(declared: &str) -> bool {
    const PLACEHOLDERS: [&str; 4] =
        ["", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded"];
    let essence = declared.split(';').next().unwrap_or_default().trim();
    PLACEHOLDERS.iter().any(|placeholder| placeholder.eq_ignore_ascii_case(essence))
}

fn check_kind(format: Format, media_type: MediaType, name: &str) -> Result<(), Failure> {
    let wanted = kind_of(media_type);
    let found = format.kind();
    if wanted == found {
        return Ok(());
    }
    let place = media_name(media_type);
    Err(Failure::Mismatch(format!("{name} is a {found} ({format}), but {place} is for {wanted}s")))
}

fn check_picture(found: &Probe, config: &Config, name: &str) -> Result<(), Failure> {
    let Some(pixels) = found.pixels else {
        return match found.format.kind() {
            Kind::Document => Ok(()),
            _ => Err(Failure::Unsupported(format!("{name} ({}) has no picture track", found.format))),
        };
    };
    if pixels.count() > config.max_pixels {
        return Err(Failure::TooLarge(format!(
            "{name} has {} × {} pixels; at most {} pixels in all are accepted",
            pixels.width, pixels.height, config.max_pixels
        )));
    }
    Ok(())
}

/// Returns the failure for a file that cannot be probed.
fn unreadable(error: ProbeError<Failure>, config: &Config, media_type: MediaType, name: &str) -> Failure {
    match error {
        ProbeError::NotRecognised { looks_like } => {
            let accepted = config.accepted(kind_of(media_type));
            Failure::Unsupported(format!("{name} is {looks_like}; accepted formats are {accepted}"))
        }
        ProbeError::Truncated { what, offset } => {
            Failure::Corrupt(format!("{name} is cut off: it ends at byte {offset}, within {what}"))
        }
        ProbeError::Corrupt { what, offset } => {
            Failure::Corrupt(format!("{name} is damaged: {what}, at byte {offset}"))
        }
        ProbeError::Read(failure) => failure,
        _ => Failure::Internal(format!("{name} could not be probed")),
    }
}

/// Returns the media type as the backend and the keys write it.
fn media_name(media_type: MediaType) -> &'static str {
    match media_type {
        MediaType::PhotoVertical => "photo/vertical",
        MediaType::PhotoHorizontal => "photo/horizontal",
        MediaType::VideoVertical => "video/vertical",
        MediaType::VideoHorizontal => "video/horizontal",
        MediaType::ProjectDoc => "project/doc",
        MediaType::ProjectRender => "project/render",
    }
}

#[cfg(test)]
mod tests;
