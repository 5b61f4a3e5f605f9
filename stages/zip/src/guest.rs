//! The component, and its imports as a [`Host`]. It decides nothing.

use std::io::Write;

use stage_sdk::{Batch, BatchStage, Call, Digests, Failure, KeyParts, NewObject, ObjectInfo, Outcome};

use crate::stage::{Host, ObjectWriter, run};

/// The stage.
pub struct Zip;

impl BatchStage for Zip {
    fn process(call: Call, batch: Batch) -> Result<Outcome, Failure> {
        run(&Imports, call.config_text(), &batch)
    }
}

stage_sdk::export_batch_stage!(Zip);
stage_sdk::config_schema!("../config.schema.json");

/// The component's imports.
struct Imports;

impl Host for Imports {
    type Writer = NewObject;

    fn parse(&self, key: &str) -> Result<KeyParts, Failure> {
        stage_sdk::parse_key(key)
    }
    fn bundle_key(&self, name: &str) -> Result<String, Failure> {
        stage_sdk::bundle_key(name)
    }
    fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        stage_sdk::stat(key)
    }
    fn digest(&self, key: &str, if_match: &str) -> Result<Digests, Failure> {
        stage_sdk::digest(key, Some(if_match))
    }
    fn create(&self, key: &str, content_type: &str, fingerprint: &str) -> Result<NewObject, Failure> {
        NewObject::create(key, content_type, Some(fingerprint))
    }
    fn report(&self, done: u64, total: u64) {
        stage_sdk::report_progress(done, total);
    }
}

impl ObjectWriter for NewObject {
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.write_all(bytes)?)
    }
    fn append_object(&mut self, key: &str, if_match: &str, bytes: u64) -> Result<(), Failure> {
        NewObject::append_object(self, key, Some(if_match), 0, bytes)
    }
    fn finish(self) -> Result<ObjectInfo, Failure> {
        NewObject::finish(self)
    }
}
