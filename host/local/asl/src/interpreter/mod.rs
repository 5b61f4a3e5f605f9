//! The interpreter of a state machine.

mod assign;
mod batches;
mod data;
mod distributed;
mod evaluate;
mod fan_out;
pub(crate) mod flow;
mod flow_output;
mod items;
mod progress;
mod query;
mod results;
pub(crate) mod resume;
pub(crate) mod run;
mod task;
mod variables;

#[cfg(test)]
mod tests;
