//! `call`: the facts of the running call.

use std::time::Instant;

use stagehost_batch::TraceParent;

use crate::bindings::toq::media::call;
use crate::host::state::CallState;

impl call::Host for CallState {
    fn state(&mut self) -> wasmtime::Result<String> {
        self.meter.goes_on();
        Ok(self.scope.state.clone())
    }

    fn execution(&mut self) -> wasmtime::Result<String> {
        self.meter.goes_on();
        Ok(self.scope.execution.clone())
    }

    fn started_at(&mut self) -> wasmtime::Result<String> {
        self.meter.goes_on();
        Ok(self.facts.started_at.clone())
    }

    fn attempt(&mut self) -> wasmtime::Result<u32> {
        self.meter.goes_on();
        Ok(self.scope.attempt)
    }

    fn config(&mut self) -> wasmtime::Result<String> {
        self.meter.goes_on();
        Ok(self.facts.config.clone())
    }

    fn remaining_ms(&mut self) -> wasmtime::Result<u64> {
        self.meter.goes_on();
        let left = self.facts.deadline.saturating_duration_since(Instant::now());
        let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        // A replay returns what the recorded call was told.
        Ok(self.facts.clocks.as_ref().map_or(left, |clocks| clocks.remaining_ms(left)))
    }

    fn trace_id(&mut self) -> wasmtime::Result<Option<String>> {
        self.meter.goes_on();
        let traceparent = self.scope.batch.traceparent.as_deref();
        Ok(traceparent.and_then(TraceParent::parse).map(|parent| parent.trace))
    }
}
