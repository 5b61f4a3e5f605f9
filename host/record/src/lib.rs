//! What crosses the boundary of a call: recorded, replayed, and captured for a candidate in a stage's shadow.
//!
//! Everything that a stage does to the world goes through the traits of
//! [`capability`](stagehost_runtime::capability), and what it sees of chance and time is given to it. So a call can be
//! written down ([`Recorder`]), made again without any network ([`replay`]), or made a second time with another stage
//! whose effects go nowhere ([`Shadow`]). The stage does not notice, and the runtime knows none of it: they are
//! [witnesses](stagehost_runtime::Witness) of its calls.
//!
//! `README.md` describes the format of a record.

mod compare;
mod format;
mod keep;
mod log;
mod player;
mod recorder;
mod replay;
mod report;
mod scrub;
mod shadow;
mod spill;
mod surroundings;

pub use compare::{Difference, Kind, compare};
pub use format::{
    Added, Answer, AssetFailure, Blob, Content, Context, FORMAT, HostCall, Outcome, Part, Payload, Problem, Range,
    Read, Record, Report, Request, Response, Seen, StageRef, Step, Write, WriteEnd, WriteFailure,
};
pub use keep::{RecordError, StoredRecord, blob_name, store, store_blob};
pub use log::RecordLimits;
pub use recorder::{Recorder, Recording};
pub use replay::{Replayed, replay};
pub use report::{
    CandidateSummary, Example, Ratio, SHADOW_FORMAT, ShadowCall, ShadowReport, Verdict, read_reports, summarize,
};
pub use shadow::{Candidate, SHADOW_PREFIX, Shadow};
