//! Which files of a batch go into which bundle, and in which directory.
//!
//! The uploads are in the directories of their media types. In the `complete` bundle, renditions have directories of their
//! own, so that a thumbnail never takes the name of an upload. The `thumbnails` bundle holds nothing else and needs no such
//! directory.
//!
//! A file's title is not used for its name: it is free text without an extension, often the same for many files, and the
//! names of renditions come from the file's name.

use sha2::{Digest, Sha256};

use crate::archive::DosDate;
use crate::bindings::toq::media::keys::{Area, Parts};
use crate::bindings::toq::media::types::{Asset, Batch, Failure, MediaType};
use crate::config::BundleKind;
use crate::names::Names;
use stage_sdk::AssetFailure;

/// The part that a file has in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An upload.
    Original,
    /// A smaller picture of an upload.
    Thumbnail,
    /// Any other rendition, such as a transcoded video.
    Processed,
}

/// A stored file that may go into bundles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The key of the upload that it is or was made from.
    pub asset: String,
    /// Its role.
    pub role: Role,
    /// Its own key.
    pub key: String,
    /// The entity tag of its bytes.
    pub etag: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The CRC-32 of its bytes, if known.
    pub crc32: Option<u32>,
    /// The two media segments of its key.
    pub directory: [&'static str; 2],
    /// The file's name in its key.
    pub name: String,
    /// The date in its key.
    pub date: DosDate,
}

/// Returns every file of `batch` that may go into a bundle, in the order of the batch, and the failures of other files.
///
/// An upload counts if its bytes passed validation: a photo without thumbnails is still a good upload.
///
/// # Errors
/// If parsing a key fails with a transient failure.
pub fn sources(
    batch: &Batch,
    parse: &dyn Fn(&str) -> Result<Parts, Failure>,
) -> Result<(Vec<Source>, Vec<AssetFailure>), Failure> {
    let mut sources = Vec::new();
    let mut failures = Vec::new();
    for asset in batch.assets.iter().filter(|asset| asset.verified) {
        match sources_of(asset, parse) {
            Ok(found) => sources.extend(found),
            Err(transient @ Failure::Transient(_)) => return Err(transient),
            Err(failure) => failures.push(AssetFailure { key: asset.key.clone(), failure }),
        }
    }
    Ok((sources, failures))
}

fn sources_of(asset: &Asset, parse: &dyn Fn(&str) -> Result<Parts, Failure>) -> Result<Vec<Source>, Failure> {
    let (Some(bytes), Some(etag)) = (asset.bytes, asset.etag.as_ref()) else {
        return Err(Failure::InvalidInput(format!("{} is validated but has no size or no entity tag", asset.key)));
    };
    let source = |role, key: &str, etag: &str, bytes, crc32, parts: Parts| Source {
        asset: asset.key.clone(),
        role,
        key: key.to_owned(),
        etag: etag.to_owned(),
        bytes,
        crc32,
        directory: segments(parts.media_type),
        name: parts.name,
        date: parts.date.as_deref().and_then(DosDate::parse).unwrap_or(DosDate::EPOCH),
    };
    let mut found = vec![source(Role::Original, &asset.key, etag, bytes, asset.crc32, parse(&asset.key)?)];
    // Sorted by key: the order in which a stage lists renditions must not change the archive.
    let mut renditions: Vec<_> = asset.renditions.iter().collect();
    renditions.sort_by(|a, b| a.key.cmp(&b.key));
    // A playlist is nothing without its segments, which no archive has.
    for made in renditions.into_iter().filter(|made| made.content_type != "application/vnd.apple.mpegurl") {
        let parts = parse(&made.key)?;
        let role = if parts.area == Area::Thumb { Role::Thumbnail } else { Role::Processed };
        found.push(source(role, &made.key, &made.etag, made.bytes, made.crc32, parts));
    }
    Ok(found)
}

/// Returns the names of the `chosen` sources in the bundle `kind`, in the same order.
pub fn names<'a>(kind: BundleKind, chosen: impl Iterator<Item = &'a Source>) -> Vec<String> {
    let mut names = Names::new();
    chosen
        .map(|source| {
            let [first, second] = source.directory;
            match (kind, source.role) {
                (BundleKind::Complete, Role::Thumbnail) => names.claim(&["thumbnails", first, second], &source.name),
                (BundleKind::Complete, Role::Processed) => names.claim(&["processed", first, second], &source.name),
                _ => names.claim(&[first, second], &source.name),
            }
        })
        .collect()
}

/// Returns whether files of `role` belong to the bundle `kind`.
pub fn belongs(kind: BundleKind, role: Role) -> bool {
    match kind {
        BundleKind::Complete => true,
        BundleKind::Originals => role == Role::Original,
        BundleKind::Thumbnails => role == Role::Thumbnail,
    }
}

/// Returns a short text that is equal for equal archives: `zip/1 ` and a SHA-256 of everything that determines an archive.
///
/// The entity tag stands for the bytes, so that an archive is recognised as up to date before any unknown CRC-32 is
/// computed. The number after `zip/` changes with the format that [`crate::archive`] writes.
pub fn fingerprint<'a>(files: impl Iterator<Item = (&'a str, &'a Source)>) -> String {
    let mut hash = Sha256::new();
    for (name, source) in files {
        for text in [name, &source.key, &source.etag] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(source.bytes.to_le_bytes());
    }
    hash.finalize().iter().fold(String::from("zip/1 "), |text, byte| text + &format!("{byte:02x}"))
}

fn segments(media_type: MediaType) -> [&'static str; 2] {
    match media_type {
        MediaType::PhotoVertical => ["photo", "vertical"],
        MediaType::PhotoHorizontal => ["photo", "horizontal"],
        MediaType::VideoVertical => ["video", "vertical"],
        MediaType::VideoHorizontal => ["video", "horizontal"],
        MediaType::ProjectDoc => ["project", "doc"],
        MediaType::ProjectRender => ["project", "render"],
    }
}
