//! Who makes a change.

use anyhow::Result;

use crate::exit::usage;

/// Returns the `named` person or pipeline, or the user's name.
///
/// # Errors
/// If neither is known.
pub fn author(named: Option<&str>) -> Result<String> {
    let by = named.map(str::to_owned).or_else(|| std::env::var("USER").ok()).filter(|by| !by.is_empty());
    by.ok_or_else(|| usage!("who makes this change? name a person or pipeline with --by"))
}
