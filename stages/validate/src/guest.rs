//! The component's side of the contract. Only in WebAssembly: the names of its exports are none that a native linker takes.

use crate::bindings::exports::toq::media::asset_stage::Guest;
use crate::bindings::toq::media::keys::{self, Parts};
use crate::bindings::toq::media::objects::{self, Digests, Object, ObjectInfo};
use crate::bindings::toq::media::tags;
use crate::bindings::toq::media::types::{Asset, Context, Failure};
use stage_probe::Source;

use crate::{Config, Host, validate};

/// The conventional custom sections, which tools that inspect components read.
mod metadata {
    const fn bytes<const N: usize>(text: &str) -> [u8; N] {
        match text.as_bytes().first_chunk() {
            Some(bytes) => *bytes,
            None => [0; N],
        }
    }

    #[used]
    #[unsafe(link_section = "version")]
    static VERSION: [u8; crate::VERSION.len()] = bytes(crate::VERSION);

    #[used]
    #[unsafe(link_section = "description")]
    static DESCRIPTION: [u8; crate::DESCRIPTION.len()] = bytes(crate::DESCRIPTION);
}

/// Where `stagehost` finds which settings this stage has: a custom section of the component.
#[used]
#[unsafe(link_section = "stagehost:config-schema")]
static CONFIG_SCHEMA: [u8; include_bytes!("../config.schema.json").len()] = *include_bytes!("../config.schema.json");

struct Validate;

impl Guest for Validate {
    fn process(ctx: Context, asset: Asset) -> Result<Asset, Failure> {
        validate(&mut Sandbox, &Config::parse(&ctx.config)?, asset)
    }
}

crate::bindings::export!(Validate with_types_in crate::bindings);

/// The real host, on the other side of the component's imports.
struct Sandbox;

impl Host for Sandbox {
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
