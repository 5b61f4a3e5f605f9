//! How host calls of a replay are matched with recorded ones: by a text that names what is asked and about what.

use stagehost_batch::Case;
use stagehost_runtime::capability::{ObjectInfo, TranscodeJob};

use crate::record_format::{Answer, HostCall, Request};
use crate::scrub;

/// Returns the text by which host calls are matched.
pub(super) fn question(parts: &[&str]) -> String {
    parts.join("\0")
}

/// Returns all questions that a recorded host call answers.
pub(super) fn questions(call: &HostCall) -> Vec<String> {
    match call {
        HostCall::Stat { key, written, answer } => {
            let written = written.to_string();
            let mut all = vec![question(&["stat", &written, key])];
            all.extend(is_definite(answer).then(|| question(&["info", &written, key])));
            all
        }
        HostCall::Digest { key, if_match, written, .. } => {
            vec![question(&["digest", &written.to_string(), if_match.as_deref().unwrap_or("*"), key])]
        }
        HostCall::Open { key, if_match, written, answer, .. } => {
            let written = written.to_string();
            let mut all = vec![question(&["open", &written, if_match.as_deref().unwrap_or("*"), key])];
            all.extend(is_definite(answer).then(|| question(&["info", &written, key])));
            all
        }
        HostCall::Write(write) => vec![question(&["write", &write.key])],
        HostCall::List { prefix, after, .. } => vec![about_list(prefix, after.as_deref())],
        HostCall::Delete { key, if_match, .. } => vec![question(&["delete", key, if_match])],
        HostCall::Tag { key, name, value, .. } => vec![question(&["tag", key, name, value])],
        HostCall::Submit { job, .. } => vec![about_job(job), "submit".to_owned()],
        HostCall::Deliver { body, .. } => vec![question(&["deliver", &body.sha256]), "deliver".to_owned()],
        HostCall::Http { request, .. } => vec![about_request(request)],
        HostCall::Exchange(pieces) => match (&pieces.answer, &pieces.failed) {
            (Some(_), _) => vec![about_answer(&pieces.request)],
            (None, Some(_)) => vec![about_broken_body(&pieces.request)],
            (None, None) => Vec::new(),
        },
    }
}

/// Returns whether an answer also holds for questions without `if_match`.
fn is_definite(answer: &Answer<ObjectInfo>) -> bool {
    match answer {
        Answer::Ok(_) => true,
        Answer::Failed(problem) => problem.code == Case::Missing.name(),
    }
}

pub(super) fn about_list(prefix: &str, after: Option<&str>) -> String {
    question(&["list", prefix, after.unwrap_or_default()])
}

pub(super) fn about_job(job: &TranscodeJob) -> String {
    question(&["submit", &serde_json::to_string(job).unwrap_or_default()])
}

pub(super) fn about_request(request: &Request) -> String {
    about_http("http", request)
}

/// Returns the question for the answer to a request in pieces.
pub(super) fn about_answer(request: &Request) -> String {
    about_http("exchange", request)
}

/// Returns the question whether a service breaks off at this place of a request's body.
pub(super) fn about_broken_body(request: &Request) -> String {
    about_http("broken-body", request)
}

fn about_http(what: &str, request: &Request) -> String {
    let headers = serde_json::to_string(&request.headers).unwrap_or_default();
    // Earlier hosts recorded whole URLs.
    question(&[what, &request.method, &scrub::url(&request.url), &headers, &request.body.sha256])
}
