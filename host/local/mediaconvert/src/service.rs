//! The service and its operations.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::document::overlay::overlay;
use crate::document::spelling::lower_camel;
use crate::document::strict::{StrictObject, missing, wrong};
use crate::error::MediaConvertError;
use crate::events::EventSink;
use crate::jobs::job::{Job, JobStatus, Phase, new_id};
use crate::jobs::job_table::JobTable;
use crate::jobs::runner;
use crate::jobs::scratch::remove_leftovers;
use crate::jobs::template::JobTemplate;
use crate::options::Options;
use crate::settings::Plan;
use crate::storage::Storage;

/// The longest key or value of a job's metadata, in characters.
const MAX_METADATA: usize = 256;
/// The largest number of waiting jobs, and of templates.
const MAX_WAITING: usize = 1_000;

/// The service. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct MediaConvert {
    jobs: Arc<JobTable>,
}

impl MediaConvert {
    /// Returns a service on this storage. Jobs must be created in a tokio runtime. Removes what the jobs of a killed process
    /// have left among the system's temporary files.
    pub fn new(options: Options, storage: Arc<dyn Storage>, events: Arc<dyn EventSink>) -> Self {
        remove_leftovers();
        let now = OffsetDateTime::now_utc();
        let templates = options
            .templates
            .iter()
            .map(|(name, settings)| {
                let settings = lower_camel(settings.clone());
                (name.clone(), JobTemplate { settings, category: None, description: None, created: now })
            })
            .collect();
        Self { jobs: Arc::new(JobTable::new(options, storage, events, templates)) }
    }

    /// `CreateJob`: checks the settings, queues the job and returns it. The request has the spelling of the REST API.
    pub fn create_job(&self, request: Value) -> Result<Value, MediaConvertError> {
        let jobs = &self.jobs;
        let mut fields = StrictObject::new("", request)?;
        let token = fields.string("clientRequestToken")?;
        let role = fields.string("role")?.filter(|role| !role.is_empty()).ok_or_else(|| missing("/role"))?;
        let template = fields.string("jobTemplate")?;
        let queue = jobs.queue_arn(fields.string("queue")?);
        let interval = interval(fields.string("statusUpdateInterval")?)?;
        let metadata = metadata(&mut fields)?;
        let settings = fields.take("settings").unwrap_or_else(|| json!({}));
        fields.ignore(&[
            "accelerationSettings",
            "billingTagsSource",
            "hopDestinations",
            "jobEngineVersion",
            "priority",
            "simulateReservedQueue",
            "tags",
        ]);
        fields.finish()?;

        let mut state = jobs.lock();
        if let Some(known) = token.as_ref().and_then(|token| state.job_of_token(token)) {
            return if known.metadata == metadata && known.queue == queue && known.template == template {
                Ok(known.to_json())
            } else {
                Err(MediaConvertError::conflict(format!(
                    "/clientRequestToken: a job with another content was created with this token: {}",
                    known.id
                )))
            };
        }
        let settings = match &template {
            None => settings,
            Some(name) => {
                let base = state.template(name)?.settings.clone();
                overlay(base, settings)
            }
        };
        let plan = Arc::new(Plan::read(&settings)?);
        if state.closing {
            return Err(MediaConvertError::closing());
        }
        if state.jobs.values().filter(|job| !job.status.is_final()).count() >= MAX_WAITING {
            return Err(MediaConvertError::too_many(format!(
                "{MAX_WAITING} jobs are waiting; try again when some are done"
            )));
        }
        let now = OffsetDateTime::now_utc();
        let id = new_id(now);
        let (cancel, cancelled) = watch::channel(false);
        let job = Job {
            arn: jobs.arn(&format!("jobs/{id}")),
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
            outputs: Vec::new(),
            cancel,
        };
        let shown = job.to_json();
        state.add(job);
        // Removes ended tasks, so that the set does not grow.
        while state.tasks.try_join_next().is_some() {}
        state.tasks.spawn(runner::run(Arc::clone(jobs), id, cancelled));
        Ok(shown)
    }

    /// `GetJob`.
    pub fn get_job(&self, id: &str) -> Result<Value, MediaConvertError> {
        self.jobs.lock().job(id).map(Job::to_json)
    }

    /// `ListJobs`: the newest first unless `ascending`. Returns at most 20 jobs from `offset`, and the offset of the
    /// next page.
    pub fn list_jobs(
        &self,
        queue: Option<&str>,
        status: Option<&str>,
        ascending: bool,
        offset: usize,
        page: usize,
    ) -> Result<(Vec<Value>, Option<usize>), MediaConvertError> {
        let status = match status {
            None => None,
            Some(word) => Some(JobStatus::parse(word).ok_or_else(|| {
                MediaConvertError::bad_request(format!("/status: {word:?} is not the status of a job"))
            })?),
        };
        let queue = queue.map(|queue| self.jobs.queue_arn(Some(queue.to_owned())));
        let state = self.jobs.lock();
        let ids: Box<dyn Iterator<Item = &String>> =
            if ascending { Box::new(state.order.iter()) } else { Box::new(state.order.iter().rev()) };
        let page = page.clamp(1, 20);
        let mut found: Vec<_> = ids
            .filter_map(|id| state.jobs.get(id))
            .filter(|job| status.is_none_or(|status| job.status == status))
            .filter(|job| queue.as_ref().is_none_or(|queue| &job.queue == queue))
            .skip(offset)
            .take(page + 1)
            .map(Job::to_json)
            .collect();
        let more = found.len() > page;
        found.truncate(page);
        Ok((found, more.then_some(offset + page)))
    }

    /// `CancelJob`: stops a job.
    ///
    /// # Errors
    /// `ConflictException`, if the job has ended.
    pub fn cancel_job(&self, id: &str) -> Result<(), MediaConvertError> {
        let state = self.jobs.lock();
        let job = state.job(id)?;
        if job.status.is_final() {
            return Err(MediaConvertError::conflict(format!("The job {id} is already {}", job.status.as_str())));
        }
        job.cancel.send_replace(true);
        Ok(())
    }

    /// `CreateJobTemplate`.
    pub fn create_template(&self, request: Value) -> Result<Value, MediaConvertError> {
        let mut fields = StrictObject::new("", request)?;
        let name = fields.string("name")?.filter(|name| !name.is_empty()).ok_or_else(|| missing("/name"))?;
        let category = fields.string("category")?;
        let description = fields.string("description")?;
        let settings = fields.take("settings").ok_or_else(|| missing("/settings"))?;
        StrictObject::new("/settings", settings.clone())?;
        let mut state = self.jobs.lock();
        if state.templates.contains_key(&name) {
            return Err(MediaConvertError::conflict(format!("/name: the job template {name:?} exists already")));
        }
        if state.templates.len() >= MAX_WAITING {
            return Err(MediaConvertError::too_many(format!("There are {MAX_WAITING} job templates already")));
        }
        let template = JobTemplate { settings, category, description, created: OffsetDateTime::now_utc() };
        let shown = template.to_json(&name, self.jobs.arn(&format!("jobTemplates/{name}")));
        state.templates.insert(name, template);
        Ok(shown)
    }

    /// `GetJobTemplate`.
    pub fn get_template(&self, name: &str) -> Result<Value, MediaConvertError> {
        let state = self.jobs.lock();
        Ok(state.template(name)?.to_json(name, self.jobs.arn(&format!("jobTemplates/{name}"))))
    }

    /// Stops all jobs and waits until their processes have ended and their scratch folders are removed. No events are
    /// published, because their receiver is shutting down as well.
    pub async fn shutdown(&self) {
        let mut tasks = {
            let mut state = self.jobs.lock();
            state.closing = true;
            for job in state.jobs.values() {
                job.cancel.send_replace(true);
            }
            std::mem::take(&mut state.tasks)
        };
        while tasks.join_next().await.is_some() {}
    }
}

/// Returns the seconds of `SECONDS_60`. The API allows certain values only.
fn interval(word: Option<String>) -> Result<u64, MediaConvertError> {
    const ALLOWED: [u64; 15] = [10, 12, 15, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600];
    let Some(word) = word else { return Ok(60) };
    word.strip_prefix("SECONDS_").and_then(|n| n.parse().ok()).filter(|n| ALLOWED.contains(n)).ok_or_else(|| {
        MediaConvertError::bad_request(format!(
            "/statusUpdateInterval: {word:?} is not one of SECONDS_10, SECONDS_12 … SECONDS_600"
        ))
    })
}

/// Reads the user metadata.
fn metadata(fields: &mut StrictObject) -> Result<Map<String, Value>, MediaConvertError> {
    match fields.take("userMetadata") {
        None => Ok(Map::new()),
        Some(Value::Object(fields)) if fields.values().all(Value::is_string) => {
            let long = |text: &str| text.chars().count() > MAX_METADATA;
            match fields.iter().find(|(name, value)| long(name) || value.as_str().is_some_and(long)) {
                None => Ok(fields),
                Some((name, _)) => Err(MediaConvertError::bad_request(format!(
                    "/userMetadata/{name}: keys and values have at most {MAX_METADATA} characters"
                ))),
            }
        }
        Some(other) => Err(wrong("/userMetadata", "an object of strings", &other)),
    }
}
