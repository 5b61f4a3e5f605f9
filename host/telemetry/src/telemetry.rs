//! The observer: takes note of calls as they end, and writes everything down when the invocation does.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use stagehost_runtime::{AssetEvent, Observer};

use crate::calls::{Context, StateCalls};
use crate::trace::Trace;
use crate::xray::XRay;
use crate::{emf, segment};

/// How many states are gathered at most. A function's invocation has one; a host that never flushes must not grow.
const STATES: usize = 64;

/// Watches the calls of a host. One per process; an invocation is what lies between [`begin`](Self::begin) and
/// [`flush`](Self::flush), one at a time.
pub struct Telemetry {
    environment: String,
    sink: Box<dyn Fn(&str) + Send + Sync>,
    xray: Option<XRay>,
    now: Mutex<Now>,
}

/// What is under way.
struct Now {
    /// No state has been written down yet.
    cold: bool,
    lambda_trace: Option<String>,
    states: Vec<StateCalls>,
}

/// Writes a line to standard output: the sink of a function.
pub fn stdout(line: &str) {
    // In one piece, so that it cannot end up inside a log line. A closed output is nothing that could be reported.
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

impl Telemetry {
    /// Metrics go to `sink`, a line at a time without its end; `environment` is the metrics' dimension of that name.
    /// Segments go nowhere until [`with_xray`](Self::with_xray).
    pub fn new(environment: impl Into<String>, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let now = Now { cold: true, lambda_trace: None, states: Vec::new() };
        Self { environment: environment.into(), sink: Box::new(sink), xray: None, now: Mutex::new(now) }
    }

    /// The same, with segments.
    #[must_use]
    pub fn with_xray(self, xray: Option<XRay>) -> Self {
        Self { xray, ..self }
    }

    /// An invocation begins. `lambda_trace` is Lambda's own trace header (`_X_AMZN_TRACE_ID`, or the invocation's
    /// `Lambda-Runtime-Trace-Id`). What an invocation that was cut short has left behind is written down first.
    pub fn begin(&self, lambda_trace: Option<&str>) {
        let mut now = self.now();
        if !now.states.is_empty() {
            self.write(&mut now);
        }
        now.lambda_trace = lambda_trace.map(str::to_owned);
    }

    /// The invocation ends: writes metrics and segments of its states. Does not block on anything but the sink.
    pub fn flush(&self) {
        let mut now = self.now();
        self.write(&mut now);
        now.lambda_trace = None;
        // Whatever it was, the process has done something by now.
        now.cold = false;
    }

    /// Something went wrong outside any stage: a refusal of the host, pins that cannot be used. Written down at once.
    pub fn host_error(&self, error: &str) {
        (self.sink)(&emf::host_error(&self.environment, error, SystemTime::now()));
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, now: &mut Now) {
        let time = SystemTime::now();
        for calls in std::mem::take(&mut now.states) {
            let cold = std::mem::take(&mut now.cold);
            for line in emf::lines(&self.environment, &calls, cold, time) {
                (self.sink)(&line);
            }
            self.trace(&calls, now.lambda_trace.as_deref());
        }
    }

    fn trace(&self, calls: &StateCalls, lambda: Option<&str>) {
        let Some(xray) = &self.xray else { return };
        let backends = calls.context.traceparent.as_deref().and_then(Trace::from_traceparent);
        let Some(trace) = backends.or_else(|| lambda.and_then(Trace::from_lambda)) else { return };
        if let (true, Some(span)) = (trace.sampled, calls.span()) {
            xray.send(&segment::documents(calls, &trace, span, lambda));
        }
    }
}

impl Observer for Telemetry {
    fn on(&self, event: AssetEvent<'_>) {
        let AssetEvent::Ended { scope, key, failure, report, .. } = event else { return };
        let context = Context::of(scope);
        let mut now = self.now();
        if let Some(calls) = now.states.iter_mut().find(|calls| calls.context == context) {
            calls.add(key, failure, report);
        } else if now.states.len() < STATES {
            let mut calls = StateCalls::new(context);
            calls.add(key, failure, report);
            now.states.push(calls);
        }
    }
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
