//! Loads, confines and calls stage components.
//!
//! A component is untrusted twice over: it may be somebody else's code, and it decodes somebody else's files. So every
//! call gets a fresh store with its own memory, a deadline and only those imports which its world and its pin grant; and
//! everything that goes wrong inside comes out as a typed [`Failure`](stagehost_batch::Failure) while the host lives on.
//!
//! This crate knows no AWS and no files: what a stage may do to the outside world is given to it as
//! [`capability`] traits.

pub mod capability;

mod bindings;
mod call;
mod convert;
mod cores;
mod engine;
mod fanout;
mod grants;
mod imports;
mod limits;
mod stage;
mod stderr;
mod trap;
mod witness;
mod world;

pub use call::{CallReport, CallRequest};
pub use convert::Additions;
#[cfg(feature = "compiler")]
pub use engine::precompile_for;
pub use engine::{ENGINE, EngineError, StageEngine, Target, engine_config};
pub use fanout::{AssetEvent, BatchOutcome, Fanout, FanoutRequest, Observer};
pub use grants::{GrantError, Grants};
pub use limits::Limits;
pub use stage::{LoadError, Stage, StageIdentity};
pub use witness::{CallInput, CallOutput, CallWitness, Clocks, Surroundings, Witness, Witnessed};
pub use world::{CONTRACT_VERSION, Export, Finding, Names, World, check, names_of};
