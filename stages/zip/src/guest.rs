//! The component: its export, and its imports as a [`Host`]. It decides nothing.

use crate::bindings::exports::toq::media::batch_stage::{Guest, Outcome};
use crate::bindings::toq::media::object_writer::Writer;
use crate::bindings::toq::media::objects::{Digests, ObjectInfo};
use crate::bindings::toq::media::types::{Batch, Context, Failure};
use crate::bindings::toq::media::{keys, objects, progress};
use crate::stage::{Host, ObjectWriter, run};

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

impl ObjectWriter for Writer {
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
