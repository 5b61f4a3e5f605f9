//! MediaConvert jobs, and the states that wait for them.
//!
//! | module | content |
//! |---|---|
//! | `transcoder`, `job_settings` | Submits a job; its settings for MediaConvert |
//! | `job_recorder` | Remembers the jobs that one call of a stage submitted |
//! | `receipts` | Why a second run submits no job |
//! | `waiting_states`, `ticket`, `ticket_store` | Ends a waiting state after its last job; the document that names the jobs |
//! | `events` | MediaConvert's events |

pub(crate) mod events;
pub(crate) mod job_recorder;
pub(crate) mod job_settings;
pub(crate) mod receipts;
pub(crate) mod ticket;
pub(crate) mod ticket_store;
pub(crate) mod transcoder;
pub(crate) mod waiting_states;
