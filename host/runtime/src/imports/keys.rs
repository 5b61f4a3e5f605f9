//! `keys` and `progress`: no world outside is touched.

use crate::bindings::toq::media::{keys, progress, types};
use crate::call::CallState;

impl types::Host for CallState {}

impl progress::Host for CallState {
    fn report(&mut self, done: u64, total: u64) -> wasmtime::Result<()> {
        (self.progress)(done, total);
        Ok(())
    }
}

fn invalid(error: stagehost_batch::KeyError) -> types::Failure {
    types::Failure::InvalidInput(error.to_string())
}

impl keys::Host for CallState {
    fn parse(&mut self, key: String) -> wasmtime::Result<Result<keys::Parts, types::Failure>> {
        Ok(stagehost_batch::KeyParts::parse(&key).map_err(invalid).map(|parts| keys::Parts {
            listing: parts.listing,
            area: parts.area.into(),
            media_type: parts.media_type.into(),
            date: parts.date,
            name: parts.name,
        }))
    }

    fn derive(
        &mut self,
        source: String,
        area: keys::Area,
        suffix: String,
        extension: String,
    ) -> wasmtime::Result<Result<String, types::Failure>> {
        Ok(stagehost_batch::derive_key(&source, area.into(), &suffix, &extension).map_err(invalid))
    }

    fn bundle(&mut self, name: String) -> wasmtime::Result<Result<String, types::Failure>> {
        Ok(stagehost_batch::bundle_key(&self.scope.batch, &name).map_err(invalid))
    }
}
