//! The form of the functions that are added to the library, and their failures.

use jsonata_core::evaluator::EvaluatorError;
use jsonata_core::value::JValue;

/// What a function answers.
pub(super) type Answer = Result<JValue, EvaluatorError>;
/// A function and the name by which a query calls it.
pub(super) type Named = (&'static str, fn(&[JValue]) -> Answer);

/// Returns a failure with a code of the language.
pub(super) fn coded(code: &str, message: &str) -> EvaluatorError {
    EvaluatorError::EvaluationError(format!("{code}: {message}"))
}

/// Returns the failure of an argument of the wrong type; `at` counts from 1.
pub(super) fn signature(at: usize, function: &str) -> EvaluatorError {
    coded("T0410", &format!("Argument {at} of function \"{function}\" does not match function signature"))
}

/// Returns the failure of too much memory. The library's own code for a sequence that is too long stands for it.
pub(super) fn memory() -> EvaluatorError {
    coded("D2015", "The value is too large")
}
