//! X-Ray's segment documents: a segment for the state, in it a subsegment for each file.
//!
//! A document goes in one datagram, which bounds it. A segment that would be too large sends its subsegments as
//! documents of their own, which X-Ray joins by their ids.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use stagehost_batch::Case;

use crate::calls::{Call, Context, StateCalls, milliseconds};
use crate::scrub::scrub;
use crate::trace::Trace;

/// The longest document, in bytes. X-Ray takes 64 KB, and so does a datagram, less its headers.
pub(crate) const LONGEST: usize = 60_000;

/// How many calls of a state have a subsegment: the failed ones first, then the slowest.
const SUBSEGMENTS: usize = 100;

/// X-Ray's limit for names, in characters.
const LONGEST_NAME: usize = 200;

/// The documents of one state that ran from `begin` to `end`; `lambda` is the invocation's own trace header.
pub(crate) fn documents(
    calls: &StateCalls,
    trace: &Trace,
    (begin, end): (SystemTime, SystemTime),
    lambda: Option<&str>,
) -> Vec<String> {
    let context = &calls.context;
    let subsegments: Vec<Value> = shown(&calls.kept).into_iter().map(|call| subsegment(context, call)).collect();
    let omitted = calls.count - subsegments.len() as u64;
    let is = |defect| calls.kept.iter().filter_map(|c| c.failure.as_ref()).any(|(case, _)| is_fault(*case) == defect);

    let mut segment = named(&context.state, begin, end);
    segment.insert("trace_id".into(), json!(trace.id));
    if let Some(parent) = &trace.parent {
        segment.insert("parent_id".into(), json!(parent));
        if trace.of_lambda {
            // The function has a segment in this trace: hang in there instead of beside it.
            segment.insert("type".into(), json!("subsegment"));
        }
    }
    for (flag, set) in [("fault", is(true)), ("error", is(false))] {
        if set {
            segment.insert(flag.into(), json!(true));
        }
    }
    let most = calls.failures.iter().max_by_key(|(_, count)| **count).map(|(case, _)| *case);
    segment.insert("annotations".into(), annotations(context, most));
    segment.insert(
        "metadata".into(),
        json!({"stagehost": {
            "execution": context.execution,
            "attempt": context.attempt,
            "batch": context.batch,
            "job": context.job,
            "digest": context.digest,
            "calls": calls.count,
            "callsNotShown": omitted,
            "failures": calls.failures,
            "lambdaTrace": lambda,
        }}),
    );
    let id = segment.get("id").cloned().unwrap_or_default();
    let mut whole = segment.clone();
    whole.insert("subsegments".into(), Value::Array(subsegments.clone()));
    let whole = Value::Object(whole).to_string();
    if whole.len() <= LONGEST {
        return vec![whole];
    }
    let mut documents = vec![Value::Object(segment).to_string()];
    documents.extend(subsegments.into_iter().map(|mut subsegment| {
        if let Value::Object(fields) = &mut subsegment {
            fields.insert("type".into(), json!("subsegment"));
            fields.insert("trace_id".into(), json!(trace.id));
            fields.insert("parent_id".into(), id.clone());
        }
        subsegment.to_string()
    }));
    documents
}

/// The calls that get a subsegment, in order of time.
fn shown(kept: &[Call]) -> Vec<&Call> {
    let mut calls: Vec<&Call> = kept.iter().collect();
    calls.sort_by_key(|call| (call.failure.is_none(), std::cmp::Reverse(call.report.duration)));
    calls.truncate(SUBSEGMENTS);
    calls.sort_by_key(|call| call.report.started_at);
    calls
}

fn subsegment(context: &Context, call: &Call) -> Value {
    let mut fields = named(&context.stage, call.report.started_at, call.ended_at());
    let case = call.failure.as_ref().map(|(case, _)| case.name());
    fields.insert("annotations".into(), annotations(context, case));
    if let Some((case, message)) = &call.failure {
        fields.insert(if is_fault(*case) { "fault" } else { "error" }.into(), json!(true));
        let exception = json!({"id": new_id(), "type": case.name(), "message": scrub(message)});
        fields.insert("cause".into(), json!({"exceptions": [exception]}));
    }
    fields.insert(
        "metadata".into(),
        json!({"stagehost": {
            "asset": call.key,
            "instantiateMs": milliseconds(call.report.instantiate),
            "memoryPeak": call.report.memory_peak,
            "bytesRead": call.report.bytes_read,
            "bytesWritten": call.report.bytes_written,
        }}),
    );
    Value::Object(fields)
}

fn named(name: &str, begin: SystemTime, end: SystemTime) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(allowed(name)));
    fields.insert("id".into(), json!(new_id()));
    fields.insert("start_time".into(), json!(seconds(begin)));
    fields.insert("end_time".into(), json!(seconds(end.max(begin))));
    fields
}

/// X-Ray indexes these.
fn annotations(context: &Context, case: Option<&str>) -> Value {
    let mut annotations = json!({
        "listing": context.listing, "state": context.state, "stage": context.stage, "version": context.version
    });
    if let (Value::Object(fields), Some(case)) = (&mut annotations, case) {
        fields.insert("case".into(), json!(case));
    }
    annotations
}

/// X-Ray tells our fault from the caller's error. A file that is no good is the caller's.
fn is_fault(case: Case) -> bool {
    matches!(case, Case::Internal | Case::Trapped | Case::OutOfMemory | Case::Timeout | Case::Transient)
}

/// A name that X-Ray takes.
fn allowed(name: &str) -> String {
    let ok = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/%&#=+\\-@".contains(c);
    let clean: String = name.chars().map(|c| if ok(c) { c } else { '_' }).take(LONGEST_NAME).collect();
    if clean.trim().is_empty() { "unknown".to_owned() } else { clean }
}

/// Seconds since 1970, to the microsecond.
fn seconds(time: SystemTime) -> f64 {
    (time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e6).round() / 1e6
}

/// 64 random bits in hexadecimal.
fn new_id() -> String {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    // Each half has some fixed bits, and not in the same places.
    format!("{:016x}", high ^ low.rotate_left(32))
}

#[cfg(test)]
#[path = "segment_tests.rs"]
mod tests;
