//! The service, called by the AWS SDK over a real connection.

#![allow(clippy::unwrap_used)]

mod activities;
mod api_table;
mod executions;
mod express;
mod machines;
mod map_runs;
mod redrives;
mod requests;
mod support;
mod test_state;
mod versions;
