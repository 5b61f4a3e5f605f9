//! Versions of one guest that are different code: each answers with its own number.

use anyhow::{Context, Result, ensure};

use crate::guest;

/// What the built guests `version-asset` and `version-batch` say; the digits are replaced.
const MARK: &[u8] = b"guest version 000";

/// Returns what a version's answer has as a file's title.
pub fn title(number: u8) -> String {
    format!("guest version {number:03}")
}

/// Returns the component `version_asset` or `version_batch` in a version of this number.
///
/// # Errors
/// If the guest cannot be built, or does not hold the mark exactly once.
pub fn version(guest_name: &str, number: u8) -> Result<Vec<u8>> {
    let mut component = std::fs::read(guest(guest_name)?).context(guest_name.to_owned())?;
    let mut places = component.windows(MARK.len()).enumerate().filter(|(_, bytes)| *bytes == MARK);
    let at = places.next().map(|(at, _)| at).with_context(|| format!("{guest_name} does not hold its mark"))?;
    ensure!(places.next().is_none(), "{guest_name} holds its mark more than once");
    component[at..at + MARK.len()].copy_from_slice(title(number).as_bytes());
    Ok(component)
}
