//! Why a picture could not be rendered.

/// Why a picture could not be rendered. Each message continues a sentence that begins with the file's name, such as
/// `is empty`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A well-formed file of a kind that this stage does not render.
    #[error("{0}")]
    Unsupported(String),
    /// A file that breaks the rules of its format.
    #[error("{0}")]
    Corrupt(String),
    /// More pixels or memory than a picture may have.
    #[error("{0}")]
    TooLarge(String),
    /// A defect of this stage.
    #[error("{0}")]
    Internal(String),
}

impl PictureError {
    /// Returns the error for a file of `format` that ends after `bytes` bytes.
    pub fn cut_off(format: &str, bytes: usize) -> Self {
        Self::Corrupt(format!("is cut off: the {format} data ends after {bytes} bytes, before the picture is complete"))
    }

    /// Returns the error for a file of `format` that breaks the format's rules.
    pub fn damaged(format: &str, what: &str) -> Self {
        Self::Corrupt(format!("is a damaged {format}: {what}"))
    }

    /// Returns the error for a file of `format` that turns out to need more memory while it is decoded.
    pub fn too_much_memory(format: &str) -> Self {
        Self::TooLarge(format!(
            "is a {format} that takes more memory to decode than there is (`maxMemory`, or `limits.memoryMib` of the \
             state's pin)"
        ))
    }

    /// Returns the error for a step of rendering that failed.
    pub fn defect(what: impl std::fmt::Display) -> Self {
        Self::Internal(format!("could not be rendered: {what}"))
    }
}
