//! Which files of a batch go into which bundle, and under which directory.
//!
//! The uploads lie where a person expects them, under their media type. What was made of them lies beside them in the
//! `complete` bundle, in directories of its own, so that a thumbnail can never push an upload off its name. In the
//! `thumbnails` bundle there is nothing else, so the directory is left out.
//!
//! A file's title is not used for its name: it is free text without an extension, often the same for many files, and
//! the names of the derived files come from the file's name.

use sha2::{Digest, Sha256};

use crate::archive::DosDate;
use crate::bindings::exports::toq::media::batch_stage::AssetFailure;
use crate::bindings::toq::media::keys::{Area, Parts};
use crate::bindings::toq::media::types::{Asset, Batch, Failure, MediaType};
use crate::config::BundleKind;
use crate::names::Names;

/// What a file is to its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An upload.
    Original,
    /// A smaller picture of one.
    Thumbnail,
    /// Anything else that was made of one: a transcoded video.
    Processed,
}

/// A stored file that bundles are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The upload which it is, or comes from.
    pub asset: String,
    /// What it is.
    pub role: Role,
    /// Its own key.
    pub key: String,
    /// Pins its bytes.
    pub etag: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The CRC-32 of its bytes, where known.
    pub crc32: Option<u32>,
    /// The media segments of its key.
    pub directory: [&'static str; 2],
    /// The file's name in its key.
    pub name: String,
    /// The day in its key.
    pub date: DosDate,
}

/// Every file of `batch` that may go into a bundle, in the order of the batch, and what stood in the way of others.
///
/// An upload counts once its bytes were checked: a photo that later failed to become a thumbnail is still a good upload.
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
        return Err(Failure::InvalidInput(format!("{} is verified but has no size or no entity tag", asset.key)));
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
    // By key, not as they come: the order in which a stage lists its renditions must not make a new archive.
    let mut renditions: Vec<_> = asset.renditions.iter().collect();
    renditions.sort_by(|a, b| a.key.cmp(&b.key));
    for made in renditions {
        let parts = parse(&made.key)?;
        let role = if parts.area == Area::Thumb { Role::Thumbnail } else { Role::Processed };
        found.push(source(role, &made.key, &made.etag, made.bytes, made.crc32, parts));
    }
    Ok(found)
}

/// The names which the `chosen` sources get in the bundle `kind`, by their order.
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

/// Whether files of `role` belong into the bundle `kind`.
pub fn belongs(kind: BundleKind, role: Role) -> bool {
    match kind {
        BundleKind::Complete => true,
        BundleKind::Originals => role == Role::Original,
        BundleKind::Thumbnails => role == Role::Thumbnail,
    }
}

/// A short text that is equal for equal archives: `zip/1 ` and a SHA-256 over everything that shapes one.
///
/// The entity tag stands for the bytes, so that a CRC-32 which is not known yet need not be computed to learn that the
/// archive is there already. The leading number changes with the format written by [`crate::archive`].
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
