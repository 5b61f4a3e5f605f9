//! The observer: collects calls as they end, and writes metrics and segments when the invocation ends.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use stagehost_runtime::{AssetEvent, Observer};

use crate::calls::{StateCalls, StateContext};
use crate::trace::TraceContext;
use crate::xray::XRay;
use crate::{emf, segment};

/// How many states are collected at most. An invocation of a function has one. The limit bounds the memory of a host
/// that never flushes.
const MAX_STATES: usize = 64;

/// Observes the calls of a host, once per process. An invocation lasts from [`begin`](Self::begin) to
/// [`flush`](Self::flush); there is one at a time.
pub struct Telemetry {
    environment: String,
    sink: Box<dyn Fn(&str) + Send + Sync>,
    xray: Option<XRay>,
    current: Mutex<Invocation>,
}

/// The present invocation.
struct Invocation {
    /// Whether the process has not done any work yet.
    cold: bool,
    lambda_trace: Option<String>,
    states: Vec<StateCalls>,
}

/// Writes a line to standard output. This is the sink of a function.
pub fn stdout(line: &str) {
    // One write, so that the line cannot end up inside a log line. If the output is closed, there is no place to report
    // it.
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

impl Telemetry {
    /// An observer that gives each line of metrics to `sink`, without a line end. `environment` is the value of the
    /// metrics' dimension of that name. Segments are sent only after [`with_xray`](Self::with_xray).
    pub fn new(environment: impl Into<String>, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let current = Invocation { cold: true, lambda_trace: None, states: Vec::new() };
        Self { environment: environment.into(), sink: Box::new(sink), xray: None, current: Mutex::new(current) }
    }

    /// Sends segments to `xray`.
    #[must_use]
    pub fn with_xray(self, xray: Option<XRay>) -> Self {
        Self { xray, ..self }
    }

    /// Begins an invocation. `lambda_trace` is Lambda's own trace header (`_X_AMZN_TRACE_ID`, or the invocation's
    /// `Lambda-Runtime-Trace-Id`). If the last invocation was cut short, its calls are written first.
    pub fn begin(&self, lambda_trace: Option<&str>) {
        let mut invocation = self.current();
        if !invocation.states.is_empty() {
            self.write(&mut invocation);
        }
        invocation.lambda_trace = lambda_trace.map(str::to_owned);
    }

    /// Ends the invocation: writes the metrics and segments of its states. Only the sink can block.
    pub fn flush(&self) {
        let mut invocation = self.current();
        self.write(&mut invocation);
        invocation.lambda_trace = None;
        // Even without a state, the process has done its first work.
        invocation.cold = false;
    }

    /// Counts an error outside any stage, such as a refused event or unusable pins. It is written at once.
    pub fn host_error(&self, error: &str) {
        (self.sink)(&emf::host_error(&self.environment, error, SystemTime::now()));
    }

    fn current(&self) -> MutexGuard<'_, Invocation> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, invocation: &mut Invocation) {
        let time = SystemTime::now();
        for calls in std::mem::take(&mut invocation.states) {
            let cold = std::mem::take(&mut invocation.cold);
            for line in emf::lines(&self.environment, &calls, cold, time) {
                (self.sink)(&line);
            }
            self.trace(&calls, invocation.lambda_trace.as_deref());
        }
    }

    fn trace(&self, calls: &StateCalls, lambda: Option<&str>) {
        let Some(xray) = &self.xray else { return };
        let from_backend = calls.context.traceparent.as_deref().and_then(TraceContext::from_traceparent);
        let Some(trace) = from_backend.or_else(|| lambda.and_then(TraceContext::from_lambda)) else { return };
        if let (true, Some(span)) = (trace.sampled, calls.span()) {
            xray.send(&segment::documents(calls, &trace, span, lambda));
        }
    }
}

impl Observer for Telemetry {
    fn on(&self, event: AssetEvent<'_>) {
        let AssetEvent::Ended { scope, key, failure, report, .. } = event else { return };
        let context = StateContext::of(scope);
        let mut invocation = self.current();
        if let Some(calls) = invocation.states.iter_mut().find(|calls| calls.context == context) {
            calls.add(key, failure, report);
        } else if invocation.states.len() < MAX_STATES {
            let mut calls = StateCalls::new(context);
            calls.add(key, failure, report);
            invocation.states.push(calls);
        }
    }
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
