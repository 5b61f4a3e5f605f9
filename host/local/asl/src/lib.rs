//! An interpreter of the Amazon States Language (JSONPath).
//!
//! A local run must exercise the very state machine that is deployed: its transitions, retries, catches and data flow
//! are half of the pipeline, and where they went wrong before, it was found in production. So the machine's definition
//! is executed here, not imitated, and behaves as the service does: error names, causes, history, limits.
//!
//! The crate knows no AWS client. What Task states call is behind [`Resources`]; who answers a task token goes through a
//! [`TokenBoard`]. Time is tokio's, so tests pause and advance it.
//!
//! A definition is read once, by [`StateMachine::load`], and what it asks for that is not here (JSONata, variables,
//! distributed Map states, tolerated failures, an unknown resource) is refused then, by name, with the state and the
//! place; nothing is found out half-way through an execution.
//!
//! Sources of facts: the language's specification (states-language.net), the service's developer guide and API
//! reference, and recorded histories of the service where these are silent.

mod choice;
mod clock;
mod error;
mod execution;
mod findings;
mod history;
pub mod inspect;
mod interpreter;
mod intrinsics;
pub mod limits;
mod model;
mod numbers;
mod parse;
mod path;
mod resource;
mod retry;
mod task;
mod template;
mod tokens;

pub use error::{TaskError, names};
pub use execution::{Events, Execution, ExecutionInfo, Outcome, StartRequest, Status};
pub use findings::{Code, Finding, LoadError, Severity};
pub use history::{Detail, Event, StateType, epoch_seconds};
pub use model::StateMachine;
pub use resource::{Pattern, Resource, ResourceError};
pub use task::{Resources, TaskCall, Unsupported};
pub use tokens::{TokenBoard, TokenError};
