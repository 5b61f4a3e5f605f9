//! Names and versions of stages. They become parts of paths, so they are checked before they are used.

use std::fmt;
use std::str::FromStr;

use semver::Version;

/// The longest name and the longest version, in bytes.
const MAX: usize = 64;

/// Why a text does not name a stage or a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Invalid name.
    #[error(
        "invalid stage name {0:?}; expected up to {MAX} lower-case letters, digits and single hyphens, beginning with a \
         letter"
    )]
    Name(String),
    /// Invalid version.
    #[error("invalid version {0:?}; expected a semantic version MAJOR.MINOR.PATCH, such as 1.4.0 or 2.0.0-rc.1")]
    Version(String),
    /// The version is missing.
    #[error("{0:?} names no version; expected NAME@VERSION, such as thumbnails@1.4.0")]
    NoVersion(String),
}

/// One version of one stage: `thumbnails@1.4.0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageId {
    name: String,
    version: Version,
}

impl StageId {
    /// Checks name and version.
    ///
    /// # Errors
    /// If one of them is invalid.
    pub fn new(name: &str, version: &str) -> Result<Self, NameError> {
        let version = Version::parse(version)
            .ok()
            .filter(|_| version.len() <= MAX)
            .ok_or_else(|| NameError::Version(version.to_owned()))?;
        Ok(Self { name: checked_name(name)?.to_owned(), version })
    }

    /// Returns the name: `thumbnails`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version: `1.4.0`.
    pub fn version(&self) -> &Version {
        &self.version
    }
}

impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

impl FromStr for StageId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (name, version) = text.split_once('@').ok_or_else(|| NameError::NoVersion(text.to_owned()))?;
        Self::new(name, version)
    }
}

/// Returns `name` if it is a valid stage name.
///
/// # Errors
/// [`NameError::Name`] if it is not.
pub fn checked_name(name: &str) -> Result<&str, NameError> {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let word = |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if begins && name.len() <= MAX && name.split('-').all(word) {
        Ok(name)
    } else {
        Err(NameError::Name(name.to_owned()))
    }
}

/// Returns the 64 lower-case hexadecimal digits of a digest such as `sha256:…`; `None` if it is invalid.
pub fn hex_of<'a>(digest: &'a str, algorithm: &str) -> Option<&'a str> {
    let hex = digest.strip_prefix(algorithm)?.strip_prefix(':')?;
    (hex.len() == 64 && hex.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'))).then_some(hex)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stage_id_is_a_name_and_a_semantic_version() {
        for text in ["zip@1.0.0", "video-2-frames@0.1.0-rc.1", "x@1.2.3+build.7"] {
            assert_eq!(text.parse::<StageId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn names_and_versions_that_could_change_a_path_or_be_ambiguous_are_refused() {
        for name in
            ["", "Zip", "../zip", "zip/x", "-zip", "zip-", "a--b", "1st", "z.ip", "zip\0", "zíp", &"a".repeat(65)]
        {
            assert_eq!(StageId::new(name, "1.0.0"), Err(NameError::Name(name.to_owned())), "{name:?}");
        }
        for version in ["", "1", "1.0", "v1.0.0", "01.0.0", "1.0.0/..", "../1.0.0", "latest", "1.0.0 "] {
            assert_eq!(StageId::new("zip", version), Err(NameError::Version(version.to_owned())), "{version:?}");
        }
        assert!(matches!("zip".parse::<StageId>(), Err(NameError::NoVersion(_))));
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        let id = |version: &str| StageId::new("x", version).unwrap();
        assert!(id("1.10.0") > id("1.9.0") && id("1.0.0") > id("1.0.0-rc.1"));
    }

    proptest! {
        #[test]
        fn every_valid_name_and_version_is_one_plain_path_segment(name in ".{0,20}", version in "[0-9a-z./@+-]{0,20}") {
            if let Ok(id) = StageId::new(&name, &version) {
                for part in [id.name().to_owned(), id.version().to_string()] {
                    prop_assert!(!part.is_empty() && !part.contains(['/', '\\', '@', '\0']) && !part.starts_with('.'));
                }
            }
        }
    }
}
