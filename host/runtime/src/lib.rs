//! Loads, confines and calls stage components.
//!
//! A component is untrusted twice: it may be somebody else's code, and it decodes somebody else's files. Every call
//! therefore gets a fresh store with its own memory, a deadline and only the imports that its world and its pin grant.
//! Everything that goes wrong inside comes out as a typed [`Failure`](stagehost_batch::Failure), and the host goes on.
//!
//! This crate knows no AWS and no files: what a stage may do to the outside world is passed in as [`capability`] traits.

pub mod capability;

mod additions;
mod admission;
mod answer;
mod bindings;
mod budget;
mod call;
mod caught;
mod claims;
mod convert;
mod cores;
mod crash_message;
mod discard;
mod engine;
mod fanout;
#[cfg(feature = "compiler")]
mod function_cache;
mod grants;
mod host;
mod interceptor;
mod invoke;
mod limits;
mod lock;
mod observer;
mod output_tail;
mod quotas;
mod settle;
mod stage;
mod stage_reports;
mod text;
mod trap;
mod vector_registers;
mod world;

pub use additions::Additions;
pub use budget::{Charge, HostBudget};
pub use call::{CallInput, CallOutput, CallReport, CallRequest};
#[cfg(feature = "compiler")]
pub use engine::precompile_for;
pub use engine::{ENGINE, EngineError, StageEngine, Target, engine_config};
pub use fanout::{BatchOutcome, Fanout, FanoutRequest};
pub use grants::{GrantError, Grants, HttpSecret, is_connection_header, is_secret_name};
pub use host::wasi::{Clocks, ClocksAndRandom};
pub use interceptor::{CallEnd, Interception, Interceptor};
pub use limits::Limits;
pub use lock::lock;
pub use observer::{AssetEvent, LogLine, Measure, MeasuredValue, Observer, StageLogLevel};
pub use quotas::Quotas;
pub use stage::{LoadError, Stage, StageIdentity};
pub use world::{CONTRACT_VERSION, Export, Finding, Names, World, check, names_of};
