//! Identifiers as the backend gives them.

use serde::{Deserialize, Serialize};

/// A job, batch or listing id. Both numbers and strings are seen in the wild. Queue attributes turn every number into a
/// string, and the backend fails to parse that on the way back; so a string that *is* a number becomes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// The usual kind.
    Number(u64),
    /// Anything else.
    Text(String),
}

impl Id {
    /// Reads `text` as an id: digits without a leading zero are a number.
    pub fn from_text(text: &str) -> Self {
        match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => Id::Number(number),
            _ => Id::Text(text.to_owned()),
        }
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Id::Number(number) => write!(f, "{number}"),
            Id::Text(text) => f.write_str(text),
        }
    }
}
