//! The jobs, and the operations on them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::error::ApiError;
use crate::events::{Change, EventSink, event};
use crate::ffmpeg::Tools;
use crate::job::{Job, JobError, JobStatus, Made, Phase, epoch, new_id};
use crate::node::{Node, missing};
use crate::runner;
use crate::settings::Plan;
use crate::storage::Storage;
use crate::wire;

/// Finished jobs beyond this number are forgotten, the oldest first.
const REMEMBERED: usize = 10_000;
/// Characters of a key or value of a job's metadata.
const LONGEST_METADATA: usize = 256;
/// Jobs that may wait.
const WAITING: usize = 1_000;

/// How the service behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Region in ARNs and events.
    pub region: String,
    /// Account in ARNs and events, twelve digits.
    pub account: String,
    /// ffmpeg and ffprobe.
    pub tools: Tools,
    /// Jobs worked on at once.
    pub concurrency: usize,
    /// Threads that one decoder or encoder may use.
    pub threads: u32,
    /// For each run of a program.
    pub timeout: Duration,
    /// Bytes of address space for a program (Linux).
    pub memory: u64,
    /// Bytes of one output (Linux).
    pub largest_output: u64,
    /// Time between two `STATUS_UPDATE` events in place of what jobs ask for, which is 10 s at least: for somebody who
    /// watches.
    pub update_interval: Option<Duration>,
    /// Job templates by name: the settings as the API, CloudFormation or the console's export spell them.
    pub templates: Vec<(String, Value)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account: "000000000000".into(),
            tools: Tools::default(),
            concurrency: 1,
            threads: 2,
            timeout: Duration::from_secs(3600),
            memory: 4 << 30,
            largest_output: 8 << 30,
            update_interval: None,
            templates: Vec::new(),
        }
    }
}

/// The service. Cheap to clone; every clone is the same service.
#[derive(Clone)]
pub struct MediaConvert {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) options: Options,
    pub(crate) storage: Arc<dyn Storage>,
    events: Arc<dyn EventSink>,
    /// One for each job that may be worked on at once.
    pub(crate) turns: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: HashMap<String, Job>,
    /// Ids, oldest first.
    order: VecDeque<String>,
    /// Client request token → id.
    tokens: HashMap<String, String>,
    templates: HashMap<String, Template>,
    tasks: JoinSet<()>,
    closing: bool,
}

#[derive(Clone)]
struct Template {
    settings: Value,
    category: Option<String>,
    description: Option<String>,
    created: OffsetDateTime,
}

impl MediaConvert {
    /// A service on this storage. Needs a tokio runtime when jobs are created.
    pub fn new(options: Options, storage: Arc<dyn Storage>, events: Arc<dyn EventSink>) -> Self {
        let now = OffsetDateTime::now_utc();
        let templates = options
            .templates
            .iter()
            .map(|(name, settings)| {
                let settings = wire::lower_camel(settings.clone());
                (name.clone(), Template { settings, category: None, description: None, created: now })
            })
            .collect();
        let turns = Semaphore::new(options.concurrency.max(1));
        let state = Mutex::new(State { templates, ..State::default() });
        Self { inner: Arc::new(Inner { options, storage, events, turns, state }) }
    }

    /// `CreateJob`: checks the settings, queues the job and returns it. The request is spelt as the REST API does.
    pub fn create_job(&self, request: Value) -> Result<Value, ApiError> {
        let inner = &self.inner;
        let mut node = Node::new("", request)?;
        let token = node.string("clientRequestToken")?;
        let role = node.string("role")?.filter(|role| !role.is_empty()).ok_or_else(|| missing("/role"))?;
        let template = node.string("jobTemplate")?;
        let queue = inner.queue_arn(node.string("queue")?);
        let interval = interval(node.string("statusUpdateInterval")?)?;
        let metadata = metadata(&mut node)?;
        let settings = node.take("settings").unwrap_or_else(|| json!({}));
        node.indifferent(&[
            "accelerationSettings",
            "billingTagsSource",
            "hopDestinations",
            "jobEngineVersion",
            "priority",
            "simulateReservedQueue",
            "tags",
        ]);
        node.finish()?;

        let mut state = inner.lock();
        if let Some(known) = token.as_ref().and_then(|token| state.known(token)) {
            return if known.metadata == metadata && known.queue == queue && known.template == template {
                Ok(known.show())
            } else {
                Err(ApiError::conflict(format!(
                    "/clientRequestToken: a job with another content was created with this token: {}",
                    known.id
                )))
            };
        }
        let settings = match &template {
            None => settings,
            Some(name) => {
                let below = state.template(name)?.settings.clone();
                wire::overlay(below, settings)
            }
        };
        let plan = Arc::new(Plan::read(&settings)?);
        if state.closing {
            return Err(ApiError::closing());
        }
        if state.jobs.values().filter(|job| !job.status.is_final()).count() >= WAITING {
            return Err(ApiError::too_many(format!("{WAITING} jobs are waiting; try again when some are done")));
        }
        let now = OffsetDateTime::now_utc();
        let id = new_id(now);
        let (cancel, cancelled) = watch::channel(false);
        let job = Job {
            arn: inner.arn(&format!("jobs/{id}")),
            id: id.clone(),
            queue,
            role,
            token,
            template,
            metadata,
            settings,
            plan,
            interval,
            status: JobStatus::Submitted,
            phase: Phase::Probing,
            percent: 0,
            frames: 0,
            submitted: now,
            started: None,
            finished: None,
            error: None,
            made: Vec::new(),
            cancel,
        };
        let shown = job.show();
        state.remember(job);
        // Ended tasks are collected on the way, so that the set does not grow.
        while state.tasks.try_join_next().is_some() {}
        state.tasks.spawn(runner::run(Arc::clone(inner), id, cancelled));
        Ok(shown)
    }

    /// `GetJob`.
    pub fn get_job(&self, id: &str) -> Result<Value, ApiError> {
        self.inner.lock().job(id).map(Job::show)
    }

    /// `ListJobs`: newest first unless `ascending`; a page of at most 20 from `offset`, and the offset of the next.
    pub fn list_jobs(
        &self,
        queue: Option<&str>,
        status: Option<&str>,
        ascending: bool,
        offset: usize,
        page: usize,
    ) -> Result<(Vec<Value>, Option<usize>), ApiError> {
        let status = match status {
            None => None,
            Some(word) => Some(
                JobStatus::parse(word)
                    .ok_or_else(|| ApiError::bad_request(format!("/status: {word:?} is not the status of a job")))?,
            ),
        };
        let queue = queue.map(|queue| self.inner.queue_arn(Some(queue.to_owned())));
        let state = self.inner.lock();
        let ids: Box<dyn Iterator<Item = &String>> =
            if ascending { Box::new(state.order.iter()) } else { Box::new(state.order.iter().rev()) };
        let page = page.clamp(1, 20);
        let mut found: Vec<_> = ids
            .filter_map(|id| state.jobs.get(id))
            .filter(|job| status.is_none_or(|status| job.status == status))
            .filter(|job| queue.as_ref().is_none_or(|queue| &job.queue == queue))
            .skip(offset)
            .take(page + 1)
            .map(Job::show)
            .collect();
        let more = found.len() > page;
        found.truncate(page);
        Ok((found, more.then_some(offset + page)))
    }

    /// `CancelJob`: stops it, whatever it is doing. A job that is over is in conflict with that.
    pub fn cancel_job(&self, id: &str) -> Result<(), ApiError> {
        let state = self.inner.lock();
        let job = state.job(id)?;
        if job.status.is_final() {
            return Err(ApiError::conflict(format!("The job {id} is {} already", job.status.as_str())));
        }
        job.cancel.send_replace(true);
        Ok(())
    }

    /// `CreateJobTemplate`.
    pub fn create_template(&self, request: Value) -> Result<Value, ApiError> {
        let mut node = Node::new("", request)?;
        let name = node.string("name")?.filter(|name| !name.is_empty()).ok_or_else(|| missing("/name"))?;
        let category = node.string("category")?;
        let description = node.string("description")?;
        let settings = node.take("settings").ok_or_else(|| missing("/settings"))?;
        Node::new("/settings", settings.clone())?;
        let mut state = self.inner.lock();
        if state.templates.contains_key(&name) {
            return Err(ApiError::conflict(format!("/name: there is a job template {name:?} already")));
        }
        if state.templates.len() >= WAITING {
            return Err(ApiError::too_many(format!("There are {WAITING} job templates already")));
        }
        let template = Template { settings, category, description, created: OffsetDateTime::now_utc() };
        let shown = self.inner.show_template(&name, &template);
        state.templates.insert(name, template);
        Ok(shown)
    }

    /// `GetJobTemplate`.
    pub fn get_template(&self, name: &str) -> Result<Value, ApiError> {
        let state = self.inner.lock();
        Ok(self.inner.show_template(name, state.template(name)?))
    }

    /// Stops all jobs, and returns when their processes are gone and their scratch folders removed. No event tells of
    /// it: whoever would hear it is going, too.
    pub async fn shutdown(&self) {
        let mut tasks = {
            let mut state = self.inner.lock();
            state.closing = true;
            for job in state.jobs.values() {
                job.cancel.send_replace(true);
            }
            std::mem::take(&mut state.tasks)
        };
        while tasks.join_next().await.is_some() {}
    }
}

impl State {
    fn job(&self, id: &str) -> Result<&Job, ApiError> {
        self.jobs.get(id).ok_or_else(|| ApiError::not_found(format!("There is no job {id:?}")))
    }

    fn template(&self, name: &str) -> Result<&Template, ApiError> {
        // A template may also be named by its ARN.
        let short = name.rsplit_once("jobTemplates/").map_or(name, |(_, short)| short);
        self.templates.get(short).ok_or_else(|| {
            ApiError::not_found(format!("There is no job template {name:?}; create it, or name another in jobTemplate"))
        })
    }

    fn known(&self, token: &str) -> Option<&Job> {
        self.tokens.get(token).and_then(|id| self.jobs.get(id))
    }

    fn remember(&mut self, job: Job) {
        if let Some(token) = &job.token {
            self.tokens.insert(token.clone(), job.id.clone());
        }
        self.order.push_back(job.id.clone());
        self.jobs.insert(job.id.clone(), job);
        if self.order.len() > REMEMBERED {
            let oldest = self.order.iter().position(|id| self.jobs.get(id).is_none_or(|job| job.status.is_final()));
            if let Some(job) = oldest.and_then(|at| self.order.remove(at)).and_then(|id| self.jobs.remove(&id)) {
                job.token.and_then(|token| self.tokens.remove(&token));
            }
        }
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn arn(&self, resource: &str) -> String {
        format!("arn:aws:mediaconvert:{}:{}:{resource}", self.options.region, self.options.account)
    }

    fn queue_arn(&self, queue: Option<String>) -> String {
        match queue {
            Some(arn) if arn.starts_with("arn:") => arn,
            Some(name) => self.arn(&format!("queues/{name}")),
            None => self.arn("queues/Default"),
        }
    }

    fn show_template(&self, name: &str, template: &Template) -> Value {
        let mut shown = json!({
            "arn": self.arn(&format!("jobTemplates/{name}")),
            "name": name,
            "type": "CUSTOM",
            "createdAt": epoch(template.created),
            "lastUpdated": epoch(template.created),
            "settings": template.settings,
        });
        for (field, value) in [("category", &template.category), ("description", &template.description)] {
            if let Some(value) = value {
                shown[field] = json!(value);
            }
        }
        shown
    }

    pub(crate) fn plan(&self, id: &str) -> Option<Arc<Plan>> {
        self.lock().jobs.get(id).map(|job| Arc::clone(&job.plan))
    }

    pub(crate) fn update_interval(&self, id: &str) -> Duration {
        self.options
            .update_interval
            .unwrap_or_else(|| Duration::from_secs(self.lock().jobs.get(id).map_or(60, |job| job.interval)))
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.lock().jobs.get_mut(id) {
            change(job);
        }
    }

    pub(crate) async fn begin(&self, id: &str) {
        self.change(id, |job| {
            job.status = JobStatus::Progressing;
            job.started = Some(OffsetDateTime::now_utc());
        });
        self.publish(id, Change::Status).await;
    }

    pub(crate) async fn phase(&self, id: &str, phase: Phase, percent: u32) {
        self.change(id, |job| (job.phase, job.percent) = (phase, percent));
        if self.options.update_interval.is_some() {
            self.publish(id, Change::Progress).await;
        }
    }

    pub(crate) fn progress(&self, id: &str, percent: u32, frames: u64) {
        self.change(id, |job| (job.percent, job.frames) = (percent, frames));
    }

    pub(crate) async fn end(&self, id: &str, status: JobStatus, error: Option<JobError>, made: Vec<Vec<Made>>) {
        self.change(id, |job| {
            job.status = status;
            job.error = error;
            job.made = made;
            job.finished = Some(OffsetDateTime::now_utc());
            if status == JobStatus::Complete {
                job.percent = 100;
            }
        });
        self.publish(id, Change::Status).await;
    }

    pub(crate) async fn publish(&self, id: &str, change: Change) {
        let event = {
            let state = self.lock();
            match state.jobs.get(id) {
                Some(job) if !state.closing => event(job, change, &self.options.region, &self.options.account),
                _ => return,
            }
        };
        self.events.publish(event).await;
    }
}

/// Seconds of `SECONDS_60`, of which the API knows certain ones.
fn interval(word: Option<String>) -> Result<u64, ApiError> {
    const KNOWN: [u64; 15] = [10, 12, 15, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600];
    let Some(word) = word else { return Ok(60) };
    word.strip_prefix("SECONDS_").and_then(|n| n.parse().ok()).filter(|n| KNOWN.contains(n)).ok_or_else(|| {
        ApiError::bad_request(format!(
            "/statusUpdateInterval: {word:?} is not one of SECONDS_10, SECONDS_12 … SECONDS_600"
        ))
    })
}

fn metadata(node: &mut Node) -> Result<Map<String, Value>, ApiError> {
    match node.take("userMetadata") {
        None => Ok(Map::new()),
        Some(Value::Object(fields)) if fields.values().all(Value::is_string) => {
            let long = |text: &str| text.chars().count() > LONGEST_METADATA;
            match fields.iter().find(|(name, value)| long(name) || value.as_str().is_some_and(long)) {
                None => Ok(fields),
                Some((name, _)) => Err(ApiError::bad_request(format!(
                    "/userMetadata/{name}: keys and values have at most {LONGEST_METADATA} characters"
                ))),
            }
        }
        Some(other) => Err(crate::node::wrong("/userMetadata", "an object of strings", &other)),
    }
}
