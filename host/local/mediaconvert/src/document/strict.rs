//! Reading a JSON object so that every unknown field is refused.
//!
//! The settings of a job have several hundred fields. Deserialising into structs would either ignore unknown fields or
//! refuse harmless ones. Here each field is read with its allowed values, and [`StrictObject::finish`] refuses the
//! remaining ones by their paths.

use serde_json::{Map, Value};

use crate::error::MediaConvertError;

type Result<T> = std::result::Result<T, MediaConvertError>;

/// An object of a document, with its path.
pub(crate) struct StrictObject {
    path: String,
    fields: Map<String, Value>,
}

impl StrictObject {
    /// Returns the object of `value`.
    ///
    /// # Errors
    /// `BadRequestException`, if it is not an object.
    pub(crate) fn new(path: impl Into<String>, value: Value) -> Result<Self> {
        let path = path.into();
        match value {
            Value::Object(fields) => Ok(Self { path, fields }),
            other => Err(wrong(&path, "an object", &other)),
        }
    }

    /// Returns the path of a field, as the service writes it.
    pub(crate) fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.path)
    }

    /// Removes a field and returns its value; `null` counts as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.shift_remove(name).filter(|value| !value.is_null())
    }

    /// Reads a string.
    pub(crate) fn string(&mut self, name: &str) -> Result<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(&self.at(name), "a string", &other)),
        }
    }

    /// Reads a whole number within a range.
    pub(crate) fn number(&mut self, name: &str, range: std::ops::RangeInclusive<u32>) -> Result<Option<u32>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        // JSON has one type of number: 1280.0 is 1280.
        let number =
            value.as_u64().or_else(|| value.as_f64().filter(|n| n.fract() == 0.0 && *n >= 0.0).map(|n| n as u64));
        match number.and_then(|n| u32::try_from(n).ok()).filter(|n| range.contains(n)) {
            Some(number) => Ok(Some(number)),
            None => Err(wrong(&self.at(name), &format!("a number from {} to {}", range.start(), range.end()), &value)),
        }
    }

    /// Reads an object.
    pub(crate) fn object(&mut self, name: &str) -> Result<Option<StrictObject>> {
        let path = self.at(name);
        self.take(name).map(|value| StrictObject::new(path, value)).transpose()
    }

    /// Reads a list and returns its items with their paths.
    pub(crate) fn list(&mut self, name: &str) -> Result<Vec<(String, Value)>> {
        let path = self.at(name);
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                Ok(items.into_iter().enumerate().map(|(index, item)| (format!("{path}/{index}"), item)).collect())
            }
            Some(other) => Err(wrong(&path, "a list", &other)),
        }
    }

    /// Returns the path, name and value of every remaining field, for an object whose field names the user chooses.
    pub(crate) fn entries(self) -> Vec<(String, String, Value)> {
        let Self { path, fields } = self;
        fields.into_iter().map(|(name, value)| (format!("{path}/{name}"), name, value)).collect()
    }

    /// Reads one of a few words.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let Some(word) = self.string(name)? else { return Ok(None) };
        match choices.iter().find(|(known, _)| *known == word) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let known: Vec<_> = choices.iter().map(|(known, _)| *known).collect();
                Err(MediaConvertError::bad_request(format!(
                    "{}: {word:?} is not supported by the local MediaConvert; use one of {}",
                    self.at(name),
                    known.join(", ")
                )))
            }
        }
    }

    /// Checks that a field, if given, has one of these values. Any other would change the result.
    pub(crate) fn only(&mut self, name: &str, words: &[&str]) -> Result<()> {
        let choices: Vec<_> = words.iter().map(|word| (*word, ())).collect();
        self.choice(name, &choices).map(|_| ())
    }

    /// Removes fields that may have any value, because they do not change the picture or the sound.
    pub(crate) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.fields.shift_remove(*name);
        }
    }

    /// Refuses remaining fields, unless they are empty.
    pub(crate) fn finish(self) -> Result<()> {
        let left = self.fields.iter().find(|(_, value)| match value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            _ => true,
        });
        match left {
            None => Ok(()),
            Some((name, _)) => Err(MediaConvertError::bad_request(format!(
                "{}: this setting is not supported by the local MediaConvert; leave it out, or run the job on the service",
                self.at(name)
            ))),
        }
    }
}

/// Returns the error for a value that is not as expected.
pub(crate) fn wrong(path: &str, expected: &str, found: &Value) -> MediaConvertError {
    let mut shown = found.to_string();
    if shown.len() > 60 {
        let cut = (0..=60).rev().find(|at| shown.is_char_boundary(*at)).unwrap_or(0);
        shown.truncate(cut);
        shown.push('…');
    }
    MediaConvertError::bad_request(format!("{path}: should be {expected}, not {shown}"))
}

/// Returns the error for a missing setting.
pub(crate) fn missing(path: &str) -> MediaConvertError {
    MediaConvertError::bad_request(format!("{path}: is a required property"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_that_was_not_read_is_refused_by_its_path() {
        let mut object = StrictObject::new("/a", json!({"known": 1, "crop": {"x": 1}})).unwrap();
        object.ignore(&["known"]);
        assert!(object.finish().unwrap_err().message.starts_with("/a/crop: "));
    }

    #[test]
    fn empty_and_null_fields_are_accepted() {
        StrictObject::new("", json!({"a": null, "b": [], "c": {}})).unwrap().finish().unwrap();
    }

    #[test]
    fn a_number_may_be_written_with_a_point() {
        let mut object = StrictObject::new("", json!({"width": 1280.0, "height": 720.5})).unwrap();
        assert_eq!(object.number("width", 0..=8192).unwrap(), Some(1280));
        assert!(object.number("height", 0..=8192).is_err());
    }

    #[test]
    fn a_long_value_is_shown_in_part() {
        let error = wrong("/x", "a number", &Value::String("é".repeat(100)));
        assert!(error.message.chars().count() < 100);
    }
}
