//! A component's name, version and description, in the custom sections of the WebAssembly tool conventions.

use anyhow::{Result, anyhow};
use wasm_metadata::{AddMetadata, AddMetadataField, Description, Payload, Version};

/// The embedded metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Embedded {
    pub name: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
}

/// Reads a component's metadata.
///
/// # Errors
/// If the bytes are not WebAssembly.
pub fn read(component: &[u8]) -> Result<Embedded> {
    // Its error type is not ours, so only its text is kept.
    let payload =
        Payload::from_binary(component).map_err(|e| anyhow!("cannot read the component's metadata: {e:#}"))?;
    let metadata = payload.metadata();
    Ok(Embedded {
        name: metadata.name.clone(),
        version: metadata.version.as_ref().map(ToString::to_string),
        description: metadata.description.as_ref().map(ToString::to_string),
    })
}

/// Returns the component with `wanted` embedded; unchanged if it is embedded already.
///
/// # Errors
/// If the bytes are not WebAssembly.
pub fn embed(component: Vec<u8>, wanted: &Embedded) -> Result<Vec<u8>> {
    if read(&component)? == *wanted {
        return Ok(component);
    }
    let mut change = AddMetadata::default();
    if let Some(name) = &wanted.name {
        change.name = AddMetadataField::Set(name.clone());
    }
    if let Some(version) = &wanted.version {
        change.version = AddMetadataField::Set(Version::new(version.clone()));
    }
    if let Some(description) = &wanted.description {
        change.description = AddMetadataField::Set(Description::new(description.clone()));
    }
    change.to_wasm(&component).map_err(|e| anyhow!("cannot embed the component's metadata: {e:#}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn embedded_metadata_is_read_and_embedding_it_again_changes_no_byte() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(EMPTY).unwrap(), Embedded::default());
        let wanted = Embedded { name: some("x"), version: some("1.0.0"), description: some("Ünïcode") };
        let once = embed(EMPTY.to_vec(), &wanted).unwrap();
        assert_eq!(read(&once).unwrap(), wanted);
        assert_eq!(embed(once.clone(), &wanted).unwrap(), once);

        let newer = Embedded { version: some("1.1.0"), ..wanted };
        assert_eq!(read(&embed(once, &newer).unwrap()).unwrap(), newer);
        assert!(read(b"text").is_err());
    }
}
