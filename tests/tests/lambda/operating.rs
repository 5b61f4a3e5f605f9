//! What operators do with the command under a running function: publish stages, pin them, try them and take them back.

use std::path::Path;

use serde_json::{Value, json};
use stagehost_tests::package::{package, state};
use stagehost_tests::versions::{title, version};

use crate::desk::{Desk, validate};
use crate::surroundings::{Host, started_with};

const STATE: &str = "ValidateRawAssets";

/// A function that follows pins, and an operator's desk.
struct Operated {
    host: Host,
    desk: Desk,
}

impl Operated {
    /// Runs the package's pins, of revision 1. Version 0.2.0 of the stage is published: it answers with its own title.
    async fn new() -> Self {
        let desk = Desk::new(&package().unwrap().folder);
        let component = desk.path("version-2.wasm");
        std::fs::write(&component, version("version_asset", 2).unwrap()).unwrap();
        desk.publish(&component, "0.2.0");
        let host = started_with(package().unwrap(), |_| desk.environment("0")).await;
        Self { host, desk }
    }

    /// Has an execution validate one photo. Returns the version whose code answered, and the batch.
    async fn validated(&self, execution: &str) -> (String, Value) {
        self.host.function.forget_lines();
        let mut payload = state(STATE, self.host.one_photo(51));
        payload["execution"]["name"] = json!(execution);
        let answer = self.host.invoke(&payload).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}\n{:#?}", self.host.function.lines()));
        let metrics =
            self.host.function.line(|line| line.contains("\"DurationP95\"") && line.contains("\"Calls\"")).await;
        let metrics: Value = serde_json::from_str(&metrics.expect("no line of numbers")).unwrap();
        let version = match answer["assets"][0]["title"].as_str() {
            None => SHIPPED,
            Some(says) if says == title(2) => "0.2.0",
            Some(other) => panic!("{other:?} is no version of this test"),
        };
        assert_eq!(metrics["Version"], version, "the metrics name the version that answered");
        (version.to_owned(), answer)
    }

    async fn version(&self, execution: &str) -> String {
        self.validated(execution).await.0
    }

    fn change(&self, arguments: &[&str]) -> Value {
        self.desk.done(&[&["pins"], arguments, &["--why", "a test"]].concat())
    }
}

/// The release's own version.
const SHIPPED: &str = env!("CARGO_PKG_VERSION");

#[tokio::test]
async fn a_version_is_published_pinned_and_taken_back_under_running_executions() {
    let place = Operated::new().await;
    let (version, begun) = place.validated("first").await;
    assert_eq!((version.as_str(), &begun["revision"]), (SHIPPED, &json!(1)));

    let shown = place.change(&["set", STATE, "0.2.0", "--dry-run"]);
    assert_eq!(shown["dryRun"], true);
    assert!(shown["differences"].to_string().contains("0.2.0"), "{shown:#}");
    assert_eq!(place.version("second").await, SHIPPED, "a dry run changes nothing");

    assert_eq!(place.change(&["set", STATE, "0.2.0"])["revision"], 2);
    assert_eq!(place.version("third").await, "0.2.0");

    // A running execution keeps its revision until that is revoked.
    let goes_on = |batch: Value| async {
        let mut payload = state("GenerateThumbnails", batch);
        payload["execution"]["name"] = json!("first");
        place.host.invoke(&payload).await.unwrap()["revision"].as_u64().unwrap()
    };
    assert_eq!(goes_on(begun.clone()).await, 1);
    assert_eq!(place.change(&["rollback"])["revision"], 3);
    assert_eq!(place.version("fourth").await, SHIPPED);
    assert_eq!(goes_on(begun.clone()).await, 1);
    assert_eq!(place.change(&["revoke", "1"])["revision"], 4);
    assert_eq!(goes_on(begun).await, 4);

    let history = place.desk.done(&["pins", "history"]);
    let revisions: Vec<_> =
        history.as_array().unwrap().iter().map(|entry| entry["revision"].as_u64().unwrap()).collect();
    assert_eq!(revisions, [4, 3, 2, 1]);
    assert_eq!(history[2]["change"]["by"], "operator");
}

#[tokio::test]
async fn a_canary_answers_for_some_executions_until_it_is_promoted_or_ended() {
    let place = Operated::new().await;
    place.change(&["canary", STATE, "0.2.0", "--percent", "50"]);
    let mut versions = Vec::new();
    for number in 0..12 {
        let execution = format!("listing-51-batch-{number}");
        let version = place.version(&execution).await;
        assert_eq!(version, place.version(&execution).await, "all calls of an execution get the same version");
        versions.push(version);
    }
    assert!(versions.contains(&SHIPPED.to_owned()) && versions.contains(&"0.2.0".to_owned()), "{versions:?}");
    place.change(&["abort", STATE]);
    assert_eq!(place.version("listing-51-batch-0").await, SHIPPED);
    place.change(&["canary", STATE, "0.2.0", "--percent", "1"]);
    place.change(&["promote", STATE]);
    assert_eq!(place.version("listing-51-batch-0").await, "0.2.0");
}

#[tokio::test]
async fn a_shadow_is_compared_and_a_recorded_call_is_replayed_without_aws() {
    let place = Operated::new().await;
    place.change(&["shadow", STATE, "0.2.0"]);
    assert_eq!(place.version("watched").await, SHIPPED, "a shadow does not answer");
    let bucket = place.host.object("").display().to_string();
    let report = place.desk.done(&["pins", "shadow-report", STATE, "--bucket", &bucket]);
    assert!(report.to_string().contains("0.2.0"), "{report:#}");
    place.change(&["shadow", STATE, "--off"]);

    place.change(&["record", STATE, "--percent", "100"]);
    place.version("recorded").await;
    let records = place.host.object("pipeline/records");
    assert!(records.is_dir(), "nothing was recorded");
    assert_without(&records, place.host.aws.webhook_secret());
    let stages = validate().parent().unwrap().display().to_string();
    let replayed = place.desk.done(&["replay", &records.display().to_string(), "--stages", &stages]);
    assert_eq!((&replayed["same"], &replayed["different"]), (&json!(1), &json!(0)), "{replayed:#}");
}

/// No file below the folder has this text, and there is one at least.
fn assert_without(folder: &Path, secret: &str) {
    let (mut folders, mut files) = (vec![folder.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(secret.len()).any(|text| text == secret.as_bytes()), "{}", path.display());
        }
    }
    assert!(files > 0, "nothing was recorded");
}

#[tokio::test]
async fn untrusted_stages_and_pins_are_refused_by_the_command_and_by_the_function() {
    let place = Operated::new().await;
    let set = ["pins", "set", STATE, "0.2.0", "--why", "a test"];
    assert!(place.desk.refused(&["pins", "set", STATE, "9.9.9", "--why", "a test"]).contains("9.9.9"));
    assert!(place.desk.refused(&["pins", "set", "NoState", "0.2.0", "--why", "a test"]).contains("NoState"));

    // It is compiled for this machine only, so hosts with the other processor would refuse it.
    let said = place.desk.refused(&[set.as_slice(), &["--target", "x86_64,arm64"]].concat());
    assert!(said.contains("x86_64 and arm64") && said.contains("stage recompile validate@0.2.0"), "{said}");
    let checked = place.desk.done(&[set.as_slice(), &["--dry-run"]].concat())["checks"].to_string();
    assert!(checked.contains("for this stagehost's engine (wasmtime-"), "{checked}");

    place.desk.done(&["stage", "yank", "validate@0.2.0", "--reason", "writes nonsense"]);
    let said = place.desk.refused(&set);
    assert!(said.contains("writes nonsense"), "{said}");

    // Another version, whose manifest is replaced afterwards.
    place.desk.publish(&validate(), "0.3.0");
    let manifest = place.desk.path("registry/stages/validate/0.3.0/manifest.json");
    let good = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, std::fs::read(place.desk.path("registry/stages/validate/0.2.0/manifest.json")).unwrap())
        .unwrap();
    let said = place.desk.refused(&["pins", "set", STATE, "0.3.0", "--why", "a test"]);
    assert!(said.contains("0.3.0") && said.contains("0.2.0"), "{said}");
    assert_eq!(place.version("still").await, SHIPPED);
    std::fs::write(&manifest, good).unwrap();

    // Signed by a key that the command trusts, since it is its own, and the function does not.
    place.desk.done(&["keys", "new", "stranger"]);
    place.desk.done(&["pins", "set", STATE, "0.3.0", "--why", "a test", "--key", "stranger"]);
    place.host.function.forget_lines();
    assert_eq!(place.version("after").await, SHIPPED);
    let refused = place.host.function.line(|line| line.contains("pins refused")).await.expect("no refusal in the log");
    assert!(refused.contains("not trusted"), "{refused}");
    place.host.assert_healthy().await;
}
