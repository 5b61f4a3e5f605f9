//! `--stage STATE=FILE`, or `STATE=NAME@VERSION`: another component for a state.

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

    /// Returns `NAME@VERSION` if that is what is named, and not a file.
    pub fn published(&self) -> Option<&str> {
        let text = self.file.to_str()?;
        let (name, version) = text.split_once('@')?;
        let is_version = version.starts_with(|first: char| first.is_ascii_digit()) && !version.ends_with(".wasm");
        (is_version && !name.is_empty() && !text.contains(['/', '\\'])).then_some(text)
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
        let published = |text: &str| text.parse::<StageOverride>().unwrap().published().map(str::to_owned);
        assert_eq!(published("A=line-notes@1.0.0").as_deref(), Some("line-notes@1.0.0"));
        for file in ["A=./line-notes@1.0.0", "A=notes@1.0.wasm", "A=a@b", "A=x.wasm"] {
            assert_eq!(published(file), None, "{file}");
        }
        assert!("GenerateThumbnails".parse::<StageOverride>().is_err());
        assert!("=x.wasm".parse::<StageOverride>().is_err());
    }
}
