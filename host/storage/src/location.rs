//! The location of a store, as it is written on the command line and in settings.

use std::path::PathBuf;
use std::str::FromStr;

/// A folder, or a prefix in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder on this machine.
    Folder(PathBuf),
    /// `s3://bucket/prefix`.
    Bucket {
        /// The bucket.
        bucket: String,
        /// The prefix, without slashes at its ends; empty for the whole bucket.
        prefix: String,
    },
}

/// Neither a folder nor `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the location of a store; expected s3://bucket/prefix or a folder")]
pub struct LocationError(String);

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || LocationError(text.to_owned());
        match text.split_once("://") {
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.is_empty() {
                    return Err(refused());
                }
                Ok(Self::Bucket { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
            }
            Some(_) => Err(refused()),
            None if text.is_empty() => Err(refused()),
            None => Ok(Self::Folder(text.into())),
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_store_is_a_folder_or_a_prefix_in_a_bucket() {
        let of = |text: &str| text.parse::<Location>();
        let bucket = |bucket: &str, prefix: &str| Location::Bucket { bucket: bucket.into(), prefix: prefix.into() };
        assert_eq!(of("s3://medias").unwrap(), bucket("medias", ""));
        assert_eq!(of("s3://medias/pipeline/registry/").unwrap(), bucket("medias", "pipeline/registry"));
        assert_eq!(of("./registry").unwrap(), Location::Folder("./registry".into()));
        for wrong in ["", "s3://", "s3:///key", "oci://host/name", "https://host"] {
            assert!(of(wrong).unwrap_err().to_string().contains("expected s3://"), "{wrong}");
        }
    }
}
