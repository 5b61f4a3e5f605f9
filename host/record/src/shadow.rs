//! A candidate in the shadow of the stage in service: called with the same input, answered as the stage was, and whatever
//! it does goes nowhere.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use stagehost_batch::{Batch, Case};
use stagehost_runtime::capability::Objects;
use stagehost_runtime::{Fanout, Grants, Limits, Stage};
use stagehost_storage::Storage;
use tokio::task::JoinSet;

use crate::compare::compare;
use crate::format::{HostCall, Outcome, Record, StageRef};
use crate::keep::{Contents, RecordError, plain, store_numbered};
use crate::player::{Beyond, Player};
use crate::recorder::{Recording, rfc3339};
use crate::replay::{How, call_again, unrecorded};
use crate::report::{SHADOW_FORMAT, ShadowCall, ShadowReport, Verdict};

/// Where reports are, in the media bucket.
pub const SHADOW_PREFIX: &str = "pipeline/shadow";

/// Calls end so long before the deadline: then the report is stored.
const STORING: Duration = Duration::from_millis(700);

/// How long storing the report may take where there is no deadline.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many differences of a call are named in the report; the others are counted.
const NAMED: usize = 20;

/// What runs in the shadow: from the pin's `shadow`.
#[derive(Clone)]
pub struct Candidate {
    /// The stage.
    pub stage: Arc<Stage>,
    /// Its configuration, a JSON object.
    pub config: String,
    /// What it may use. It has memory and time of its own.
    pub limits: Limits,
    /// What it may ask for. Of what it may write or call nothing happens.
    pub grants: Grants,
}

/// Runs candidates. One per process: it has cores and memory of its own, so that no candidate can take those of the stages
/// in service.
///
/// How the dispatcher uses it, for a state whose pin has a `shadow` of `percent`:
///
/// 1. Draw once per call of the state. If the shadow runs, make
///    `let recorder = Recorder::keeping(calls, limits)` and run the stage in service by
///    `fanout.witnessed(Arc::new(recorder.clone())).run(…)` instead of `fanout.run(…)`. Nothing else changes for it.
/// 2. Compute the answer as ever. It does not depend on the shadow.
/// 3. Before the answer is returned, with what time is left:
///    `shadow.run(&candidate, recorder.take(), &outcome.batch, deadline).await`, where the deadline is the earlier of the
///    function's and the time that one is ready to spend. A Lambda function is frozen once it has answered, so there is
///    no later. If the stage in service failed as a whole, pass the batch as it was.
///
/// `run` never fails and never panics because of a candidate; what it returns is for the log, and is stored.
#[derive(Clone)]
pub struct Shadow {
    fanout: Fanout,
    objects: Arc<dyn Objects>,
    sink: Arc<dyn Storage>,
}

impl Shadow {
    /// Candidates read `objects`, where the stage in service did not read before them; reports go to `sink`, which is the
    /// media bucket. At most `cores` candidates run at once, in at most `memory_mib` MiB of guest memory together.
    pub fn new(objects: Arc<dyn Objects>, sink: Arc<dyn Storage>, cores: usize, memory_mib: u32) -> Self {
        Self { fanout: Fanout::new(cores, memory_mib), objects, sink }
    }

    /// Calls the candidate as the stage in service was called, compares, and stores the report. By the deadline it is
    /// back; calls that there is no time for are counted.
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
        let mut report = ShadowReport {
            format: SHADOW_FORMAT.to_owned(),
            state: first.context.state.clone(),
            execution: first.context.execution.clone(),
            attempt: first.context.attempt,
            finished_at: String::new(),
            revision: first.batch.revision,
            primary: first.stage.clone(),
            candidate: identity(&candidate.stage),
            calls: Vec::new(),
            not_run: 0,
        };
        let calls_until = deadline.map(|deadline| deadline.checked_sub(STORING).unwrap_or(deadline));
        let hidden = hidden(&primary, after);
        let all = primary.len();
        let mut calls = JoinSet::new();
        for recording in primary {
            let (this, candidate, hidden) = (self.clone(), candidate.clone(), hidden.clone());
            calls.spawn(async move { this.one(&candidate, recording, hidden, calls_until).await });
        }
        let gather = async {
            while let Some(joined) = calls.join_next().await {
                // A panic would be a defect of the host: that call is counted as not run.
                report.calls.extend(joined.ok().flatten());
            }
        };
        match calls_until {
            // Candidates end by themselves at their deadline; this bounds the wait for a place to run.
            Some(until) => drop(tokio::time::timeout_at((until + STORING / 4).into(), gather).await),
            None => gather.await,
        }
        drop(calls);
        report.calls.sort_by(|a, b| a.subject.cmp(&b.subject));
        report.not_run = u32::try_from(all - report.calls.len()).unwrap_or(u32::MAX);
        report.finished_at = rfc3339(SystemTime::now());
        let until = deadline.unwrap_or_else(|| Instant::now() + PATIENCE);
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
        hidden: HashSet<String>,
        until: Option<Instant>,
    ) -> Option<ShadowCall> {
        if until.is_some_and(|until| Instant::now() >= until) {
            return None;
        }
        let Recording { record, log } = recording;
        let record = Arc::new(record);
        let beyond = Beyond::Shadow { objects: self.objects.clone(), hidden };
        let player = Player::new(record.clone(), Contents::Live(log), beyond);
        let how = How {
            config: candidate.config.clone(),
            limits: candidate.limits,
            grants: candidate.grants.clone(),
            deadline: until,
        };
        let again = call_again(&record, &player, &candidate.stage, how, &self.fanout).await?;
        let now = &again.record;
        let cut_off = until.is_some_and(|until| Instant::now() >= until)
            && matches!(&now.outcome, Outcome::Failed(problem) if problem.code == Case::Timeout.name())
            && now.report.duration_ms < candidate.limits.deadline_ms as f64;
        let mut differences = compare(&record, now);
        differences.extend(unrecorded(&player, &again));
        let failure = match (&record.outcome, &now.outcome) {
            (Outcome::Failed(was), Outcome::Failed(now)) if was.code == now.code => None,
            (_, Outcome::Failed(now)) => Some(now.clone()),
            (_, _) => None,
        };
        let verdict = match (cut_off, &failure, differences.is_empty()) {
            (true, _, _) => Verdict::CutOff,
            (false, Some(_), _) => Verdict::Failed,
            (false, None, false) => Verdict::Different,
            (false, None, true) => Verdict::Same,
        };
        let more = differences.len().saturating_sub(NAMED);
        differences.truncate(NAMED);
        Some(ShadowCall {
            subject: record.subject().to_owned(),
            verdict,
            differences,
            more,
            failure,
            primary: record.report,
            candidate: now.report,
        })
    }

    async fn store(&self, report: &ShadowReport) -> Result<String, RecordError> {
        let execution = plain(report.execution.rsplit(':').next().unwrap_or_default());
        let attempt = if report.attempt == 0 { String::new() } else { format!("-{}", report.attempt) };
        let folder = folder(&report.state, Some(&report.candidate.digest));
        let text = serde_json::to_vec(report).map_err(std::io::Error::other)?;
        store_numbered(self.sink.as_ref(), &format!("{folder}{execution}{attempt}"), Bytes::from(text)).await
    }
}

/// The folder of a state's reports, or of those on one candidate, with the `/` at its end.
pub(crate) fn folder(state: &str, digest: Option<&str>) -> String {
    let state = plain(state);
    match digest.map(short) {
        Some(digest) => format!("{SHADOW_PREFIX}/{state}/{digest}/"),
        None => format!("{SHADOW_PREFIX}/{state}/"),
    }
}

/// `sha256:0123456789abcdef…` → `0123456789ab`
fn short(digest: &str) -> String {
    plain(digest.trim_start_matches("sha256:")).chars().take(12).collect()
}

fn identity(stage: &Stage) -> StageRef {
    let identity = stage.identity();
    StageRef {
        name: identity.name.clone(),
        version: identity.version.clone(),
        digest: identity.digest.clone(),
        world: stage.world(),
    }
}

/// The keys of everything that the stage in service wrote, also in calls that were not recorded.
fn hidden(primary: &[Recording], after: &Batch) -> HashSet<String> {
    let writes = |record: &Record| -> Vec<String> {
        let key = |call: &HostCall| match call {
            HostCall::Write(write) if write.is_meant() => Some(write.key.clone()),
            _ => None,
        };
        record.calls.iter().filter_map(key).collect()
    };
    let renditions = after.assets.iter().flat_map(|asset| &asset.renditions);
    let made = renditions.filter(|rendition| !rendition.reused).map(|rendition| rendition.key.clone());
    let bundles = after.bundles.iter().filter(|bundle| !bundle.reused).map(|bundle| bundle.key.clone());
    // What an earlier state made is not hidden: the candidate may have to read it.
    let before: HashSet<_> = primary
        .iter()
        .flat_map(|recording| {
            let record = &recording.record;
            let assets = record.batch.assets.iter().chain(&record.asset);
            assets.flat_map(|asset| &asset.renditions).map(|rendition| rendition.key.clone()).collect::<Vec<_>>()
        })
        .collect();
    let claimed = made.chain(bundles).filter(|key| !before.contains(key));
    primary.iter().flat_map(|recording| writes(&recording.record)).chain(claimed).collect()
}
