//! The console's pages over the pipeline of this machine, or over a deployed one.

pub mod bench;
pub mod calls;
pub mod candidates;
pub mod desk;
pub mod intake;
pub mod receiver;
