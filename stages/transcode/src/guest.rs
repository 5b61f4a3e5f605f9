//! The component: its export, and its imports as a [`Host`]. It decides nothing.

use crate::bindings::exports::toq::media::batch_stage::{Guest, Outcome};
use crate::bindings::toq::media::transcoder::{Job, Submission};
use crate::bindings::toq::media::types::{Batch, Context, Failure};
use crate::bindings::toq::media::{keys, progress, transcoder};
use crate::stage::{Host, run};

/// The component.
pub struct Component;

impl Guest for Component {
    fn process(ctx: Context, batch: Batch) -> Result<Outcome, Failure> {
        run(&Imports, &ctx.config, &batch)
    }
}

// Native linkers reject the names of a component's exports; natively only the tests are built.
#[cfg(target_family = "wasm")]
crate::bindings::export!(Component with_types_in crate::bindings);

/// The JSON Schema of this stage's settings, a custom section of the component that `stagehost` reads.
#[cfg(target_family = "wasm")]
#[used]
#[unsafe(link_section = "stagehost:config-schema")]
static CONFIG_SCHEMA: [u8; include_bytes!("../config.schema.json").len()] = *include_bytes!("../config.schema.json");

/// The component's imports.
struct Imports;

impl Host for Imports {
    fn derive(&self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure> {
        keys::derive(source, keys::Area::Processed, suffix, extension)
    }
    fn submit(&self, job: &Job) -> Result<Submission, Failure> {
        transcoder::submit(job)
    }
    fn report(&self, done: u64, total: u64) {
        progress::report(done, total);
    }
}
