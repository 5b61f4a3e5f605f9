//! An operator's day: stages are published, pinned, tried and taken back by the command, under a running function.

use serde_json::{Value, json};
use stagehost_tests::package::{package, state};

use crate::desk::{Desk, validate};
use crate::surroundings::{Host, started_with};

const STATE: &str = "ValidateRawAssets";

/// A function that follows pins, and what an operator has beside it.
struct Operated {
    host: Host,
    desk: Desk,
}

impl Operated {
    /// Runs the package's pins, of revision 1, and has version 0.2.0 of a stage published.
    async fn new() -> Self {
        let desk = Desk::new(&package().unwrap().folder);
        desk.publish(&validate(), "0.2.0");
        let host = started_with(package().unwrap(), |_| desk.environment("0")).await;
        Self { host, desk }
    }

    /// Has an execution validate one photo: the version that did, and the batch.
    async fn validated(&self, execution: &str) -> (String, Value) {
        self.host.function.forget_lines();
        let mut payload = state(STATE, self.host.one_photo(51));
        payload["execution"]["name"] = json!(execution);
        let answer = self.host.invoke(&payload).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}\n{:#?}", self.host.function.lines()));
        let metrics = self.host.function.line(|line| line.contains("\"_aws\"") && line.contains("\"Calls\"")).await;
        let metrics: Value = serde_json::from_str(&metrics.expect("no metrics")).unwrap();
        (metrics["Version"].as_str().unwrap().to_owned(), answer)
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

    // What has begun goes on with its revision, and can be made to stop doing so.
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
        assert_eq!(version, place.version(&execution).await, "an execution stays on its side");
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
async fn a_shadow_is_compared_and_a_recorded_call_is_made_again_without_aws() {
    let place = Operated::new().await;
    place.change(&["shadow", STATE, "0.2.0"]);
    assert_eq!(place.version("watched").await, SHIPPED, "a shadow is never heard");
    let bucket = place.host.object("").display().to_string();
    let report = place.desk.done(&["pins", "shadow-report", STATE, "--bucket", &bucket]);
    assert!(report.to_string().contains("0.2.0"), "{report:#}");
    place.change(&["shadow", STATE, "--off"]);

    place.change(&["record", STATE, "--percent", "100"]);
    place.version("recorded").await;
    let records = place.host.object("pipeline/records");
    assert!(records.is_dir(), "nothing was recorded");
    let stages = validate().parent().unwrap().display().to_string();
    place.desk.done(&["replay", &records.display().to_string(), "--stages", &stages]);
    let recorded = place.desk.run(&["replay", &records.display().to_string(), "--stages", &stages]);
    assert!(!String::from_utf8_lossy(&recorded.stdout).contains(place.host.aws.webhook_secret()));
}

#[tokio::test]
async fn what_cannot_be_trusted_is_refused_by_the_command_and_by_the_function() {
    let place = Operated::new().await;
    let set = ["pins", "set", STATE, "0.2.0", "--why", "a test"];
    assert!(place.desk.refused(&["pins", "set", STATE, "9.9.9", "--why", "a test"]).contains("9.9.9"));
    assert!(place.desk.refused(&["pins", "set", "NoState", "0.2.0", "--why", "a test"]).contains("NoState"));

    // Compiled for this machine only: hosts with the other processor would refuse it.
    let said = place.desk.refused(&[set.as_slice(), &["--target", "x86_64,arm64"]].concat());
    assert!(said.contains("x86_64 and arm64") && said.contains("stage recompile validate@0.2.0"), "{said}");
    let checked = place.desk.done(&[set.as_slice(), &["--dry-run"]].concat())["checks"].to_string();
    assert!(checked.contains("for this stagehost's engine (wasmtime-"), "{checked}");

    place.desk.done(&["stage", "yank", "validate@0.2.0", "--reason", "writes nonsense"]);
    let said = place.desk.refused(&set);
    assert!(said.contains("writes nonsense"), "{said}");

    // Another version, of which somebody changes the manifest afterwards.
    place.desk.publish(&validate(), "0.3.0");
    let manifest = place.desk.path("registry/stages/validate/0.3.0/manifest.json");
    let good = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, std::fs::read(place.desk.path("registry/stages/validate/0.2.0/manifest.json")).unwrap())
        .unwrap();
    let said = place.desk.refused(&["pins", "set", STATE, "0.3.0", "--why", "a test"]);
    assert!(said.contains("0.3.0") && said.contains("0.2.0"), "{said}");
    assert_eq!(place.version("still").await, SHIPPED);
    std::fs::write(&manifest, good).unwrap();

    // By a key that the function does not trust: the command, whose key it is, lets it pass; the function does not.
    place.desk.done(&["keys", "new", "stranger"]);
    place.desk.done(&["pins", "set", STATE, "0.3.0", "--why", "a test", "--key", "stranger"]);
    place.host.function.forget_lines();
    assert_eq!(place.version("after").await, SHIPPED);
    let refused = place.host.function.line(|line| line.contains("pins refused")).await.expect("nobody is told");
    assert!(refused.contains("not trusted"), "{refused}");
    place.host.assert_healthy().await;
}
