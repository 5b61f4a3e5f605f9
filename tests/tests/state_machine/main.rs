//! The state machine itself, taken by its word: whole executions of `statemachine/media-processing.asl.json` against
//! functions that answer as a scenario says.
//!
//! The scenarios are data, in `tests/scenarios`, whose README says how to write one. They are used three times:
//!
//! - `scenarios`: each goes as it says, on the project's interpreter, in virtual time.
//! - `mutations`: whatever is taken out of the machine, at least one of them no longer does. So nothing in the machine is
//!   there without a test.
//! - `engines`: two engines that are not this project's run them in the same way. So what the machine says does not hang
//!   on how this project's interpreter reads it.

// As ministack is: it runs functions as processes.
#[cfg(target_os = "linux")]
mod engines;
mod judge;
mod mutations;
mod run;
mod scenario;
mod scenarios;
