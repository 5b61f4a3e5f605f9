#![allow(clippy::unwrap_used)]
use super::*;
use crate::record_format::{Answer, Part, Problem, Write, WriteEnd};

const MIB: u64 = 1 << 20;

fn limits() -> RecordLimits {
    RecordLimits { bytes: 4 * MIB, text: 4 * MIB, ..RecordLimits::default() }
}

fn write(key: String) -> HostCall {
    HostCall::Write(Write {
        key,
        content_type: "image/jpeg".to_owned(),
        fingerprint: None,
        parts: Vec::<Part>::new(),
        failures: Vec::new(),
        end: WriteEnd::Dropped,
    })
}

/// Returns the bytes that the log keeps, counted without the log's own account.
fn kept(log: &CallLog) -> u64 {
    let state = log.state();
    let calls: u64 = state.calls.iter().map(cost).sum();
    let finished: usize = state.finished.keys().map(String::len).sum();
    let contents: usize = state.contents.keys().map(|(key, etag)| key.len() + etag.len()).sum();
    calls + finished as u64 + contents as u64
}

#[test]
fn a_loop_of_writers_with_keys_of_a_mebibyte_is_cut_at_the_limit() {
    let log = CallLog::new(limits(), &RecordBudget::default());
    let key = format!("51/thumb/{}", "k".repeat(1 << 20));
    for _ in 0..10_000 {
        log.add(write(key.clone()));
        log.finish(&key);
    }
    assert_eq!(log.state().cut.unwrap().reason, CutReason::RecordTooLong);
    assert!(log.state().cut.unwrap().bytes <= 4 * MIB);
    assert!(kept(&log) <= 4 * MIB, "{}", kept(&log));
    assert!(!log.state().calls.is_empty(), "what was recorded before stays");
}

#[test]
fn messages_of_failures_are_charged_like_everything_else() {
    let log = CallLog::new(limits(), &RecordBudget::default());
    let number = log.add(write("a".to_owned()));
    for _ in 0..10_000 {
        let problem = Problem { code: "Stage.Internal".to_owned(), message: "m".repeat(1 << 16) };
        log.failed_read(number, Read { offset: 0, bytes: 1, failed: Some(problem.clone()) });
        log.add(HostCall::Tag {
            key: String::new(),
            name: String::new(),
            value: String::new(),
            answer: Answer::Failed(problem),
        });
    }
    assert!(kept(&log) <= 4 * MIB, "{}", kept(&log));
}

#[test]
fn single_bytes_read_here_and_there_are_charged_for_their_places() {
    let log = CallLog::new(RecordLimits { entries: usize::MAX, ..limits() }, &RecordBudget::default());
    let info = Problem { code: String::new(), message: String::new() };
    let (key, answer) = ("a".to_owned(), Answer::Failed(info));
    let number = log.add(HostCall::Open { key, if_match: None, written: 0, answer, reads: Vec::new() });
    for at in 0..1_000_000 {
        log.read(number, &("a".to_owned(), "v1".to_owned()), u64::MAX, at * 2, &Bytes::from_static(b"x"));
    }
    let state = log.state();
    assert!(state.cut.is_some());
    let ranges: usize = state.contents.values().map(|(_, ranges)| ranges.runs().len()).sum();
    assert!(ranges as u64 * PLACE <= 4 * MIB, "{ranges} ranges");
}

#[test]
fn all_calls_together_keep_no_more_than_the_process_allows() {
    let budget = RecordBudget::new(6 * MIB, 0);
    let logs: Vec<_> = (0..20).map(|_| CallLog::new(limits(), &budget)).collect();
    for log in &logs {
        for _ in 0..100 {
            log.add(write("k".repeat(1 << 16)));
        }
    }
    assert!(logs.iter().map(kept).sum::<u64>() <= 6 * MIB);
    assert_eq!(logs[19].state().cut.unwrap().reason, CutReason::NoRoom);
    drop(logs);
    assert!(CallLog::new(limits(), &budget).charge(3 * MIB), "what ended calls had is free again");
}

#[test]
fn bytes_beyond_the_limit_cut_the_contents_and_the_requests_go_on() {
    let log = CallLog::new(RecordLimits { bytes: 3, ..limits() }, &RecordBudget::default());
    let (key, answer) = ("a".to_owned(), Answer::Failed(Problem { code: String::new(), message: String::new() }));
    let number = log.add(HostCall::Open { key, if_match: None, written: 0, answer, reads: Vec::new() });
    log.read(number, &("a".to_owned(), "v1".to_owned()), 8, 0, &Bytes::from_static(b"abc"));
    log.read(number, &("a".to_owned(), "v1".to_owned()), 8, 3, &Bytes::from_static(b"d"));
    assert_eq!(log.state().contents_cut.unwrap().reason, CutReason::ContentsTooLong);
    assert_eq!(log.state().cut, None);
    assert!(log.add(write("b".to_owned())).is_some());
}

#[test]
fn the_cost_of_a_value_is_the_length_of_its_json() {
    let call = write("with \"quotes\" and \u{1}".to_owned());
    assert_eq!(cost(&call), serde_json::to_vec(&call).unwrap().len() as u64);
}
