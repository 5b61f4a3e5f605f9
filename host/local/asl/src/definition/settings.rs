//! Fields of a state that can hold a path.

use crate::expressions::path::Path;
use crate::expressions::reference_path::ReferencePath;

/// `InputPath` or `OutputPath`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Filter {
    /// The whole document.
    #[default]
    Whole,
    /// `null`: an empty object.
    Empty,
    Path(Path),
}

/// `ResultPath`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum ResultPath {
    /// The result replaces the input.
    #[default]
    Replace,
    /// `null`: the input stays, the result is dropped.
    Discard,
    Path(ReferencePath),
}

/// A value that the definition gives directly or by a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Setting<T> {
    Value(T),
    Path(Path),
}
