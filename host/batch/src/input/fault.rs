//! Faults of single files in the input.

use crate::document::Problem;
use crate::failure::Case;

/// The state in whose name faults of the input are recorded: the first one, which checks the uploads.
pub const FIRST_STATE: &str = "ValidateRawAssets";

/// Returns the problem for a fault of one file in the input.
pub(super) fn fault(message: String) -> Problem {
    Problem { state: FIRST_STATE.to_owned(), code: Case::InvalidInput.name().to_owned(), message }
}
