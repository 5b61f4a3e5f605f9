//! X-Ray's segment documents: a subsegment for a state, with a subsegment for each file in it; and one for a transcoding job.
//!
//! A document is sent in one datagram, which limits its size. If a segment is too large for that, its subsegments are
//! sent as documents of their own, which X-Ray joins by their ids.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use stagehost_batch::Case;

use crate::calls::{EndedCall, EndedJob, StateCalls, StateContext, milliseconds};
use crate::scrub::scrub;
use crate::trace::TraceContext;

/// The longest document, in bytes. X-Ray accepts 64 KB, and a datagram holds 64 KB less its headers.
pub(crate) const MAX_DOCUMENT: usize = 60_000;

/// How many calls of a state have a subsegment: the failed calls first, then the slowest.
const MAX_SUBSEGMENTS: usize = 100;

/// X-Ray's limit for names, in characters.
const MAX_NAME: usize = 200;

/// Returns the documents of a state that ran from `begin` to `end`; `lambda` is the invocation's own trace header.
pub(crate) fn documents(
    calls: &StateCalls,
    trace: &TraceContext,
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
        // What the SDKs send to the daemon beside a function: it writes the function's own segment by itself.
        segment.insert("type".into(), json!("subsegment"));
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
    if whole.len() <= MAX_DOCUMENT {
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

/// Returns the document of a transcoding job. It is the same however often the job's event is delivered.
pub(crate) fn of_job(job: &EndedJob<'_>, trace: &TraceContext) -> String {
    let (begin, end) = job.span;
    let mut fields = named("MediaConvert job", begin, end);
    fields.insert("id".into(), json!(id_of(&format!("{}\n{}", trace.id, job.id))));
    fields.insert("trace_id".into(), json!(trace.id));
    fields.insert("type".into(), json!("subsegment"));
    if let Some(parent) = &trace.parent {
        fields.insert("parent_id".into(), json!(parent));
    }
    fields.insert("annotations".into(), json!({"listing": job.listing, "state": job.state, "job": job.id}));
    if let Some(message) = job.failure {
        fields.insert("error".into(), json!(true));
        let exception = json!({"id": id_of(job.id), "type": "MediaConvert", "message": scrub(message)});
        fields.insert("cause".into(), json!({"exceptions": [exception]}));
    }
    Value::Object(fields).to_string()
}

/// Returns the calls that have a subsegment, in order of time.
fn shown(kept: &[EndedCall]) -> Vec<&EndedCall> {
    let mut calls: Vec<&EndedCall> = kept.iter().collect();
    calls.sort_by_key(|call| (call.failure.is_none(), std::cmp::Reverse(call.report.duration)));
    calls.truncate(MAX_SUBSEGMENTS);
    calls.sort_by_key(|call| call.report.started_at);
    calls
}

fn subsegment(context: &StateContext, call: &EndedCall) -> Value {
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

/// Returns the fields that segments and subsegments have in common.
fn named(name: &str, begin: SystemTime, end: SystemTime) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(allowed(name)));
    fields.insert("id".into(), json!(new_id()));
    fields.insert("start_time".into(), json!(seconds(begin)));
    fields.insert("end_time".into(), json!(seconds(end.max(begin))));
    fields
}

/// Returns the fields that X-Ray indexes.
fn annotations(context: &StateContext, case: Option<&str>) -> Value {
    let mut annotations = json!({
        "listing": context.listing, "state": context.state, "stage": context.stage, "version": context.version
    });
    if let (Value::Object(fields), Some(case)) = (&mut annotations, case) {
        fields.insert("case".into(), json!(case));
    }
    annotations
}

/// Returns whether a failure is a fault of the system, and not an error of the caller such as a bad file. X-Ray shows
/// the two differently.
fn is_fault(case: Case) -> bool {
    matches!(case, Case::Internal | Case::Trapped | Case::OutOfMemory | Case::Timeout | Case::Transient)
}

/// Returns a name that X-Ray accepts.
fn allowed(name: &str) -> String {
    let ok = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/%&#=+\\-@".contains(c);
    let clean: String = name.chars().map(|c| if ok(c) { c } else { '_' }).take(MAX_NAME).collect();
    if clean.trim().is_empty() { "unknown".to_owned() } else { clean }
}

/// Seconds since 1970, to the microsecond.
fn seconds(time: SystemTime) -> f64 {
    (time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1e6).round() / 1e6
}

/// Returns 64 bits in hexadecimal that follow from a text: the FNV-1a hash.
fn id_of(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

/// Returns 64 random bits in hexadecimal.
fn new_id() -> String {
    let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
    // Each half of a UUID has some fixed bits, at different positions; combined, no bit is fixed.
    format!("{:016x}", high ^ low.rotate_left(32))
}

#[cfg(test)]
#[path = "segment_tests.rs"]
mod tests;
