//! The state machine: whole executions of `statemachine/media-processing.asl.json` against functions with scripted answers.
//!
//! The scenarios are data in `tests/scenarios`, whose README explains how to write one. They are used three times (`burst` has its own):
//!
//! - `scenarios`: each meets its expectation on the project's interpreter, in virtual time.
//! - `mutations`: for every part that is removed from the machine, at least one scenario fails. So every part has a test.
//! - `burst`: hundreds of executions that share a few calls all end, and nobody's burst starves another's batch.
//! - `engines`: moto and ministack run them in the same way. So the results do not depend on this project's interpreter.

// ministack runs functions as processes, on Linux only.
mod burst;
#[cfg(target_os = "linux")]
mod engines;
mod judge;
mod mutations;
mod run;
mod scenario;
mod scenarios;
