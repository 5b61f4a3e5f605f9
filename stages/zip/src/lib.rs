//! The zip stage: bundles a batch's files into archives that a person can download and open.
//!
//! Every file is stored, not deflated. Photos and videos would not get smaller anyway; PDFs might, a little, but then
//! their bytes would have to pass through here. As it is the stage writes headers only and lets the store copy the
//! files ([`archive`] says how), so a bundle of a gigabyte costs it some kilobytes.
//!
//! Code map: [`config`] what may be asked for · [`plan`] which files go where · [`names`] what they are called inside ·
//! [`archive`] the format · [`stage`] the order of things, on a trait · this file, the component's imports and export.

pub mod archive;
pub mod config;
#[cfg(test)]
#[path = "../../../tests/fixtures/config_schema.rs"]
mod config_schema;
mod failure;
#[cfg(test)]
#[path = "../../../tests/fixtures/contract.rs"]
mod fixtures;
pub mod names;
pub mod plan;
pub mod stage;

/// What `wit/` makes of itself in Rust.
#[allow(missing_docs, clippy::unwrap_used)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "zip",
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
use bindings::toq::media::object_writer::Writer;
use bindings::toq::media::objects::{Digests, ObjectInfo};
use bindings::toq::media::types::{Batch, Context, Failure};
use bindings::toq::media::{keys, objects, progress};

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

/// The host's side of [`stage::Store`].
struct Host;

impl stage::Store for Host {
    type Writer = Writer;

    fn parse(&self, key: &str) -> Result<keys::Parts, Failure> {
        keys::parse(key)
    }
    fn bundle_key(&self, name: &str) -> Result<String, Failure> {
        keys::bundle(name)
    }
    fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        objects::stat(key)
    }
    fn digest(&self, key: &str, if_match: &str) -> Result<Digests, Failure> {
        objects::digest(key, Some(if_match))
    }
    fn create(&self, key: &str, content_type: &str, fingerprint: &str) -> Result<Writer, Failure> {
        Writer::create(key, content_type, Some(fingerprint))
    }
    fn report(&self, done: u64, total: u64) {
        progress::report(done, total);
    }
}

impl stage::Sink for Writer {
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Writer::append(self, bytes)
    }
    fn append_object(&mut self, key: &str, if_match: &str, bytes: u64) -> Result<(), Failure> {
        Writer::append_object(self, key, Some(if_match), 0, bytes)
    }
    fn finish(self) -> Result<ObjectInfo, Failure> {
        Writer::finish(self)
    }
}
