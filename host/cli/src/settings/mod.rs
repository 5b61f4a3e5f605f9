//! The settings of a run: `--config FILE`, its schema, and the environment variables.
//!
//! One JSON Schema describes the file. It is put together from the states of the state machine and from the schema that
//! each stage ships. The check before a run, `config show` and `config schema` all use that one schema.

pub mod environment;
pub mod file;
mod finding;
pub mod inventory;
pub mod position;
pub mod schema;
pub mod stage_override;
pub mod stage_schema;
pub mod state_defaults;
