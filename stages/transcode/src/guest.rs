//! The component, and its imports as a [`Host`]. It decides nothing.

use stage_sdk::{Area, Batch, BatchStage, Call, Failure, Outcome, derive_key, report_progress};

use crate::bindings::toq::media::transcoder::{self, Job, Submission};
use crate::stage::{Host, run};

/// The stage.
pub struct Transcode;

impl BatchStage for Transcode {
    fn process(call: Call, batch: Batch) -> Result<Outcome, Failure> {
        run(&Imports, call.config_text(), &batch)
    }
}

stage_sdk::export_batch_stage!(Transcode);
stage_sdk::config_schema!("../config.schema.json");

/// The component's imports.
struct Imports;

impl Host for Imports {
    fn derive(&self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure> {
        derive_key(source, Area::Processed, suffix, extension)
    }
    fn submit(&self, job: &Job) -> Result<Submission, Failure> {
        transcoder::submit(job)
    }
    fn report(&self, done: u64, total: u64) {
        report_progress(done, total);
    }
}
