//! The contract on a real host: its interfaces about the call, and components of other versions.
#![allow(clippy::unwrap_used)]

#[path = "../fixtures/calling.rs"]
mod calling;
#[path = "../fixtures/offline.rs"]
mod offline;
#[path = "../fixtures/secret_service.rs"]
mod secret_service;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use calling::{KEY, TRACE, call_of, one_photo};
use secret_service::{capabilities, secret_for, service};
use stagehost_batch::Asset;
use stagehost_record::{CallRecorder, RecordBudget, RecordLimits};
use stagehost_runtime::capability::Capabilities;
use stagehost_runtime::{
    AssetEvent, CallRequest, Fanout, FanoutRequest, Grants, HttpSecret, Measure, MeasuredValue, Observer, Stage,
    StageEngine, StageIdentity, StageLogLevel, World,
};
use stagehost_storage::Folder;
use stagehost_tests::{file, guest};

/// What a stage logged and measured.
#[derive(Default)]
struct Heard {
    /// Whether lines of the levels debug and trace are left out.
    brief: bool,
    lines: Mutex<Vec<(StageLogLevel, String)>>,
    measures: Mutex<Vec<Measure>>,
}

impl Observer for Heard {
    fn on(&self, event: AssetEvent<'_>) {
        match event {
            AssetEvent::Logged { scope, key, line } => {
                assert_eq!((&*scope.state, key), ("Tell", Some(KEY)));
                self.lines.lock().unwrap().push((line.level, line.message.to_owned()));
            }
            AssetEvent::Measured { measures, .. } => self.measures.lock().unwrap().extend_from_slice(measures),
            _ => {}
        }
    }

    fn keeps(&self, level: StageLogLevel) -> bool {
        !self.brief || !matches!(level, StageLogLevel::Debug | StageLogLevel::Trace)
    }
}

fn load(component: &[u8]) -> Result<Arc<Stage>, String> {
    let digest = StageIdentity::digest_of(component);
    let identity = StageIdentity { name: "teller".into(), version: "1.0.0".into(), digest };
    let stage = Stage::compile(&StageEngine::new().unwrap(), identity, World::Custom, component);
    stage.map(Arc::new).map_err(|error| error.to_string())
}

async fn call(stage: &Arc<Stage>, config: &str, observer: Arc<Heard>) -> Asset {
    let capabilities = offline::clients().capabilities().unwrap();
    call_with(stage, config, observer, Grants::default(), capabilities, &Fanout::new(1, 64)).await
}

async fn call_with(
    stage: &Arc<Stage>,
    config: &str,
    observer: Arc<Heard>,
    grants: Grants,
    capabilities: Capabilities,
    fanout: &Fanout,
) -> Asset {
    let batch = one_photo();
    let call = CallRequest { config: config.into(), grants, ..call_of(stage, &batch, capabilities) };
    let request = FanoutRequest { call, transient_fails: false };
    let outcome = fanout.run(stage.clone(), request, batch, observer).await.unwrap();
    outcome.batch.assets.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_stage_learns_of_its_call_and_tells_by_attributes_lines_and_numbers() {
    let teller = load(&std::fs::read(guest("teller").unwrap()).unwrap()).unwrap();
    let heard = Arc::new(Heard::default());
    let told = call(&teller, r#"{"a":1}"#, heard.clone()).await;
    assert_eq!(told.problem, None);
    let mut facts: BTreeMap<_, _> = told.attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
    let remaining: u64 = facts.remove("remaining").unwrap().parse().unwrap();
    assert!((1..=60_000).contains(&remaining), "{remaining}");
    let expected = [
        ("attempt", "2"),
        ("config", r#"{"a":1}"#),
        ("execution", "arn:aws:states:us-east-1:000000000000:execution:m:e"),
        ("started-at", "2026-01-01T00:00:00Z"),
        ("state", "Tell"),
        ("trace", TRACE),
    ];
    assert_eq!(facts.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(*heard.lines.lock().unwrap(), [(StageLogLevel::Warn, format!("{KEY} has no profile"))]);
    let measures = [
        Measure { name: "faces".into(), value: MeasuredValue::Count(3) },
        Measure { name: "decode".into(), value: MeasuredValue::Milliseconds(vec![1.5]) },
    ];
    assert_eq!(*heard.measures.lock().unwrap(), measures);
}

#[tokio::test]
async fn what_one_call_logs_is_bounded_and_a_wrong_attribute_fails_its_file() {
    let teller = load(&std::fs::read(guest("teller").unwrap()).unwrap()).unwrap();
    let heard = Arc::new(Heard::default());
    let told = call(&teller, r#"{"flood":true}"#, heard.clone()).await;
    assert_eq!(heard.lines.lock().unwrap().len(), 1000);
    assert_eq!(*heard.measures.lock().unwrap(), [Measure { name: "lines".into(), value: MeasuredValue::Count(2000) }]);
    let problem = told.problem.unwrap();
    assert_eq!(problem.code, "Stage.Internal");
    assert!(problem.message.contains("\"two words\" cannot be accepted"), "{}", problem.message);
}

#[tokio::test]
async fn lines_below_the_operators_level_are_left_out() {
    let teller = load(&std::fs::read(guest("teller").unwrap()).unwrap()).unwrap();
    let heard = Arc::new(Heard { brief: true, ..Heard::default() });
    call(&teller, r#"{"flood":true}"#, heard.clone()).await;
    assert_eq!(heard.lines.lock().unwrap().len(), 0);
    call(&teller, "{}", heard.clone()).await;
    assert_eq!(heard.lines.lock().unwrap().len(), 1, "a warning");
}

/// Calls the service at `path` with the grants, and records the call. Returns the asset and all files of the record.
async fn ask(address: &str, path: &str, grants: Grants) -> (Asset, String) {
    let teller = load(&std::fs::read(guest("teller").unwrap()).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::new(Folder::new(folder.path()));
    let recorder = CallRecorder::storing(sink, RecordLimits::default(), RecordBudget::default());
    let fanout = Fanout::new(1, 64).intercepted(Arc::new(recorder));
    let address = format!(r#"{{"url": "http://{address}{path}"}}"#);
    let told = call_with(&teller, &address, Arc::default(), grants, capabilities(), &fanout).await;
    (told, everything_in(folder.path()))
}

fn everything_in(folder: &Path) -> String {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| match path.is_dir() {
            true => everything_in(&path),
            false => String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned(),
        })
        .collect()
}

#[tokio::test]
async fn a_service_gets_the_secret_of_the_pin_and_neither_the_stage_nor_the_record_sees_it() {
    let address = service(KEY).await;
    let granted = |secrets: Vec<HttpSecret>| Grants { http: vec![address.clone()], secrets, ..Grants::default() };
    let secret = secret_for(&address);

    let (told, record) = ask(&address, "/", granted(vec![secret.clone()])).await;
    assert_eq!((told.problem.as_ref(), told.attributes["body"].as_str()), (None, "welcome"));
    assert!(record.contains("chat-token") && !record.contains("hunter2"), "{record}");

    let (told, _) = ask(&address, "/", granted(Vec::new())).await;
    assert_eq!(told.attributes["body"], "who are you");

    let (told, record) = ask(&address, "/echo", granted(vec![secret])).await;
    let problem = told.problem.unwrap();
    assert_eq!(problem.code, "Stage.Denied");
    assert!(!problem.message.contains("hunter2") && !record.contains("hunter2"), "{problem:?}");
}

fn frozen(name: &str) -> Vec<u8> {
    std::fs::read(file("tests/frozen").join(name)).unwrap()
}

#[tokio::test]
async fn components_built_for_1_0_and_for_a_later_minor_version_run_on_one_host() {
    for (name, version) in [("for-1.0.0.wasm", "1.0.0"), ("for-1.1.0.wasm", "1.1.0")] {
        let component = frozen(name);
        let names = stagehost_runtime::names_of(&component).unwrap();
        let imported = format!("toq:media/objects@{version}");
        assert!(names.imports.contains(&imported), "{name} was rebuilt: {:?}", names.imports);
        let heard = Arc::new(Heard::default());
        let told = call(&load(&component).unwrap(), "{}", heard.clone()).await;
        assert_eq!(told.problem, None, "{name}");
        assert_eq!(told.title, Some(format!("built for {version}, called by Tell")));
        assert_eq!(*heard.lines.lock().unwrap(), [(StageLogLevel::Info, format!("built for {version}"))]);
    }
}

#[test]
fn a_component_that_uses_what_a_later_version_added_is_refused() {
    let refused = load(&frozen("uses-1.1.0.wasm")).unwrap_err();
    assert!(refused.contains("toq:media/call@1.1.0") && refused.contains("region"), "{refused}");
}

#[test]
fn other_major_versions_are_refused_with_one_sentence() {
    for version in ["0.9.0", "2.0.0"] {
        // Names of interfaces have the same length in every version.
        let component = replaced(frozen("for-1.0.0.wasm"), b"@1.0.0", format!("@{version}").as_bytes());
        let refused = load(&component).unwrap_err();
        let sentence = format!(
            "the stage teller does not fit the world custom: the component: built for version {version} of the contract \
             toq:media; this host serves 1.0.0; rebuild against the wit/ folder of this host, or use a newer host"
        );
        assert_eq!(refused, sentence);
    }
}

/// Returns the bytes with every `from` behind the contract's name replaced.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let package = b"toq:media/";
    let starts: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(package)).collect();
    for start in starts {
        let name = &bytes[start..bytes.len().min(start + 60)];
        if let Some(at) = name.windows(from.len()).position(|part| part == from) {
            bytes[start + at..start + at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}
