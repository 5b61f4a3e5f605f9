//! What a stage made, in the contract's records.

use crate::bindings::batch::exports::toq::media::batch_stage::Outcome;
use crate::bindings::toq::media::objects::ObjectInfo;
use crate::bindings::toq::media::types::{Asset, Rendition};

/// An object that was written or is up to date.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// What the store knows of it.
    pub info: ObjectInfo,
    /// Its MIME type.
    pub content_type: String,
    /// Whether it was up to date, so that nothing was written.
    pub reused: bool,
}

impl Made {
    /// Returns it as a rendition of this name, without a size in pixels.
    pub fn rendition(self, name: &str) -> Rendition {
        Rendition {
            name: name.to_owned(),
            key: self.info.key,
            content_type: self.content_type,
            pixels: None,
            bytes: self.info.bytes,
            etag: self.info.etag,
            crc32: self.info.crc32,
            reused: self.reused,
        }
    }
}

impl Asset {
    /// Adds a rendition, or replaces the one of the same name.
    pub fn set_rendition(&mut self, rendition: Rendition) {
        match self.renditions.iter_mut().find(|known| known.name == rendition.name) {
            Some(known) => *known = rendition,
            None => self.renditions.push(rendition),
        }
    }

    /// Adds an attribute, or replaces the one of the same name.
    pub fn set_attribute(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.attributes.push((name, value)),
        }
    }

    /// Returns the value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Nothing added.
#[allow(clippy::derivable_impls, reason = "the type is generated")]
impl Default for Outcome {
    fn default() -> Self {
        Self {
            assets: Vec::new(),
            bundles: Vec::new(),
            files: Vec::new(),
            attributes: Vec::new(),
            failures: Vec::new(),
            note: None,
        }
    }
}
