//! A pipeline that is served, and its executions.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stagehost_tests::Serve;

/// How long an execution may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// `stagehost serve` over a folder of its own.
pub struct Served {
    serve: Serve,
    client: reqwest::Client,
    folder: tempfile::TempDir,
}

impl Served {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let serve = Serve::start(&folder.path().join("out")).unwrap();
        Self { serve, client: reqwest::Client::new(), folder }
    }

    /// Returns the bucket's folder.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join("out/toq-listing-medias")
    }

    /// Puts an object into the bucket, whole at once.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        let (beside, place) = (self.folder.path().join("beside"), self.bucket().join(key));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&beside, bytes).unwrap();
        std::fs::rename(beside, place).unwrap();
    }

    /// Starts an execution. Returns its ARN.
    pub async fn begin(&self, name: &str, batch: &Value) -> String {
        let machine = &self.serve.facts["stateMachineArn"];
        let body = json!({"stateMachineArn": machine, "name": name, "input": batch.to_string()});
        let started = self.states("StartExecution", body).await;
        started["executionArn"].as_str().unwrap_or_else(|| panic!("{started:#}")).to_owned()
    }

    /// Waits for the end of an execution. Returns the batch as it left it.
    pub async fn end(&self, arn: &str) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.states("DescribeExecution", json!({"executionArn": arn})).await;
            match found["status"].as_str() {
                Some("RUNNING") => {}
                Some("SUCCEEDED") => return serde_json::from_str(found["output"].as_str().unwrap()).unwrap(),
                _ => panic!("{found:#}"),
            }
            assert!(begun.elapsed() < PATIENCE, "{arn} still runs after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn states(&self, action: &str, body: Value) -> Value {
        let request = self.client.post(self.serve.endpoint());
        let request = request.header("x-amz-target", format!("AWSStepFunctions.{action}")).body(body.to_string());
        serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap()
    }
}

/// Returns the failures of a batch: of states, and of files by name.
pub fn failures(batch: &Value) -> Vec<String> {
    let states = batch["problems"].as_array().into_iter().flatten();
    let states = states.map(|problem| format!("{}: {} {}", problem["state"], problem["code"], problem["message"]));
    let files = batch["assets"].as_array().into_iter().flatten().filter(|asset| !asset["problem"].is_null());
    let files = files.map(|asset| {
        let name = asset["key"].as_str().unwrap().rsplit('/').next().unwrap();
        format!("{name}: {}", asset["problem"]["code"].as_str().unwrap())
    });
    states.chain(files).collect()
}
