//! One batch: what happened in which state, the result of each file, and what can be done.

pub mod actions;
mod archives;
mod callback;
mod cli;
pub mod files;
mod loaded;
pub mod page;
mod reading;
pub mod redrive;
mod signature;
mod stages_that_ran;
pub mod state_page;
mod timeline;
mod visits;
