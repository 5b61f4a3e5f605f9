//! Why a picture could not be rendered.

/// Why a picture could not be rendered. Every message names the format, what is wrong and, where it is known, the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// A well-formed file of a kind that this stage does not render.
    #[error("{0}")]
    Unsupported(String),
    /// A file that breaks the rules of its own format.
    #[error("{0}")]
    Corrupt(String),
    /// More pixels or memory than a picture may have.
    #[error("{0}")]
    TooLarge(String),
    /// A defect of this stage.
    #[error("{0}")]
    Internal(String),
}
