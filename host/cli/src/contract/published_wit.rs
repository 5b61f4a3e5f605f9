//! The contract that this command was built with: the files in `wit/`.

use anyhow::Result;
use wit_parser::{PackageId, Resolve, SourceMap};

/// The files' names and texts.
pub const FILES: [(&str, &str); 5] = [
    ("types.wit", include_str!("../../../../wit/types.wit")),
    ("call.wit", include_str!("../../../../wit/call.wit")),
    ("capabilities.wit", include_str!("../../../../wit/capabilities.wit")),
    ("stages.wit", include_str!("../../../../wit/stages.wit")),
    ("worlds.wit", include_str!("../../../../wit/worlds.wit")),
];

/// Returns the contract.
///
/// # Errors
/// If the files are not one package.
pub fn contract() -> Result<(Resolve, PackageId)> {
    let mut sources = SourceMap::default();
    for (name, text) in FILES {
        sources.push_str(name, text);
    }
    let group = sources.parse().map_err(|(_, error)| anyhow::anyhow!("{error}"))?;
    let mut resolve = Resolve::default();
    let package = resolve.push_group(group).map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok((resolve, package))
}

/// Returns a checksum of the files, which changes with every change of the contract.
pub fn checksum() -> u32 {
    let mut sum = crc32fast::Hasher::new();
    for (_, text) in FILES {
        sum.update(text.as_bytes());
    }
    sum.finalize()
}
