//! What a person sees: results, progress, logs, errors.

pub mod bars;
pub mod logs;
pub mod printer;
pub mod problem;
pub mod progress;
pub mod table;
pub mod terminal;
pub mod units;
pub mod untrusted;
