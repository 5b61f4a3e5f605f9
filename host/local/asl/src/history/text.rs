//! The JSON text of a document.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// A document as JSON text. A history keeps texts, which need much less memory than values; the events that show the
/// same document share one.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonText(Arc<str>);

impl JsonText {
    /// Returns the text of a value.
    pub(crate) fn of(value: &Value) -> Self {
        Self(value.to_string().into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses the text.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// Returns where the text is in memory: equal for texts that are shared.
    pub(super) fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl From<String> for JsonText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for JsonText {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
