//! Services in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use stagehost_pins::Pins;
use time::OffsetDateTime;
use tower::ServiceExt as _;

use crate::app::{ConsoleOptions, ConsoleParts};
use crate::guard::AcceptedHosts;
use crate::source::bench::{StageBench, TriedAs};
use crate::source::error::SourceError;
use crate::source::executions::{
    ExecutionFacts, ExecutionPage, ExecutionSource, ExecutionStatus, ListedExecution, PastEvent, RedriveFacts,
};
use crate::source::intake::BatchIntake;
use crate::source::journal::{
    CallJournal, CallbackJournal, DeadLetter, DeadLetterQueue, KnownCalls, LoggedCall, SeenCallback, SeenLetters,
};
use crate::source::media::{MediaFile, MediaFiles};
use crate::source::pins::{
    CandidateNews, DifferingCall, PastRevision, PicturePair, PinsDesk, PinsOutlook, PinsSigner, PinsWish, SignedPins,
};
use crate::web_console::WebConsole;

pub(super) const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:sm";
pub(super) const DEFINITION: &str = include_str!("../../../../statemachine/media-processing.asl.json");

pub(super) fn arn(name: &str) -> String {
    format!("arn:aws:states:us-east-1:000000000000:execution:sm:{name}")
}

pub(super) fn at(second: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_790_000_000 + second).unwrap()
}

/// What is wrong with a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It answers with an error.
    Denied,
    /// It never answers.
    Hangs,
}

/// The content type and the bytes of each object.
type Objects = BTreeMap<String, (Option<String>, Vec<u8>)>;

/// All services in one.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) executions: Mutex<Vec<(ExecutionFacts, Vec<PastEvent>)>>,
    pub(super) objects: Mutex<Objects>,
    pub(super) calls: Mutex<Vec<LoggedCall>>,
    pub(super) callbacks: Mutex<Vec<SeenCallback>>,
    pub(super) letters: Mutex<Vec<DeadLetter>>,
    pub(super) started: Mutex<Vec<(String, Value)>>,
    pub(super) stopped: Mutex<Vec<String>>,
    pub(super) redriven: Mutex<Vec<String>>,
    pub(super) gaps: Mutex<Vec<String>>,
    /// Ranges that were read, as the requests named them.
    pub(super) ranges: Mutex<Vec<String>>,
    pub(super) pins: Mutex<Option<Pins>>,
    pub(super) wishes: Mutex<Vec<(PinsWish, bool)>>,
    pub(super) read: Mutex<usize>,
    /// Sources with which something is wrong, by the names of their methods.
    pub(super) wrong: Mutex<BTreeMap<&'static str, Wrong>>,
}

impl Memory {
    /// Adds an execution; the newest is the last.
    pub(super) fn add(
        &self,
        name: &str,
        status: ExecutionStatus,
        input: Value,
        output: Option<Value>,
        events: Vec<PastEvent>,
    ) {
        let mut executions = self.executions.lock().unwrap();
        let started = at(executions.len() as i64 * 10);
        let listed = ListedExecution {
            arn: arn(name),
            name: name.to_owned(),
            status,
            started,
            stopped: status.is_over().then(|| started + Duration::from_millis(2500)),
        };
        let over = status.is_over();
        let why_not = Some(format!("Execution is {} and cannot be redriven", status.name()));
        let redrive = match over && status != ExecutionStatus::Succeeded {
            true => RedriveFacts { possible: true, ..RedriveFacts::default() },
            false => RedriveFacts { why_not, ..RedriveFacts::default() },
        };
        executions.push((ExecutionFacts { listed, input, output, error: None, cause: None, redrive }, events));
    }

    /// Answers for a method with which something is wrong.
    async fn may(&self, method: &'static str) -> Result<(), SourceError> {
        let wrong = self.wrong.lock().unwrap().get(method).copied();
        match wrong {
            None => Ok(()),
            Some(Wrong::Denied) => Err(SourceError::Failed(format!("{method}: you are not authorized (AccessDenied)"))),
            Some(Wrong::Hangs) => std::future::pending().await,
        }
    }

    fn found(&self, arn: &str) -> Result<(ExecutionFacts, Vec<PastEvent>), SourceError> {
        let executions = self.executions.lock().unwrap();
        let found = executions.iter().find(|(facts, _)| facts.listed.arn == arn);
        found.cloned().ok_or_else(|| SourceError::Missing(format!("the execution {arn} does not exist")))
    }
}

#[async_trait]
impl ExecutionSource for Memory {
    fn machine(&self) -> &str {
        MACHINE
    }

    async fn list(
        &self,
        status: Option<ExecutionStatus>,
        token: Option<&str>,
        size: u16,
    ) -> Result<ExecutionPage, SourceError> {
        self.may("list").await?;
        let from: usize = token.map_or(Ok(0), str::parse).map_err(|_| SourceError::Refused("invalid token".into()))?;
        let executions = self.executions.lock().unwrap();
        let all: Vec<_> = executions.iter().rev().map(|(facts, _)| facts.listed.clone()).collect();
        let wanted: Vec<_> =
            all.into_iter().filter(|listed| status.is_none_or(|status| listed.status == status)).collect();
        let end = (from + usize::from(size)).min(wanted.len());
        let next = (end < wanted.len()).then(|| end.to_string());
        Ok(ExecutionPage { executions: wanted[from.min(end)..end].to_vec(), next })
    }

    async fn facts(&self, arn: &str) -> Result<ExecutionFacts, SourceError> {
        self.may("facts").await?;
        *self.read.lock().unwrap() += 1;
        Ok(self.found(arn)?.0)
    }

    async fn history(&self, arn: &str) -> Result<Vec<PastEvent>, SourceError> {
        self.may("history").await?;
        Ok(self.found(arn)?.1)
    }

    async fn newest_event(&self, arn: &str) -> Result<i64, SourceError> {
        Ok(self.found(arn)?.1.last().map_or(0, |event| event.id))
    }

    async fn definition(&self, _: &str) -> Result<String, SourceError> {
        self.may("definition").await?;
        Ok(DEFINITION.to_owned())
    }

    async fn start(&self, name: &str, input: &Value) -> Result<String, SourceError> {
        self.started.lock().unwrap().push((name.to_owned(), input.clone()));
        Ok(arn(name))
    }

    async fn redrive(&self, arn: &str) -> Result<(), SourceError> {
        self.redriven.lock().unwrap().push(arn.to_owned());
        Ok(())
    }

    async fn stop(&self, arn: &str, _: &str) -> Result<(), SourceError> {
        self.stopped.lock().unwrap().push(arn.to_owned());
        Ok(())
    }
}

#[async_trait]
impl MediaFiles for Memory {
    fn bucket(&self) -> &str {
        "toq-listing-medias"
    }

    async fn open(
        &self,
        key: &str,
        range: Option<&str>,
        unless: Option<&str>,
    ) -> Result<Option<MediaFile>, SourceError> {
        self.may("open").await?;
        let objects = self.objects.lock().unwrap();
        let (content_type, bytes) =
            objects.get(key).cloned().ok_or_else(|| SourceError::Missing(format!("there is no {key}")))?;
        if unless == Some("\"e\"") {
            return Ok(None);
        }
        let (body, range) = match range {
            Some(range) => {
                self.ranges.lock().unwrap().push(range.to_owned());
                let refused = || SourceError::Refused(format!("{key} has no such range"));
                let (from, to) = asked(range, bytes.len()).ok_or_else(refused)?;
                (bytes[from..to].to_vec(), Some(format!("bytes {from}-{}/{}", to - 1, bytes.len())))
            }
            None => (bytes, None),
        };
        let length = Some(body.len() as u64);
        let body = futures::stream::iter([Ok(Bytes::from(body))]).boxed();
        Ok(Some(MediaFile { body, length, content_type, etag: Some("\"e\"".into()), range }))
    }

    async fn create(&self, key: &str, content_type: &str, file: &Path) -> Result<bool, SourceError> {
        let bytes = std::fs::read(file).unwrap();
        let mut objects = self.objects.lock().unwrap();
        if objects.contains_key(key) {
            return Ok(false);
        }
        objects.insert(key.to_owned(), (Some(content_type.to_owned()), bytes));
        Ok(true)
    }

    async fn unpacked(&self, document: Value) -> Result<Value, SourceError> {
        let Some(digest) = document.pointer("/spilled/sha256").and_then(Value::as_str) else { return Ok(document) };
        let key = format!("pipeline/documents/{digest}.json");
        self.may("unpacked").await?;
        let objects = self.objects.lock().unwrap();
        let (_, bytes) = objects.get(&key).ok_or_else(|| SourceError::Missing(format!("there is no {key}")))?;
        Ok(serde_json::from_slice(bytes).unwrap())
    }
}

#[async_trait]
impl CallJournal for Memory {
    async fn calls(&self, _: &str) -> Result<KnownCalls, SourceError> {
        self.may("calls").await?;
        Ok(KnownCalls { calls: self.calls.lock().unwrap().clone(), gaps: self.gaps.lock().unwrap().clone() })
    }
}

#[async_trait]
impl CallbackJournal for Memory {
    async fn callbacks(&self, _: &str, _: Option<&str>) -> Result<Vec<SeenCallback>, SourceError> {
        self.may("callbacks").await?;
        Ok(self.callbacks.lock().unwrap().clone())
    }
}

#[async_trait]
impl DeadLetterQueue for Memory {
    async fn letters(&self, most: usize) -> Result<SeenLetters, SourceError> {
        let letters = self.letters.lock().unwrap();
        Ok(SeenLetters { letters: letters.iter().take(most).cloned().collect(), more: letters.len() > most })
    }
}

#[async_trait]
impl BatchIntake for Memory {
    fn area(&self, _: &Path, _: &str) -> &'static str {
        "photo/horizontal"
    }

    async fn start(&self, listing: &str, document: &Value) -> Result<String, SourceError> {
        self.started.lock().unwrap().push((listing.to_owned(), document.clone()));
        Ok(arn("uploaded"))
    }
}

#[async_trait]
impl StageBench for Memory {
    async fn states(&self) -> Result<Vec<(String, String)>, SourceError> {
        let states = ["ValidateRawAssets", "GenerateThumbnails"];
        Ok(states.map(|state| (state.to_owned(), "a stage 1.0.0".to_owned())).to_vec())
    }

    async fn call(&self, state: &str, tried_as: &TriedAs, batch: &Value) -> Result<Value, SourceError> {
        self.started.lock().unwrap().push((state.to_owned(), batch.clone()));
        let mut left = finished(&tried_as.name);
        left["execution"]["arn"] = json!(tried_as.arn);
        match batch["listingId"] == json!(13) {
            true => Err(SourceError::Refused("Stage.Trapped: unreachable".into())),
            false => Ok(left),
        }
    }
}

#[async_trait]
impl PinsDesk for Memory {
    fn place(&self) -> String {
        "s3://bucket/pipeline/pins".into()
    }

    fn fixed(&self) -> Option<String> {
        None
    }

    async fn current(&self) -> Result<SignedPins, SourceError> {
        self.may("pins").await?;
        let pins = self.pins.lock().unwrap().clone();
        let pins = pins.ok_or_else(|| SourceError::Missing("there are no pins".into()))?;
        let signer = Some(PinsSigner {
            id: "0123456789abcdef".into(),
            name: Some("release".into()),
            trusted_for: Some("pins".into()),
        });
        Ok(SignedPins { pins, signer })
    }

    async fn revision(&self, revision: u64) -> Result<SignedPins, SourceError> {
        self.may("revision").await?;
        let signed = self.current().await?;
        if signed.pins.revision == revision {
            Ok(signed)
        } else {
            Err(SourceError::Missing(format!("revision {revision} is lost")))
        }
    }

    async fn history(&self, _: usize) -> Result<Vec<PastRevision>, SourceError> {
        self.may("past").await?;
        let SignedPins { pins, .. } = self.current().await?;
        Ok(vec![PastRevision { revision: pins.revision, pins: Ok(pins) }])
    }

    async fn candidates(&self, _: &Pins, state: &str) -> Result<CandidateNews, SourceError> {
        self.may("candidates").await?;
        let picture = PicturePair {
            key: "51/thumb/photo/horizontal/2026-01-02/hall_320x240.jpg".into(),
            shadow: "pipeline/shadow/GenerateThumbnails/0123456789ab/pictures/77.jpg".into(),
            bytes: 20_000,
        };
        let call = DifferingCall {
            execution: arn("a batch <b>"),
            subject: "51/raw/photo/horizontal/2026-01-02/hall.jpg".into(),
            differences: vec!["object: <b>was</b> 1 and is 2 bytes".into()],
            pictures: vec![picture],
        };
        Ok(CandidateNews { sentences: vec![format!("40 runs of {state}")], differing: vec![call] })
    }

    async fn change(&self, wish: &PinsWish, by_whom: Option<(&str, &str)>) -> Result<PinsOutlook, SourceError> {
        self.wishes.lock().unwrap().push((wish.clone(), by_whom.is_some()));
        let checks = vec!["it is signed".to_owned()];
        Ok(PinsOutlook { revision: by_whom.map(|_| 8), differences: Vec::new(), checks })
    }
}

/// Returns the first byte and the end of `bytes=0-3` or `bytes=-4`; `None` if there is no such range.
fn asked(range: &str, length: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) => (first, last.saturating_add(1).min(length)),
        (Ok(first), Err(_)) => (first, length),
        (Err(_), Ok(count)) => (length.saturating_sub(count), length),
        (Err(_), Err(_)) => return None,
    };
    (from < to).then_some((from, to))
}

/// Returns the console over these services.
pub(super) fn console(memory: &Arc<Memory>, allow_changes: bool) -> (Router, String) {
    let parts = ConsoleParts {
        executions: memory.clone(),
        media: memory.clone(),
        calls: Some(memory.clone()),
        callbacks: Some(memory.clone()),
        dead_letters: Some(memory.clone()),
        pins: Some(memory.clone()),
        intake: Some(memory.clone()),
        bench: Some(memory.clone()),
    };
    let options = ConsoleOptions {
        title: "this machine".into(),
        allow_changes,
        hosts: AcceptedHosts::Loopback,
        poll: Duration::from_millis(10),
        endpoint: Some("http://127.0.0.1:4599".into()),
        region: "us-east-1".into(),
    };
    let console = WebConsole::new(parts, options).unwrap();
    (console.router(), console.token().to_owned())
}

/// Sends a request as a program on this machine would.
pub(super) async fn send(router: &Router, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.unwrap()
}

pub(super) async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Returns a page, which must be there.
pub(super) async fn page(router: &Router, path: &str) -> String {
    let request = Request::get(path).header("host", "127.0.0.1:4599").body(Body::empty()).unwrap();
    let response = send(router, request).await;
    let status = response.status();
    let text = text(response).await;
    assert_eq!(status, StatusCode::OK, "{path}: {text}");
    text
}

/// Posts a form with the session's token.
pub(super) async fn post(router: &Router, path: &str, token: &str, fields: &[(&str, &str)]) -> Response<Body> {
    let form =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).append_pair("token", token).finish();
    let request = Request::post(path)
        .header("host", "127.0.0.1:4599")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form))
        .unwrap();
    send(router, request).await
}

/// The history of one state, with the batch as its output.
pub(super) fn visited(state: &str, input: &Value, output: &Value) -> Vec<PastEvent> {
    let event = |id: i64, kind: &str| PastEvent {
        id,
        previous: id - 1,
        at: Some(at(id)),
        kind: kind.into(),
        ..PastEvent::default()
    };
    let named = |event: PastEvent| PastEvent { state: Some(state.to_owned()), ..event };
    vec![
        event(1, "ExecutionStarted"),
        PastEvent { input: Some(input.to_string()), ..named(event(2, "TaskStateEntered")) },
        event(3, "TaskScheduled"),
        PastEvent { error: Some("Stage.Transient".into()), cause: Some("busy".into()), ..event(4, "TaskFailed") },
        event(5, "TaskScheduled"),
        event(6, "TaskSucceeded"),
        PastEvent { output: Some(output.to_string()), ..named(event(7, "TaskStateExited")) },
    ]
}

/// A finished batch of one photo, one film and one file that failed.
pub(super) fn finished(name: &str) -> Value {
    let made = |name: &str, key: &str, kind: &str| json!({"name": name, "key": key, "contentType": kind, "pixels": {"width": 320, "height": 240}, "bytes": 12345, "etag": "e", "reused": false});
    json!({
        "listingId": 51, "batchId": 5, "jobId": 4, "retry": 0, "revision": 7,
        "execution": {"arn": arn(name), "name": name, "startedAt": "2026-09-21T14:13:20Z"},
        "assets": [
            {"key": "51/raw/photo/horizontal/2026-01-02/hall.jpg", "type": "PHOTO_HORIZONTAL", "contentType": "image/jpeg", "bytes": 2_400_000, "pixels": {"width": 4000, "height": 3000}, "verified": true, "renditions": [made("320x240", "51/thumb/photo/horizontal/2026-01-02/hall_320x240.jpg", "image/jpeg")]},
            {"key": "51/raw/video/horizontal/2026-01-02/walk.mp4", "type": "VIDEO_HORIZONTAL", "contentType": "video/mp4", "durationMs": 61_000, "verified": true, "renditions": [made("720p", "51/processed/video/horizontal/2026-01-02/walk_720p.mp4", "video/mp4"), made("320x180", "51/processed/video/horizontal/2026-01-02/walk_320x180.jpg", "image/jpeg")]},
            {"key": "51/raw/photo/horizontal/2026-01-02/cut.jpg", "type": "PHOTO_HORIZONTAL", "verified": false, "renditions": [], "problem": {"state": "ValidateRawAssets", "code": "Stage.Corrupt", "message": "cut.jpg is cut off"}}
        ],
        "bundles": [{"name": "complete", "key": "51/zip/batch-5/complete.zip", "bytes": 3_000_000, "entries": 4, "unpackedBytes": 3_100_000, "reused": false}],
        "problems": [],
        "counts": {"assets": 3, "valid": 2, "failed": 1, "videos": 1, "problems": 0}
    })
}

pub(super) fn input() -> Value {
    let keys = [
        "51/raw/photo/horizontal/2026-01-02/hall.jpg",
        "51/raw/video/horizontal/2026-01-02/walk.mp4",
        "51/raw/photo/horizontal/2026-01-02/cut.jpg",
    ];
    json!({"listingId": 51, "batchId": 5, "jobId": 4, "assets": keys})
}
