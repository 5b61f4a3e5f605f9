//! `progress`: reports of a stage, passed to the observer.

use crate::bindings::toq::media::{progress, types};
use crate::host::state::CallState;

impl types::Host for CallState {}

impl progress::Host for CallState {
    fn report(&mut self, done: u64, total: u64) -> wasmtime::Result<()> {
        self.meter.goes_on();
        (self.progress)(done, total);
        Ok(())
    }
}
