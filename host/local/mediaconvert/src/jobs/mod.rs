//! Jobs and how they run.

mod event;
pub(crate) mod job;
pub(crate) mod job_table;
mod made;
mod playlists;
pub(crate) mod runner;
pub(crate) mod scratch;
pub(crate) mod template;
