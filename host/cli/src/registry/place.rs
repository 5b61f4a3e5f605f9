//! Where stages are published.

use std::str::FromStr;

use stagehost_storage::Location;

use super::oci::OciPlace;

/// A registry.
#[derive(Clone, Debug)]
pub enum RegistryPlace {
    /// A folder or a bucket, which hosts read.
    Store(Location),
    /// An OCI registry, which other WebAssembly tools read.
    Oci(OciPlace),
}

impl FromStr for RegistryPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("oci://") {
            return text.parse().map(Self::Oci);
        }
        text.parse().map(Self::Store).map_err(|_| {
            format!("{text:?} is not a registry; expected a folder, s3://bucket/prefix or oci://host/path")
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_registry_is_a_folder_a_bucket_or_an_oci_registry() {
        assert!(matches!("./registry".parse().unwrap(), RegistryPlace::Store(Location::Folder(_))));
        assert!(matches!("s3://medias/registry".parse().unwrap(), RegistryPlace::Store(Location::Bucket { .. })));
        assert!(matches!("oci://localhost:5000/stages".parse().unwrap(), RegistryPlace::Oci(_)));
        for wrong in ["", "https://ghcr.io/x", "oci://"] {
            assert!(wrong.parse::<RegistryPlace>().is_err(), "{wrong}");
        }
    }
}
