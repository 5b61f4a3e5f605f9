//! `s3://bucket/key`, and the service's rule for the names of outputs.

use std::fmt;

use crate::error::MediaConvertError;

const NO_IDENTIFIERS: &str = "format identifiers ($…$) are not supported by the local MediaConvert";

/// Returns whether a text has one of the service's format identifiers, such as `$dt$`. A single `$` is a character like any
/// other.
fn has_identifier(text: &str) -> bool {
    let mut parts = text.split('$');
    // What comes before the first and after the last `$` is not between two.
    parts.next();
    parts.next_back();
    parts.any(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// An object in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Location {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

impl Location {
    /// Parses the URI of an object. `path` is the path of the setting.
    pub(crate) fn object(path: &str, uri: &str) -> Result<Self, MediaConvertError> {
        let location = Self::split(path, uri)?;
        if location.key.is_empty() || location.key.ends_with('/') {
            return Err(refuse(path, uri, "should name an object, s3://bucket/key"));
        }
        Ok(location)
    }

    /// Parses the destination of an output group. If it ends in `/`, the base name is that of the input file.
    pub(crate) fn destination(path: &str, uri: &str, input: &Location) -> Result<Self, MediaConvertError> {
        let mut location = Self::split(path, uri)?;
        if has_identifier(uri) {
            return Err(refuse(path, uri, NO_IDENTIFIERS));
        }
        if location.key.is_empty() || location.key.ends_with('/') {
            location.key.push_str(input.stem());
        }
        Ok(location)
    }

    /// Returns the location of an output: destination, name modifier, extension.
    pub(crate) fn named(&self, path: &str, modifier: &str, extension: &str) -> Result<Self, MediaConvertError> {
        let base = self.modified(path, modifier)?;
        if has_identifier(extension) {
            return Err(refuse(path, extension, NO_IDENTIFIERS));
        }
        Self::checked(path, &base.bucket, format!("{}.{extension}", base.key))
    }

    /// Returns the location of an output without its extension: destination, name modifier.
    pub(crate) fn modified(&self, path: &str, modifier: &str) -> Result<Self, MediaConvertError> {
        if has_identifier(modifier) {
            return Err(refuse(path, modifier, NO_IDENTIFIERS));
        }
        Self::checked(path, &self.bucket, format!("{}{modifier}", self.key))
    }

    fn split(path: &str, uri: &str) -> Result<Self, MediaConvertError> {
        let rest = uri.strip_prefix("s3://").ok_or_else(|| refuse(path, uri, "should begin with s3://"))?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        Self::checked(path, bucket, key.to_owned())
    }

    fn checked(path: &str, bucket: &str, key: String) -> Result<Self, MediaConvertError> {
        let sound = !bucket.is_empty()
            && bucket.len() <= 63
            && bucket.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
        if !sound {
            return Err(refuse(path, bucket, "is not the name of a bucket"));
        }
        if key.len() > 1024 || key.chars().any(char::is_control) {
            return Err(refuse(path, &key, "is not the key of an object: at most 1,024 bytes, no control characters"));
        }
        Ok(Self { bucket: bucket.to_owned(), key })
    }

    /// Returns the file's name without directory and extension.
    fn stem(&self) -> &str {
        let name = self.key.rsplit('/').next().unwrap_or(&self.key);
        match name.rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => name,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

fn refuse(path: &str, found: &str, reason: &str) -> MediaConvertError {
    let shown: String = found.chars().take(100).collect();
    MediaConvertError::bad_request(format!("{path}: {shown:?}: {reason}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_output_is_named_by_destination_modifier_and_extension() {
        let input = Location::object("", "s3://b/51/raw/video/vertical/2025-11-27/clip.final.mov").unwrap();
        let exact = Location::destination("", "s3://b/51/processed/clip", &input).unwrap();
        assert_eq!(exact.named("", "_720p", "mp4").unwrap().to_string(), "s3://b/51/processed/clip_720p.mp4");
        let folder = Location::destination("", "s3://b/51/processed/", &input).unwrap();
        assert_eq!(folder.named("", "", "mp4").unwrap().to_string(), "s3://b/51/processed/clip.final.mp4");
        let bucket = Location::destination("", "s3://b", &input).unwrap();
        assert_eq!(bucket.named("", "-x", "mp4").unwrap().to_string(), "s3://b/clip.final-x.mp4");
    }

    #[test]
    fn a_uri_that_names_no_object_is_refused() {
        for uri in ["", "http://b/k", "s3://", "s3:///k", "s3://b", "s3://b/", "s3://b/dir/", "s3://b d/k", "s3://b/\0"]
        {
            assert!(Location::object("/f", uri).is_err(), "{uri:?}");
        }
    }

    #[test]
    fn a_dollar_is_a_character_and_an_identifier_is_refused() {
        let input = Location::object("", "s3://b/51/raw/clip.mov").unwrap();
        for name in ["5$ tour", "$a", "a$ b$", "50 % #1 + ü"] {
            let base = Location::destination("", &format!("s3://b/51/{name}"), &input).unwrap();
            assert_eq!(base.named("", "_720p", "mp4").unwrap().key, format!("51/{name}_720p.mp4"));
        }
        for name in ["$dt$", "a$fn$b", "x$y$"] {
            assert!(Location::destination("", &format!("s3://b/51/{name}"), &input).is_err(), "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_uri_panics_and_a_parsed_one_is_written_unchanged(uri in "(s3://)?\\PC{0,40}") {
            if let Ok(location) = Location::object("", &uri) {
                proptest::prop_assert_eq!(location.to_string(), uri);
            }
        }
    }
}
