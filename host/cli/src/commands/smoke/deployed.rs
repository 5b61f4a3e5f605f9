//! The deployed stack, by the APIs of AWS.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use aws_config::BehaviorVersion;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use serde_json::{Value, json};
use stagehost_aws::{AwsOptions, Clients, KeptMessage, Queues};

use super::stack::Stack;

/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_secs(2);

/// How long other people's dead letters are hidden while they are looked at.
const HIDDEN_S: u32 = 30;

/// How many listings a run uses.
const LISTINGS: u64 = 4;

/// Clients for a stack, and the listings of this run.
pub struct Deployed {
    stack: Stack,
    s3: aws_sdk_s3::Client,
    states: aws_sdk_sfn::Client,
    queues: std::sync::Arc<Queues>,
    patience: Duration,
    /// The first listing: the milliseconds since 1970, so that no two runs meet.
    first: u64,
}

impl Deployed {
    /// Opens the clients with the credentials and endpoints of the environment. Nothing is asked yet.
    ///
    /// # Errors
    /// If this machine's clock is before 1970.
    pub async fn open(stack: Stack, patience: Duration) -> Result<Self> {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let elsewhere = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].iter().any(|name| std::env::var_os(name).is_some());
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(elsewhere).build();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("this machine's clock is before 1970")?;
        Ok(Self {
            s3: aws_sdk_s3::Client::from_conf(s3),
            states: aws_sdk_sfn::Client::new(&config),
            queues: Clients::new(&config, AwsOptions::default()).queues(),
            patience,
            first: u64::try_from(now.as_millis())?,
            stack,
        })
    }

    /// Returns one of this run's listings.
    pub fn listing(&self, number: u64) -> u64 {
        self.first + number
    }

    /// Returns a `traceparent` of this run.
    pub fn traceparent(&self) -> String {
        // X-Ray wants the seconds since 1970 at the beginning of a trace's id.
        format!("00-{:08x}{:024x}-{:016x}-01", self.first / 1000, self.first, self.first)
    }

    /// Uploads files for a listing. Returns a batch of them.
    pub async fn batch(&self, number: u64, files: &[(&str, &'static [u8])]) -> Result<Value> {
        let mut keys = Vec::new();
        for &(name, bytes) in files {
            let key = format!("{}/raw/photo/horizontal/2026-01-02/{name}", self.listing(number));
            let put = self.s3.put_object().bucket(&self.stack.bucket).key(&key).content_type("image/jpeg");
            let sent = put.body(aws_sdk_s3::primitives::ByteStream::from_static(bytes)).send().await;
            sent.map_err(|error| anyhow::anyhow!("uploading {key}: {}", DisplayErrorContext(error)))?;
            keys.push(key);
        }
        Ok(json!({
            "listingId": self.listing(number), "batchId": 1, "jobId": 1, "assets": keys, "traceparent": self.traceparent()
        }))
    }

    /// Sends a message to the job queue.
    pub async fn send(&self, body: &str) -> Result<()> {
        Ok(self.queues.send_again(&self.stack.queue, body, &json!({}), 0).await?)
    }

    /// Starts an execution and stops it at once. Returns its ARN.
    pub async fn start_and_stop(&self, batch: &Value) -> Result<String> {
        let name = format!("smoke-{}", self.first);
        let started = self.states.start_execution().state_machine_arn(&self.stack.machine).name(name);
        let started = started.input(batch.to_string()).send().await;
        let arn =
            started.map_err(|error| anyhow::anyhow!("StartExecution: {}", DisplayErrorContext(error)))?.execution_arn;
        let stopped =
            self.states.stop_execution().execution_arn(&arn).error("Smoke").cause("stagehost smoke").send().await;
        stopped.map_err(|error| anyhow::anyhow!("StopExecution: {}", DisplayErrorContext(error)))?;
        Ok(arn)
    }

    /// Waits for the end of a batch's execution. One that has not begun yet is waited for too.
    pub async fn ended(&self, batch: &Value) -> Result<DescribeExecutionOutput> {
        let name = stagehost_batch::parse(batch).context("a batch of this command")?.execution_name();
        self.end_of(&self.stack.execution(&name)).await
    }

    /// Waits for the end of an execution.
    pub async fn end_of(&self, arn: &str) -> Result<DescribeExecutionOutput> {
        let begun = Instant::now();
        let mut seen = "has not begun";
        while begun.elapsed() < self.patience {
            match self.states.describe_execution().execution_arn(arn).send().await {
                Ok(found) if found.status().as_str() != "RUNNING" => return Ok(found),
                Ok(_) => seen = "still runs",
                Err(error) if error.as_service_error().is_some_and(|error| error.is_execution_does_not_exist()) => {}
                Err(error) => bail!("DescribeExecution of {arn}: {}", DisplayErrorContext(error)),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("after {} s the execution {seen}: {arn}", self.patience.as_secs())
    }

    /// Returns the states that an execution entered, in their order.
    pub async fn states_of(&self, arn: &str) -> Result<Vec<String>> {
        let mut states = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self.states.get_execution_history().execution_arn(arn).include_execution_data(false);
            let page = page.set_next_token(token).send().await;
            let page = page.map_err(|error| anyhow::anyhow!("GetExecutionHistory: {}", DisplayErrorContext(error)))?;
            let entered = page.events().iter().filter_map(|event| event.state_entered_event_details());
            states.extend(entered.map(|details| details.name().to_owned()));
            token = page.next_token;
            if token.is_none() {
                return Ok(states);
            }
        }
    }

    /// Returns the tags of an object, as `KEY=VALUE`.
    pub async fn tags(&self, key: &str) -> Result<Vec<String>> {
        let found = self.s3.get_object_tagging().bucket(&self.stack.bucket).key(key).send().await;
        let found = found.map_err(|error| anyhow::anyhow!("the tags of {key}: {}", DisplayErrorContext(error)))?;
        Ok(found.tag_set().iter().map(|tag| format!("{}={}", tag.key(), tag.value())).collect())
    }

    /// Returns how large an object is.
    pub async fn bytes(&self, key: &str) -> Result<i64> {
        let found = self.s3.head_object().bucket(&self.stack.bucket).key(key).send().await;
        let found = found.map_err(|error| anyhow::anyhow!("looking at {key}: {}", DisplayErrorContext(error)))?;
        found.content_length().context("S3 does not tell its size")
    }

    /// Waits for a message with each of these texts in the dead-letter queue, and deletes it. Others come back by themselves.
    pub async fn dead_letters(&self, texts: &[&str]) -> Vec<Result<String>> {
        let begun = Instant::now();
        let mut found: Vec<Option<String>> = vec![None; texts.len()];
        let mut failed = None;
        while found.contains(&None) && begun.elapsed() < self.patience {
            let messages = match self.queues.receive(&self.stack.dead_letters, HIDDEN_S).await {
                Ok(messages) => messages,
                Err(failure) => {
                    failed = Some(failure.to_string());
                    break;
                }
            };
            if messages.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
            for KeptMessage { body, receipt_handle } in messages {
                let Some(at) = texts.iter().position(|text| body.contains(text)) else { continue };
                if let Err(failure) = self.queues.delete(&self.stack.dead_letters, &receipt_handle).await {
                    failed = Some(failure.to_string());
                }
                found[at] = Some(body);
            }
        }
        let missing = failed.unwrap_or_else(|| format!("no such message after {} s", self.patience.as_secs()));
        found.into_iter().map(|body| body.with_context(|| missing.clone())).collect()
    }

    /// Deletes all versions of all objects of this run's listings. Returns how many there were.
    pub async fn clean_up(&self) -> Result<usize> {
        let mut deleted = 0;
        for number in 0..LISTINGS {
            let prefix = format!("{}/", self.listing(number));
            loop {
                let listed = self.s3.list_object_versions().bucket(&self.stack.bucket).prefix(&prefix).send().await;
                let listed =
                    listed.map_err(|error| anyhow::anyhow!("listing {prefix}: {}", DisplayErrorContext(error)))?;
                let versions = listed.versions().iter().map(|version| (version.key(), version.version_id()));
                let markers = listed.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
                let mut here = 0;
                for (key, version) in versions.chain(markers) {
                    let Some(key) = key else { continue };
                    ensure!(key.starts_with(&prefix), "{key} is not of this run");
                    let delete = self.s3.delete_object().bucket(&self.stack.bucket).key(key);
                    let gone = delete.set_version_id(version.map(str::to_owned)).send().await;
                    gone.map_err(|error| anyhow::anyhow!("deleting {key}: {}", DisplayErrorContext(error)))?;
                    here += 1;
                }
                deleted += here;
                if here == 0 {
                    break;
                }
            }
        }
        Ok(deleted)
    }
}
