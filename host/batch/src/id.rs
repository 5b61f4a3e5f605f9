//! The backend's identifiers.

use serde::{Deserialize, Serialize};

/// A job, batch or listing id: a number or a text. Queue attributes turn every number into a text, which the backend cannot
/// read on the way back; so a text of digits in an attribute becomes a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Id {
    /// The usual kind.
    Number(u64),
    /// Any other id.
    Text(String),
}

impl Id {
    /// Reads `text` as an id. Digits without a leading zero are a number.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_text_that_is_exactly_a_number_becomes_a_number() {
        assert_eq!(Id::from_text("4"), Id::Number(4));
        for text in ["", "007", "+4", " 4", "4.0", "18446744073709551616", "٤"] {
            assert_eq!(Id::from_text(text), Id::Text(text.into()));
        }
    }

    proptest! {
        #[test]
        fn every_text_is_written_unchanged(text in ".*") {
            prop_assert_eq!(Id::from_text(&text).to_string(), text);
        }

        #[test]
        fn an_id_keeps_its_kind_in_json(number: u64, text in ".*") {
            for id in [Id::Number(number), Id::Text(text), Id::Text(number.to_string())] {
                let json = serde_json::to_string(&id).unwrap();
                prop_assert_eq!(serde_json::from_str::<Id>(&json).unwrap(), id);
            }
        }
    }
}
