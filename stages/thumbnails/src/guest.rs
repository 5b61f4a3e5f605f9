//! The component, and its imports as a [`Host`]. It decides nothing.

use stage_sdk::{Area, Asset, AssetStage, Call, Failure, NewObject, Object, ObjectInfo};

use crate::stage::{Host, process};

/// The stage.
pub struct Thumbnails;

impl AssetStage for Thumbnails {
    fn process(call: Call, asset: Asset) -> Result<Asset, Failure> {
        process(&mut Imports, call.state(), call.config_text(), asset)
    }
}

stage_sdk::export_asset_stage!(Thumbnails);
stage_sdk::config_schema!("../config.schema.json");

/// The component's imports.
struct Imports;

impl Host for Imports {
    type Object = Object;

    fn stat(&mut self, key: &str) -> Result<ObjectInfo, Failure> {
        stage_sdk::stat(key)
    }

    fn open(&mut self, key: &str, if_match: Option<&str>) -> Result<(Object, ObjectInfo), Failure> {
        let object = Object::open_version(key, if_match)?;
        let info = object.info().clone();
        Ok((object, info))
    }

    fn read(&mut self, object: &Object, offset: u64, len: u32) -> Result<Vec<u8>, Failure> {
        object.read_at(offset, len)
    }

    fn derive_key(&mut self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure> {
        stage_sdk::derive_key(source, Area::Thumb, suffix, extension)
    }

    fn write(&mut self, key: &str, content_type: &str, fingerprint: &str, bytes: &[u8]) -> Result<ObjectInfo, Failure> {
        let mut object = NewObject::create(key, content_type, Some(fingerprint))?;
        object.append(bytes)?;
        object.finish()
    }

    fn progress(&mut self, done: u64, total: u64) {
        stage_sdk::report_progress(done, total);
    }
}
