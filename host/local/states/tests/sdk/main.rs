//! The service, called by the AWS SDK over a real connection.

#![allow(clippy::unwrap_used)]

mod executions;
mod machines;
mod map_runs;
mod requests;
mod support;
