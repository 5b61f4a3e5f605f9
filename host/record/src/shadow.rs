//! Candidates in the shadow of the stage in service: a candidate gets the same input and the same answers, its effects go
//! nowhere, and the two are compared.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Batch, Case};
use stagehost_runtime::capability::Objects;
use stagehost_runtime::{Fanout, Grants, Limits, Stage};
use stagehost_storage::Storage;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::budget::RecordBudget;
use crate::compare::Difference;
use crate::error::RecordError;
use crate::log::RecordLimits;
use crate::pictures::{PictureRoom, ShadowPicture, extension};
use crate::player::{Fallback, Player};
use crate::record_format::{HostCall, Outcome, Problem, Record, StageRef};
use crate::recorded_bytes::Contents;
use crate::recording::Recording;
use crate::replay::{CallSettings, call_again, differences};
use crate::report::{SHADOW_FORMAT, ShadowCall, ShadowReport, Verdict, folder};
use crate::store::{plain, store_numbered};
use crate::timestamp::rfc3339;

/// Time before the deadline that is reserved for storing the report.
const STORING: Duration = Duration::from_millis(700);

/// The longest time for storing the report if there is no deadline.
const MAX_STORING: Duration = Duration::from_secs(5);

/// The longest text of a difference or a failure in the report, in characters.
const MAX_TEXT: usize = 1000;

/// How much of one repeated call is kept in memory, to be compared. What it reads is recorded already.
const KEPT: RecordLimits = RecordLimits { bytes: 0, text: 8 << 20, entries: 100_000, wait: Duration::ZERO };

/// The most differences of a call that are in the report. The others are counted.
const MAX_DIFFERENCES: usize = 20;

/// A candidate, from a pin's `shadow`.
#[derive(Clone)]
pub struct Candidate {
    /// The stage.
    pub stage: Arc<Stage>,
    /// Its configuration, a JSON object.
    pub config: String,
    /// Its limits, independent of those of the stage in service.
    pub limits: Limits,
    /// Its grants. What it writes or sends has no effect.
    pub grants: Grants,
}

/// Runs candidates. One per process: it has its own cores and memory, so that candidates cannot use up those of the stages
/// in service. While candidates of one call of a state run, those of another are dropped and do not wait.
///
/// What is kept of the repeated calls is bounded: 8 MiB for one, and a [`RecordBudget`] for all together. A candidate that asks
/// for more is answered and reported as different.
///
/// The dispatcher uses it for the executions that the pins' `shadows` select:
///
/// 1. It runs the stage in service with a [`CallRecorder::keeping`](crate::CallRecorder::keeping).
/// 2. It computes the answer, which does not depend on the shadow.
/// 3. Before it returns the answer, it calls [`run`](Self::run), because a Lambda function is frozen once it has answered.
///    If the stage in service failed as a whole, it passes the batch as it was before.
///
/// [`run`](Self::run) never fails and never panics because of a candidate. It stores its report and returns it for the log.
#[derive(Clone)]
pub struct Shadow {
    fanout: Fanout,
    objects: Arc<dyn Objects>,
    sink: Arc<dyn Storage>,
    budget: RecordBudget,
    /// One permit, which the running call of a state has.
    running: Arc<Semaphore>,
}

impl Shadow {
    /// Returns a runner. Candidates read `objects` if the stage in service did not read the same; reports go to `sink`, which
    /// is the media bucket. At most `cores` candidates run at once, in at most `memory_mib` MiB of guest memory together.
    pub fn new(objects: Arc<dyn Objects>, sink: Arc<dyn Storage>, cores: usize, memory_mib: u32) -> Self {
        let (budget, running) = (RecordBudget::default(), Arc::new(Semaphore::new(1)));
        Self { fanout: Fanout::new(cores, memory_mib), objects, sink, budget, running }
    }

    /// Returns a runner that charges what it keeps of the repeated calls to this budget.
    #[must_use]
    pub fn within(self, budget: RecordBudget) -> Self {
        Self { budget, ..self }
    }

    /// Repeats the calls of the stage in service with the candidate, compares them and stores the report. Returns by the
    /// deadline; calls for which there is no time are counted. Returns `None` if there is nothing to repeat, or if another call
    /// of a state is being repeated.
    ///
    /// `after` is the batch as the stage in service left it.
    pub async fn run(
        &self,
        candidate: &Candidate,
        primary: Vec<Recording>,
        after: &Batch,
        deadline: Option<Instant>,
    ) -> Option<ShadowReport> {
        let first = &primary.first()?.record;
        let Ok(_running) = self.running.try_acquire() else {
            let (state, execution) = (&first.context.state, &first.context.execution);
            tracing::info!(state, execution, "a shadow is dropped: another one runs");
            return None;
        };
        let mut report = ShadowReport {
            format: SHADOW_FORMAT.to_owned(),
            state: first.context.state.clone(),
            execution: first.context.execution.clone(),
            attempt: first.context.attempt,
            finished_at: String::new(),
            revision: first.batch.revision,
            primary: first.stage.clone(),
            candidate: StageRef::of(&candidate.stage),
            calls: Vec::new(),
            not_run: 0,
        };
        let calls_until = deadline.map(|deadline| deadline.checked_sub(STORING).unwrap_or(deadline));
        let hidden = hidden(&primary, after);
        let room = PictureRoom::default();
        let all = primary.len();
        let mut calls = JoinSet::new();
        for recording in primary {
            let (this, candidate, hidden, room) = (self.clone(), candidate.clone(), hidden.clone(), room.clone());
            calls.spawn(async move { this.one(&candidate, recording, (hidden, room), calls_until).await });
        }
        let gather = async {
            while let Some(joined) = calls.join_next().await {
                // A panic is a defect of the host. The call is counted as not run.
                report.calls.extend(joined.ok().flatten());
            }
        };
        match calls_until {
            // Calls end at their deadline by themselves. This bounds the wait for memory and a core.
            Some(until) => drop(tokio::time::timeout_at((until + STORING / 4).into(), gather).await),
            None => gather.await,
        }
        drop(calls);
        report.calls.sort_by(|a, b| a.subject.cmp(&b.subject));
        report.not_run = u32::try_from(all - report.calls.len()).unwrap_or(u32::MAX);
        report.finished_at = rfc3339(SystemTime::now());
        let until = deadline.unwrap_or_else(|| Instant::now() + MAX_STORING);
        let stored = tokio::time::timeout_at(until.into(), self.store(&report)).await;
        let why = match stored {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("no time was left to store it".to_owned()),
        };
        if let Some(why) = why {
            tracing::warn!(state = %report.state, execution = %report.execution, why, "a shadow's report is not stored");
        }
        Some(report)
    }

    async fn one(
        &self,
        candidate: &Candidate,
        recording: Recording,
        (hidden, room): (HashSet<String>, PictureRoom),
        until: Option<Instant>,
    ) -> Option<ShadowCall> {
        if until.is_some_and(|until| Instant::now() >= until) {
            return None;
        }
        let Recording { record, log } = recording;
        let fallback = Fallback::Shadow { objects: self.objects.clone(), hidden };
        let player = Player::new(record.clone(), Contents::Live(log), fallback, self.budget.share(), Some(room));
        let settings = CallSettings {
            config: candidate.config.clone(),
            limits: candidate.limits,
            grants: candidate.grants.clone(),
            deadline: until,
            keep: KEPT,
            budget: self.budget.clone(),
        };
        let again = call_again(&record, &player, &candidate.stage, settings, &self.fanout).await?;
        let now = &again.record;
        let cut_off = until.is_some_and(|until| Instant::now() >= until)
            && matches!(&now.outcome, Outcome::Failed(problem) if problem.code == Case::Timeout.name())
            && now.report.duration_ms < candidate.limits.deadline_ms as f64;
        let mut differences = differences(&player, &record, now);
        let failure = match (&record.outcome, &now.outcome) {
            (Outcome::Failed(was), Outcome::Failed(now)) if was.code == now.code => None,
            (_, Outcome::Failed(now)) => Some(Problem { code: now.code.clone(), message: shortened(&now.message) }),
            (_, _) => None,
        };
        let verdict = match (cut_off, &failure, differences.is_empty()) {
            (true, _, _) => Verdict::CutOff,
            (false, Some(_), _) => Verdict::Failed,
            (false, None, false) => Verdict::Different,
            (false, None, true) => Verdict::Same,
        };
        let pictures = match verdict {
            Verdict::Different => self.keep_pictures(&player, &record.context.state, &now.stage, until).await,
            Verdict::Same | Verdict::Failed | Verdict::CutOff => Vec::new(),
        };
        let more = differences.len().saturating_sub(MAX_DIFFERENCES);
        differences.truncate(MAX_DIFFERENCES);
        for Difference { what, was, now, .. } in &mut differences {
            for text in [Some(what), was.as_mut(), now.as_mut()].into_iter().flatten() {
                *text = shortened(text);
            }
        }
        Some(ShadowCall {
            subject: record.subject().to_owned(),
            verdict,
            differences,
            more,
            pictures,
            failure,
            primary: record.report,
            candidate: now.report,
        })
    }

    /// Stores the pictures that a candidate made otherwise, beside the reports. Returns those that are stored in time.
    async fn keep_pictures(
        &self,
        player: &Player,
        state: &str,
        candidate: &StageRef,
        until: Option<Instant>,
    ) -> Vec<ShadowPicture> {
        let folder = folder(state, Some(&candidate.digest));
        let until = until.unwrap_or_else(|| Instant::now() + MAX_STORING);
        let mut kept = Vec::new();
        for (key, picture) in player.pictures() {
            let Some(extension) = extension(&picture.content_type) else { continue };
            let name = format!("{folder}pictures/{}.{extension}", hex::encode(Sha256::digest(&picture.bytes)));
            let bytes = picture.bytes.len() as u64;
            // If there is such a document, another call has made the same picture.
            match tokio::time::timeout_at(until.into(), self.sink.create(&name, picture.bytes.clone())).await {
                Ok(Ok(_)) => kept.push(ShadowPicture { key, content_type: picture.stored(), bytes, kept: name }),
                Ok(Err(error)) => {
                    tracing::warn!(state, %error, "a shadow's picture is not stored");
                    break;
                }
                Err(_) => break,
            }
        }
        kept
    }

    async fn store(&self, report: &ShadowReport) -> Result<String, RecordError> {
        let execution = plain(report.execution.rsplit(':').next().unwrap_or_default());
        let attempt = if report.attempt == 0 { String::new() } else { format!("-{}", report.attempt) };
        let folder = folder(&report.state, Some(&report.candidate.digest));
        let text = serde_json::to_vec(report).map_err(std::io::Error::other)?;
        store_numbered(self.sink.as_ref(), &format!("{folder}{execution}{attempt}"), Bytes::from(text)).await
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Returns the keys of everything that the stage in service wrote, also in calls that were not recorded.
fn hidden(primary: &[Recording], after: &Batch) -> HashSet<String> {
    let writes = |record: &Record| -> Vec<String> {
        let key = |call: &HostCall| match call {
            HostCall::Write(write) if write.is_finished() => Some(write.key.clone()),
            _ => None,
        };
        record.calls.iter().filter_map(key).collect()
    };
    let renditions = after.assets.iter().flat_map(|asset| &asset.renditions);
    let made = renditions.filter(|rendition| !rendition.reused).map(|rendition| rendition.key.clone());
    let bundles = after.bundles.iter().filter(|bundle| !bundle.reused).map(|bundle| bundle.key.clone());
    let files = after.files.iter().filter(|file| !file.reused).map(|file| file.key.clone());
    // Results of earlier states are not hidden, because the candidate may have to read them.
    let before: HashSet<_> = primary
        .iter()
        .flat_map(|recording| {
            let record = &recording.record;
            let assets = record.batch.assets.iter().chain(&record.asset);
            let renditions = assets.flat_map(|asset| &asset.renditions).chain(&record.batch.files);
            renditions.map(|rendition| rendition.key.clone()).collect::<Vec<_>>()
        })
        .collect();
    let claimed = made.chain(bundles).chain(files).filter(|key| !before.contains(key));
    primary.iter().flat_map(|recording| writes(&recording.record)).chain(claimed).collect()
}
