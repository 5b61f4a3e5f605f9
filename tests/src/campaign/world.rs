//! Everything around the function for one seed: the local services, the stand-ins, the queue, and the batches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use serde_json::Value;
use stagehost_asl::{Execution, Status};
use stagehost_local::receiver::Callback;
use stagehost_local::{LocalAws, LocalOptions};
use stagehost_states::NewMachine;

use super::arrival::Arrival;
use super::bite::Bite;
use super::listing::{self, files};
use super::log::Log;
use super::machine;
use super::plan::Plan;
use super::pool::Pool;
use super::queue::Queue;
use super::shared::Shared;
use super::stand_ins::{Job, Listening, StandIns};
use crate::package::{ACCOUNT, package};

/// The state machine's name, as the function knows it.
const MACHINE: &str = "listing-media-processing-sm-test";
/// How long all executions of a seed may take. The longest retries take a quarter of it.
const PATIENCE: Duration = Duration::from_secs(240);

/// The world of one seed.
pub(super) struct World {
    pub(super) aws: LocalAws,
    pub(super) shared: Arc<Shared>,
    pub(super) stand_ins: StandIns,
    pub(super) queue: Queue,
    pub(super) pool: Pool,
    /// A client that no proxy disturbs.
    pub(super) s3: aws_sdk_s3::Client,
    _listening: Listening,
    _folder: tempfile::TempDir,
}

/// An object as the bucket has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) bytes: Bytes,
    pub(super) etag: String,
}

impl World {
    /// Starts the services and uploads the files of all batches.
    pub(super) async fn start(plan: Plan, bite: Option<Bite>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut options = LocalOptions::new(folder.path().join("out"));
        let temporary = folder.path().join("tmp");
        std::fs::create_dir(&temporary)?;
        options.trace_header = "traceparent".into();
        let aws = LocalAws::start(options).await?;
        let stand_ins = StandIns::new(aws.webhook_secret().to_owned());
        let listening = stand_ins.listen().await?;
        let shared =
            Arc::new(Shared { plan, log: Log::new(), local: aws.address(), stand_ins: listening.address, bite });
        let bucket = aws.options().bucket.clone();
        let pool = Pool::new(shared.clone(), package()?, bucket.clone(), temporary);
        aws.set_function(Arc::new(pool.clone()));
        aws.states()
            .create_state_machine(NewMachine {
                name: MACHINE.into(),
                definition: machine::definition(bite)?,
                role_arn: format!("arn:aws:iam::{ACCOUNT}:role/test"),
                ..Default::default()
            })
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let s3 = client(&aws.endpoint());
        stand_ins.connect(shared.clone(), pool.clone(), s3.clone(), bucket);
        let queue = Queue::new(shared.clone(), pool.clone());
        let world = Self { aws, shared, stand_ins, queue, pool, s3, _listening: listening, _folder: folder };
        world.upload().await?;
        Ok(world)
    }

    fn bucket(&self) -> &str {
        &self.aws.options().bucket
    }

    async fn upload(&self) -> Result<()> {
        let mut done = BTreeSet::new();
        for arrival in self.shared.plan.arrivals() {
            for file in files(arrival.variant)? {
                let key = format!("{}/{}", arrival.listing, file.path);
                if !done.insert(key.clone()) {
                    continue;
                }
                let body = ByteStream::from(file.bytes.clone());
                let put =
                    self.s3.put_object().bucket(self.bucket()).key(&key).content_type(file.content_type).body(body);
                put.send().await.with_context(|| format!("uploading {key}"))?;
            }
        }
        Ok(())
    }

    /// Sends the messages of all batches and waits until everything has come to rest. Returns what did not in time.
    ///
    /// # Errors
    /// If a sample is missing.
    pub(super) async fn run(&self, retry: u32) -> Result<Option<String>> {
        let mut sending = tokio::task::JoinSet::new();
        for arrival in self.shared.plan.arrivals() {
            let message = listing::message(*arrival, retry, files(arrival.variant)?);
            let (queue, id) = (self.queue.clone(), format!("job-{}-retry-{retry}", arrival.job));
            let delivery = self.shared.plan.delivery(arrival.job);
            sending.spawn(async move { queue.send(&id, &message, delivery).await });
        }
        let all = async {
            while sending.join_next().await.is_some() {}
            for execution in self.aws.states().executions(None) {
                execution.wait().await;
            }
            self.stand_ins.rest().await;
            self.pool.rest().await;
        };
        if tokio::time::timeout(PATIENCE, all).await.is_ok() {
            return Ok(None);
        }
        let running = self.aws.states().executions(None).into_iter().filter(|one| one.status() == Status::Running);
        let names: Vec<_> = running.map(|execution| execution.info().name.clone()).collect();
        Ok(Some(format!("not at rest after {PATIENCE:?}; still running: [{}]", names.join(", "))))
    }

    /// Returns the execution of a batch, if it was started.
    pub(super) fn execution(&self, arrival: Arrival, retry: u32) -> Vec<Execution> {
        let wanted = |execution: &Execution| {
            let input = &execution.info().input;
            input["jobId"] == arrival.job && input["listingId"] == arrival.listing && input["retry"] == retry
        };
        self.aws.states().executions(None).into_iter().filter(wanted).collect()
    }

    /// Returns the accepted callbacks of an execution.
    pub(super) fn callbacks(&self, execution: &Execution) -> Vec<Callback> {
        let arn = &execution.info().arn;
        self.aws.receiver().callbacks().into_iter().filter(|callback| callback.body.execution_arn == *arn).collect()
    }

    /// Returns the results that were kept in the dead-letter queue for an execution.
    pub(super) async fn letters(&self, execution: &Execution) -> Result<Vec<Value>> {
        let arn = &execution.info().arn;
        let letters = self.aws.receiver().dead_letters().await?;
        Ok(letters.into_iter().filter(|letter| letter["attributes"].to_string().contains(arn.as_str())).collect())
    }

    /// Returns all objects of the bucket.
    pub(super) async fn objects(&self) -> Result<BTreeMap<String, Stored>> {
        let mut objects = BTreeMap::new();
        let mut pages = self.s3.list_objects_v2().bucket(self.bucket()).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page?.contents() {
                let key = object.key().unwrap_or_default().to_owned();
                let got = self.s3.get_object().bucket(self.bucket()).key(&key).send().await;
                let got = got.with_context(|| format!("reading {key}"))?;
                let etag = got.e_tag().unwrap_or_default().trim_matches('"').to_owned();
                objects.insert(key, Stored { bytes: got.body.collect().await?.into_bytes(), etag });
            }
        }
        Ok(objects)
    }

    /// Returns the keys of unfinished multipart uploads.
    pub(super) async fn uploads(&self) -> Result<Vec<String>> {
        let listed = self.s3.list_multipart_uploads().bucket(self.bucket()).send().await?;
        Ok(listed.uploads().iter().filter_map(|upload| upload.key().map(str::to_owned)).collect())
    }

    /// Returns the jobs that were accepted, and will be paid.
    pub(super) fn jobs(&self) -> Vec<Job> {
        self.stand_ins.jobs()
    }

    /// Stops everything.
    pub(super) async fn end(self) {
        self.pool.end();
        self.aws.shutdown().await;
    }
}

fn client(endpoint: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "campaign"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
