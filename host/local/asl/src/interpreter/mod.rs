//! The interpreter of a state machine.

mod assign;
mod data;
mod evaluate;
mod fan_out;
pub(crate) mod flow;
mod progress;
mod query;
pub(crate) mod run;
mod task;
mod variables;

#[cfg(test)]
mod tests;
