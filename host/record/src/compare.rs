//! Compares two calls: their outcomes and their effects.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stagehost_runtime::capability::TranscodeJob;

use crate::record_format::{Answer, HostCall, Outcome, Part, Payload, Record, Request, Write};
use crate::scrub;

/// A difference between two calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Its kind.
    pub kind: Kind,
    /// Where it is: a path in the output, an object's key.
    pub what: String,
    /// The value in the recorded call; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub was: Option<String>,
    /// The value in the repeated call; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub now: Option<String>,
}

/// Kinds of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One call failed and the other did not, or they failed differently.
    Outcome,
    /// An object that was written or deleted.
    Object,
    /// A tag.
    Tag,
    /// A transcoding job.
    Job,
    /// The body of a callback.
    Callback,
    /// A request to another service.
    Http,
    /// The stage's output. It sorts after the effects, because most of it follows from them.
    Output,
    /// A host call that the record has no answer for.
    Unrecorded,
    /// One of the records is cut, so the rest cannot be compared.
    Cut,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Outcome => "outcome",
            Self::Output => "output",
            Self::Object => "object",
            Self::Tag => "tag",
            Self::Job => "job",
            Self::Callback => "callback",
            Self::Http => "http",
            Self::Unrecorded => "unrecorded",
            Self::Cut => "cut",
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} {}", self.kind, self.what)?;
        for (label, text) in [("was", &self.was), ("now", &self.now)] {
            match text {
                Some(text) => write!(f, "\n           {label}  {text}")?,
                None if !matches!(self.kind, Kind::Unrecorded | Kind::Cut) => write!(f, "\n           {label}  –")?,
                None => {}
            }
        }
        Ok(())
    }
}

/// Returns the differences between a recorded call `was` and its repetition `now`.
pub fn compare(was: &Record, now: &Record) -> Vec<Difference> {
    let mut found = Differences(Vec::new());
    found.outcomes(&was.outcome, &now.outcome);
    found.objects(was, now);
    found.deletions(was, now);
    found.tags(was, now);
    found.jobs(was, now);
    found.bodies(was, now);
    found.requests(was, now);
    found.0.sort_by_key(|difference| difference.kind);
    found.0
}

struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, kind: Kind, what: impl Into<String>, was: Option<String>, now: Option<String>) {
        if was != now {
            self.0.push(Difference { kind, what: what.into(), was, now });
        }
    }

    fn outcomes(&mut self, was: &Outcome, now: &Outcome) {
        match (was, now) {
            (Outcome::Failed(was), Outcome::Failed(now)) if was.code == now.code => {
                self.add(Kind::Outcome, "message", Some(was.message.clone()), Some(now.message.clone()));
            }
            (Outcome::Failed(_), _) | (_, Outcome::Failed(_)) => {
                self.add(Kind::Outcome, "result", Some(summary(was)), Some(summary(now)));
            }
            (Outcome::Asset(was), Outcome::Asset(now)) => self.values(Kind::Output, "", &json(was), &json(now)),
            (Outcome::Batch(was), Outcome::Batch(now)) => self.values(Kind::Output, "", &json(was), &json(now)),
            (_, _) => self.add(Kind::Outcome, "result", Some(summary(was)), Some(summary(now))),
        }
    }

    fn objects(&mut self, was: &Record, now: &Record) {
        for (key, was, now) in pairs(written(was), written(now)) {
            let (Some(was), Some(now)) = (was, now) else {
                self.add(Kind::Object, key, was.map(described), now.map(described));
                continue;
            };
            let property = |name: &str| format!("{key}: {name}");
            self.add(
                Kind::Object,
                property("content type"),
                Some(was.content_type.clone()),
                Some(now.content_type.clone()),
            );
            self.add(Kind::Object, property("fingerprint"), was.fingerprint.clone(), now.fingerprint.clone());
            if let ([Part::Made { .. }] | [], [Part::Made { .. }] | []) = (&was.parts[..], &now.parts[..]) {
                self.add(Kind::Object, key, Some(described(was)), Some(described(now)));
                continue;
            }
            let longest = was.parts.len().max(now.parts.len());
            let differs = (0..longest).find(|at| was.parts.get(*at) != now.parts.get(*at));
            if let Some(at) = differs {
                let total = |write: &Write| Some(described(write));
                self.add(Kind::Object, property("length"), total(was), total(now));
                let part = |write: &Write| write.parts.get(at).map(part);
                self.add(Kind::Object, property(&format!("part {}", at + 1)), part(was), part(now));
            }
        }
    }

    fn deletions(&mut self, was: &Record, now: &Record) {
        let deleted = |record: &Record| -> BTreeMap<String, String> {
            let deletion = |call: &HostCall| match call {
                HostCall::Delete { key, answer: Answer::Ok(()), .. } => {
                    Some((format!("{key}: deletion"), "deleted".to_owned()))
                }
                _ => None,
            };
            record.calls.iter().filter_map(deletion).collect()
        };
        for (what, was, now) in pairs(deleted(was), deleted(now)) {
            self.add(Kind::Object, what, was, now);
        }
    }

    fn tags(&mut self, was: &Record, now: &Record) {
        let tags = |record: &Record| -> BTreeMap<String, String> {
            let tag = |call: &HostCall| match call {
                HostCall::Tag { key, name, value, .. } => Some((format!("{key}: {name}"), value.clone())),
                _ => None,
            };
            record.calls.iter().filter_map(tag).collect()
        };
        for (what, was, now) in pairs(tags(was), tags(now)) {
            self.add(Kind::Tag, what, was, now);
        }
    }

    fn jobs(&mut self, was: &Record, now: &Record) {
        for (source, was, now) in pairs(jobs(was), jobs(now)) {
            match (was, now) {
                (Some(was), Some(now)) => self.values(Kind::Job, &format!("{source}: "), &json(&was), &json(&now)),
                (was, now) => {
                    let outputs = |job: Option<&TranscodeJob>| job.map(|job| format!("{} outputs", job.outputs.len()));
                    self.add(Kind::Job, source, outputs(was), outputs(now));
                }
            }
        }
    }

    fn bodies(&mut self, was: &Record, now: &Record) {
        let (was, now) = (bodies(was), bodies(now));
        for number in 0..was.len().max(now.len()) {
            let what = format!("attempt {}", number + 1);
            match (was.get(number), now.get(number)) {
                (Some(was), Some(now)) => match (document(was), document(now)) {
                    (Some(a), Some(b)) if a != b => self.values(Kind::Callback, &format!("{what}: "), &a, &b),
                    _ => self.add(Kind::Callback, what, Some(payload(was)), Some(payload(now))),
                },
                (was, now) => self.add(Kind::Callback, what, was.map(|b| payload(b)), now.map(|b| payload(b))),
            }
        }
    }

    fn requests(&mut self, was: &Record, now: &Record) {
        let (was, now) = (requests(was), requests(now));
        for number in 0..was.len().max(now.len()) {
            let line = |request: &&Request| {
                let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
                format!(
                    "{} {} [{}] {}",
                    request.method,
                    scrub::url(&request.url),
                    headers.join(", "),
                    payload(&request.body)
                )
            };
            let (was, now) = (was.get(number).map(line), now.get(number).map(line));
            self.add(Kind::Http, format!("request {}", number + 1), was, now);
        }
    }

    /// Adds the differences of two JSON documents, by path. Elements of lists are matched by their `name` or `key`, if they
    /// have one, so that a new rendition is one difference and does not shift all that follow.
    fn values(&mut self, kind: Kind, path: &str, was: &Value, now: &Value) {
        let below = |path: &str, name: &str| {
            let open = path.is_empty() || path.ends_with(": ");
            if open { format!("{path}{name}") } else { format!("{path}.{name}") }
        };
        match (was, now) {
            (Value::Object(a), Value::Object(b)) => {
                let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
                for name in names {
                    self.optional(kind, &below(path, name), a.get(name), b.get(name));
                }
            }
            (Value::Array(a), Value::Array(b)) => match (named(a), named(b)) {
                (Some(a), Some(b)) if !(a.is_empty() && b.is_empty()) => {
                    for (name, was, now) in pairs(a, b) {
                        self.optional(kind, &format!("{path}[{name}]"), was, now);
                    }
                }
                _ => {
                    for at in 0..a.len().max(b.len()) {
                        self.optional(kind, &format!("{path}[{at}]"), a.get(at), b.get(at));
                    }
                }
            },
            (was, now) => self.add(kind, path, Some(shown(was)), Some(shown(now))),
        }
    }

    fn optional(&mut self, kind: Kind, path: &str, was: Option<&Value>, now: Option<&Value>) {
        match (was, now) {
            (Some(was), Some(now)) => self.values(kind, path, was, now),
            (was, now) => self.add(kind, path, was.map(shown), now.map(shown)),
        }
    }
}

/// Returns both values of each name, in order.
fn pairs<T: Clone>(was: BTreeMap<String, T>, now: BTreeMap<String, T>) -> Vec<(String, Option<T>, Option<T>)> {
    let mut names: Vec<_> = was.keys().chain(now.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.into_iter().map(|name| (name.clone(), was.get(&name).cloned(), now.get(&name).cloned())).collect()
}

fn named(list: &[Value]) -> Option<BTreeMap<String, &Value>> {
    let name = |value: &Value| {
        let name = ["name", "key", "rawKey"].iter().find_map(|field| value.get(field))?;
        Some(name.as_str()?.to_owned())
    };
    let map: BTreeMap<_, _> = list.iter().filter_map(|value| Some((name(value)?, value))).collect();
    (map.len() == list.len()).then_some(map)
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn shown(value: &Value) -> String {
    const LONGEST: usize = 300;
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn summary(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(problem) => format!("{}: {}", problem.code, problem.message),
        Outcome::Asset(_) => "succeeded, with an asset".to_owned(),
        Outcome::Batch(_) => "succeeded, with additions to the batch".to_owned(),
        Outcome::NotRecorded { bytes } => format!("succeeded, with {bytes} bytes that are not recorded"),
    }
}

/// Returns the objects that the call finished, the last one of each key.
fn written(record: &Record) -> BTreeMap<String, &Write> {
    let writes = record.calls.iter().filter_map(|call| match call {
        HostCall::Write(write) if write.is_finished() => Some((write.key.clone(), write)),
        _ => None,
    });
    writes.collect()
}

fn described(write: &Write) -> String {
    match &write.parts[..] {
        [Part::Made { bytes, sha256 }] => format!("{bytes} bytes, {}, sha256 {sha256}", write.content_type),
        parts => format!("{} bytes in {} parts, {}", write.bytes(), parts.len(), write.content_type),
    }
}

fn part(part: &Part) -> String {
    match part {
        Part::Made { bytes, sha256 } => format!("{bytes} bytes, sha256 {sha256}"),
        Part::Copied { object, if_match, offset, bytes } => {
            let version = if_match.as_deref().unwrap_or("any version");
            format!("{bytes} bytes of {object} ({version}) from {offset}")
        }
    }
}

fn jobs(record: &Record) -> BTreeMap<String, &TranscodeJob> {
    let jobs = record.calls.iter().filter_map(|call| match call {
        HostCall::Submit { job, .. } => Some((job.source_key.clone(), job)),
        _ => None,
    });
    jobs.collect()
}

fn bodies(record: &Record) -> Vec<&Payload> {
    record
        .calls
        .iter()
        .filter_map(|call| match call {
            HostCall::Deliver { body, .. } => Some(body),
            _ => None,
        })
        .collect()
}

fn requests(record: &Record) -> Vec<&Request> {
    record
        .calls
        .iter()
        .filter_map(|call| match call {
            HostCall::Http { request, .. } => Some(request),
            HostCall::Exchange(pieces) => Some(&pieces.request),
            _ => None,
        })
        .collect()
}

fn document(payload: &Payload) -> Option<Value> {
    serde_json::from_str(payload.text.as_deref()?).ok()
}

fn payload(payload: &Payload) -> String {
    format!("{} bytes, sha256 {}", payload.bytes, payload.sha256)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differences(was: &Value, now: &Value) -> Vec<String> {
        let mut found = Differences(Vec::new());
        found.values(Kind::Output, "", was, now);
        let line = |d: Difference| format!("{} {:?} {:?}", d.what, d.was.as_deref(), d.now.as_deref());
        found.0.into_iter().map(line).collect()
    }

    #[test]
    fn a_difference_names_the_place_and_both_values() {
        let was = json!({"renditions": [{"name": "a", "bytes": 1}, {"name": "b", "bytes": 2}], "title": "x"});
        let now = json!({"renditions": [{"name": "b", "bytes": 3}], "title": "x", "verified": true});
        assert_eq!(
            differences(&was, &now),
            [
                r#"renditions[a] Some("{\"name\":\"a\",\"bytes\":1}") None"#,
                r#"renditions[b].bytes Some("2") Some("3")"#,
                r#"verified None Some("true")"#,
            ]
        );
        assert!(differences(&was, &was).is_empty());
    }
}
