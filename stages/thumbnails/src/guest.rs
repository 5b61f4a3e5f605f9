//! The component: its export, and its imports as a [`Host`]. It decides nothing.

use crate::bindings::exports::toq::media::asset_stage::Guest;
use crate::bindings::toq::media::types::{Asset, Context, Failure};
use crate::bindings::toq::media::{keys, object_writer, objects, progress};
use crate::stage::{Host, Stored, process};

/// The component.
pub struct Component;

impl Guest for Component {
    fn process(ctx: Context, asset: Asset) -> Result<Asset, Failure> {
        process(&mut Imports, &ctx.state, &ctx.config, asset)
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
    type Object = objects::Object;

    fn stat(&mut self, key: &str) -> Result<Stored, Failure> {
        objects::stat(key).map(stored)
    }

    fn open(&mut self, key: &str, if_match: Option<&str>) -> Result<(Self::Object, Stored), Failure> {
        let object = objects::Object::open(key, if_match)?;
        let info = stored(object.info());
        Ok((object, info))
    }

    fn read(&mut self, object: &Self::Object, offset: u64, len: u32) -> Result<Vec<u8>, Failure> {
        object.read(offset, len)
    }

    fn derive_key(&mut self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure> {
        keys::derive(source, keys::Area::Thumb, suffix, extension)
    }

    fn write(&mut self, key: &str, content_type: &str, fingerprint: &str, bytes: &[u8]) -> Result<Stored, Failure> {
        let writer = object_writer::Writer::create(key, content_type, Some(fingerprint))?;
        for chunk in bytes.chunks(1 << 20) {
            writer.append(chunk)?;
        }
        object_writer::Writer::finish(writer).map(stored)
    }

    fn progress(&mut self, done: u64, total: u64) {
        progress::report(done, total);
    }
}

fn stored(info: objects::ObjectInfo) -> Stored {
    Stored { bytes: info.bytes, etag: info.etag, crc32: info.crc32, fingerprint: info.fingerprint }
}
