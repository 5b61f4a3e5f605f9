//! The service as the AWS SDK sees it, over a real connection.

#![allow(clippy::unwrap_used)]

mod executions;
mod machines;
mod requests;
mod support;
