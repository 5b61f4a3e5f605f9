//! The layout of keys in the bucket: `{listing}/{area}/{media}/{date}/{name}`, the date being absent in an older
//! generation; interface `keys` of the WIT contract.
//!
//! Keys come from outside and become paths: on a person's disk, inside archives, in URLs. What is parsed or made here has
//! no empty segment, no `.` or `..`, no backslash and no control character, whatever the source was; and a derived key is
//! a pure function of its source and rendition, so that a second run overwrites its own files and nothing else.

use std::fmt;

use time::{Date, macros::format_description};

use crate::{Batch, MediaType};

/// The longest key that S3 takes, in bytes.
pub(crate) const KEY_MAX: usize = 1024;
/// The longest suffix or archive name, in bytes.
const WORD_MAX: usize = 64;
/// The longest extension, in bytes.
const EXTENSION_MAX: usize = 10;

/// Which part of a listing's files a key is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    /// As uploaded.
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

    /// As it is written in keys.
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

/// Why there is no such key. The message quotes the text at fault, shortened and escaped.
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
    /// A suffix, an extension or a name that cannot be part of a key.
    #[error("{what} {text}: {accepted}")]
    Word {
        /// Which of them.
        what: &'static str,
        /// The text, quoted.
        text: String,
        /// What may be given instead.
        accepted: &'static str,
    },
    /// Only uploads are in the area `raw`.
    #[error("a key cannot be derived into the area `raw`: it belongs to the uploads; use processed, thumb or zip")]
    IntoRaw,
    /// The key would be longer than S3 allows.
    #[error("the key derived from {key} would have {bytes} bytes; S3 takes at most 1024")]
    TooLong {
        /// The source, quoted.
        key: String,
        /// The length it would have.
        bytes: usize,
    },
}

/// A key, taken apart. Its `Display` puts it together again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyParts {
    /// The listing's id as written in the key.
    pub listing: String,
    /// Which part of the listing's files.
    pub area: Area,
    /// What it was uploaded as.
    pub media_type: MediaType,
    /// `YYYY-MM-DD`; absent in an older generation of keys.
    pub date: Option<String>,
    /// The file's name without its directory, with its extension.
    pub name: String,
}

impl KeyParts {
    /// Takes `key` apart; an error if it does not follow the layout.
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
            area: Area::from_segment(area).ok_or_else(|| fault("its second segment is no area"))?,
            media_type: MediaType::from_segments(first, second)
                .ok_or_else(|| fault("its media type does not exist"))?,
            date,
            name: name.to_owned(),
        })
    }

    /// The name without its extension. A name that is nothing but an extension (`.jpg`) is kept whole.
    pub fn stem(&self) -> &str {
        match self.name.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => &self.name,
        }
    }

    /// What follows the last dot of the name, as written; `None` without one.
    pub fn extension(&self) -> Option<&str> {
        match self.name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => Some(extension),
            _ => None,
        }
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

/// The key of a file made from `source`: same listing, media type and date, in `area`, named
/// `{name without extension}_{suffix}.{extension}`.
///
/// `suffix` is 1 to 64 of `A-Z a-z 0-9 . -`, neither beginning nor ending in a dot (no `_`, so that the last `_` of a
/// derived name always separates the suffix: different sources or suffixes never share a key within one extension,
/// unless only the sources' extensions differ). `extension` is 1 to 10 letters or digits without the dot; it is written
/// in lower case.
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
    let derived =
        KeyParts { name: format!("{}_{suffix}.{}", parts.stem(), extension.to_ascii_lowercase()), area, ..parts };
    within_limit(derived.to_string(), source)
}

/// The key of an archive of the whole batch: `{listing}/zip/{folder}/{name}.zip`. The folder is `batch-{batchId}`,
/// without one `job-{jobId}`, and without either `assets-{digest of the keys}`. `name` is 1 to 64 lower-case letters,
/// digits and `-`.
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

/// What [`is_listing`] lets through, for messages.
pub(crate) const LISTING_ACCEPTED: &str =
    "1 to 64 letters, digits, `-` and `_` are accepted, because it begins every key";

/// Whether a listing's id can begin a key.
pub(crate) fn is_listing(text: &str) -> bool {
    (1..=WORD_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// `text` in quotes, for a message: control characters escaped, at most 120 characters.
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::{Id, Listing, ListingField};

    const DATED: &str = "51/raw/photo/vertical/2025-11-27/photo-001.jpg";
    const UNDATED: &str = "28/raw/photo/horizontal/horizontal-01-IMG.jpg";

    fn is_clean(key: &str) -> bool {
        key.len() <= KEY_MAX
            && !key.contains(char::is_control)
            && key.split('/').all(|segment| !["", ".", ".."].contains(&segment))
    }

    #[test]
    fn a_key_of_the_first_generation_is_taken_apart() {
        let parts = KeyParts::parse(DATED).unwrap();
        assert_eq!(parts.listing, "51");
        assert_eq!(parts.area, Area::Raw);
        assert_eq!(parts.media_type, MediaType::PhotoVertical);
        assert_eq!(parts.date.as_deref(), Some("2025-11-27"));
        assert_eq!(parts.name, "photo-001.jpg");
        assert_eq!((parts.stem(), parts.extension()), ("photo-001", Some("jpg")));
    }

    #[test]
    fn a_key_of_the_second_generation_has_no_date() {
        let parts = KeyParts::parse(UNDATED).unwrap();
        assert_eq!(parts.date, None);
        assert_eq!(parts.to_string(), UNDATED);
    }

    #[test]
    fn what_does_not_follow_the_layout_is_refused_with_the_reason() {
        for (key, reason) in [
            ("", "empty segment"),
            ("photo.jpg", "too few segments"),
            ("51/raw/photo/vertical", "too few segments"),
            ("51/raw/photo/vertical/", "empty segment"),
            ("51//photo/vertical/a.jpg", "empty segment"),
            ("/51/raw/photo/vertical/a.jpg", "empty segment"),
            ("51/raw/photo/vertical/../a.jpg", "`.` or `..`"),
            ("../raw/photo/vertical/a.jpg", "`.` or `..`"),
            ("51/raw/photo/vertical/a\n.jpg", "control character"),
            ("51/raw/photo/vertical/..\\a.jpg", "backslash"),
            ("51/cooked/photo/vertical/a.jpg", "no area"),
            ("51/raw/photo/diagonal/a.jpg", "media type"),
            ("51/raw/PHOTO/VERTICAL/a.jpg", "media type"),
            ("51/raw/photo/vertical/2025-02-30/a.jpg", "not a date"),
            ("51/raw/photo/vertical/x/a.jpg", "not a date"),
            ("51/raw/photo/vertical/2025-11-27/x/a.jpg", "too many"),
            ("5 1/raw/photo/vertical/a.jpg", "listing"),
            ("51/zip/batch-5/complete.zip", "too few"),
        ] {
            let error = KeyParts::parse(key).unwrap_err().to_string();
            assert!(error.contains(reason), "{key:?}: {error}");
        }
    }

    #[test]
    fn a_derived_key_keeps_listing_type_and_date_and_tells_the_real_format() {
        assert_eq!(
            derive_key(DATED, Area::Thumb, "320x240", "webp").unwrap(),
            "51/thumb/photo/vertical/2025-11-27/photo-001_320x240.webp"
        );
        assert_eq!(
            derive_key(UNDATED, Area::Processed, "1080p", "MP4").unwrap(),
            "28/processed/photo/horizontal/horizontal-01-IMG_1080p.mp4"
        );
    }

    #[test]
    fn a_name_without_a_stem_or_extension_still_derives_a_clean_key() {
        for (name, derived) in [
            ("plain", "plain_s.jpg"),
            (".jpg", ".jpg_s.jpg"),
            ("a.", "a_s.jpg"),
            ("...", ".._s.jpg"),
            ("a.tar.gz", "a.tar_s.jpg"),
        ] {
            let source = format!("51/raw/photo/vertical/{name}");
            let key = derive_key(&source, Area::Thumb, "s", "jpg").unwrap();
            assert_eq!(key, format!("51/thumb/photo/vertical/{derived}"));
        }
    }

    #[test]
    fn nothing_is_derived_into_the_uploads() {
        assert_eq!(derive_key(DATED, Area::Raw, "small", "jpg"), Err(KeyError::IntoRaw));
    }

    #[test]
    fn a_suffix_or_extension_cannot_leave_its_place_in_the_name() {
        for suffix in ["", "a/b", "../x", "a_b", ".", "x.", "é", "a\0", "a b"] {
            assert!(derive_key(DATED, Area::Thumb, suffix, "jpg").is_err(), "{suffix:?}");
        }
        for extension in ["", ".jpg", "jp/g", "tar.gz", "verylongextension"] {
            assert!(derive_key(DATED, Area::Thumb, "s", extension).is_err(), "{extension:?}");
        }
    }

    #[test]
    fn a_derived_key_that_s3_would_refuse_is_refused_here() {
        let source = format!("51/raw/photo/vertical/{}", "x".repeat(1000));
        assert!(KeyParts::parse(&source).is_ok());
        let error = derive_key(&source, Area::Thumb, "1280x960", "jpg").unwrap_err();
        assert!(matches!(error, KeyError::TooLong { .. }), "{error}");
    }

    fn batch(listing: Id) -> Batch {
        Batch::new(Listing { id: listing, field: ListingField::ListingId })
    }

    #[test]
    fn archives_have_a_folder_for_each_batch() {
        let mut one = batch(Id::Number(51));
        one.job_id = Some(Id::Number(4));
        assert_eq!(bundle_key(&one, "complete").unwrap(), "51/zip/job-4/complete.zip");
        one.batch_id = Some(Id::Number(5));
        assert_eq!(bundle_key(&one, "complete").unwrap(), "51/zip/batch-5/complete.zip");
        assert!(bundle_key(&one, "../complete").is_err());
        assert!(bundle_key(&batch(Id::Text("a/b".into())), "complete").is_err());
    }

    #[test]
    fn archives_of_a_batch_without_ids_are_kept_apart_by_its_files() {
        let mut one = batch(Id::Number(51));
        let empty = bundle_key(&one, "complete").unwrap();
        one.assets.push(crate::Asset::new(DATED, MediaType::PhotoVertical));
        assert_ne!(bundle_key(&one, "complete").unwrap(), empty);
    }

    fn never_unclean(text: &str) -> Result<(), TestCaseError> {
        if let Ok(parts) = KeyParts::parse(text) {
            prop_assert!(is_clean(text));
            prop_assert_eq!(parts.to_string(), text);
        }
        let named = format!("51/raw/photo/vertical/{text}");
        for source in [text, named.as_str()] {
            if let Ok(key) = derive_key(source, Area::Thumb, "320x240", "jpg") {
                prop_assert!(is_clean(&key), "{:?}", key);
                let parts = KeyParts::parse(&key);
                prop_assert!(parts.is_ok(), "{:?}", key);
            }
        }
        for word in [
            derive_key(DATED, Area::Thumb, text, "jpg"),
            derive_key(DATED, Area::Thumb, "s", text),
            bundle_key(&batch(Id::Number(51)), text),
            bundle_key(&batch(Id::from_text(text)), "complete"),
        ] {
            prop_assert!(word.is_err() || is_clean(&word.unwrap()));
        }
        let mut odd = batch(Id::Number(51));
        odd.batch_id = Some(Id::from_text(text));
        prop_assert!(is_clean(&bundle_key(&odd, "complete").unwrap()));
        Ok(())
    }

    fn name() -> impl Strategy<Value = String> {
        "[^/\\\\\\p{C}]{1,40}".prop_filter("a name", |name| !matches!(name.as_str(), "." | ".."))
    }

    proptest! {
        #[test]
        fn any_text_makes_a_clean_key_or_none(text in ".*") {
            never_unclean(&text)?;
        }

        #[test]
        fn texts_that_nearly_follow_the_layout_make_a_clean_key_or_none(
            text in "(51|a b|\\.\\.|)/(raw|zip|x)/(photo|video|project)/(vertical|doc|\\.\\.)/(2025-1[0-9]-[0-3][0-9]/)?[a-z./\\\\\u{0}\u{7f} ]{0,12}"
        ) {
            never_unclean(&text)?;
        }

        #[test]
        fn every_clean_name_survives_the_round_trip(
            listing in "[A-Za-z0-9_-]{1,64}",
            area in proptest::sample::select(Area::ALL.to_vec()),
            media_type in proptest::sample::select(MediaType::ALL.to_vec()),
            dated in any::<bool>(),
            name in name(),
        ) {
            let date = dated.then(|| "2025-11-27".to_owned());
            let parts = KeyParts { listing, area, media_type, date, name };
            prop_assert_eq!(KeyParts::parse(&parts.to_string()).unwrap(), parts);
        }

        #[test]
        fn different_stems_or_suffixes_never_share_a_derived_key(
            one in ("[a_0-9]{1,6}", "[a0-9-]{1,4}"),
            other in ("[a_0-9]{1,6}", "[a0-9-]{1,4}"),
        ) {
            let key = |(stem, suffix): &(String, String)| {
                let source = format!("51/raw/photo/vertical/{stem}.jpg");
                derive_key(&source, Area::Thumb, suffix, "jpg").unwrap()
            };
            prop_assert_eq!(key(&one) == key(&other), one == other);
        }
    }

    #[test]
    fn well_known_naughty_strings_make_a_clean_key_or_none() {
        let Some(list) = stagehost_needs::media("naughty-strings.txt") else { return };
        for line in String::from_utf8_lossy(&std::fs::read(list).unwrap()).lines() {
            never_unclean(line).unwrap();
        }
    }
}
