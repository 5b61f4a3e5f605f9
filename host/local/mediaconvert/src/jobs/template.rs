//! A job template and its JSON in the API.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::job::epoch;

/// A job template.
#[derive(Clone)]
pub(crate) struct JobTemplate {
    pub(crate) settings: Value,
    pub(crate) category: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) created: OffsetDateTime,
}

impl JobTemplate {
    /// Returns the `jobTemplate` object of the API's responses.
    pub(crate) fn to_json(&self, name: &str, arn: String) -> Value {
        let mut shown = json!({
            "arn": arn,
            "name": name,
            "type": "CUSTOM",
            "createdAt": epoch(self.created),
            "lastUpdated": epoch(self.created),
            "settings": self.settings,
        });
        for (field, value) in [("category", &self.category), ("description", &self.description)] {
            if let Some(value) = value {
                shown[field] = json!(value);
            }
        }
        shown
    }
}
