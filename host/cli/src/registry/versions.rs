//! Versions, as they are named on the command line.

use anyhow::Result;
use stagehost_registry::{Registry, StageId, checked_name};

use crate::exit::usage;

/// Returns the version for `NAME@VERSION`, or the newest that is not yanked for `NAME`.
///
/// # Errors
/// If the text names no version, or the registry has none of this name.
pub async fn find_version(registry: &Registry, text: &str) -> Result<StageId> {
    if text.contains('@') {
        return text.parse().map_err(|error| usage!("{error}"));
    }
    checked_name(text).map_err(|error| usage!("{error}"))?;
    Ok(registry.newest(text).await?)
}
