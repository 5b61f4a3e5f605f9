//! The transcode stage: hands every video of a batch to the transcoding service.
//!
//! It decides what is to be made of which video, under which key and in which size, and submits; it neither waits nor
//! decodes. The host ends the state when the last job of the call has ended.
//!
//! Code map: [`config`] the outputs · [`geometry`] their sizes · [`stage`] the order of things, on a trait · this file,
//! the component's imports and export.

pub mod config;
#[cfg(test)]
#[path = "../../../tests/fixtures/config_schema.rs"]
mod config_schema;
#[cfg(test)]
#[path = "../../../tests/fixtures/contract.rs"]
mod fixtures;
pub mod geometry;
pub mod stage;

/// What `wit/` makes of itself in Rust.
#[allow(missing_docs, clippy::unwrap_used)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "transcode",
        path: "../../wit",
        additional_derives: [PartialEq],
    });
    // The names of a component's exports are none that a native linker takes; natively only the tests are built.
    #[cfg(target_arch = "wasm32")]
    export!(Component with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::Component;
}

use bindings::exports::toq::media::batch_stage::{Guest, Outcome};
use bindings::toq::media::transcoder::{Job, Submission};
use bindings::toq::media::types::{Batch, Context, Failure};
use bindings::toq::media::{keys, progress, transcoder};

/// Where `stagehost` finds which settings this stage has: a custom section of the component.
#[cfg(target_arch = "wasm32")]
#[used]
#[unsafe(link_section = "stagehost:config-schema")]
static CONFIG_SCHEMA: [u8; include_bytes!("../config.schema.json").len()] = *include_bytes!("../config.schema.json");

/// The component.
#[doc(hidden)]
pub struct Component;

impl Guest for Component {
    fn process(ctx: Context, batch: Batch) -> Result<Outcome, Failure> {
        stage::run(&Host, &ctx.config, &batch)
    }
}

/// The host's side of [`stage::Service`].
struct Host;

impl stage::Service for Host {
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
