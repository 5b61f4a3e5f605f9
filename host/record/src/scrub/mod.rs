//! Removes credentials before something is recorded. In doubt a value is removed, because a record outlives the call and
//! more people can read it.

mod config;
mod headers;
mod names;
mod urls;

pub(crate) use config::config;
pub(crate) use headers::headers;
pub(crate) use names::WITHHELD;
pub(crate) use urls::{failure, text, url};
