//! An interpreter of the Amazon States Language, with both query languages: JSONPath and JSONata.
//!
//! A local run must execute the state machine that is deployed: its transitions, retries, catches and data flow are
//! half of the pipeline, and errors in them were found in production before. So this crate runs the definition itself
//! and behaves as the service does: error names, causes, history, limits.
//!
//! The crate uses no AWS client. Task states call [`Resources`]; task tokens are answered through a [`TokenBoard`].
//! Time is tokio's, so tests can pause and advance it.
//!
//! The items of a distributed Map state run as child executions in the same process; [`MapRuns`] keeps them.
//!
//! [`StateMachine::load`] parses a definition once. Features that are not supported (unknown resources, forms of items)
//! are refused at that point, with the state and the place, and not in the middle of an execution.
//!
//! Sources of facts: the language's specification (states-language.net), the service's developer guide and API
//! reference, and recorded histories of the service where these are silent.

mod clock;
mod definition;
mod duplicates;
mod error;
mod execution;
mod expressions;
mod findings;
mod history;
pub mod inspect;
mod inspector;
mod interpreter;
mod json_errors;
pub mod limits;
mod map_run;
mod memory;
mod parse;
mod start;
mod tasks;

pub use definition::model::StateMachine;
pub use definition::resource::{Pattern, Resource, ResourceError};
pub use definition::state_type::StateType;
pub use error::{TaskError, names};
pub use execution::{Events, Execution, NotRedrivable, Outcome, Redrives, Status};
pub use findings::{Code, Finding, LoadError, Severity};
pub use history::event::{Detail, Event};
pub use history::json::epoch_seconds;
pub use history::text::JsonText;
pub use inspector::{Handling, Inspection, Inspector};
pub use json_errors::json_problem;
pub use map_run::{ItemCounts, MapRun, MapRunLimits, MapRunState, MapRuns};
pub use start::StartRequest;
pub use tasks::activities::{Activities, ActivityTask, NoSuchActivity};
pub use tasks::execution_info::ExecutionInfo;
pub use tasks::resources::{Resources, TaskCall, Unsupported};
pub use tasks::storage::{ItemStorage, StorageFailure};
pub use tasks::tokens::{TokenBoard, TokenError};
