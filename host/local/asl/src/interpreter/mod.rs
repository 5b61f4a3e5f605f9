//! The interpreter of a state machine.

mod data;
mod fan_out;
pub(crate) mod flow;
mod progress;
pub(crate) mod run;
mod task;

#[cfg(test)]
mod tests;
