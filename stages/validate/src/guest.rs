//! The component: its export, and its imports as a [`Host`]. It decides nothing.

use stage_probe::Source;

use crate::bindings::exports::toq::media::asset_stage::Guest;
use crate::bindings::toq::media::keys::{self, Parts};
use crate::bindings::toq::media::objects::{self, Digests, Object, ObjectInfo};
use crate::bindings::toq::media::tags;
use crate::bindings::toq::media::types::{Asset, Context, Failure};
use crate::check::{Host, validate};
use crate::config::Config;

/// The component.
pub struct Component;

impl Guest for Component {
    fn process(ctx: Context, asset: Asset) -> Result<Asset, Failure> {
        validate(&mut Imports, &Config::parse(&ctx.config)?, asset)
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
    type Object = OpenObject;

    fn parse_key(&mut self, key: &str) -> Result<Parts, Failure> {
        keys::parse(key)
    }

    fn stat(&mut self, key: &str) -> Result<ObjectInfo, Failure> {
        objects::stat(key)
    }

    fn digest(&mut self, key: &str, etag: &str) -> Result<Digests, Failure> {
        objects::digest(key, Some(etag))
    }

    fn open(&mut self, key: &str, etag: &str) -> Result<OpenObject, Failure> {
        let object = Object::open(key, Some(etag))?;
        let bytes = object.info().bytes;
        Ok(OpenObject { object, bytes })
    }

    fn tag(&mut self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        tags::set(key, name, value)
    }
}

/// An object opened for reading, and its length.
struct OpenObject {
    object: Object,
    bytes: u64,
}

impl Source for OpenObject {
    type Error = Failure;

    fn len(&self) -> u64 {
        self.bytes
    }

    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Failure> {
        self.object.read(offset, u32::try_from(len).unwrap_or(u32::MAX))
    }
}

/// The custom sections `version` and `description`, from which `stagehost registry` takes a stage's version and description.
#[cfg(target_family = "wasm")]
mod metadata {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &str = env!("CARGO_PKG_DESCRIPTION");

    const fn bytes<const N: usize>(text: &str) -> [u8; N] {
        match text.as_bytes().first_chunk() {
            Some(bytes) => *bytes,
            None => [0; N],
        }
    }

    #[used]
    #[unsafe(link_section = "version")]
    static VERSION_SECTION: [u8; VERSION.len()] = bytes(VERSION);

    #[used]
    #[unsafe(link_section = "description")]
    static DESCRIPTION_SECTION: [u8; DESCRIPTION.len()] = bytes(DESCRIPTION);
}
