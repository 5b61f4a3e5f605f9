//! The fields of a posted form.

use bytes::Bytes;

/// Names and values in the order of the form.
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Returns the fields of a form that the page itself fills in.
    pub(crate) fn of(fields: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Reads a body of the type `application/x-www-form-urlencoded`. Any bytes are one.
    pub(crate) fn read(body: &Bytes) -> Self {
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// Returns the field's value without spaces around it; empty if the form does not have it.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value.trim())
    }

    /// Returns the field's value; `None` if it is empty.
    pub(crate) fn given(&self, name: &str) -> Option<&str> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }
}
