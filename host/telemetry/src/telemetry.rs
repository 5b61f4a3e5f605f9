//! The observer: collects the calls of an invocation as they end, and writes metrics and segments when it ends.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use stagehost_runtime::capability::CallScope;
use stagehost_runtime::{AssetEvent, LogLine, Measure, Observer, StageLogLevel};
use tracing::level_filters::LevelFilter;

use crate::calls::{EndedJob, StateCalls, StateContext};
use crate::measures::StateMeasures;
use crate::trace::TraceContext;
use crate::xray::XRay;
use crate::{emf, segment, stage_log};

/// How many states are collected at most. An invocation of a function has one. The limit bounds the memory of a host
/// that never ends an invocation.
const MAX_STATES: usize = 64;

/// Where the metrics and segments of a process go. Invocations may overlap; each is observed by its own
/// [`InvocationTelemetry`].
pub struct Telemetry {
    environment: String,
    sink: Box<dyn Fn(&str) + Send + Sync>,
    /// The lowest level of the stages' lines.
    stage_log: LevelFilter,
    xray: Option<XRay>,
    /// Whether the process has not done any work yet.
    cold: AtomicBool,
}

/// The observer of one invocation. What it has collected is written when it is dropped, or at its end.
pub struct InvocationTelemetry {
    process: Arc<Telemetry>,
    lambda_trace: Option<String>,
    states: Mutex<Vec<StateCalls>>,
    measures: Mutex<Vec<(StateContext, StateMeasures)>>,
}

/// Writes a line to standard output. This is the sink of a function.
pub fn stdout(line: &str) {
    // One write, so that the line cannot end up inside a log line. If the output is closed, there is no place to report
    // it.
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

impl Telemetry {
    /// Gives each line of metrics to `sink`, without a line end. `environment` is the value of the metrics' dimension of that
    /// name. Segments are sent only after [`with_xray`](Self::with_xray).
    pub fn new(environment: impl Into<String>, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let (sink, stage_log, cold) = (Box::new(sink), LevelFilter::INFO, AtomicBool::new(true));
        Self { environment: environment.into(), sink, stage_log, xray: None, cold }
    }

    /// Writes the stages' own lines from this level on; without it, from `INFO` on.
    #[must_use]
    pub fn with_stage_log(self, stage_log: LevelFilter) -> Self {
        Self { stage_log, ..self }
    }

    /// Sends segments to `xray`.
    #[must_use]
    pub fn with_xray(self, xray: Option<XRay>) -> Self {
        Self { xray, ..self }
    }

    /// Begins an invocation. `lambda_trace` is Lambda's own trace header (`_X_AMZN_TRACE_ID`, or the invocation's
    /// `Lambda-Runtime-Trace-Id`).
    pub fn invocation(self: &Arc<Self>, lambda_trace: Option<&str>) -> Arc<InvocationTelemetry> {
        let (process, lambda_trace) = (self.clone(), lambda_trace.map(str::to_owned));
        Arc::new(InvocationTelemetry { process, lambda_trace, states: Mutex::default(), measures: Mutex::default() })
    }

    /// Counts an error outside any stage, such as a refused event or unusable pins. It is written at once.
    pub fn host_error(&self, error: &str) {
        (self.sink)(&emf::host_error(&self.environment, error, SystemTime::now()));
    }

    /// Sends the subsegment of a job. Its parent is the sender's span, as the execution's is: the state that waited for the job has
    /// ended long before.
    fn trace_job(&self, job: &EndedJob<'_>, traceparent: &str) {
        let trace = TraceContext::from_traceparent(traceparent).filter(|trace| trace.sampled);
        if let (Some(xray), Some(trace)) = (&self.xray, trace) {
            xray.send(&[segment::of_job(job, &trace)]);
        }
    }

    fn trace(&self, calls: &StateCalls, lambda: Option<&str>) {
        let Some(xray) = &self.xray else { return };
        let batch = calls.context.traceparent.as_deref().and_then(TraceContext::from_traceparent);
        let own = lambda.and_then(TraceContext::from_lambda);
        let trace = match (batch, own) {
            // The execution was started in the batch's trace, so the function has a segment in it.
            (Some(batch), Some(own)) if batch.id == own.id => own,
            (Some(batch), _) => batch,
            (None, Some(own)) => own,
            (None, None) => return,
        };
        if let (true, Some(span)) = (trace.sampled, calls.span()) {
            xray.send(&segment::documents(calls, &trace, span, lambda));
        }
    }
}

impl InvocationTelemetry {
    /// Ends the invocation: writes the metrics and segments of its states. Only the sink can block.
    pub fn end(&self) {
        let time = SystemTime::now();
        for calls in std::mem::take(&mut *self.states()) {
            let cold = self.process.cold.swap(false, Ordering::Relaxed);
            (self.process.sink)(&emf::line(&self.process.environment, &calls, cold, time));
            self.process.trace(&calls, self.lambda_trace.as_deref());
        }
        for (context, measures) in std::mem::take(&mut *self.measures.lock().unwrap_or_else(PoisonError::into_inner)) {
            for line in measures.lines(&self.process.environment, &context, time) {
                (self.process.sink)(&line);
            }
        }
        // Even without a state, the process has done its first work.
        self.process.cold.store(false, Ordering::Relaxed);
    }

    /// Writes a stage's line at once, so that it is in the log even if the process ends.
    fn log(&self, scope: &CallScope, key: Option<&str>, line: LogLine<'_>) {
        if self.keeps(line.level) {
            (self.process.sink)(&stage_log::line(scope, key, line, SystemTime::now().into()));
        }
    }

    fn measure(&self, scope: &CallScope, measures: &[Measure]) {
        let context = StateContext::of(scope);
        let mut states = self.measures.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = states.iter_mut().find(|(known, _)| *known == context) {
            known.add(measures);
        } else if states.len() < MAX_STATES {
            let mut first = StateMeasures::default();
            first.add(measures);
            states.push((context, first));
        }
    }

    fn states(&self) -> MutexGuard<'_, Vec<StateCalls>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InvocationTelemetry {
    fn drop(&mut self) {
        self.end();
    }
}

impl Observer for InvocationTelemetry {
    fn keeps(&self, level: StageLogLevel) -> bool {
        stage_log::is_written(level, self.process.stage_log)
    }

    fn on(&self, event: AssetEvent<'_>) {
        let (scope, key, failure, report) = match event {
            AssetEvent::Ended { scope, key, failure, report, .. } => (scope, key, failure, report),
            AssetEvent::JobEnded { id, traceparent, state, listing, submitted, ended, failure } => {
                let job = EndedJob { id, state, listing, span: (submitted, ended), failure };
                return self.process.trace_job(&job, traceparent);
            }
            AssetEvent::Logged { scope, key, line } => return self.log(scope, key, line),
            AssetEvent::Measured { scope, measures } => return self.measure(scope, measures),
            _ => return,
        };
        let context = StateContext::of(scope);
        let mut states = self.states();
        if let Some(calls) = states.iter_mut().find(|calls| calls.context == context) {
            calls.add(key, failure, report);
        } else if states.len() < MAX_STATES {
            let mut calls = StateCalls::new(context);
            calls.add(key, failure, report);
            states.push(calls);
        }
    }
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
