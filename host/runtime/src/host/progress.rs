//! `progress`: reports of a stage, passed to the observer.

use crate::bindings::toq::media::{progress, types};
use crate::host::state::CallState;
use crate::observer::AssetEvent;

impl types::Host for CallState {}

impl progress::Host for CallState {
    fn report(&mut self, done: u64, total: u64) -> wasmtime::Result<()> {
        self.meter.goes_on();
        let (state, key) = (self.scope.state.as_str(), self.facts.key.as_deref());
        self.observer.on(AssetEvent::Progress { state, key, done, total });
        Ok(())
    }
}
