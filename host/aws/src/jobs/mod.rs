//! MediaConvert jobs, and the states that wait for them.
//!
//! | module | content |
//! |---|---|
//! | `transcoder`, `job_settings` | Submits a job; its settings for MediaConvert |
//! | `job_recorder` | Remembers the jobs that one call of a stage submitted |
//! | `receipts` | Why a second run submits no job |
//! | `ticket`, `tickets` | What a waiting state waits for; ends the state after its last job |
//! | `events` | MediaConvert's events |

pub(crate) mod events;
pub(crate) mod job_recorder;
pub(crate) mod job_settings;
pub(crate) mod receipts;
pub(crate) mod ticket;
pub(crate) mod tickets;
pub(crate) mod transcoder;
