//! `metrics`: numbers of a stage, kept until its call ends.

use crate::bindings::toq::media::metrics;
use crate::host::state::CallState;

impl metrics::Host for CallState {
    fn count(&mut self, name: String, amount: u64) -> wasmtime::Result<()> {
        self.meter.goes_on();
        self.measures.count(name, amount);
        Ok(())
    }

    fn time(&mut self, name: String, milliseconds: f64) -> wasmtime::Result<()> {
        self.meter.goes_on();
        self.measures.time(name, milliseconds);
        Ok(())
    }
}
