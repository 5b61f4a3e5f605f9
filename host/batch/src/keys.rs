//! The layout of keys in the bucket: `{listing}/{area}/{media}/{date}/{name}`, without the date in older keys. Behind the
//! interface `keys` of the WIT contract.
//!
//! Keys come from outside and become paths: on disks, inside archives, in URLs. So every key that is accepted or made here
//! has no empty segment, no `.` or `..`, no backslash and no control character. A derived key is a pure function of its
//! source and rendition, so that a second run overwrites its own files and no others.

use std::fmt;

use time::{Date, macros::format_description};

use crate::document::Batch;
use crate::media::MediaType;

/// The longest key that S3 takes, in bytes.
pub const KEY_MAX: usize = 1024;
/// The longest suffix or archive name, in bytes.
const WORD_MAX: usize = 64;
/// The longest extension, in bytes.
const EXTENSION_MAX: usize = 10;

/// A part of a listing's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// Uploads.
    Raw,
    /// Transcoded videos.
    Processed,
    /// Smaller pictures.
    Thumb,
    /// Archives.
    Zip,
}

impl Area {
    /// Every area, in the order of the contract.
    pub const ALL: [Area; 4] = [Area::Raw, Area::Processed, Area::Thumb, Area::Zip];

    /// Returns its segment in keys.
    pub fn segment(self) -> &'static str {
        match self {
            Area::Raw => "raw",
            Area::Processed => "processed",
            Area::Thumb => "thumb",
            Area::Zip => "zip",
        }
    }

    fn from_segment(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.segment() == segment)
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment())
    }
}

/// Why a key is invalid. The message quotes the invalid text, shortened and escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key does not follow the layout.
    #[error(
        "key {key}: {fault}; the layout is {{listing}}/{{raw|processed|thumb|zip}}/{{media type}}/[{{YYYY-MM-DD}}/]{{name}}"
    )]
    Layout {
        /// The key, quoted.
        key: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A suffix, an extension or a name cannot be part of a key.
    #[error("{what} {text}: {accepted}")]
    Word {
        /// What the text was to be.
        what: &'static str,
        /// The text, quoted.
        text: String,
        /// What is accepted.
        accepted: &'static str,
    },
    /// A key cannot be derived into the area of the uploads.
    #[error("a key cannot be derived into the area `raw`: it belongs to the uploads; use processed, thumb or zip")]
    IntoRaw,
    /// The derived key would be longer than S3 allows.
    #[error("the key derived from {key} would have {bytes} bytes; S3 takes at most 1024")]
    TooLong {
        /// The source, quoted.
        key: String,
        /// The length of the derived key.
        bytes: usize,
    },
}

/// The parts of a key. `Display` returns the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyParts {
    /// The listing's id as written in the key.
    pub listing: String,
    /// The part of the listing's files.
    pub area: Area,
    /// The media type that it was uploaded as.
    pub media_type: MediaType,
    /// `YYYY-MM-DD`; absent in older keys.
    pub date: Option<String>,
    /// The file's name without its directory, with its extension.
    pub name: String,
}

impl KeyParts {
    /// Parses `key`.
    ///
    /// # Errors
    /// If it does not follow the layout.
    pub fn parse(key: &str) -> Result<Self, KeyError> {
        let fault = |fault| KeyError::Layout { key: quote(key), fault };
        if key.len() > KEY_MAX {
            return Err(fault("it is longer than 1024 bytes"));
        }
        let segments: Vec<&str> = key.split('/').collect();
        if let Some(wrong) = segments.iter().find_map(|segment| segment_fault(segment)) {
            return Err(fault(wrong));
        }
        let (head, tail) = segments.split_at_checked(4).ok_or_else(|| fault("it has too few segments"))?;
        let [listing, area, first, second] = head else {
            return Err(fault("it has too few segments"));
        };
        let (date, name) = match tail {
            [name] => (None, *name),
            [date, name] if is_date(date) => (Some((*date).to_owned()), *name),
            [_, _] => return Err(fault("the segment before its name is not a date")),
            [] => return Err(fault("it has too few segments")),
            _ => return Err(fault("it has too many segments")),
        };
        if !is_listing(listing) {
            return Err(fault("its listing is not made of letters, digits, `-` and `_`"));
        }
        Ok(KeyParts {
            listing: (*listing).to_owned(),
            area: Area::from_segment(area).ok_or_else(|| fault("its second segment is not an area"))?,
            media_type: MediaType::from_segments(first, second)
                .ok_or_else(|| fault("its media type does not exist"))?,
            date,
            name: name.to_owned(),
        })
    }

    /// Returns the name without its extension. A name that consists of an extension only (`.jpg`) is returned whole.
    pub fn stem(&self) -> &str {
        stem_of(&self.name)
    }

    /// Returns the extension as written, without the dot; `None` if there is none.
    pub fn extension(&self) -> Option<&str> {
        match self.name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => Some(extension),
            _ => None,
        }
    }
}

/// Returns a name without its extension; see [`KeyParts::stem`].
fn stem_of(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

impl fmt::Display for KeyParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KeyParts { listing, area, media_type, date, name } = self;
        write!(f, "{listing}/{area}/{}/", media_type.segment())?;
        if let Some(date) = date {
            write!(f, "{date}/")?;
        }
        f.write_str(name)
    }
}

/// Returns the key of a file made from `source`: same listing, media type and date, in `area`, named
/// `{name without extension}_{suffix}.{extension}`.
///
/// `suffix` is 1 to 64 characters of `A-Z a-z 0-9 . -` and neither begins nor ends with a dot. It has no `_`, so that the
/// last `_` of a derived name always separates the suffix: different sources or suffixes never share a key with the same
/// extension, unless only the sources' extensions differ, for which there is [`derive_key_in`]. `extension` is 1 to 10 letters or digits without the dot; it is
/// written in lower case.
///
/// # Errors
/// If an argument is invalid, or the key would be too long.
pub fn derive_key(source: &str, area: Area, suffix: &str, extension: &str) -> Result<String, KeyError> {
    if area == Area::Raw {
        return Err(KeyError::IntoRaw);
    }
    if !is_suffix(suffix) {
        return Err(KeyError::Word {
            what: "suffix",
            text: quote(suffix),
            accepted: "1 to 64 letters, digits, `-` and inner dots are accepted, such as 320x240",
        });
    }
    let extension_fits =
        (1..=EXTENSION_MAX).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !extension_fits {
        return Err(KeyError::Word {
            what: "extension",
            text: quote(extension),
            accepted: "1 to 10 letters or digits without a dot are accepted, such as jpg",
        });
    }
    let parts = KeyParts::parse(source)?;
    let stem = parts.stem().to_owned();
    derived(parts, &stem, area, suffix, extension, source)
}

/// Returns the key of a file made from `source`, one of the files of `batch`: as [`derive_key`], except that a file keeps its
/// extension in the derived name if another file of the batch in the same folder would have the same one. `kitchen.jpg` beside
/// `kitchen.png` becomes `kitchen.jpg_320x240.jpg`; alone it becomes `kitchen_320x240.jpg`.
///
/// No two files of a batch share a derived key: a name with its extension is unique in its folder, and a file whose name
/// without its extension is another one's whole name (`kitchen.png.jpg`) keeps its extension, too. The key depends on the names
/// in the batch only, not on their order.
///
/// # Errors
/// As [`derive_key`].
pub fn derive_key_in(
    batch: &Batch,
    source: &str,
    area: Area,
    suffix: &str,
    extension: &str,
) -> Result<String, KeyError> {
    let key = derive_key(source, area, suffix, extension)?;
    let parts = KeyParts::parse(source)?;
    if !has_twin(batch, source, &parts) {
        return Ok(key);
    }
    let name = parts.name.clone();
    derived(parts, &name, area, suffix, extension, source)
}

/// Returns whether another file of the batch, in the folder of `source`, would have the same derived names.
fn has_twin(batch: &Batch, source: &str, parts: &KeyParts) -> bool {
    let (Some(folder), stem) = (source.strip_suffix(parts.name.as_str()), parts.stem()) else { return false };
    batch.assets.iter().any(|asset| {
        let Some(name) = asset.key.strip_prefix(folder) else { return false };
        // Most names differ, and then nothing is taken apart.
        name.starts_with(stem) && name != parts.name && !name.contains('/') && (name == stem || stem_of(name) == stem)
    })
}

fn derived(
    parts: KeyParts,
    stem: &str,
    area: Area,
    suffix: &str,
    extension: &str,
    source: &str,
) -> Result<String, KeyError> {
    let name = format!("{stem}_{suffix}.{}", extension.to_ascii_lowercase());
    within_limit(KeyParts { name, area, ..parts }.to_string(), source)
}

/// Returns the key of an archive of the whole batch: `{listing}/zip/{folder}/{name}.zip`. The folder is `batch-{batchId}`,
/// without a batch id `job-{jobId}`, and without either `assets-{digest of the keys}`. `name` is 1 to 64 lower-case
/// letters, digits and `-`.
///
/// # Errors
/// If the name or the listing is invalid, or the key would be too long.
pub fn bundle_key(batch: &Batch, name: &str) -> Result<String, KeyError> {
    let fits = (1..=WORD_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !fits {
        return Err(KeyError::Word {
            what: "bundle name",
            text: quote(name),
            accepted: "1 to 64 lower-case letters, digits and `-` are accepted, such as complete",
        });
    }
    let listing = batch.listing.id.to_string();
    if !is_listing(&listing) {
        return Err(KeyError::Word { what: "listing", text: quote(&listing), accepted: LISTING_ACCEPTED });
    }
    let folder = batch.bundle_folder();
    within_limit(format!("{listing}/zip/{folder}/{name}.zip"), &listing)
}

/// What [`is_listing`] accepts, for messages.
pub(crate) const LISTING_ACCEPTED: &str =
    "1 to 64 letters, digits, `-` and `_` are accepted, because it begins every key";

/// Returns whether a listing's id can begin a key.
pub(crate) fn is_listing(text: &str) -> bool {
    (1..=WORD_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Returns `text` in quotes for a message: control characters escaped, at most 120 characters.
pub(crate) fn quote(text: &str) -> String {
    const SHOWN: usize = 120;
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", shown.escape_debug())
}

fn within_limit(key: String, source: &str) -> Result<String, KeyError> {
    if key.len() <= KEY_MAX {
        return Ok(key);
    }
    Err(KeyError::TooLong { key: quote(source), bytes: key.len() })
}

fn is_suffix(text: &str) -> bool {
    (1..=WORD_MAX).contains(&text.len())
        && !text.starts_with('.')
        && !text.ends_with('.')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

fn segment_fault(segment: &str) -> Option<&'static str> {
    match segment {
        "" => Some("it has an empty segment"),
        "." | ".." => Some("it has the segment `.` or `..`"),
        _ if segment.contains(char::is_control) => Some("it has a control character"),
        _ if segment.contains('\\') => Some("it has a backslash"),
        _ => None,
    }
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && Date::parse(text, format_description!("[year]-[month]-[day]")).is_ok()
}

#[cfg(test)]
mod tests;
