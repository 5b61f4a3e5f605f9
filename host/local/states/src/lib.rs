//! The Step Functions API over the interpreter, for one machine.
//!
//! Clients of Step Functions in production (the queue's consumer, the host that reports task results, a backend, the
//! AWS CLI) use this service in the same way, through the AWS SDK: protocol, errors and idempotency are the service's.
//! Everything is in memory and is lost on a restart.
//!
//! [`States::handle`] answers one HTTP request; the caller listens and selects the service. [`States::router`] is the
//! same as an axum router. The other methods of [`States`] are the operations for code in the same process that starts
//! executions and watches them.
//!
//! `docs/step-functions-api.md` lists what is served and what differs from the service.

mod activities;
mod aliases;
mod api;
mod arn;
mod diagnostics;
mod error;
mod executions;
mod machines;
mod service;
mod store;
mod substitution;
mod versions;

pub use error::StatesError;
pub use service::{States, StatesOptions};
pub use store::executions::NewExecution;
pub use store::machine::{Machine, MachineKind, NewMachine};
