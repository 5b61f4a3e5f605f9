//! The component, and its imports as a [`Host`]. It decides nothing.

use stage_probe::Source;
use stage_sdk::{Asset, AssetStage, Call, Digests, Failure, KeyParts, Object, ObjectInfo};

use crate::check::{Host, validate};
use crate::config::Config;

/// The stage.
pub struct Validate;

impl AssetStage for Validate {
    fn process(call: Call, asset: Asset) -> Result<Asset, Failure> {
        validate(&mut Imports, &Config::parse(call.config_text())?, asset)
    }
}

stage_sdk::export_asset_stage!(Validate);
stage_sdk::config_schema!("../config.schema.json");

/// The component's imports.
struct Imports;

impl Host for Imports {
    type Object = OpenObject;

    fn parse_key(&mut self, key: &str) -> Result<KeyParts, Failure> {
        stage_sdk::parse_key(key)
    }

    fn stat(&mut self, key: &str) -> Result<ObjectInfo, Failure> {
        stage_sdk::stat(key)
    }

    fn digest(&mut self, key: &str, etag: &str) -> Result<Digests, Failure> {
        stage_sdk::digest(key, Some(etag))
    }

    fn open(&mut self, key: &str, etag: &str) -> Result<OpenObject, Failure> {
        Object::open_version(key, Some(etag)).map(OpenObject)
    }

    fn tag(&mut self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        stage_sdk::set_tag(key, name, value)
    }
}

/// An object opened for reading.
struct OpenObject(Object);

impl Source for OpenObject {
    type Error = Failure;

    fn len(&self) -> u64 {
        self.0.info().bytes
    }

    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Failure> {
        self.0.read_at(offset, u32::try_from(len).unwrap_or(u32::MAX))
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
