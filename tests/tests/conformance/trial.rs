//! One exercise: what it is given, and what must come of it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use stagehost_batch::{Asset, Batch, Case, Failure};
use stagehost_runtime::{CallInput, CallOutput, CallReport, CallRequest, Fanout, Grants, Limits, Observer, Stage};
use stagehost_testing::{Effect, MemoryHost};

use crate::calling::{KEY, call_of, one_photo};
use crate::heard::Heard;
use crate::secret_service::{capabilities, secret_for, service};

/// What a stage is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    Python,
    Javascript,
}

/// What an exercise is given.
pub struct Setting {
    pub language: Language,
    pub host: MemoryHost,
    /// The file, with the entity tag of the stored object.
    pub asset: Asset,
    pub limits: Limits,
    pub grants: Grants,
    /// The stage's configuration.
    pub config: Value,
    /// The address of the service that asks for a secret.
    pub service: String,
}

/// What came of it.
pub struct Seen {
    pub outcome: Result<CallOutput, Failure>,
    pub report: CallReport,
    pub host: MemoryHost,
    pub heard: Arc<Heard>,
    /// The file as the stage was given it.
    pub given: Asset,
    pub language: Language,
}

pub struct Trial {
    pub name: String,
    exercise: Value,
    arranged: Box<dyn Fn(&mut Setting) + Send>,
    expected: Box<dyn Fn(&Seen) + Send>,
}

/// The bytes of the file.
pub fn photo() -> Bytes {
    (0..1000u32).map(|at| (at % 251) as u8).collect()
}

impl Trial {
    /// An exercise without anything beyond the file.
    pub fn new(exercise: &str, expected: impl Fn(&Seen) + Send + 'static) -> Self {
        let expected = Box::new(expected);
        Self { name: exercise.into(), exercise: json!({"do": exercise}), arranged: Box::new(|_| {}), expected }
    }

    /// The same with something changed of what it is given. `name` says which case this is.
    pub fn given(self, name: &str, arranged: impl Fn(&mut Setting) + Send + 'static) -> Self {
        Self { name: format!("{}, {name}", self.name), arranged: Box::new(arranged), ..self }
    }

    pub async fn run(&self, stage: &Arc<Stage>, language: Language) -> Seen {
        let host = MemoryHost::default();
        let mut asset = Asset::clone(&one_photo().assets[0]);
        asset.etag = Some(host.put(KEY, "image/jpeg", Some("photo 1".into()), photo()));
        let service = service(KEY).await;
        let grants = Grants {
            read: vec!["{listingId}/raw/".into()],
            write: vec!["{listingId}/processed/".into()],
            http: vec![service.clone()],
            tags: vec!["kept".into()],
            secrets: vec![secret_for(&service)],
        };
        let limits = Limits { memory_mib: 64, deadline_ms: 300_000, ..Limits::default() };
        let mut setting = Setting { language, host, asset, limits, grants, config: self.exercise.clone(), service };
        (self.arranged)(&mut setting);

        let Setting { host, asset, limits, grants, config, .. } = setting;
        let outside = stagehost_runtime::capability::Capabilities { http: capabilities().http, ..host.capabilities() };
        let batch = Batch { assets: vec![asset.clone()], ..one_photo() };
        let config = config.to_string();
        let request = CallRequest { config, limits, grants, ..call_of(stage, &batch, outside) };
        let heard = Arc::new(Heard::default());
        let observer: Arc<dyn Observer> = heard.clone();
        let input = CallInput::Asset(Box::new(asset.clone()));
        let (outcome, report) = Fanout::new(1, 1024).call(stage, &request, input, &observer).await;
        Seen { outcome, report, host, heard, given: asset, language }
    }

    /// Panics if something else came of it.
    pub fn check(&self, seen: &Seen) {
        (self.expected)(seen);
    }
}

impl Seen {
    /// The file as the stage returned it. Panics if the stage failed.
    pub fn asset(&self) -> &Asset {
        match &self.outcome {
            Ok(CallOutput::Asset(asset)) => asset,
            other => panic!("no file came back: {other:?}"),
        }
    }

    /// Panics if the stage did not note these, by name, or noted others.
    pub fn noted(&self, expected: &[(&str, &str)]) {
        let noted: Vec<_> = self.asset().attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(noted, expected);
    }

    /// Panics if the call did not fail in this way, or if it left an effect.
    pub fn failed(&self, case: Case, message: &str) {
        let failure = self.outcome.as_ref().expect_err("the stage must fail");
        assert!(failure.case == case && failure.message.contains(message), "{failure:?}");
        assert_eq!(self.host.effects(), [], "a failed call leaves nothing");
    }

    /// The only object that was stored: key and bytes.
    pub fn stored(&self) -> (String, Bytes) {
        match self.host.effects().as_slice() {
            [Effect::Stored { key, bytes, .. }] => (key.clone(), bytes.clone()),
            other => panic!("{} effects", other.len()),
        }
    }
}
