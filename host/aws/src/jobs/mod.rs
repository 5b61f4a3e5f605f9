//! MediaConvert jobs, and the states that wait for them.
//!
//! | module | content |
//! |---|---|
//! | `transcoder`, `job_settings`, `captures`, `colours`, `streams`, `merged_settings` | Submits a job; its settings for MediaConvert; what MediaConvert made of them |
//! | `submissions` | The record by which a job is submitted once |
//! | `media_jobs` | MediaConvert's own knowledge of jobs: look up, find, cancel |
//! | `source_film` | What a job must know of its film: the sound that can be decoded, the length |
//! | `job_recorder` | Remembers the jobs that one call of a stage submitted |
//! | `results` | What a completed job has made |
//! | `receipts`, `segments` | Why a second run submits no job |
//! | `waiting_states`, `ticket`, `ticket_store` | Ends a waiting state after its last job; the document that names the jobs |
//! | `events` | MediaConvert's events |
//! | `sweep` | Looks after open tickets on a schedule: heartbeats, lost events, executions that are gone |

pub(crate) mod captures;
pub(crate) mod colours;
pub(crate) mod events;
pub(crate) mod job_recorder;
pub(crate) mod job_settings;
pub(crate) mod media_jobs;
pub(crate) mod merged_settings;
pub(crate) mod receipts;
pub(crate) mod results;
pub(crate) mod segments;
pub(crate) mod source_film;
pub(crate) mod streams;
pub(crate) mod submissions;
pub(crate) mod sweep;
pub(crate) mod ticket;
pub(crate) mod ticket_store;
pub(crate) mod transcoder;
pub(crate) mod waiting_states;
