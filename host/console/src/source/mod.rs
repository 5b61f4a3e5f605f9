//! What the pages are made of, behind traits, so that they can be tested without any service.

pub mod bench;
pub mod error;
pub mod executions;
pub mod intake;
pub mod journal;
pub mod media;
pub mod pins;
