//! Records of calls: recorded, replayed, and repeated by candidates in the shadow of a stage.
//!
//! All effects of a stage go through the traits of [`capability`](stagehost_runtime::capability), and the host provides its
//! clocks and random numbers. So a call can be recorded ([`CallRecorder`]), repeated without a network ([`replay`]), or
//! repeated with another stage whose effects go nowhere ([`Shadow`]). The stage does not notice, and the runtime only knows
//! [`Interceptor`](stagehost_runtime::Interceptor)s.
//!
//! Whatever a guest does, a recording is bounded: per call by [`RecordLimits`], for a process by [`RecordBudget`]. It neither
//! fails a call nor delays its answer by more than these say.
//!
//! `README.md` describes the format of a record.

mod budget;
mod clocks;
mod compare;
mod cut;
mod error;
mod log;
mod outcome;
mod parts;
mod pictures;
mod player;
mod record_format;
mod recorded_bytes;
mod recorder;
mod recording;
mod replay;
mod report;
mod requests;
mod scrub;
mod shadow;
mod spool;
mod store;
mod stored_record;
mod timestamp;

pub use budget::RecordBudget;
pub use compare::{Difference, Kind, compare};
pub use cut::{Cut, CutReason};
pub use error::RecordError;
pub use log::RecordLimits;
pub use pictures::ShadowPicture;
pub use record_format::{
    Answer, AssetFailure, BatchAdditions, BlobRef, Content, Context, FORMAT, HostCall, HttpPieces, Outcome, Part,
    Payload, Problem, Range, Read, Record, Report, Request, Response, ResponseHead, SeedAndReadings, StageRef, Step,
    Write, WriteEnd, WriteFailure,
};
pub use recorder::CallRecorder;
pub use recording::Recording;
pub use replay::{Replayed, replay};
pub use report::{
    CandidateSummary, Example, Ratio, SHADOW_FORMAT, SHADOW_PREFIX, ShadowCall, ShadowReport, Verdict, read_reports,
    summarize,
};
pub use shadow::{Candidate, Shadow};
pub use store::{blob_name, store_blob};
pub use stored_record::StoredRecord;
