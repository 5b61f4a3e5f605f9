//! MediaConvert jobs, and the states that wait for them.

pub(crate) mod events;
pub(crate) mod job_settings;
pub(crate) mod receipts;
pub(crate) mod tickets;
pub(crate) mod transcoder;
