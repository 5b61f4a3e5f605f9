//! What a stage did to the outside.

use bytes::Bytes;
use stagehost_runtime::capability::TranscodeJob;

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// An object was stored.
    Stored {
        /// Its key.
        key: String,
        /// Its MIME type.
        content_type: String,
        /// Its fingerprint.
        fingerprint: Option<String>,
        /// Its bytes.
        bytes: Bytes,
    },
    /// An object was deleted.
    Deleted {
        /// Its key.
        key: String,
    },
    /// A tag was set.
    Tagged {
        /// The object's key.
        key: String,
        /// The tag's name.
        name: String,
        /// The tag's value.
        value: String,
    },
    /// A job was submitted.
    Submitted(TranscodeJob),
    /// A callback was delivered.
    Delivered(Bytes),
    /// Another service was called.
    Called {
        /// `GET`, `POST`, …
        method: String,
        /// The absolute URL.
        url: String,
        /// Names and values.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
}

impl Effect {
    /// Returns the key or URL that it concerns; empty for a callback.
    pub fn concerns(&self) -> &str {
        match self {
            Self::Stored { key, .. } | Self::Deleted { key } | Self::Tagged { key, .. } => key,
            Self::Submitted(job) => &job.source_key,
            Self::Delivered(_) => "",
            Self::Called { url, .. } => url,
        }
    }
}
