//! One file or folder per command.

pub mod check;
pub mod completions;
pub mod config;
pub mod console;
pub mod cost;
pub mod env;
pub mod keys;
pub mod package;
pub mod pins;
pub mod replay;
pub mod run;
pub mod serve;
pub mod smoke;
pub mod stage;
