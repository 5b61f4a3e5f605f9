//! `--stage STATE=FILE`: another component for a state.

use std::path::PathBuf;
use std::str::FromStr;

/// `--stage STATE=FILE`
#[derive(Clone, Debug)]
pub struct StageOverride {
    /// The state whose stage it is.
    pub state: String,
    /// The component.
    pub file: PathBuf,
}

impl StageOverride {
    /// Returns the override of a state. The last one counts if there are several.
    pub fn of<'a>(state: &str, overrides: &'a [StageOverride]) -> Option<&'a StageOverride> {
        overrides.iter().rev().find(|named| named.state == state)
    }
}

impl FromStr for StageOverride {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((state, file)) if !state.is_empty() && !file.is_empty() => {
                Ok(Self { state: state.to_owned(), file: file.into() })
            }
            _ => Err("expected STATE=FILE, such as GenerateThumbnails=./my_stage.wasm".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_override_names_a_state_and_a_file() {
        let parsed: StageOverride = "GenerateThumbnails=./a=b.wasm".parse().unwrap();
        assert_eq!((parsed.state.as_str(), parsed.file.to_str()), ("GenerateThumbnails", Some("./a=b.wasm")));
        assert!("GenerateThumbnails".parse::<StageOverride>().is_err());
        assert!("=x.wasm".parse::<StageOverride>().is_err());
    }
}
