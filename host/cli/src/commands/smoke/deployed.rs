//! The deployed stack, by the APIs of AWS.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use aws_config::BehaviorVersion;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::HistoryEvent;
use serde_json::{Value, json};
use stagehost_aws::{AwsOptions, Clients, CloudWatch, KeptMessage, Queues};
use stagehost_storage::sdk_reason;

use super::stack::Stack;

/// How long to wait between two looks.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// How long other people's dead letters are hidden while they are looked at.
const HIDDEN_S: u32 = 30;

/// A file to upload.
#[derive(Clone, Debug)]
pub struct SampleFile {
    /// Its name.
    pub name: &'static str,
    media_type: &'static str,
    content_type: &'static str,
    /// What it contains.
    pub bytes: Cow<'static, [u8]>,
}

impl SampleFile {
    /// Returns a JPEG.
    pub const fn photo(name: &'static str, bytes: &'static [u8]) -> Self {
        let (media_type, content_type) = ("photo/horizontal", "image/jpeg");
        Self { name, media_type, content_type, bytes: Cow::Borrowed(bytes) }
    }

    /// Returns an MP4.
    pub const fn film(name: &'static str, bytes: Cow<'static, [u8]>) -> Self {
        Self { name, media_type: "video/horizontal", content_type: "video/mp4", bytes }
    }
}

/// Clients for a stack, and the listings of this run.
pub struct Deployed {
    pub(super) stack: Stack,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) states: aws_sdk_sfn::Client,
    queues: std::sync::Arc<Queues>,
    pub(super) cloudwatch: CloudWatch,
    pub(super) patience: Duration,
    /// When the run began.
    pub(super) begun: SystemTime,
    /// The first listing: the milliseconds since 1970, so that no two runs meet.
    first: u64,
    /// How many listings have files.
    listings: AtomicU64,
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
            cloudwatch: CloudWatch::beside(&config, &stack.machine)
                .context("the output StateMachineArn is not an ARN")?,
            s3: aws_sdk_s3::Client::from_conf(s3),
            begun: SystemTime::now(),
            listings: AtomicU64::new(0),
            states: aws_sdk_sfn::Client::new(&config),
            queues: Clients::new(&config, AwsOptions::default()).queues(),
            patience,
            first: u64::try_from(now.as_millis())?,
            stack,
        })
    }

    /// Returns the first of this run's listings; the others follow it.
    pub fn first_listing(&self) -> u64 {
        self.first
    }

    /// Returns all listings that have files.
    pub fn listings(&self) -> std::ops::Range<u64> {
        self.first..self.first + self.listings.load(Ordering::Relaxed)
    }

    /// Returns a `traceparent` of this run.
    pub fn traceparent(&self) -> String {
        // X-Ray wants the seconds since 1970 at the beginning of a trace's id.
        format!("00-{:08x}{:024x}-{:016x}-01", self.first / 1000, self.first, self.first)
    }

    /// Uploads files for the next listing. Returns a batch of them.
    pub async fn batch(&self, files: &[SampleFile]) -> Result<Value> {
        let listing = self.first + self.listings.fetch_add(1, Ordering::Relaxed);
        let mut keys = Vec::new();
        for SampleFile { name, media_type, content_type, bytes } in files {
            let key = format!("{listing}/raw/{media_type}/2026-01-02/{name}");
            let put = self.s3.put_object().bucket(&self.stack.bucket).key(&key).content_type(*content_type);
            let sent = put.body(bytes.to_vec().into()).send().await;
            sent.map_err(|error| anyhow::anyhow!("uploading {key}: {}", sdk_reason(&error)))?;
            keys.push(key);
        }
        Ok(json!({
            "listingId": listing, "batchId": 1, "jobId": 1, "assets": keys, "traceparent": self.traceparent()
        }))
    }

    /// Sends a message to the job queue.
    pub async fn send(&self, body: &str) -> Result<()> {
        Ok(self.queues.send_again(&self.stack.queue, body, &json!({}), 0).await?)
    }

    /// Starts the execution of a batch without the queue. Returns its ARN.
    pub async fn start(&self, batch: &Value) -> Result<String> {
        let started = self.states.start_execution().state_machine_arn(&self.stack.machine).name(name_of(batch)?);
        let started = started.input(batch.to_string()).send().await;
        let started = started.map_err(|error| anyhow::anyhow!("StartExecution: {}", sdk_reason(&error)))?;
        Ok(started.execution_arn)
    }

    /// Stops an execution.
    pub async fn stop(&self, arn: &str) -> Result<()> {
        let stopped =
            self.states.stop_execution().execution_arn(arn).error("Smoke").cause("stagehost smoke").send().await;
        stopped.map_err(|error| anyhow::anyhow!("StopExecution: {}", sdk_reason(&error)))?;
        Ok(())
    }

    /// Waits for the end of a batch's execution. One that has not begun yet is waited for too.
    pub async fn ended(&self, batch: &Value) -> Result<DescribeExecutionOutput> {
        self.end_of(&self.stack.execution(&name_of(batch)?)).await
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
                Err(error) => bail!("DescribeExecution of {arn}: {}", sdk_reason(&error)),
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("after {} s the execution {seen}: {arn}", self.patience.as_secs())
    }

    /// Returns the states that an execution entered, in their order.
    pub async fn states_of(&self, arn: &str) -> Result<Vec<String>> {
        let entered = |event: &HistoryEvent| Some(event.state_entered_event_details()?.name().to_owned());
        Ok(self.history(arn).await?.iter().filter_map(entered).collect())
    }

    /// Returns the errors of an execution's failed tasks, in their order.
    pub async fn errors_of(&self, arn: &str) -> Result<Vec<String>> {
        let failed = |event: &HistoryEvent| Some(event.task_failed_event_details()?.error()?.to_owned());
        Ok(self.history(arn).await?.iter().filter_map(failed).collect())
    }

    async fn history(&self, arn: &str) -> Result<Vec<HistoryEvent>> {
        let mut events = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = self.states.get_execution_history().execution_arn(arn).include_execution_data(false);
            let page = page.set_next_token(token).send().await;
            let page = page.map_err(|error| anyhow::anyhow!("GetExecutionHistory: {}", sdk_reason(&error)))?;
            events.extend(page.events);
            token = page.next_token;
            if token.is_none() {
                return Ok(events);
            }
        }
    }

    /// Returns the tags of an object, as `KEY=VALUE`.
    pub async fn tags(&self, key: &str) -> Result<Vec<String>> {
        let found = self.s3.get_object_tagging().bucket(&self.stack.bucket).key(key).send().await;
        let found = found.map_err(|error| anyhow::anyhow!("the tags of {key}: {}", sdk_reason(&error)))?;
        Ok(found.tag_set().iter().map(|tag| format!("{}={}", tag.key(), tag.value())).collect())
    }

    /// Returns the size of an object in bytes.
    pub async fn bytes(&self, key: &str) -> Result<i64> {
        let found = self.s3.head_object().bucket(&self.stack.bucket).key(key).send().await;
        let found = found.map_err(|error| anyhow::anyhow!("looking at {key}: {}", sdk_reason(&error)))?;
        found.content_length().context("S3 does not say how large the object is")
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
}

/// Returns the name that the queue's consumer gives to a batch's execution.
fn name_of(batch: &Value) -> Result<String> {
    Ok(stagehost_batch::parse(batch).context("a batch of this command")?.execution_name())
}
