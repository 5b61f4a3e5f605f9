//! `keys`: object keys taken apart and derived, without access to the store.

use stagehost_batch::{KeyError, KeyParts, bundle_key, derive_key_in};

use crate::bindings::toq::media::{keys, types};
use crate::host::state::CallState;

fn invalid(error: KeyError) -> types::Failure {
    types::Failure::InvalidInput(error.to_string())
}

impl keys::Host for CallState {
    fn parse(&mut self, key: String) -> wasmtime::Result<Result<keys::Parts, types::Failure>> {
        self.meter.goes_on();
        Ok(KeyParts::parse(&key).map_err(invalid).map(|parts| keys::Parts {
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
        self.meter.goes_on();
        Ok(derive_key_in(&self.scope.batch, &source, area.into(), &suffix, &extension).map_err(invalid))
    }

    fn bundle(&mut self, name: String) -> wasmtime::Result<Result<String, types::Failure>> {
        self.meter.goes_on();
        Ok(bundle_key(&self.scope.batch, &name).map_err(invalid))
    }
}
